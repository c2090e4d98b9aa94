"""Connection: one WebSocket that owns its transport.

Reading pauses while the receive queue is full, so that a flood stays in the peer's buffers. It also pauses
after each portion (see `ReadLimiter`), so that a flood does not hold the event loop. A peer that reads
nothing, or sends nothing, is disconnected. Compression is never negotiated: a compressed frame is an error.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from tracker.rate_limits import spread
from tracker.websocket.frame_parser import FrameParser
from tracker.websocket.read_limiter import PORTION, ReadLimiter
from tracker.websocket.shared_frame import PING, Frame, encode
from tracker.websocket.write_flow import NO_CONTEXT, WriteFlow

PING_EVERY: Final = 20.0  # seconds without data from the peer
SILENT_AFTER: Final = 45.0  # seconds
CLOSE_TIMEOUT: Final = 1.0  # seconds from our close frame to the end of the connection
DRAIN_TIMEOUT: Final = 5.0  # seconds for receiving the messages that came before the peer disconnected
READ_BYTES: Final = 16_384  # for one read
CLOSING_REST: Final = 0.025  # seconds between two reads while closing, when all data is discarded
GONE: Final = 1006  # the peer is gone, so no close frame is sent

_read_buffer: Final = memoryview(bytearray(READ_BYTES))  # shared: each read is parsed before the next


class Disconnected(Exception):
    """The peer is gone."""


class Connection(asyncio.BufferedProtocol):
    """A Socket that parses frames, limits rates and controls flow itself."""

    __slots__ = (
        *("_close_timer", "_early_data", "_is_queue_full", "_last_read", "_limiter", "_loop", "_lost"),
        *("_message_waiter", "_on_lost", "_parser", "_ping_timer", "_rest_timer", "_transport"),
        "_write_flow",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        on_lost: Callable[[Exception | None], None],
        *,
        message_bytes: int,
        early_data: bytes = b"",
    ) -> None:
        """Take over a transport that is not reading. *early_data* holds the bytes that it has already read.

        *on_lost* is called once, when the transport is lost and the last message is received.
        """
        self._transport, self._on_lost = transport, on_lost
        self._loop = asyncio.get_running_loop()
        self._last_read = self._loop.time()
        self._parser = FrameParser(message_bytes)
        self._limiter = ReadLimiter(self._last_read)
        self._early_data = early_data
        self._rest_timer: asyncio.TimerHandle | None = None
        self._is_queue_full = False  # reading waits until the queue has room again
        self._message_waiter: asyncio.Future[None] | None = None
        self._lost: asyncio.Future[None] = self._loop.create_future()
        self._close_timer: asyncio.TimerHandle | None = None
        self._ping_timer: asyncio.TimerHandle | None = self._call_later(spread(PING_EVERY), self._check_peer)
        # A peer that reads nothing would not read a close frame either, so its connection is reset.
        self._write_flow = WriteFlow(transport, transport.abort)
        transport.set_protocol(self)
        self._resume_reading()

    # --- for the endpoint

    async def receive(self) -> str | bytes:
        """Wait for the next message. Messages sent before the peer left come first. Raises Disconnected."""
        while not self._parser.messages:
            if not self._parser.is_open:
                self._report_loss()
                raise Disconnected
            self._message_waiter = self._loop.create_future()
            await self._message_waiter
        message = self._parser.messages.take()
        if self._is_queue_full and self._parser.messages.has_room:
            self._last_read = self._loop.time()  # time without reading is not silence of the peer
            self._resume_after_queue()
        return message

    async def send(self, message: str | bytes | Frame) -> None:
        """Send one message; return when the kernel has accepted it. Raises Disconnected."""
        await self._write_flow.drained()
        if not self._parser.is_open:
            raise Disconnected
        self._transport.write(message.encoded() if isinstance(message, Frame) else encode(message))
        await self._write_flow.drained()

    async def close(self, code: int, reason: str = "") -> None:
        """Send a close frame and wait for the end of the connection, at most CLOSE_TIMEOUT."""
        self.end(code, reason)
        await asyncio.shield(self._lost)

    def end(self, code: int, reason: str = "") -> None:
        """Send a close frame without waiting, and discard the messages that were not received."""
        if code == GONE:
            self._parser.messages.clear()
            if self._close_timer is None:  # else a close frame is in flight, which a reset would overtake
                self._transport.abort()
        else:
            was_open = self._parser.is_open
            self._parser.send_close(code, reason)
            if was_open:
                self._write()
                self._await_close()

    @property
    def has_ended(self) -> bool:
        return self._lost.done()

    @property
    def close_code(self) -> int | None:
        """The code with which this side closed; None if the peer closed first or the connection is open."""
        return self._parser.close_code

    @property
    def peer_close_code(self) -> int | None:
        """The code in the peer's close frame; None if there was none."""
        return self._parser.peer_close_code

    # --- for the event loop

    def get_buffer(self, _sizehint: int) -> memoryview:
        return _read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._last_read = self._loop.time()
        self._parse(_read_buffer[:nbytes])

    def eof_received(self) -> bool:
        self._parser.feed_eof()
        self._write()
        self._await_close()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        for timer in (self._ping_timer, self._close_timer, self._rest_timer):
            if timer is not None:
                timer.cancel()
        # A cancelled timer keeps its arguments alive.
        self._ping_timer = self._close_timer = self._rest_timer = None
        if self._parser.is_open:
            self._parser.feed(self._early_data, self._last_read, PORTION)  # more is not parsed any more
        self._parser.feed_eof()
        self._lost.set_result(None)
        self._write_flow.end()
        _wake(self._message_waiter)
        if self._parser.messages:  # `on_lost` cancels the endpoint, which receives these first
            self._call_later(DRAIN_TIMEOUT, self._report_loss)
        else:
            self._report_loss()

    def pause_writing(self) -> None:
        self._write_flow.pause()

    def resume_writing(self) -> None:
        self._write_flow.resume()

    # --- reading

    def _parse(self, data: bytes | memoryview) -> None:
        now = self._loop.time()
        self._limiter.count(*self._parser.feed(data, now, self._limiter.points_allowed(now)))
        if self._parser.messages:
            _wake(self._message_waiter)
        if self._limiter.is_flood:
            self._parser.send_close(4103, "rate_limited")
        self._write()
        if not self._parser.is_open:
            self._await_close()
        self._pause_reading()

    def _pause_reading(self) -> None:
        """Pause reading if a rest is due or the receive queue is full. While closing, read slowly."""
        rest = self._limiter.rest if self._close_timer is None else CLOSING_REST
        if self._rest_timer is None and rest > 0.0:
            self._rest_timer = self._call_later(rest, self._end_rest)
        if self._parser.is_open and self._parser.messages.is_full:
            self._is_queue_full = True
        if (self._rest_timer is not None or self._is_queue_full) and not self._transport.is_closing():
            self._transport.pause_reading()

    def _call_later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        return self._loop.call_later(seconds, call, context=NO_CONTEXT)

    def _end_rest(self) -> None:
        self._rest_timer = None
        self._limiter.begin_portion(self._loop.time())
        self._resume_reading()

    def _resume_after_queue(self) -> None:
        self._is_queue_full = False
        self._resume_reading()

    def _resume_reading(self) -> None:
        """Parse the data that is buffered, then resume reading unless it is paused."""
        has_data = self._early_data or self._parser.has_unparsed
        if has_data and self._rest_timer is None and not self._is_queue_full:
            early, self._early_data = self._early_data, b""
            self._parse(early)
        if self._rest_timer is None and not self._is_queue_full and not self._transport.is_closing():
            self._transport.resume_reading()

    # --- writing

    def _write(self) -> None:
        data, is_last = self._parser.to_send()
        if data:
            self._transport.write(data)
        if is_last and self._transport.can_write_eof():
            self._transport.write_eof()

    def _check_peer(self) -> None:
        """Ping a quiet peer; close with 4104 if it stays silent."""
        silent = 0.0 if self._is_queue_full else self._loop.time() - self._last_read
        if silent >= SILENT_AFTER:
            self.end(4104, "silent")
            return
        if silent >= PING_EVERY / 2 and not self._write_flow.is_waiting and self._parser.is_open:
            self._transport.write(PING)
        self._ping_timer = self._call_later(min(PING_EVERY, SILENT_AFTER - silent), self._check_peer)

    # --- the end

    def _await_close(self) -> None:
        """Close the transport once the peer's close frame is there, or after CLOSE_TIMEOUT."""
        if self._parser.is_peer_closed:
            self._transport.close()
        if self._close_timer is None:
            self._close_timer = self._call_later(CLOSE_TIMEOUT, self._close_transport)
            _wake(self._message_waiter)
            if self._is_queue_full:
                self._resume_after_queue()  # else the peer's close frame would not be read

    def _close_transport(self) -> None:
        """Close if the kernel holds all data, so that a slow peer still gets it; else reset."""
        if self._transport.get_write_buffer_size() == 0:
            self._transport.close()
        else:
            self._transport.abort()

    def _report_loss(self) -> None:
        on_lost, self._on_lost = self._on_lost, _ignore
        if self._lost.done():
            on_lost(None)
        else:
            self._on_lost = on_lost


def _wake(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)


def _ignore(_: Exception | None) -> None:
    """Replace `on_lost` after its only call."""
