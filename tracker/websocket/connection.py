"""Connection: one WebSocket on a transport that is ours alone, after RFC 6455.

Reading stops while the inbox is full, so that a flood stays in the peer's own buffers. Whoever takes nothing
of what was written, or is silent, is cut. Compression is never agreed on: a compressed frame is an error.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from websockets.frames import CTRL_OPCODES, Opcode
from websockets.frames import Frame as Received
from websockets.protocol import OPEN, Event, Protocol, Side

from tracker.rates import Bucket
from tracker.websocket.frames import KEPT_OPEN, Frame, encode
from tracker.websocket.inbox import Inbox

PING_EVERY: Final = 20.0  # seconds in which nothing came
SILENT_AFTER: Final = 45.0  # seconds
STALLED_AFTER: Final = 30.0  # seconds in which the peer took nothing of what was written
CUT_AFTER: Final = 1.0  # seconds from our close to the end of the connection, whatever the peer does
LAST_WORDS: Final = 5.0  # seconds for taking what came before the peer left
IDLE_FRAMES_AT_ONCE: Final = 1_000  # that bring no message: pings, and fragments that end none
IDLE_FRAMES_PER_S: Final = 100.0
READ_BYTES: Final = 16_384  # at a time: a flood of tiny frames holds up the others for milliseconds only
GONE: Final = 1006  # said to nobody: there is nobody

_read_into: Final = memoryview(bytearray(READ_BYTES))  # one for all: filled and emptied within one call
_quiet: Final = logging.Logger("websocket", logging.ERROR)


class Disconnected(Exception):
    """The peer has gone."""


class _Wire(Protocol):
    """A server's side of RFC 6455."""

    def __init__(self, message_bytes: int) -> None:
        super().__init__(Side.SERVER, max_size=message_bytes, logger=_quiet)

    def recv_frame(self, frame: Received) -> None:
        if frame.opcode is Opcode.CLOSE:
            self.current_size = None  # who leaves in the middle of a message leaves all the same
        super().recv_frame(frame)


class Connection(asyncio.BufferedProtocol):
    """A Socket whose frames, limits and buffers are ours."""

    __slots__ = (
        *("_arrival", "_cut", "_drained", "_gone", "_heard", "_idle_frames", "_inbox", "_is_reading"),
        *("_loop", "_on_lost", "_pulse", "_stall", "_transport", "_unread", "_wire"),
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        on_lost: Callable[[Exception | None], None],
        *,
        message_bytes: int,
        early: bytes = b"",
    ) -> None:
        """Takes the transport over, which must not be reading; `early` came before."""
        self._transport, self._on_lost = transport, on_lost
        self._loop = asyncio.get_running_loop()
        self._wire = _Wire(message_bytes)
        self._inbox = Inbox()
        self._heard = self._loop.time()
        self._idle_frames = Bucket(IDLE_FRAMES_AT_ONCE, self._heard)
        self._is_reading = True
        self._arrival: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._stall: asyncio.TimerHandle | None = None
        self._cut: asyncio.TimerHandle | None = None
        self._unread = 0  # bytes that waited for the peer when the stall was last looked at
        self._pulse = self._loop.call_later(PING_EVERY, self._beat)
        # What waits for a slow reader must be the newest. Not 0: TLS counts from `high` on, others beyond it.
        transport.set_write_buffer_limits(high=1, low=0)
        transport.set_protocol(self)
        if early:
            self._feed(early)
        transport.resume_reading()

    # --- for whoever speaks

    async def receive(self) -> str | bytes:
        """The next message; what came before the peer left is still given. Raises Disconnected."""
        while not self._inbox:
            if self._is_ending:
                self._let_go()
                raise Disconnected
            self._arrival = self._loop.create_future()
            await self._arrival
        message = self._inbox.take()
        if not self._is_reading and self._inbox.has_room:
            self._read_on()
        return message

    async def send(self, message: str | bytes | Frame) -> None:
        """Returns when the kernel has taken it. Raises Disconnected."""
        if self._drained is not None:
            await asyncio.shield(self._drained)
        if self._is_ending:
            raise Disconnected
        self._transport.write(message.encoded() if isinstance(message, Frame) else encode(message))
        if self._drained is not None:
            await asyncio.shield(self._drained)

    async def close(self, code: int, reason: str = "") -> None:
        """Says goodbye; returns when the connection has ended, a second later at most."""
        self.end(code, reason)
        await asyncio.shield(self._gone)

    def end(self, code: int, reason: str = "") -> None:
        """Says goodbye and waits for nothing; what came and was not taken is not wanted any more."""
        self._inbox.clear()
        if code == GONE:
            self._transport.abort()
        elif not self._is_ending:
            self._wire.send_close(code, reason)
            self._write()
            self._finish()

    @property
    def has_ended(self) -> bool:
        return self._gone.done()

    # --- for the event loop

    def get_buffer(self, _sizehint: int) -> memoryview:
        return _read_into

    def buffer_updated(self, nbytes: int) -> None:
        self._heard = self._loop.time()
        self._feed(_read_into[:nbytes])

    def eof_received(self) -> bool:
        self._wire.receive_eof()
        self._write()
        self._finish()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        for timer in (self._pulse, self._stall, self._cut):
            if timer is not None:
                timer.cancel()
        if not self._wire.reader.eof:
            self._wire.receive_eof()
        self._gone.set_result(None)
        _wake(self._drained)
        _wake(self._arrival)
        if self._inbox:  # whoever speaks is told, by cancellation, when it has taken these
            self._loop.call_later(LAST_WORDS, self._let_go)
        else:
            self._let_go()

    def pause_writing(self) -> None:
        self._drained = self._loop.create_future()
        self._unread = self._transport.get_write_buffer_size()
        self._stall = self._loop.call_later(STALLED_AFTER, self._look_at_stall)

    def resume_writing(self) -> None:
        _wake(self._drained)
        self._drained = None
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    # --- reading

    def _feed(self, data: Any) -> None:
        self._wire.receive_data(data)
        for frame in self._wire.events_received():
            if self._cut is not None:
                break  # goodbye was said: nothing is heard any more
            self._take(frame)
        self._write()
        if self._is_ending:
            self._finish()
        elif self._inbox.is_full and self._is_reading:
            self._is_reading = False
            self._transport.pause_reading()

    def _take(self, frame: Event) -> None:
        assert isinstance(frame, Received)  # handshakes are none of its business
        try:
            is_whole = frame.opcode not in CTRL_OPCODES and self._inbox.add(frame)
        except UnicodeDecodeError:
            self._fail(1007, "not UTF-8")
            return
        if is_whole:
            _wake(self._arrival)
        elif not self._idle_frames.take(IDLE_FRAMES_AT_ONCE, IDLE_FRAMES_PER_S, self._heard):
            self._fail(4103, "rate_limited")

    def _fail(self, code: int, reason: str) -> None:
        self._inbox.clear()
        self._wire.fail(code, reason)
        self._write()
        self._finish()

    def _read_on(self) -> None:
        self._is_reading = True
        self._heard = self._loop.time()  # while we did not listen, nobody was silent
        self._transport.resume_reading()

    # --- writing

    def _write(self) -> None:
        if pieces := self._wire.data_to_send():
            if data := b"".join(pieces):
                self._transport.write(data)
            if not pieces[-1] and self._transport.can_write_eof():
                self._transport.write_eof()

    def _beat(self) -> None:
        """Asks the peer whether it is there, where nothing came for a while."""
        silent = self._loop.time() - self._heard if self._is_reading else 0.0
        if silent >= SILENT_AFTER:
            self.end(4104, "silent")
            return
        if silent >= PING_EVERY / 2 and self._drained is None and not self._is_ending:
            self._transport.write(KEPT_OPEN)
        self._pulse = self._loop.call_later(min(PING_EVERY, SILENT_AFTER - silent), self._beat)

    def _look_at_stall(self) -> None:
        """A peer that takes little is slow; one that takes nothing is cut: it could not hear a goodbye."""
        waiting = self._transport.get_write_buffer_size()
        if waiting >= self._unread:
            self.end(GONE)
        else:
            self._unread = waiting
            self._stall = self._loop.call_later(STALLED_AFTER, self._look_at_stall)

    # --- the end

    @property
    def _is_ending(self) -> bool:
        return self._wire.state is not OPEN

    def _finish(self) -> None:
        """The goodbye is under way: the transport closes when the peer's is there, or soon in any case."""
        if self._wire.close_rcvd is not None or self._wire.reader.eof:
            self._transport.close()
        if self._cut is None:
            self._cut = self._loop.call_later(CUT_AFTER, self._cut_off)
            _wake(self._arrival)
            if not self._is_reading:
                self._is_reading = True
                self._transport.resume_reading()  # else the peer's goodbye would never be seen

    def _cut_off(self) -> None:
        """What the kernel has still gets to a peer that is only slow; what it has not never will."""
        if self._transport.get_write_buffer_size() == 0:
            self._transport.close()
        else:
            self._transport.abort()

    def _let_go(self) -> None:
        on_lost, self._on_lost = self._on_lost, _nobody
        if self._gone.done():
            on_lost(None)
        else:
            self._on_lost = on_lost


def _wake(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)


def _nobody(_: Exception | None) -> None:
    """Has been told."""
