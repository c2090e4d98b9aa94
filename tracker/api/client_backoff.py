"""Client back-off: delay the handshakes of clients that repeatedly violate the protocol.

Violations count by driver token, or by tracking link and address: a carrier's address has many clients, and a
link is shared. The first few cause no delay, so that developers can make mistakes.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tracker.api.errors import CloseConnection
from tracker.errors import RateLimited
from tracker.node import Node
from tracker.tokens import hash_token
from tracker.websocket.accept import Socket

VIOLATION_CODES: Final = frozenset(
    {1002, 1007, 1009, 4000, 4103}
)  # close codes: broken frames, bad messages, floods
MAX_DELAY: Final = 5.0  # seconds; less than the handshake timeout of clients


async def await_backoff(node: Node, token: str, address: str = "") -> None:
    """Wait until this token may connect again.

    If that takes longer than `MAX_DELAY`, wait `MAX_DELAY` and raise RateLimited. An immediate error would
    make the client retry immediately.
    """
    wait = node.violations.wait(_key(token, address), asyncio.get_running_loop().time())
    if wait > 0.0:
        await asyncio.sleep(min(wait, MAX_DELAY))
    if wait > MAX_DELAY:
        detail = "Earlier connections violated the protocol; fix the client and reconnect later."
        raise RateLimited(detail, after_s=wait - MAX_DELAY)


@contextmanager
def record_violations(node: Node, socket: Socket, token: str, address: str = "") -> Iterator[None]:
    """Count a violation if the connection ends with one while the block runs. Replacement is none."""
    code: int | None = None
    try:
        yield
    except CloseConnection as closing:
        code = closing.code
        raise
    finally:
        if code in VIOLATION_CODES or socket.close_code in VIOLATION_CODES:
            node.violations.take(_key(token, address), 1.0, asyncio.get_running_loop().time())


def _key(token: str, address: str) -> str:
    return f"{hash_token(token).hex()} {address}"
