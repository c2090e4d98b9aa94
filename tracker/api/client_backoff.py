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

FOR_CAUSE: Final = frozenset({1002, 1007, 1009, 4000, 4103})  # close codes: broken frames, nonsense, floods
AT_THE_DOOR: Final = 5.0  # seconds, at the most; less than clients wait for an answer


async def let_in(here: Node, token: str, address: str = "") -> None:
    """Returns when whoever comes with this has waited long enough.

    Raises RateLimited where that would take too long; not at once, since they would be back at once.
    """
    wait = here.sent_away.wait(_key(token, address), asyncio.get_running_loop().time())
    if wait > 0.0:
        await asyncio.sleep(min(wait, AT_THE_DOOR))
    if wait > AT_THE_DOOR:
        why = "Earlier connections were ended for what they had sent."
        raise RateLimited(why, after_s=wait - AT_THE_DOOR)


@contextmanager
def answerable(here: Node, socket: Socket, token: str, address: str = "") -> Iterator[None]:
    """What the connection is ended for while the block runs is remembered; being replaced is no fault."""
    code: int | None = None
    try:
        yield
    except CloseConnection as closing:
        code = closing.code
        raise
    finally:
        if code in FOR_CAUSE or socket.goodbye in FOR_CAUSE:
            here.sent_away.take(_key(token, address), 1.0, asyncio.get_running_loop().time())


def _key(token: str, address: str) -> str:
    return f"{hash_token(token).hex()} {address}"
