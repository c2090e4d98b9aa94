"""Connection: one WebSocket on a transport that is ours alone.

Reading stops while the inbox is full, so that a flood stays in the peer's own buffers, and rests a moment
after every few frames (see `Pace`), so that a flood never has the loop for long. Whoever takes nothing of
what was written, or is silent, is cut. Compression is never agreed on: a compressed frame is an error.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from tracker.rate_limits import spread
from tracker.websocket.frames import KEPT_OPEN, Frame, encode
from tracker.websocket.protocol import FrameParser
from tracker.websocket.read_limiter import ReadLimiter
from tracker.websocket.write_flow import NOBODYS, WriteFlow

PING_EVERY: Final = 20.0  # seconds in which nothing came
SILENT_AFTER: Final = 45.0  # seconds
CUT_AFTER: Final = 1.0  # seconds from our close to the end of the connection, whatever the peer does
LAST_WORDS: Final = 5.0  # seconds for taking what came before the peer left
READ_BYTES: Final = 16_384  # at a time
UNHEARD: Final = 0.025  # seconds between two reads of what nobody takes any more
LAST_FRAMES: Final = 8  # taken of what came before the peer left
GONE: Final = 1006  # said to nobody: there is nobody

_read_into: Final = memoryview(bytearray(READ_BYTES))  # one for all: filled and emptied within one call


class Disconnected(Exception):
    """The peer has gone."""


class Connection(asyncio.BufferedProtocol):
    """A Socket whose frames, limits and buffers are ours."""

    __slots__ = (
        *("_arrival", "_cut", "_early", "_gone", "_heard", "_is_held", "_loop", "_on_lost"),
        *("_outflow", "_pace", "_pulse", "_rest", "_transport", "_wire"),
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
        self._heard = self._loop.time()
        self._wire = FrameParser(message_bytes)
        self._pace = ReadLimiter(self._heard)
        self._early = early
        self._rest: asyncio.TimerHandle | None = None
        self._is_held = False  # nothing is read while what came waits to be taken
        self._arrival: asyncio.Future[None] | None = None
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._cut: asyncio.TimerHandle | None = None
        self._pulse: asyncio.TimerHandle | None = self._later(spread(PING_EVERY), self._beat)
        self._outflow = WriteFlow(transport, self._give_up)
        transport.set_protocol(self)
        self._read_on()

    # --- for whoever speaks

    async def receive(self) -> str | bytes:
        """The next message; what came before the peer left is still given. Raises Disconnected."""
        while not self._wire.inbox:
            if not self._wire.is_open:
                self._let_go()
                raise Disconnected
            self._arrival = self._loop.create_future()
            await self._arrival
        message = self._wire.inbox.take()
        if self._is_held and self._wire.inbox.has_room:
            self._heard = self._loop.time()  # while we did not listen, nobody was silent
            self._release()
        return message

    async def send(self, message: str | bytes | Frame) -> None:
        """Returns when the kernel has taken it. Raises Disconnected."""
        await self._outflow.drained()
        if not self._wire.is_open:
            raise Disconnected
        self._transport.write(message.encoded() if isinstance(message, Frame) else encode(message))
        await self._outflow.drained()

    async def close(self, code: int, reason: str = "") -> None:
        """Says goodbye; returns when the connection has ended, a second later at most."""
        self.end(code, reason)
        await asyncio.shield(self._gone)

    def end(self, code: int, reason: str = "") -> None:
        """Says goodbye and waits for nothing; what came and was not taken is not wanted any more."""
        if code == GONE:
            self._wire.inbox.clear()
            if self._cut is None:  # else a goodbye is on its way, which a reset would overtake
                self._transport.abort()
        else:
            was_open = self._wire.is_open
            self._wire.say_goodbye(code, reason)
            if was_open:
                self._write()
                self._finish()

    @property
    def has_ended(self) -> bool:
        return self._gone.done()

    @property
    def goodbye(self) -> int | None:
        """The close code with which we have ended it; None where the peer did, or nobody yet."""
        return self._wire.goodbye

    # --- for the event loop

    def get_buffer(self, _sizehint: int) -> memoryview:
        return _read_into

    def buffer_updated(self, nbytes: int) -> None:
        self._heard = self._loop.time()
        self._feed(_read_into[:nbytes])

    def eof_received(self) -> bool:
        self._wire.feed_eof()
        self._write()
        self._finish()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        for timer in (self._pulse, self._cut, self._rest):
            if timer is not None:
                timer.cancel()
        self._pulse = self._cut = self._rest = None  # each holds all that was there when it was set
        if self._wire.is_open:
            self._wire.feed(self._early, self._heard, LAST_FRAMES)
        self._wire.feed_eof()
        self._gone.set_result(None)
        self._outflow.end()
        _wake(self._arrival)
        if self._wire.inbox:  # whoever speaks is told, by cancellation, when it has taken these
            self._later(LAST_WORDS, self._let_go)
        else:
            self._let_go()

    def pause_writing(self) -> None:
        self._outflow.pause()

    def resume_writing(self) -> None:
        self._outflow.resume()

    # --- reading

    def _feed(self, data: bytes | memoryview) -> None:
        now = self._loop.time()
        self._pace.took(*self._wire.feed(data, now, self._pace.portion(now)))
        if self._wire.inbox:
            _wake(self._arrival)
        if self._pace.is_flood:
            self._wire.say_goodbye(4103, "rate_limited")
        self._write()
        if not self._wire.is_open:
            self._finish()
        self._hold_back()

    def _hold_back(self) -> None:
        """Stops reading where it has to wait; what comes after our goodbye is not worth any haste."""
        rest = self._pace.rest if self._cut is None else UNHEARD
        if self._rest is None and rest > 0.0:
            self._rest = self._later(rest, self._rested)
        if self._wire.is_open and self._wire.inbox.is_full:
            self._is_held = True
        if (self._rest is not None or self._is_held) and not self._transport.is_closing():
            self._transport.pause_reading()

    def _later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        return self._loop.call_later(seconds, call, context=NOBODYS)

    def _rested(self) -> None:
        self._rest = None
        self._pace.rested(self._loop.time())
        self._read_on()

    def _release(self) -> None:
        self._is_held = False
        self._read_on()

    def _read_on(self) -> None:
        """First what has come already; then more, where nothing speaks against it."""
        if (self._early or self._wire.is_behind) and self._rest is None and not self._is_held:
            early, self._early = self._early, b""
            self._feed(early)
        if self._rest is None and not self._is_held and not self._transport.is_closing():
            self._transport.resume_reading()

    # --- writing

    def _write(self) -> None:
        data, is_last = self._wire.to_send()
        if data:
            self._transport.write(data)
        if is_last and self._transport.can_write_eof():
            self._transport.write_eof()

    def _beat(self) -> None:
        """Asks the peer whether it is there, where nothing came for a while."""
        silent = 0.0 if self._is_held else self._loop.time() - self._heard
        if silent >= SILENT_AFTER:
            self.end(4104, "silent")
            return
        if silent >= PING_EVERY / 2 and not self._outflow.is_waiting and self._wire.is_open:
            self._transport.write(KEPT_OPEN)
        self._pulse = self._later(min(PING_EVERY, SILENT_AFTER - silent), self._beat)

    def _give_up(self) -> None:
        """Whoever takes nothing could not hear a goodbye."""
        self._transport.abort()

    # --- the end

    def _finish(self) -> None:
        """The goodbye is under way: the transport closes when the peer's is there, or soon in any case."""
        if self._wire.is_answered:
            self._transport.close()
        if self._cut is None:
            self._cut = self._later(CUT_AFTER, self._cut_off)
            _wake(self._arrival)
            if self._is_held:
                self._release()  # else the peer's goodbye would never be seen

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
