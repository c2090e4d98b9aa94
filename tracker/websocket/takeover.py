"""Takeover: from Quart's handshake to the transport behind it.

Quart routes, authenticates and accepts; from there the connection is ours. This reaches into Hypercorn 0.18,
where the `send` that an app is given is a method of the stream, which knows the HTTP/1.1 protocol, which
knows the TCP connection. What has another shape (another server) stays as it is.
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

KNOWN: Final = "0.18.0"  # the Hypercorn whose inside this is
LINE: Final = "tracker.line"  # in the scope's extensions

log = structlog.get_logger()


class TransportHandle:
    """What is behind one handshake."""

    def __init__(self, stream: WSStream, server: TCPServer) -> None:
        self._stream, self._server = stream, server
        self.connection: Connection | None = None

    def hold(self) -> None:
        """Nothing is read between the acceptance and the takeover."""
        _transport(self._server).pause_reading()

    def take(self, message_bytes: int) -> Connection:
        """From now on nobody else reads or writes. The server is told when the connection has ended.

        Raises Disconnected where Hypercorn has refused the handshake, as when data came with it.
        """
        if not self._stream.handshake.accepted:
            raise Disconnected
        transport, reader = _transport(self._server), self._server.reader
        former: Any = transport.get_protocol()
        early = bytes(reader._buffer)  # type: ignore[attr-defined]
        reader._buffer.clear()  # type: ignore[attr-defined]
        self._stream.state = ASGIWebsocketState.CLOSED  # it would add a goodbye of its own
        del self._stream.connection._proto._parse_more  # a parser that holds itself
        self.connection = Connection(
            transport, former.connection_lost, message_bytes=message_bytes, early=early
        )
        return self.connection


class LeftConnection(PlainConnection):
    """Quart's side of a WebSocket that stays as it is, but is never compressed."""

    async def __call__(self, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        find_line(send)
        await super().__call__(receive, send)


class TakenConnection(PlainConnection):
    """Quart's side of a WebSocket that may be taken over; never compressed in either case."""

    async def __call__(self, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        line = find_line(send)
        if line is None:
            await super().__call__(receive, send)
            return
        self.scope["extensions"][LINE] = line  # type: ignore[assignment]  # others than ASGI's, too

        async def send_unless_taken(message: Any) -> None:
            if line.connection is None:
                await send(message)
            elif message["type"] == "websocket.close":  # the endpoint has returned, or failed
                line.connection.end(1011, "our_fault")  # no effect where it said goodbye itself

        try:
            await super().__call__(receive, send_unless_taken)
        finally:
            if line.connection is not None:
                line.connection.end(1011, "our_fault")
            del self.scope["extensions"][LINE]


def fits() -> bool:
    """Whether Hypercorn is the one whose inside is known; told once where it is not."""
    if (found := version("hypercorn")) != KNOWN:
        log.warning("sockets_not_taken_over", hypercorn=found, known=KNOWN)
        return False
    return True


def line_of(scope: Mapping[str, Any]) -> TransportHandle | None:
    """What `TakenConnection` found behind this handshake."""
    return (scope.get("extensions") or {}).get(LINE)


def find_line(send: Callable[..., Any]) -> TransportHandle | None:
    """None where something else is behind this `send`; then compression is declined all the same."""
    stream = getattr(send, "__self__", None)
    if not isinstance(stream, WSStream):
        return None
    stream.handshake.extensions = None  # whatever was offered
    protocol = getattr(stream.send, "__self__", None)
    server = getattr(getattr(protocol, "send", None), "__self__", None)
    if not (isinstance(protocol, H11Protocol) and isinstance(server, TCPServer)):
        return None
    return TransportHandle(stream, server)


def _transport(server: TCPServer) -> asyncio.Transport:
    return cast("asyncio.Transport", server.writer.transport)  # uvloop's own looks the same
