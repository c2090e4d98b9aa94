"""HTTP/1.1: one client's connection on Hypercorn's protocol, and no other version of HTTP.

Hypercorn switches to HTTP/2 on a preface, on `Upgrade: h2c` and by ALPN. Our limits do not hold there, so a
preface gets 505, `Upgrade: h2c` is ignored, and ALPN offers only `http/1.1` (see `server`).
"""

import asyncio
from contextlib import suppress
from contextvars import Context
from typing import Any, Final, cast

import h11
from hypercorn.asyncio.task_group import TaskGroup
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol import ProtocolWrapper
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.ws_stream import WSStream
from hypercorn.typing import ConnectionState
from hypercorn.utils import parse_socket_addr

ALPN: Final = ["http/1.1"]
VERSIONS: Final = frozenset({b"1.0", b"1.1"})
HEAD_BYTES: Final = 16_384  # request line and headers
HEAD_LINES: Final = 100  # 64 kB hold 16,000 headers, which block the event loop for 150 ms
BETWEEN_CHUNKS_BYTES: Final = 4_096  # a chunk's header, or the trailers of a chunked body
SMALL_CHUNK: Final = 64  # bytes
SMALL_CHUNKS: Final = 2_000  # in one body; each costs as much as a large one, about 20 us
READ_BYTES: Final = 8_192  # for one read, so that one client does not hold the event loop for long
KEEP_ALIVE: Final = 75.0  # seconds that a connection may wait for its next request
LINGER: Final = 2.0  # seconds of reading and discarding after the last response
LINGER_BYTES: Final = 4_194_304  # discarded at most after the last response


class _Parser(h11.Connection):
    """h11's parser with stricter limits: h11 checks a head's size only while it is incomplete."""

    def __init__(self) -> None:
        super().__init__(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
        self._small_chunks = 0

    def next_event(self) -> Any:
        """Return the next event. Raises RemoteProtocolError, also over a limit or for HTTP/2."""
        if self.their_state is h11.IDLE:
            self._max_incomplete_event_size, self._small_chunks = HEAD_BYTES, 0
            if not _fits(self.trailing_data[0]):
                raise self._refusal("head too large", 431)
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._max_incomplete_event_size = BETWEEN_CHUNKS_BYTES
            if event.http_version not in VERSIONS:
                raise self._refusal("HTTP version not supported; use HTTP/1.1", 505)
            if not _is_plain(event):
                raise self._refusal("Connection and Sec-WebSocket-* headers must be ASCII", 400)
        elif isinstance(event, h11.Data) and _is_small_chunk(event):
            self._small_chunks += 1
            if self._small_chunks > SMALL_CHUNKS:
                raise self._refusal("too many small chunks", 400)
        return event

    def _refusal(self, why: str, status: int) -> h11.RemoteProtocolError:
        self._process_error(self.their_role)
        return h11.RemoteProtocolError(why, error_status_hint=status)


def _fits(received: bytes) -> bool:
    """Return whether the head at the start of *received* is within the limits so far."""
    lines = received[: HEAD_BYTES + 1].split(b"\n", HEAD_LINES + 2)
    size = 0
    for number, line in enumerate(lines):
        size += len(line) + 1
        if number > 0 and line in {b"", b"\r"}:
            break
        if number > HEAD_LINES:
            return False
    return size <= HEAD_BYTES + 1


def _is_small_chunk(data: h11.Data) -> bool:
    """Return whether this is a whole small chunk, not a small part of a large one."""
    return data.chunk_start and data.chunk_end and len(data.data) < SMALL_CHUNK


def _is_plain(request: h11.Request) -> bool:
    """Return whether the handshake headers are ASCII; Hypercorn decodes them as such and would crash."""
    return all(
        value.isascii()
        for name, value in request.headers
        if name == b"connection" or name.startswith(b"sec-websocket-")
    )


def _has_length(response: h11.Response) -> bool:
    return any(name == b"content-length" for name, _ in response.headers)


class Http11(H11Protocol):
    """Requests and responses of one connection, up to a WebSocket handshake."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.connection = _Parser()
        self._head = b""  # of a response, until its body begins

    async def handle(self, event: Event) -> None:
        """Handle one event, and end a handshake that Hypercorn refused.

        Hypercorn drops such a handshake, and both the app and the connection would wait for ever.
        """
        await super().handle(event)
        stream = self.stream
        if isinstance(stream, WSStream) and stream.closed and not stream.handshake.accepted:
            self.stream = None
            if stream.app_put is not None:
                await stream.app_put({"type": "websocket.disconnect", "code": 1006})
            await self.send(Closed())

    async def _send_h11_event(self, event: Any) -> None:
        """Send an event; the head of a response of known length goes with the body, in one packet.

        Hypercorn writes each part by itself, which takes a quarter of the CPU time of a small response.
        """
        try:
            data = self.connection.send(event)
        except h11.LocalProtocolError:
            if self.connection.their_state != h11.ERROR:
                raise
            return
        if isinstance(event, h11.Response) and _has_length(event):
            self._head = data
            return
        whole, self._head = self._head + data, b""
        if whole:
            await self.send(RawData(data=whole))

    async def _check_protocol(self, event: h11.Request) -> None:
        """Ignore `Upgrade: h2c`. Hypercorn would answer with 101 and switch to HTTP/2."""


class Client(TCPServer):
    """One connection, read in small pieces and closed so that its last response arrives."""

    _is_idle = False  # between two requests
    _deadline: asyncio.TimerHandle | None = None  # of the next head; None during a request
    _linger: asyncio.TimerHandle | None = None  # set when the last response is written

    async def run(self) -> None:
        """Serve until either side ends the connection. Network errors are not raised."""
        try:
            await self._serve()
        except* OSError:
            pass  # reset, timed out, or broken TLS
        finally:
            self.__dict__.pop("protocol", None)  # breaks a reference cycle, so that no GC pass is needed

    async def _serve(self) -> None:
        try:
            async with TaskGroup(self.loop) as task_group:
                self._task_group = task_group
                self.protocol = cast("ProtocolWrapper", self._http11(task_group))
                self._expect_head(self.config.keep_alive_timeout)
                await self._read_data()
        finally:
            await self._close()

    def _http11(self, task_group: TaskGroup) -> Http11:
        socket = self.writer.get_extra_info("socket")
        return Http11(
            self.app,
            self.config,
            self.context,
            task_group,
            ConnectionState(self.state),
            self.writer.get_extra_info("ssl_object") is not None,
            parse_socket_addr(socket.family, socket.getpeername()),
            parse_socket_addr(socket.family, socket.getsockname()),
            self.protocol_send,
        )

    async def _read_data(self) -> None:
        """Read until the end; discard what follows the last response.

        A close with unread bytes would reset the connection before the client has read the response.
        """
        dropped = 0
        with suppress(OSError):
            while dropped <= LINGER_BYTES and (data := await self.reader.read(READ_BYTES)):
                if self._linger is not None:
                    dropped += len(data)
                else:
                    await self.protocol.handle(RawData(data))
                    self._note_begin()
        await self.protocol.handle(Closed())
        self._expect_none()

    def _note_begin(self) -> None:
        """Start the head timeout when a later request begins; Hypercorn does so only for the first."""
        if self._is_idle:
            self._is_idle = False
            self._expect_head(self.config.keep_alive_timeout)

    def _expect_head(self, within_s: float) -> None:
        """Close the connection unless a head is complete in time, or at once while the server ends.

        A timer: Hypercorn starts and cancels a task for each request, which costs ten times as much.
        """
        self._expect_none()
        within_s = 0.0 if self.context.terminated.is_set() else within_s
        self._deadline = self.loop.call_later(within_s, self.writer.close, context=Context())

    def _expect_none(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def end_if_idle(self) -> None:
        """Close the connection if it is not in the middle of a request."""
        if self._deadline is not None:
            self._expect_head(0.0)

    async def protocol_send(self, event: Event) -> None:
        """Send as Hypercorn does, but wait up to LINGER for the peer to close a finished connection."""
        if isinstance(event, Closed) and self._linger is None and self.writer.can_write_eof():
            self._linger = self.loop.call_later(LINGER, self.writer.close, context=Context())
            with suppress(OSError, RuntimeError):
                self.writer.write_eof()
        elif isinstance(event, Updated):
            self._is_idle = event.idle
            if event.idle:
                self._expect_head(KEEP_ALIVE)
            else:
                self._expect_none()
        else:
            try:
                await super().protocol_send(event)
            except OSError:  # such as ETIMEDOUT, after TCP_USER_TIMEOUT without an acknowledgement
                await self.protocol.handle(Closed())

    async def _close(self) -> None:
        self._expect_none()
        if self._linger is not None:
            self._linger.cancel()
        with suppress(OSError):  # the peer left before it had read everything
            await super()._close()
