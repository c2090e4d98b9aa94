"""Amends: whoever is sent away for what they sent, again and again, waits at the door before they come in.

By what they came in with, a driver's token or a link from one address: behind a carrier's address there are
many others, and a link is shared. Whoever is still writing a client makes mistakes, and is not kept from it.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tracker.api.close import CloseConnection
from tracker.errors import RateLimited
from tracker.node import Node
from tracker.tokens import hash_token
from tracker.websocket.accept import Socket

VIOLATION_CODES: Final = frozenset(
    {1002, 1007, 1009, 4000, 4103}
)  # close codes: broken frames, nonsense, floods
MAX_DELAY: Final = 5.0  # seconds, at the most; less than clients wait for an answer


async def await_backoff(here: Node, token: str, address: str = "") -> None:
    """Returns when whoever comes with this has waited long enough.

    Raises RateLimited where that would take too long; not at once, since they would be back at once.
    """
    wait = here.sent_away.wait(_key(token, address), asyncio.get_running_loop().time())
    if wait > 0.0:
        await asyncio.sleep(min(wait, MAX_DELAY))
    if wait > MAX_DELAY:
        why = "Earlier connections were ended for what they had sent."
        raise RateLimited(why, after_s=wait - MAX_DELAY)


@contextmanager
def record_violations(here: Node, socket: Socket, token: str, address: str = "") -> Iterator[None]:
    """What the connection is ended for while the block runs is remembered; being replaced is no fault."""
    code: int | None = None
    try:
        yield
    except CloseConnection as closing:
        code = closing.code
        raise
    finally:
        if code in VIOLATION_CODES or socket.goodbye in VIOLATION_CODES:
            here.sent_away.take(_key(token, address), 1.0, asyncio.get_running_loop().time())


def _key(token: str, address: str) -> str:
    return f"{hash_token(token).hex()} {address}"
