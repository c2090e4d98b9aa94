"""Socket: what an endpoint needs of a WebSocket, and the two that give it: one of ours, and Quart's own."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Protocol, cast

import quart.wrappers.base
from quart import Quart, Response, Websocket
from werkzeug.local import LocalProxy

from tracker.websocket import write_flow
from tracker.websocket.connection import CUT_AFTER, GONE, Connection, Disconnected
from tracker.websocket.frames import Frame
from tracker.websocket.quart_socket import room_of
from tracker.websocket.takeover import LeftConnection, TakenConnection, fits, line_of

__all__ = ["Connection", "Disconnected", "Frame", "QuartSocket", "Socket", "accept", "register_sockets"]

# Quart 0.23 raises this when the peer has gone; 0.22 cancels the task instead and does not have it.
_Gone: type[Exception] = getattr(quart.wrappers.base, "ClientDisconnectedError", ConnectionError)


class Socket(Protocol):
    """One accepted connection. Text frames are `str`, binary frames `bytes`."""

    async def receive(self) -> str | bytes:
        """The next message. Raises Disconnected when the peer has gone, or the task is cancelled."""

    async def send(self, message: str | bytes | Frame) -> None:
        """Returns when the transport took it; raises Disconnected."""

    async def close(self, code: int, reason: str = "") -> None:
        """Says goodbye; nothing can be sent afterwards. Again: no effect."""

    @property
    def goodbye(self) -> int | None:
        """The close code with which this side has ended it; None where the peer did, or nobody yet."""


def register_sockets(app: Quart, *, taking_over: bool = True) -> None:
    """From now on `accept` gives connections of ours, where the server is the one whose inside is known."""
    app.register_error_handler(Disconnected, _nobody_there)
    app.asgi_websocket_class = TakenConnection if taking_over and fits() else LeftConnection


async def accept(websocket: Websocket, subprotocol: str | None, message_bytes: int) -> Socket:
    """Completes the handshake. Messages longer than `message_bytes` end a connection of ours with 1009."""
    line = line_of(cast("Mapping[str, Any]", websocket.scope))
    if line is None:
        await websocket.accept(subprotocol=subprotocol)
        return QuartSocket(_itself(websocket))
    line.hold()
    await websocket.accept(subprotocol=subprotocol)
    return line.take(message_bytes)


async def _nobody_there(_: Exception) -> Response:
    """The peer has left, or was refused, before there was a socket."""
    return Response(status=400)


def _itself(websocket: Any) -> Websocket:
    """Not Quart's name for "the present one": in another's task that would be another's."""
    itself: Websocket = websocket._get_current_object() if isinstance(websocket, LocalProxy) else websocket
    return itself


class QuartSocket:
    """The Socket that every ASGI server can give: Quart's own."""

    def __init__(self, websocket: Websocket) -> None:
        self._websocket = websocket
        self._room = room_of(cast("Mapping[str, Any]", websocket.scope))
        self._closed = False
        self.goodbye: int | None = None

    async def receive(self) -> str | bytes:
        if self._closed:
            raise Disconnected
        with self._disconnecting():
            message: Any = await self._websocket.receive()
        taken: str | bytes = b"" if message is None else message  # an empty binary frame arrives as None
        self._room.free(taken)
        return taken

    async def send(self, message: str | bytes | Frame) -> None:
        if not self._closed:
            with self._disconnecting():
                async with self._taken_within(write_flow.STALLED_AFTER):
                    await self._websocket.send(message.message if isinstance(message, Frame) else message)

    async def close(self, code: int, reason: str = "") -> None:
        if not self._closed:
            self._closed = True
            self.goodbye = code
            if code != GONE:
                with suppress(_Gone, Disconnected):
                    async with self._taken_within(CUT_AFTER):
                        await self._websocket.close(code, reason)

    @asynccontextmanager
    async def _taken_within(self, seconds: float) -> AsyncIterator[None]:
        """Whoever has not taken a message by then is cut: nobody tells how much of it was taken."""
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            self._closed = True
            self._room.cut()
            raise Disconnected from error

    @contextmanager
    def _disconnecting(self) -> Iterator[None]:
        try:
            yield
        except _Gone as error:
            self._closed = True
            raise Disconnected from error
