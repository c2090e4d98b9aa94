"""Garbage: how Python's collector of cycles treats a process that holds thousands of connections for long.

A pass over all that is alive stops everybody: a quarter of a second with 400 connections, seconds with
10,000. So it looks only at what is new, and what has outlived one look is out of its sight. Little is missed
by that: what ends here lets go of its parts, and is freed without the collector. The rest is found by a pass
over everything, when memory is short, or when there is more than connections explain.
"""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Literal

from tracker.system.memory import is_scarce

# Objects made and not freed, until the newest are looked through. That takes 10 to 20 ms, as among the newest
# are all those with which 400 connections wait at that moment, another 10,000: with a tenth of this number
# there are ten times as many passes, and each is hardly shorter.
YOUNG: Final = 10_000
NEVER: Final = 1_000_000  # passes, until those that outlived one are looked through: none are in sight
COUNT_EVERY: Final = 60.0  # seconds; no more is counted than may have come since
MANY: Final = 5_000_000  # objects more than after the last pass over everything: those of 10,000 connections
FEW: Final = 100_000  # the same where memory is short


class Collector:
    """The collector's manners, from now on and to the end."""

    def __init__(self) -> None:
        gc.set_threshold(YOUNG, NEVER, NEVER)
        gc.callbacks.append(self._settle)
        self.settled = 0  # objects that outlived the last pass over everything
        self._passes = 0  # over the newest, since
        self._settle_all()

    def end(self) -> None:
        """What is out of sight stays so."""
        gc.callbacks.remove(self._settle)

    def look_again(self) -> None:
        """Passes over everything where so much has come that much of it may be garbage."""
        most = FEW if is_scarce() else MANY
        if self._passes * YOUNG < most:
            return  # counting takes its time, too
        self._passes = 0
        if gc.get_freeze_count() > self.settled + most:
            self._settle_all()

    def _settle(self, phase: Literal["start", "stop"], _: dict[str, int]) -> None:
        if phase == "stop":
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
