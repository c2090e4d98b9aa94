"""Route: the planned path through a trip's stops, and where on it the driver is."""

from array import array
from bisect import bisect_left, bisect_right
from datetime import datetime
from itertools import accumulate, pairwise
from math import atan2, cos, degrees, hypot, inf, radians, sin, sqrt
from typing import Final

import msgspec

from tracker.domain.geo import METRES_PER_DEGREE, LonLat, part_way
from tracker.domain.leg import Edge, Joined, Leg
from tracker.domain.order import StopKind

__all__ = ["Edge", "Leg", "Progress", "Route", "Stop"]


class Stop(msgspec.Struct, frozen=True):
    """A place to be served."""

    order_id: str
    kind: StopKind
    at: LonLat
    service_s: float | None = None  # seconds the driver needs there; None: not known
    opens_at: datetime | None = None  # a driver who comes earlier waits
    closes_at: datetime | None = None  # a driver who comes later is late


class Progress(msgspec.Struct, frozen=True, gc=False):
    """Where on a route somebody is."""

    along_m: float  # metres from the route's beginning
    offset_m: float  # metres from the line
    lon: float  # degrees, of the nearest place on the line
    lat: float
    heading: float  # degrees, of the line there
    along_s: float  # the router's seconds from the route's beginning

    @property
    def at(self) -> LonLat:
        """The nearest place on the line."""
        return LonLat(self.lon, self.lat)


BEHIND: Final = 50.0  # metres before the last progress that are searched: noise, and turning round
AHEAD: Final = (400.0, 1_600.0, 6_400.0)  # metres; the next one only where nothing was near in the last
NEAR: Final = 45.0  # metres; beyond it a fix does not show that the driver is on the line

# Where a street is driven out and back, two places of the line are equally near. These say which is meant.
AHEAD_COSTS: Final = 0.02  # metres of offset for each metre ahead of the last progress
BEHIND_COSTS: Final = 0.5  # the same for each metre back: drivers seldom go back
AGAINST_COSTS: Final = 15.0  # metres of offset where the line runs against the driver's heading

_Sought = tuple[float, float, float, float, float, float]
"""Longitude and latitude, metres in a degree of longitude there, metres along the route of the last progress,
and where the driver heads: sine and cosine, or zeros."""

_Found = tuple[float, int, float, float, float, float]
"""What a place of the line costs, its segment, the share of that before it, its metres from what is sought,
and the metres that the segment leads east and north. The least is the best."""


class Route:
    """The legs joined to one line, with the metres and the router's seconds from its beginning; immutable.

    Raises ValueError unless there are as many legs as stops, and at least one.
    """

    __slots__ = (
        "_lats",
        "_lons",
        "_metres",
        "_seconds",
        "_stop_m",
        "_stop_s",
        "is_bridged",
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
        self.is_bridged: Final = any(leg.straight for leg in legs)
        joined = Joined(legs)
        self.line: Final = tuple(joined.line)
        self.length_m: Final = joined.metres[-1]
        # Of each driver, and there are many: an array takes a quarter of a list's memory.
        self._metres: Final = array("d", joined.metres)
        self._seconds: Final = array("d", joined.seconds)
        self._lons: Final = array("d", _unwrapped(self.line))
        self._lats: Final = array("d", [lat for _, lat in self.line])
        self._stop_m: Final = joined.stop_m
        self._stop_s: Final = joined.stop_s
        self.stretches: Final = tuple(joined.stretches)

    def stop_at_m(self, index: int) -> float:
        """Metres along the route of `stops[index]`."""
        return self._stop_m[index]

    def is_straight(self, first: int, last: int) -> bool:
        """Whether a leg that no way leads along is among those to `stops[first]` up to `stops[last]`."""
        return self.is_bridged and any(leg.straight for leg in self.legs[max(first, 0) : last + 1])

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
        nearest = self._search(at, after_m, min(AHEAD[0], most), heading)
        if nearest.offset_m <= NEAR:
            return nearest
        for ahead, wider in pairwise(AHEAD):
            if ahead >= most:
                break
            found = self._search(at, after_m, min(wider, most), heading)
            if found.offset_m <= NEAR:
                return found
        return nearest

    def remaining(self, progress: Progress, stop: int) -> tuple[float, float]:
        """Metres and the router's seconds of driving from there to `stops[stop]`; zeros once it is passed."""
        metres = self._stop_m[stop] - progress.along_m
        seconds = self._stop_s[stop] - progress.along_s
        return metres if metres > 0.0 else 0.0, seconds if seconds > 0.0 else 0.0

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

    def _segment_at(self, along_m: float) -> tuple[int, float]:
        """The segment that holds this distance, and the share of it that lies before."""
        segment = min(max(bisect_right(self._metres, along_m) - 1, 0), len(self.line) - 2)
        begin, end = self._metres[segment : segment + 2]
        return segment, min(max((along_m - begin) / (end - begin), 0.0), 1.0) if end > begin else 0.0

    def _search(self, at: LonLat, after_m: float, ahead_m: float, heading: float | None) -> Progress:
        """The place that costs least, from BEHIND `after_m` to `ahead_m` beyond it. Every fix passes here.

        Drivers are mostly ahead of where they were: behind is searched only as far as a place there may cost
        less than the best one ahead.
        """
        metres, last = self._metres, len(self._metres) - 1
        here = bisect_left(metres, after_m, 1, last) - 1
        first = bisect_right(metres, after_m - BEHIND, 1, here + 1) - 1
        end = bisect_left(metres, after_m + ahead_m, here + 1, last)
        (lon, lat), begin = at, self._lons[first]
        lon = begin + (lon - begin + 180.0) % 360.0 - 180.0
        east, north = (0.0, 0.0) if heading is None else (sin(radians(heading)), cos(radians(heading)))
        sought = lon, lat, METRES_PER_DEGREE * cos(radians(lat)), after_m, east, north
        found = self._cheapest(here, end, sought)
        if first < here and (after_m - metres[here]) * BEHIND_COSTS <= found[0]:
            first = bisect_right(metres, after_m - found[0] / BEHIND_COSTS, first + 1, here) - 1
            found = min(found, self._cheapest(first, here, sought))
        return self._progress(found)

    def _cheapest(self, first: int, end: int, sought: _Sought) -> _Found:
        """What costs least on the segments from `first` to before `end`.

        Metres east (x) and north (y) of the place are computed on the way: they are exact to 0.1 % within the
        few hundred metres that count, however long the route is.
        """
        at_lon, at_lat, per_lon, after_m, east, north = sought
        lons, lats, metres = self._lons, self._lats, self._metres
        to_x, to_y = (lons[first] - at_lon) * per_lon, (lats[first] - at_lat) * METRES_PER_DEGREE
        to_ahead = metres[first] - after_m
        found, least = (inf, first, 0.0, inf, 0.0, 0.0), inf
        for segment in range(first, end):
            x, y, ahead = to_x, to_y, to_ahead
            if ahead * AHEAD_COSTS > least:
                break  # nothing further on can cost less
            to = segment + 1
            to_x, to_y = (lons[to] - at_lon) * per_lon, (lats[to] - at_lat) * METRES_PER_DEGREE
            to_ahead = metres[to] - after_m
            if x > least < to_x or x < -least > to_x or y > least < to_y or y < -least > to_y:
                continue  # all of it is too far off
            dx, dy = to_x - x, to_y - y
            towards, squared = -(x * dx + y * dy), dx * dx + dy * dy
            if towards <= 0.0:
                share, offset, cost = 0.0, hypot(x, y), ahead
            elif towards >= squared:
                share, offset, cost = 1.0, hypot(to_x, to_y), to_ahead
            else:
                share = towards / squared
                offset, cost = abs(x * dy - y * dx) / sqrt(squared), ahead + share * (to_ahead - ahead)
            cost = offset + (cost * AHEAD_COSTS if cost > 0.0 else -cost * BEHIND_COSTS)
            if east * dx + north * dy < 0.0:
                cost += AGAINST_COSTS
            if cost < least:
                found, least = (cost, segment, share, offset, dx, dy), cost
        return found

    def _progress(self, found: _Found) -> Progress:
        _, segment, share, offset, dx, dy = found
        to = segment + 1
        lon, lat = self._lons[segment], self._lats[segment]
        along, seconds = self._metres[segment], self._seconds[segment]
        return Progress(
            along + share * (self._metres[to] - along),
            offset,
            (lon + share * (self._lons[to] - lon) + 180.0) % 360.0 - 180.0,
            lat + share * (self._lats[to] - lat),
            degrees(atan2(dx, dy)) % 360.0 % 360.0,
            seconds + share * (self._seconds[to] - seconds),
        )


def _unwrapped(line: tuple[LonLat, ...]) -> list[float]:
    """The longitudes without the jump at the antimeridian."""
    lons = [lon for lon, _ in line]
    if max(lons) - min(lons) < 180.0:
        return lons
    steps = ((b.lon - a.lon + 180.0) % 360.0 - 180.0 for a, b in pairwise(line))
    return list(accumulate(steps, initial=line[0].lon))
