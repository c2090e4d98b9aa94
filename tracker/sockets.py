"""Socket: what an endpoint needs of a WebSocket. A faster transport can stand behind it some day."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import quart.wrappers.base
from quart import Websocket

# Quart 0.23 raises this when the peer has gone; 0.22 cancels the task instead and does not have it.
_Gone: type[Exception] = getattr(quart.wrappers.base, "ClientDisconnectedError", ConnectionError)


class Disconnected(Exception):
    """The peer has gone."""


class Socket(Protocol):
    """One accepted connection. Text frames are `str`, binary frames `bytes`."""

    async def receive(self) -> str | bytes:
        """The next message. Raises Disconnected when the peer has gone, or the task is cancelled."""

    async def send(self, message: str | bytes) -> None:
        """Returns when the transport took it; raises Disconnected."""

    async def close(self, code: int, reason: str = "") -> None:
        """Says goodbye; nothing can be sent afterwards. Again: no effect."""


class QuartSocket:
    """The Socket that every ASGI server can give: Quart's own."""

    def __init__(self, websocket: Websocket) -> None:
        self._websocket = websocket
        self._closed = False

    async def receive(self) -> str | bytes:
        with self._disconnecting():
            message: Any = await self._websocket.receive()
        return b"" if message is None else message  # an empty binary frame arrives as None

    async def send(self, message: str | bytes) -> None:
        if not self._closed:
            with self._disconnecting():
                await self._websocket.send(message)

    async def close(self, code: int, reason: str = "") -> None:
        if not self._closed:
            self._closed = True
            with suppress(_Gone):
                await self._websocket.close(code, reason)

    @contextmanager
    def _disconnecting(self) -> Iterator[None]:
        try:
            yield
        except _Gone as error:
            self._closed = True
            raise Disconnected from error
