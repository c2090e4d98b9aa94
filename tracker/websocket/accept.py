"""Socket: the WebSocket interface of the endpoints, and its implementation on Quart's own WebSocket."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Final, Protocol, cast

import quart.wrappers.base
import structlog
from quart import Quart, Response, Websocket, g
from werkzeug.local import LocalProxy

from tracker.websocket import write_flow
from tracker.websocket.connection import CLOSE_TIMEOUT, GONE, Connection, Disconnected
from tracker.websocket.quart_socket import window_of
from tracker.websocket.shared_frame import Frame
from tracker.websocket.takeover import TakeoverConnection, UncompressedConnection, handle_of, is_supported

__all__ = [
    "Connection",
    "Disconnected",
    "Frame",
    "QuartSocket",
    "Socket",
    "accept",
    "refuse",
    "register_sockets",
]

log = structlog.get_logger()

NO_CLOSE_FRAME: Final = 1006  # RFC 6455: the connection ended without one
REFUSED_BYTES: Final = 4_096  # of a message to a socket that is closed at once

# Quart 0.23 raises this error when the peer disconnects. Quart 0.22 lacks it and cancels the task instead.
_Gone: type[Exception] = getattr(quart.wrappers.base, "ClientDisconnectedError", ConnectionError)


class Socket(Protocol):
    """One accepted connection. Text frames are `str`, binary frames `bytes`."""

    async def receive(self) -> str | bytes:
        """Wait for the next message. Raises Disconnected, or the task is cancelled."""

    async def send(self, message: str | bytes | Frame) -> None:
        """Send one message; return when the transport has accepted it. Raises Disconnected."""

    async def close(self, code: int, reason: str = "") -> None:
        """Send a close frame. Nothing can be sent afterwards. Idempotent."""

    @property
    def close_code(self) -> int | None:
        """The code with which this side closed; None if the peer closed first or the connection is open."""

    @property
    def peer_close_code(self) -> int | None:
        """The code in the peer's close frame; None if there was none, or if the server does not report it."""


def register_sockets(app: Quart, *, taking_over: bool = True) -> None:
    """Prepare the app for `accept`, which takes connections over if the Hypercorn version is supported."""
    app.register_error_handler(Disconnected, _answer_lost_handshake)
    app.asgi_websocket_class = (
        TakeoverConnection if taking_over and is_supported() else UncompressedConnection
    )


async def accept(websocket: Websocket, subprotocol: str | None, message_bytes: int) -> Socket:
    """Complete the handshake. A message over *message_bytes* closes a taken-over connection with 1009."""
    g.socket = await _accept(websocket, subprotocol, message_bytes)
    log.info("socket_opened", route=websocket.url_rule.rule if websocket.url_rule else None)
    return cast("Socket", g.socket)


async def refuse(websocket: Websocket, code: int, reason: str) -> None:
    """Complete the handshake and close at once: a browser's script sees close codes, but no HTTP status."""
    g.socket, g.refusal = await _accept(websocket, None, REFUSED_BYTES), reason
    await g.socket.close(code, reason)


async def _accept(websocket: Websocket, subprotocol: str | None, message_bytes: int) -> Socket:
    handle = handle_of(cast("Mapping[str, Any]", websocket.scope))
    if handle is None:
        await websocket.accept(subprotocol=subprotocol)
        return QuartSocket(_concrete(websocket))
    handle.hold()
    await websocket.accept(subprotocol=subprotocol)
    return handle.take(message_bytes)


async def _answer_lost_handshake(_: Exception) -> Response:
    """Answer a handshake whose peer left or was refused before the socket existed."""
    return Response(status=400)


def _concrete(websocket: Any) -> Websocket:
    """Return the object behind Quart's context-local proxy, which means another WebSocket in another task."""
    concrete: Websocket = websocket._get_current_object() if isinstance(websocket, LocalProxy) else websocket
    return concrete


class QuartSocket:
    """A Socket on Quart's own WebSocket, which works with every ASGI server."""

    def __init__(self, websocket: Websocket) -> None:
        self._websocket = websocket
        self._window = window_of(cast("Mapping[str, Any]", websocket.scope))
        self._closed = False
        self.close_code: int | None = None
        self.peer_close_code: int | None = None  # Quart does not report it

    async def receive(self) -> str | bytes:
        if self._closed:
            raise Disconnected
        with self._disconnects_translated():
            message: Any = await self._websocket.receive()
        received: str | bytes = b"" if message is None else message  # an empty binary frame arrives as None
        self._window.remove(received)
        return received

    async def send(self, message: str | bytes | Frame) -> None:
        if not self._closed:
            with self._disconnects_translated():
                async with self._sent_within(write_flow.STALLED_AFTER):
                    await self._websocket.send(message.message if isinstance(message, Frame) else message)

    async def close(self, code: int, reason: str = "") -> None:
        if not self._closed:
            self._closed = True
            self.close_code = code
            if code != GONE:
                with suppress(_Gone, Disconnected):
                    async with self._sent_within(CLOSE_TIMEOUT):
                        await self._websocket.close(code, reason)

    @asynccontextmanager
    async def _sent_within(self, seconds: float) -> AsyncIterator[None]:
        """Abort the connection if the block takes longer: a message may have been sent in part."""
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            self._closed = True
            self._window.reset()
            raise Disconnected from error

    @contextmanager
    def _disconnects_translated(self) -> Iterator[None]:
        try:
            yield
        except _Gone as error:
            self._closed = True
            raise Disconnected from error
