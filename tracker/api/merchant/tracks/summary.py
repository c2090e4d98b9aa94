"""Summary of a track, computed while the track is read."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from itertools import batched
from typing import Final

import msgspec

from tracker.database import Reads
from tracker.database.fixes import StoredFix, Window, track_fixes
from tracker.domain.tracks.odometer import Odometer
from tracker.messages import Time, rfc3339_or_none

FIXES_PER_CHUNK: Final = 500  # counting them blocks the event loop for some 10 ms


class Summary(msgspec.Struct, frozen=True):
    """A track in numbers.

    `distance_m` and `moving_s` exclude the drift of the receiver while the driver stands. A gap of more than
    120 s adds a straight line to the distance and nothing to `moving_s`. The path between two drivers does
    not count.
    """

    distance_m: float
    """Metres driven, without drift while standing."""
    duration_s: float
    """Seconds from the first fix to the last."""
    moving_s: float
    """Seconds in motion."""
    fixes: int
    """Number of believed fixes."""
    rejected: int
    """Number of stored fixes that stay out of the track."""
    first_fix_at: Time | None
    """When the first believed fix was recorded. Null without one."""
    last_fix_at: Time | None
    """When the last believed fix was recorded. Null without one."""


async def summarize(queries: Reads, windows: Sequence[Window]) -> Summary:
    """Read the track once, in bounded memory, and return its summary."""
    totals = _Totals()
    async for chunk in track_fixes(queries, windows, include_rejected=True):
        for batch in batched(chunk, FIXES_PER_CHUNK):
            for stored in batch:
                totals.add(stored)
            await asyncio.sleep(0)
    return totals.summary()


class _Totals:
    """Totals of the fixes read so far."""

    def __init__(self) -> None:
        self._fixes = self._rejected = 0
        self._first: datetime | None = None
        self._last: datetime | None = None
        self._odometers: dict[
            int, Odometer
        ] = {}  # by assignment, so that the path between drivers does not count

    def add(self, stored: StoredFix) -> None:
        if stored.reason is not None:
            self._rejected += 1
            return
        self._fixes += 1
        self._first = self._first or stored.fix.recorded_at
        self._last = stored.fix.recorded_at
        if stored.part not in self._odometers:
            self._odometers[stored.part] = Odometer()
        self._odometers[stored.part].add(stored.fix)

    def summary(self) -> Summary:
        first, last, odometers = self._first, self._last, self._odometers.values()
        duration = (last - first).total_seconds() if first is not None and last is not None else 0.0
        return Summary(
            round(sum(odometer.distance_m for odometer in odometers), 1),
            round(duration, 3),
            round(sum(odometer.moving_s for odometer in odometers), 3),
            self._fixes,
            self._rejected,
            rfc3339_or_none(first),
            rfc3339_or_none(last),
        )
