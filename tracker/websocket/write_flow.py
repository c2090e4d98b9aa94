"""Outflow: what is written to one peer, no faster than it takes it."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Final

STALLED_AFTER: Final = 30.0  # seconds in which the peer took nothing of what was written
# A timer keeps the context that it was set in, and with it a request, for its time: cancelled or not.
NOBODYS: Final = Context()


class WriteFlow:
    """Waits for a peer that is slow, and tells of one that takes nothing at all."""

    __slots__ = ("_drained", "_loop", "_on_stalled", "_transport", "_unread", "_watch")

    def __init__(self, transport: asyncio.Transport, on_stalled: Callable[[], None]) -> None:
        self._transport, self._on_stalled = transport, on_stalled
        self._loop = asyncio.get_running_loop()
        self._drained: asyncio.Future[None] | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._unread = 0  # bytes that waited for the peer when it was last looked at
        # What waits for a slow reader must be the newest. Not 0: TLS counts from `high` on, others beyond it.
        transport.set_write_buffer_limits(high=1, low=0)

    @property
    def is_waiting(self) -> bool:
        """For the peer to take something."""
        return self._drained is not None

    async def drained(self) -> None:
        """Until the kernel has taken all that was written, or the connection has ended."""
        if self._drained is not None:
            await asyncio.shield(self._drained)

    def pause(self) -> None:
        """The kernel takes no more."""
        self._drained = self._loop.create_future()
        self._unread = self._transport.get_write_buffer_size()
        self._watch = self._loop.call_later(STALLED_AFTER, self._look, context=NOBODYS)

    def resume(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def end(self) -> None:
        """The connection has ended."""
        self.resume()
        self._on_stalled = _nobody

    def _look(self) -> None:
        """A peer that takes little is slow; one that takes nothing has stalled."""
        waiting = self._transport.get_write_buffer_size()
        if waiting >= self._unread:
            self._on_stalled()
        else:
            self._unread = waiting
            self._watch = self._loop.call_later(STALLED_AFTER, self._look, context=NOBODYS)


def _nobody() -> None:
    """Needs to be told."""
