"""Garbage: how Python's collector of cycles treats a process that holds thousands of connections for long.

A pass over all that is alive stops everybody: a quarter of a second with 400 connections, seconds with
10,000. So it looks only at what is new, and what has outlived two looks is out of its sight. Little is missed
by that: what ends here lets go of its parts, and is freed without the collector. The rest is found by a pass
over everything, once there is twice as much as there was after the last one.
"""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Literal

# A pass over the newest takes 1 ms, one over those that outlived a look 6 ms: among them is whatever waits at
# that moment. Larger numbers are as much work in all, in stops of 60 ms.
YOUNG: Final = 1_000  # objects made and not freed, until the newest are looked through
MIDDLE: Final = 5  # times of that, until those that outlived one look are
OLD: Final = 40  # times of that again, until all are that are in sight
COUNT_EVERY: Final = 60.0  # seconds; no more is counted than may have come since
GROWTH: Final = 2.0  # since the last pass over everything


class Collector:
    """The collector's manners, from now on and to the end."""

    def __init__(self) -> None:
        gc.set_threshold(YOUNG, MIDDLE, OLD)
        gc.callbacks.append(self._settle)
        self.settled = 0  # objects that outlived the last pass over everything
        self._passes = 0  # of the middle ones since
        self._settle_all()

    def end(self) -> None:
        """What is out of sight stays so."""
        gc.callbacks.remove(self._settle)

    def look_again(self) -> None:
        """Passes over everything where so much has come that much of it may be garbage."""
        if self._passes * YOUNG * MIDDLE < self.settled * (GROWTH - 1.0):
            return  # counting takes its time, too
        self._passes = 0
        if gc.get_freeze_count() > GROWTH * self.settled:
            self._settle_all()

    def _settle(self, phase: Literal["start", "stop"], info: dict[str, int]) -> None:
        if phase == "stop" and info["generation"] > 0:
            gc.freeze()
            self._passes += 1

    def _settle_all(self) -> None:
        gc.unfreeze()
        gc.collect()
        self.settled, self._passes = gc.get_freeze_count(), 0


@asynccontextmanager
async def short_passes() -> AsyncIterator[None]:
    """All that is there, and what comes and stays while the block runs, is passed by."""
    collector = Collector()

    async def look_again() -> None:
        while True:
            await asyncio.sleep(COUNT_EVERY)
            collector.look_again()

    looking = asyncio.create_task(look_again())
    try:
        yield
    finally:
        looking.cancel()
        collector.end()
