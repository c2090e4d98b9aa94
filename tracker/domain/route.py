"""Route: the planned path through a trip's stops, and where on it the driver is."""

from bisect import bisect_left, bisect_right
from itertools import accumulate, pairwise
from math import cos, hypot, inf, radians, sin
from typing import Final

import msgspec

from tracker.domain.geo import EARTH_RADIUS, LonLat, bearing, part_way
from tracker.domain.leg import Edge, Joined, Leg
from tracker.domain.order import StopKind

__all__ = ["Edge", "Leg", "Progress", "Route", "Stop"]


class Stop(msgspec.Struct, frozen=True):
    """A place to be served."""

    order_id: str
    kind: StopKind
    at: LonLat
    service_s: float | None = None  # seconds the driver needs there; None: not known


class Progress(msgspec.Struct, frozen=True, gc=False):
    """Where on a route somebody is."""

    along_m: float  # metres from the route's beginning
    offset_m: float  # metres from the line
    at: LonLat  # the nearest place on the line
    heading: float  # degrees, of the line there


BEHIND: Final = 50.0  # metres before the last progress that are searched: noise, and turning round
AHEAD: Final = (400.0, 1_600.0, 6_400.0)  # metres; the next one only where nothing was near in the last
NEAR: Final = 45.0  # metres; beyond it a fix does not show that the driver is on the line

# Where a street is driven out and back, two places of the line are equally near. These say which is meant.
AHEAD_COSTS: Final = 0.02  # metres of offset for each metre ahead of the last progress
BEHIND_COSTS: Final = 0.5  # the same for each metre back: drivers seldom go back
AGAINST_COSTS: Final = 15.0  # metres of offset where the line runs against the driver's heading

_METRES_PER_DEGREE: Final = radians(1.0) * EARTH_RADIUS


class Route:
    """The legs joined to one line, with the metres and the router's seconds from its beginning; immutable.

    Raises ValueError unless there are as many legs as stops, and at least one.
    """

    __slots__ = (
        "_lons",
        "_metres",
        "_seconds",
        "_stop_m",
        "_stop_s",
        "legs",
        "length_m",
        "line",
        "stops",
        "stretches",
    )

    def __init__(self, stops: tuple[Stop, ...], legs: tuple[Leg, ...]) -> None:
        if not stops or len(stops) != len(legs):
            raise ValueError(f"{len(stops)} stops need as many legs, not {len(legs)}")
        self.stops: Final = stops
        self.legs: Final = legs
        joined = Joined(legs)
        self.line: Final = tuple(joined.line)
        self.length_m: Final = joined.metres[-1]
        self._lons: Final = _unwrapped(self.line)
        self._metres: Final = joined.metres
        self._seconds: Final = joined.seconds
        self._stop_m: Final = joined.stop_m
        self._stop_s: Final = joined.stop_s
        self.stretches: Final = tuple(joined.stretches)

    def stop_at_m(self, index: int) -> float:
        """Metres along the route of `stops[index]`."""
        return self._stop_m[index]

    def locate(
        self, at: LonLat, *, after_m: float = 0.0, until_m: float = inf, heading: float | None = None
    ) -> Progress:
        """Where on the line `at` is, if the driver was last at `after_m` and can't be beyond `until_m`.

        The whole line is never searched. Give the heading (degrees) of a driver who moves: it tells the ways
        out and back apart. Where nothing is near, the answer is the nearest place close to `after_m`, and its
        offset says so.
        """
        after_m = min(max(after_m, 0.0), self.length_m)
        most = max(min(self.length_m, until_m) - after_m, 0.0)
        found = nearest = self._search(at, after_m, min(AHEAD[0], most), heading)
        for ahead, wider in pairwise(AHEAD):
            if found.offset_m <= NEAR or ahead >= most:
                break
            found = self._search(at, after_m, min(wider, most), heading)
        return found if found.offset_m <= NEAR else nearest

    def remaining(self, progress: Progress, stop: int) -> tuple[float, float]:
        """Metres and the router's seconds of driving from there to `stops[stop]`; zeros once it is passed."""
        metres = self._stop_m[stop] - progress.along_m
        seconds = self._stop_s[stop] - self._seconds_at(progress.along_m)
        return max(metres, 0.0), max(seconds, 0.0)

    def between(self, from_m: float, to_m: float) -> tuple[LonLat, ...]:
        """The piece of the line between two distances along it; empty where it would have no length."""
        from_m, to_m = max(from_m, 0.0), min(to_m, self.length_m)
        if not from_m < to_m:
            return ()
        first, last = bisect_right(self._metres, from_m), bisect_left(self._metres, to_m)
        return (self._at(from_m), *self.line[first:last], self._at(to_m))

    def _at(self, along_m: float) -> LonLat:
        segment, share = self._segment_at(along_m)
        return part_way(self.line[segment], self.line[segment + 1], share)

    def _seconds_at(self, along_m: float) -> float:
        segment, share = self._segment_at(along_m)
        begin, end = self._seconds[segment : segment + 2]
        return begin + share * (end - begin)

    def _segment_at(self, along_m: float) -> tuple[int, float]:
        """The segment that holds this distance, and the share of it that lies before."""
        segment = min(max(bisect_right(self._metres, along_m) - 1, 0), len(self.line) - 2)
        begin, end = self._metres[segment : segment + 2]
        return segment, min(max((along_m - begin) / (end - begin), 0.0), 1.0) if end > begin else 0.0

    def _search(self, at: LonLat, after_m: float, ahead: float, heading: float | None) -> Progress:
        begin = max(bisect_right(self._metres, after_m - BEHIND) - 1, 0)
        end = min(bisect_left(self._metres, after_m + ahead), len(self.line) - 1)
        segment, share, offset = self._nearest(at, after_m, range(begin, max(end, begin + 1)), heading)
        a, b = self.line[segment], self.line[segment + 1]
        along = self._metres[segment] + share * (self._metres[segment + 1] - self._metres[segment])
        return Progress(along, offset, part_way(a, b, share), bearing(a, b))

    def _nearest(
        self, at: LonLat, after_m: float, segments: range, heading: float | None
    ) -> tuple[int, float, float]:
        """The segment, the share of it and the offset of the place that costs least. Every fix passes here.

        Metres east (x) and north (y) of `at` are computed on the way: they are exact to 0.1 % within the few
        hundred metres that count, however long the route is.
        """
        line, lons, along = self.line, self._lons, self._metres
        per_lon = _METRES_PER_DEGREE * cos(radians(at.lat))
        lon = lons[segments[0]] + (at.lon - lons[segments[0]] + 180.0) % 360.0 - 180.0
        east, north = (0.0, 0.0) if heading is None else (sin(radians(heading)), cos(radians(heading)))
        best, least = (segments[0], 0.0, inf), inf
        x, y = (lons[segments[0]] - lon) * per_lon, (line[segments[0]].lat - at.lat) * _METRES_PER_DEGREE
        for i in segments:
            ahead = along[i] - after_m
            if ahead * AHEAD_COSTS > least:
                break  # nothing further on can cost less
            to_x, to_y = (lons[i + 1] - lon) * per_lon, (line[i + 1][1] - at.lat) * _METRES_PER_DEGREE
            dx, dy = to_x - x, to_y - y
            squared = dx * dx + dy * dy
            share = -(x * dx + y * dy) / squared if squared else 0.0
            share = 0.0 if share < 0.0 else min(share, 1.0)
            offset = hypot(x + share * dx, y + share * dy)
            ahead += share * (along[i + 1] - along[i])
            cost = offset + (ahead * AHEAD_COSTS if ahead > 0.0 else -ahead * BEHIND_COSTS)
            if east * dx + north * dy < 0.0:
                cost += AGAINST_COSTS
            if cost < least:
                best, least = (i, share, offset), cost
            x, y = to_x, to_y
        return best


def _unwrapped(line: tuple[LonLat, ...]) -> list[float]:
    """The longitudes without the jump at the antimeridian."""
    steps = ((b.lon - a.lon + 180.0) % 360.0 - 180.0 for a, b in pairwise(line))
    return list(accumulate(steps, initial=line[0].lon))
