"""GC policy: the cycle collector in a process that holds thousands of long-lived connections.

A full pass stops the process: a quarter of a second with 400 connections, seconds with 10,000. So a pass
covers only new objects, and objects that survive one pass are frozen. This misses little: the code breaks its
reference cycles, so that objects are freed without the collector. A full pass finds the rest if memory is
scarce, or if there are more objects than connections explain.
"""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Literal

from tracker.system.memory import is_scarce

# New objects that trigger a pass. A pass takes 10 to 20 ms, since it also covers the objects with which 400
# connections wait at that moment, another 10,000. A tenth of this number would give ten times as many
# passes, each hardly shorter.
YOUNG: Final = 10_000
NEVER: Final = 1_000_000  # passes until the older generations are collected; they are frozen and empty
COUNT_EVERY: Final = 60.0  # seconds
MANY: Final = 5_000_000  # objects added since the last full pass: those of 10,000 connections
FEW: Final = 100_000  # the same limit while memory is scarce


class Collector:
    """Applies the policy to this process's collector until `end`."""

    def __init__(self) -> None:
        gc.set_threshold(YOUNG, NEVER, NEVER)
        gc.callbacks.append(self._settle)
        self.settled = 0  # objects that survived the last full pass
        self._passes = 0  # over new objects, since the last full pass
        self._settle_all()

    def end(self) -> None:
        """Stop freezing. Frozen objects stay frozen."""
        gc.callbacks.remove(self._settle)

    def look_again(self) -> None:
        """Run a full pass if so many objects were added that many may be garbage."""
        most = FEW if is_scarce() else MANY
        if self._passes * YOUNG < most:
            return  # counting frozen objects is slow, too
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
    """Exempt existing objects, and those that survive a pass, from collection while the block runs."""
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
