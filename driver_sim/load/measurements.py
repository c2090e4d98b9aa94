"""Measurements: latencies, rates and the tool's own processor time, second by second."""

import asyncio
from array import array
from collections.abc import Callable, Iterable, Sequence
from time import process_time
from typing import Final

import msgspec

from driver_sim.load.driver import LoadDriver

PERCENTILES: Final = (50, 90, 99)


class Latency(msgspec.Struct, frozen=True):
    """Percentiles of a latency in milliseconds. None without samples."""

    samples: int
    p50_ms: float | None = None
    p90_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None


class Second(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in one second of the run."""

    at_s: float  # since the start
    drivers: int  # connected at its end
    customers: int
    fixes: int
    acknowledged: int
    updates: int  # with a new position, at all customers
    ack_p50_ms: float | None
    ack_p99_ms: float | None
    customer_p50_ms: float | None
    customer_p99_ms: float | None
    processor: float  # share of one processor that the tool used
    late_ms: float  # how late the tool sent a fix, at most


class Samples:
    """Latencies in seconds, split into seconds of the run."""

    def __init__(self) -> None:
        self._values = array("d")
        self._begin = 0  # of the present second
        self._steady = 0  # first sample after the ramp

    def add(self, seconds: float) -> None:
        self._values.append(seconds)

    def count(self) -> int:
        return len(self._values)

    def start_steady(self) -> None:
        """Leave everything before this moment out of `steady`."""
        self._steady = len(self._values)

    def take_second(self) -> Latency:
        """Return the percentiles since the last call."""
        begin, self._begin = self._begin, len(self._values)
        return percentiles(self._values[begin:])

    def steady(self) -> Latency:
        return percentiles(self._values[self._steady :])


def percentiles(seconds: Iterable[float]) -> Latency:
    ordered = sorted(seconds)
    if not ordered:
        return Latency(0)
    p50, p90, p99 = (_at(ordered, percent) for percent in PERCENTILES)
    return Latency(len(ordered), p50, p90, p99, _milliseconds(ordered[-1]))


def _at(ordered: Sequence[float], percent: int) -> float:
    return _milliseconds(ordered[min(len(ordered) - 1, len(ordered) * percent // 100)])


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)


class Measurements:
    """Everything that a run measures. `run` takes a `Second` each second."""

    def __init__(self, drivers: Sequence[LoadDriver]) -> None:
        self.to_ack, self.to_customer, self.late = Samples(), Samples(), Samples()
        self.seconds: list[Second] = []
        self._drivers = drivers
        self._clock = asyncio.get_running_loop().time
        self._steady_from = self._clock(), process_time()

    def start_steady(self) -> None:
        """The ramp is over: everything before it is left out of the percentiles."""
        for samples in (self.to_ack, self.to_customer, self.late):
            samples.start_steady()
        self._steady_from = self._clock(), process_time()

    @property
    def processor(self) -> float:
        """The share of one processor that this process used since the ramp."""
        clock, used = self._steady_from
        return round((process_time() - used) / max(0.001, self._clock() - clock), 3)

    async def run(self, on_second: Callable[[Second], None]) -> None:
        """Measure until cancelled."""
        begin = self._clock()
        while True:
            before, used = self._clock(), process_time()
            await asyncio.sleep(begin + len(self.seconds) + 1 - before)
            share = (process_time() - used) / max(0.001, self._clock() - before)
            self.seconds.append(self._second(self._clock() - begin, share))
            on_second(self.seconds[-1])

    def _second(self, at_s: float, processor: float) -> Second:
        ack, customer, late = (one.take_second() for one in (self.to_ack, self.to_customer, self.late))
        return Second(
            at_s=round(at_s, 1),
            drivers=sum(driver.source.connected for driver in self._drivers),
            customers=sum(one.connected for driver in self._drivers for one in driver.watchers),
            fixes=late.samples,
            acknowledged=ack.samples,
            updates=customer.samples,
            ack_p50_ms=ack.p50_ms,
            ack_p99_ms=ack.p99_ms,
            customer_p50_ms=customer.p50_ms,
            customer_p99_ms=customer.p99_ms,
            processor=round(processor, 3),
            late_ms=late.max_ms or 0.0,
        )
