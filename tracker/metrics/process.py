"""Metrics of the process: memory, descriptors and CPU time, the garbage collector, and the event loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, Histogram, ProcessCollector

LOOK_EVERY: Final = 0.25  # seconds
_LAG_S: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)  # seconds


class ProcessMetrics:
    """What the operating system and Python say of this process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        self._lag = Histogram(
            "tracker_event_loop_lag_seconds",
            "Seconds by which a timer of the event loop was late; measured four times a second.",
            buckets=_LAG_S,
            registry=registry,
        )

    @asynccontextmanager
    async def measuring_lag(self) -> AsyncIterator[None]:
        """Measure how late the event loop runs its timers during the block."""
        task = asyncio.create_task(self._measure_lag())
        try:
            yield
        finally:
            task.cancel()

    async def _measure_lag(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + LOOK_EVERY
            await asyncio.sleep(LOOK_EVERY)
            self._lag.observe(max(0.0, clock() - due))
