"""Lines of a track, which break between segments and at the antimeridian."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from tracker.database.fixes import StoredFix
from tracker.domain.geo import LonLat
from tracker.domain.tracks.segments import crossing


class LinePoint(NamedTuple):
    """A point of a line, in degrees."""

    begins: bool  # first point of a line
    lon: float
    lat: float
    at: datetime
    stored: StoredFix | None  # None at a cut at the antimeridian

    @classmethod
    def of(cls, stored: StoredFix, *, begins: bool = False) -> "LinePoint":
        fix = stored.fix
        return cls(begins, fix.lon, fix.lat, fix.recorded_at, stored)


class TrackLine:
    """Turns believed fixes, in order of time and with their segments, into points of lines."""

    def __init__(self) -> None:
        self._before: StoredFix | None = None

    def add(self, stored: StoredFix) -> Iterator[LinePoint]:
        """Yield the point of this fix, after the points where the line to it is cut."""
        before, self._before = self._before, stored
        if before is None or before.segment != stored.segment:
            yield LinePoint.of(stored, begins=True)
            return
        cut = crossing(before.fix.lonlat, stored.fix.lonlat)
        if cut is None:
            yield LinePoint.of(stored)
            return
        here, beyond, share = cut
        at = before.fix.recorded_at + share * (stored.fix.recorded_at - before.fix.recorded_at)
        if here != before.fix.lonlat:
            yield _cut_at(here, at, begins=False)
        begins = beyond == stored.fix.lonlat
        if not begins:
            yield _cut_at(beyond, at, begins=True)
        yield LinePoint.of(stored, begins=begins)


def _cut_at(place: LonLat, at: datetime, *, begins: bool) -> LinePoint:
    return LinePoint(begins, place.lon, place.lat, at, None)
