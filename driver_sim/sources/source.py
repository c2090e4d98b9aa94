"""PositionSource: what sends a courier's fixes. A DriverClient is one, too."""

from collections import Counter, deque
from collections.abc import Callable
from typing import Protocol

from driver_sim.client.outbox import OnStored
from tracker.domain.tracks.fix import Fix

type OnError = Callable[[Exception], None]


class PositionSource(Protocol):
    """Keeps each fix until the service has it."""

    latencies: deque[float]  # seconds from sending to the answer; the last thousand
    on_stored: OnStored  # hears of fixes when the service has answered that it has them

    @property
    def counts(self) -> Counter[str]:
        """Fixes by what became of them: sent (each once), acked, duplicates, rejected."""

    @property
    def unacked(self) -> int:
        """The number of fixes that the service may not have."""

    @property
    def connected(self) -> bool:
        """Whether the last attempt to send succeeded."""

    def add(self, fix: Fix) -> None:
        """Queue a fix."""

    async def run(self) -> None:
        """Send until cancelled, or for a client until its `close`. Raises PermanentDisconnect."""

    async def flush(self, timeout_s: float = ...) -> bool:
        """Wait until the service has every fix. Return False on timeout."""
