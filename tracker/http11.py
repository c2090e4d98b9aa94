"""HTTP/1.1: one client's connection on Hypercorn's protocol, and no other version of HTTP.

Hypercorn switches to HTTP/2 on a preface, on `Upgrade: h2c` and by ALPN, and none of our limits hold there.
Here a preface gets 505, `Upgrade: h2c` is ignored, and ALPN offers `http/1.1` only (see `server`).
"""

import asyncio
from contextlib import suppress
from contextvars import Context
from typing import Any, Final, cast

import h11
from hypercorn.asyncio.task_group import TaskGroup
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol import ProtocolWrapper
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.typing import ConnectionState
from hypercorn.utils import parse_socket_addr

ALPN: Final = ["http/1.1"]
VERSIONS: Final = frozenset({b"1.0", b"1.1"})
HEAD_BYTES: Final = 16_384  # of a request: its first line and its headers
HEAD_LINES: Final = 100  # 64 kB hold 16,000 headers, which stop the event loop for 150 ms
BETWEEN_CHUNKS_BYTES: Final = 4_096  # of a chunked body: a chunk's head, or what follows the last chunk
READ_BYTES: Final = 8_192  # at a time, so that one client's bytes never hold the event loop for long
LINGER: Final = 2.0  # seconds for what a client still sends when it has its last answer
LINGER_BYTES: Final = 4_194_304  # of it


class _Parser(h11.Connection):
    """h11 checks the size of a head only while it is incomplete, and does not count its lines."""

    def __init__(self) -> None:
        super().__init__(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)

    def next_event(self) -> Any:
        """Raises RemoteProtocolError also for a head over the limits, and for any HTTP but 1.0 and 1.1."""
        if self.their_state is h11.IDLE:
            self._max_incomplete_event_size = HEAD_BYTES
            if not _fits(self.trailing_data[0]):
                self._process_error(self.their_role)
                raise h11.RemoteProtocolError("head too large", error_status_hint=431)
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._max_incomplete_event_size = BETWEEN_CHUNKS_BYTES
            if event.http_version not in VERSIONS:
                self._process_error(self.their_role)
                raise h11.RemoteProtocolError("only HTTP/1.1 is spoken here", error_status_hint=505)
        return event


def _fits(received: bytes) -> bool:
    """Whether the head that these bytes begin with is within the limits so far."""
    lines = received[: HEAD_BYTES + 1].split(b"\n", HEAD_LINES + 2)
    size = 0
    for number, line in enumerate(lines):
        size += len(line) + 1
        if number > 0 and line in {b"", b"\r"}:
            break
        if number > HEAD_LINES:
            return False
    return size <= HEAD_BYTES + 1


class Http11(H11Protocol):
    """Requests and answers of one connection, up to the handshake of a WebSocket."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.connection = _Parser()

    async def _check_protocol(self, event: h11.Request) -> None:
        """Switch to nothing. Hypercorn would answer `Upgrade: h2c` with 101 and speak HTTP/2."""


class Client(TCPServer):
    """One connection, read a little at a time, closed so that its last answer arrives."""

    _linger: asyncio.TimerHandle | None = None  # set when the last answer is written

    async def run(self) -> None:
        """Serve until either side ends the connection. A peer that fails is no error of ours."""
        try:
            await self._serve()
        except* OSError:
            pass  # reset, timed out, or broken TLS
        finally:
            self.__dict__.pop(
                "protocol", None
            )  # its parts hold each other: freed without a pass of the collector

    async def _serve(self) -> None:
        try:
            async with TaskGroup(self.loop) as task_group:
                self._task_group = task_group
                self.protocol = cast("ProtocolWrapper", self._http11(task_group))
                await self.idle_task.restart(task_group, self._idle_timeout)
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
        """What comes after the last answer is dropped: closing on unread bytes would reset the connection."""
        dropped = 0
        with suppress(OSError):
            while dropped <= LINGER_BYTES and (data := await self.reader.read(READ_BYTES)):
                if self._linger is not None:
                    dropped += len(data)
                else:
                    await self.protocol.handle(RawData(data))
        await self.protocol.handle(Closed())
        await self.idle_task.stop()  # else it would hold the file descriptor until it timed out

    async def protocol_send(self, event: Event) -> None:
        """Like Hypercorn's, but a connection that is over waits for the peer to leave, `LINGER` at most."""
        if isinstance(event, Closed) and self._linger is None and self.writer.can_write_eof():
            self._linger = self.loop.call_later(LINGER, self.writer.close, context=Context())
            with suppress(OSError, RuntimeError):
                self.writer.write_eof()
        else:
            await super().protocol_send(event)

    async def _close(self) -> None:
        if self._linger is not None:
            self._linger.cancel()
        with suppress(OSError):  # whoever left without taking all has lost it
            await super()._close()
