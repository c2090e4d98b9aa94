"""Pacer: sends every driver's fixes at their due times, evenly spread, however slow the service is."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final

from driver_sim.load.driver import LoadDriver

YIELD_EVERY: Final = 20  # fixes without a pause if the tool is late


class Pacer:
    """A fixed schedule. A fix that is sent late keeps its due time, so that waiting counts as latency."""

    def __init__(
        self,
        drivers: Sequence[LoadDriver],
        rate: float,
        *,
        whole_seconds: bool,
        on_late: Callable[[float], None],
    ) -> None:
        """*rate*: fixes a second of each driver. *on_late* is called with the seconds of each delay."""
        self._drivers, self._interval = drivers, 1.0 / rate
        self._whole_seconds, self._on_late = whole_seconds, on_late
        self._clock = asyncio.get_running_loop().time

    async def run(self, seconds: float) -> None:
        """Send for so long. Drivers that have not joined are left out."""
        begin, wall = self._clock(), datetime.now(UTC)
        gap = self._interval / len(self._drivers)
        for n in count():
            due = begin + n * gap
            if due >= begin + seconds:
                return
            await self._wait_until(due, n)
            driver = self._drivers[n % len(self._drivers)]
            if driver.joined:
                self._on_late(self._clock() - due)
                driver.send_fix(self._stamp(wall + timedelta(seconds=due - begin)), due, self._interval)

    async def _wait_until(self, due: float, n: int) -> None:
        ahead = due - self._clock()
        if ahead > 0.0 or n % YIELD_EVERY == 0:
            await asyncio.sleep(max(0.0, ahead))

    def _stamp(self, at: datetime) -> datetime:
        """Return the time as the service and the app know it: in milliseconds, or in whole seconds."""
        return at.replace(microsecond=0 if self._whole_seconds else at.microsecond // 1000 * 1000)
