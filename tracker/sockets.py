"""Socket: what an endpoint needs of a WebSocket. A faster transport can stand behind it some day."""

from typing import Any, Protocol

from quart import Websocket


class Socket(Protocol):
    """One accepted connection. Text frames are `str`, binary frames `bytes`."""

    async def receive(self) -> str | bytes:
        """The next message. The task is cancelled when the peer goes."""

    async def send(self, message: str | bytes) -> None:
        """Returns when the transport took it."""

    async def close(self, code: int, reason: str = "") -> None:
        """Says goodbye; nothing can be sent afterwards. Again: no effect."""


class QuartSocket:
    """The Socket that every ASGI server can give: Quart's own."""

    def __init__(self, websocket: Websocket) -> None:
        self._websocket = websocket
        self._closed = False

    async def receive(self) -> str | bytes:
        message: Any = await self._websocket.receive()
        return b"" if message is None else message  # an empty binary frame arrives as None

    async def send(self, message: str | bytes) -> None:
        if not self._closed:
            await self._websocket.send(message)

    async def close(self, code: int, reason: str = "") -> None:
        if not self._closed:
            self._closed = True
            await self._websocket.close(code, reason)
