"""Segments of a track, and the places where a line crosses the antimeridian."""

from datetime import datetime, timedelta
from typing import Final

from tracker.domain.geo import LonLat
from tracker.domain.tracks.fix import Fix

GAP: Final = timedelta(seconds=120)  # a longer time between two fixes starts a new segment


class SegmentCounter:
    """Counter of one track's segments, from 0. It takes the believed fixes in order of time."""

    __slots__ = ("_at", "_carried", "number")

    def __init__(self) -> None:
        self.number = 0
        self._at: datetime | None = None
        self._carried = 0, 1

    def add(self, fix: Fix, driver: int, attempt: int = 1) -> int:
        """Return the segment number of this fix. A gap, another driver or attempt starts a new segment."""
        carried = driver, attempt
        if self._at is not None and (carried != self._carried or fix.recorded_at - self._at > GAP):
            self.number += 1
        self._at, self._carried = fix.recorded_at, carried
        return self.number


def crossing(a: LonLat, b: LonLat) -> tuple[LonLat, LonLat, float] | None:
    """Return where the shorter line from *a* to *b* crosses the antimeridian; None if it does not.

    The result holds the place twice, at longitude 180 and -180: first on the side of *a*, then of *b*. The
    third value is the share (0..1) of the line before it (RFC 7946, 3.1.9).
    """
    if abs(b.lon - a.lon) <= 180.0:
        return None
    edge = 180.0 if a.lon > 0.0 else -180.0
    east = b.lon + 2.0 * edge - a.lon  # degrees from *a* to *b*; 0 if both lie on the antimeridian
    share = min(max((edge - a.lon) / east, 0.0), 1.0) if east else 0.0
    lat = a.lat + share * (b.lat - a.lat)
    return LonLat(edge, lat), LonLat(-edge, lat), share
