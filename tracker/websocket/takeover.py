"""Takeover: use the transport behind a WebSocket directly, once Quart has accepted the handshake.

Quart routes, authenticates and accepts; then our Connection takes the transport over. This uses internals of
Hypercorn 0.18: an app's `send` is a method of the stream, which holds the HTTP/1.1 protocol, which holds the
TCP connection. With any other server, Quart's connection stays in use.
"""

import asyncio
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any, Final, cast

import structlog
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.ws_stream import ASGIWebsocketState, WSStream

from tracker.websocket.connection import Connection, Disconnected
from tracker.websocket.quart_socket import PlainConnection

SUPPORTED_HYPERCORN: Final = "0.18.0"  # the version whose internals are used
HANDLE: Final = "tracker.transport_handle"  # in the scope's extensions

log = structlog.get_logger()


class TransportHandle:
    """The stream and the TCP connection behind one handshake."""

    def __init__(self, stream: WSStream, server: TCPServer) -> None:
        self._stream, self._server = stream, server
        self.connection: Connection | None = None

    def hold(self) -> None:
        """Pause reading, so that no data is read between the acceptance and the takeover."""
        _transport(self._server).pause_reading()

    def take(self, message_bytes: int) -> Connection:
        """Take the transport over; the Connection then reads and writes alone.

        The Connection reports its end to the server. Raises Disconnected if Hypercorn has refused the
        handshake, for example because data followed it.
        """
        if not self._stream.handshake.accepted:
            raise Disconnected
        transport, reader = _transport(self._server), self._server.reader
        former: Any = transport.get_protocol()
        early = bytes(reader._buffer)  # type: ignore[attr-defined]
        reader._buffer.clear()  # type: ignore[attr-defined]
        self._stream.state = ASGIWebsocketState.CLOSED  # else it would send a close frame, too
        del self._stream.connection._proto._parse_more  # breaks a reference cycle
        self.connection = Connection(
            transport, former.connection_lost, message_bytes=message_bytes, early_data=early
        )
        return self.connection


class UncompressedConnection(PlainConnection):
    """Quart's side of a WebSocket that is not taken over. Compression is declined."""

    async def __call__(self, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        find_handle(send)
        await super().__call__(receive, send)


class TakeoverConnection(PlainConnection):
    """Quart's side of a WebSocket that `accept` takes over if it can. Compression is declined."""

    async def __call__(self, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        handle = find_handle(send)
        if handle is None:
            await super().__call__(receive, send)
            return
        self.scope["extensions"][HANDLE] = handle  # type: ignore[assignment]  # ASGI types only its own

        async def send_unless_taken_over(message: Any) -> None:
            if handle.connection is None:
                await send(message)
            elif message["type"] == "websocket.close":  # the endpoint returned or raised
                handle.connection.end(1011, "our_fault")  # no effect if the endpoint has closed

        try:
            await super().__call__(receive, send_unless_taken_over)
        finally:
            if handle.connection is not None:
                handle.connection.end(1011, "our_fault")
            del self.scope["extensions"][HANDLE]


def is_supported() -> bool:
    """Return whether the installed Hypercorn is supported; log a warning if it is not."""
    if (installed := version("hypercorn")) != SUPPORTED_HYPERCORN:
        log.warning("socket_takeover_disabled", hypercorn=installed, supported=SUPPORTED_HYPERCORN)
        return False
    return True


def handle_of(scope: Mapping[str, Any]) -> TransportHandle | None:
    """Return the handle that `TakeoverConnection` installed; None if there is none."""
    return (scope.get("extensions") or {}).get(HANDLE)


def find_handle(send: Callable[..., Any]) -> TransportHandle | None:
    """Return the handle behind *send* and decline compression; None if the server has another structure."""
    stream = getattr(send, "__self__", None)
    if not isinstance(stream, WSStream):
        return None
    stream.handshake.extensions = None  # declines every extension
    protocol = getattr(stream.send, "__self__", None)
    server = getattr(getattr(protocol, "send", None), "__self__", None)
    if not (isinstance(protocol, H11Protocol) and isinstance(server, TCPServer)):
        return None
    return TransportHandle(stream, server)


def _transport(server: TCPServer) -> asyncio.Transport:
    return cast("asyncio.Transport", server.writer.transport)  # uvloop's transport has the same methods
