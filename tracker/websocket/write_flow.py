"""WriteFlow: write to one peer no faster than it reads."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Final

STALLED_AFTER: Final = 30.0  # seconds in which the peer read nothing of the written data
# A timer keeps its context, and with it a request, until its time is over, even if it is cancelled.
NO_CONTEXT: Final = Context()


class WriteFlow:
    """Waits for a slow peer, and calls *on_stalled* for one that reads nothing."""

    __slots__ = ("_drained", "_loop", "_on_stalled", "_transport", "_unread", "_watch")

    def __init__(self, transport: asyncio.Transport, on_stalled: Callable[[], None]) -> None:
        self._transport, self._on_stalled = transport, on_stalled
        self._loop = asyncio.get_running_loop()
        self._drained: asyncio.Future[None] | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._unread = 0  # bytes that waited for the peer at the last check
        # A small buffer keeps data for a slow reader fresh. Not 0: TLS pauses at `high`, others above it.
        transport.set_write_buffer_limits(high=1, low=0)

    @property
    def is_waiting(self) -> bool:
        """Whether data waits for the peer to read."""
        return self._drained is not None

    async def drained(self) -> None:
        """Wait until the kernel has accepted all written data or the connection has ended."""
        if self._drained is not None:
            await asyncio.shield(self._drained)

    def pause(self) -> None:
        """Note that the kernel's buffer is full, and watch whether the peer reads."""
        self._drained = self._loop.create_future()
        self._unread = self._transport.get_write_buffer_size()
        self._watch = self._loop.call_later(STALLED_AFTER, self._check_progress, context=NO_CONTEXT)

    def resume(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def end(self) -> None:
        """Release waiting writers after the end of the connection."""
        self.resume()
        self._on_stalled = _ignore

    def _check_progress(self) -> None:
        """Report a peer that has read nothing since the last check. One that reads a little is only slow."""
        waiting = self._transport.get_write_buffer_size()
        if waiting >= self._unread:
            self._on_stalled()
        else:
            self._unread = waiting
            self._watch = self._loop.call_later(STALLED_AFTER, self._check_progress, context=NO_CONTEXT)


def _ignore() -> None:
    """Replace `on_stalled` after the end of the connection."""
