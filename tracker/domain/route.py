"""The planned path through a trip's stops, and the driver's progress on it."""

from array import array
from bisect import bisect_left, bisect_right
from datetime import datetime
from itertools import accumulate, pairwise
from math import atan2, cos, degrees, hypot, inf, radians, sin, sqrt
from typing import Final

import msgspec

from tracker.domain.geo import METRES_PER_DEGREE, LonLat, interpolate
from tracker.domain.leg import Edge, JoinedLegs, Leg
from tracker.domain.order import StopKind

__all__ = ["Edge", "Leg", "Progress", "Route", "Stop"]


class Stop(msgspec.Struct, frozen=True):
    """A place to serve."""

    order_id: str
    kind: StopKind
    at: LonLat
    service_s: float | None = None  # seconds at the stop; None: unknown
    opens_at: datetime | None = None  # a driver who arrives earlier waits
    closes_at: datetime | None = None  # a driver who arrives later is late


class Progress(msgspec.Struct, frozen=True, gc=False):
    """A position on a route."""

    along_m: float  # metres from the start of the route
    offset_m: float  # metres from the line
    lon: float  # degrees, of the nearest place on the line
    lat: float
    heading: float  # of the line there, in degrees
    along_s: float  # the router's seconds from the start of the route

    @property
    def at(self) -> LonLat:
        """The nearest place on the line."""
        return LonLat(self.lon, self.lat)


BEHIND: Final = 50.0  # metres searched before the last progress, for noise and U-turns
AHEAD: Final = (400.0, 1_600.0, 6_400.0)  # metres searched ahead, until a place is NEAR
NEAR: Final = 45.0  # metres; a fix further off does not show the driver on the line

# Where the route drives a street out and back, two places are equally near. These costs decide.
AHEAD_COSTS: Final = 0.02  # metres of offset for each metre ahead of the last progress
BEHIND_COSTS: Final = 0.5  # the same for each metre back; drivers seldom turn back
AGAINST_COSTS: Final = 15.0  # metres of offset where the line runs against the driver's heading

_Query = tuple[float, float, float, float, float, float]
"""Longitude and latitude, metres per degree of longitude there, route metres of the last progress, and
sine and cosine of the driver's heading, or zeros."""

_Candidate = tuple[float, int, float, float, float, float]
"""A place on the line: its cost, its segment, the share (0..1) of the segment before it, its metres from the
fix, and the metres that the segment leads east and north.

The smallest tuple is the best place."""


class Route:
    """The legs joined to one line, with the metres and the router's seconds from its start; immutable.

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
        joined = JoinedLegs(legs)
        self.line: Final = tuple(joined.line)
        self.length_m: Final = joined.metres[-1]
        # Every driver has a route: an array takes a quarter of a list's memory.
        self._metres: Final = array("d", joined.metres)
        self._seconds: Final = array("d", joined.seconds)
        self._lons: Final = array("d", _unwrapped(self.line))
        self._lats: Final = array("d", [lat for _, lat in self.line])
        self._stop_m: Final = joined.stop_m
        self._stop_s: Final = joined.stop_s
        self.stretches: Final = tuple(joined.stretches)

    def stop_at_m(self, index: int) -> float:
        """Return the route metres of `stops[index]`."""
        return self._stop_m[index]

    def is_straight(self, first: int, last: int) -> bool:
        """Return whether a leg to `stops[first]` … `stops[last]` is straight for lack of a route."""
        return self.is_bridged and any(leg.straight for leg in self.legs[max(first, 0) : last + 1])

    def locate(
        self, at: LonLat, *, after_m: float = 0.0, until_m: float = inf, heading: float | None = None
    ) -> Progress:
        """Locate *at* on the line, for a driver last at *after_m* who can't be beyond *until_m*.

        It never searches the whole line. Pass the heading (degrees) of a moving driver: it distinguishes the
        way out from the way back. If nothing is near, it returns the nearest place close to *after_m*; check
        `offset_m`.
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
        """Return metres and the router's seconds from *progress* to `stops[stop]`; zeros once passed."""
        metres = self._stop_m[stop] - progress.along_m
        seconds = self._stop_s[stop] - progress.along_s
        return metres if metres > 0.0 else 0.0, seconds if seconds > 0.0 else 0.0

    def between(self, from_m: float, to_m: float) -> tuple[LonLat, ...]:
        """Return the part of the line between two route distances in metres; empty if it has no length."""
        from_m, to_m = max(from_m, 0.0), min(to_m, self.length_m)
        if not from_m < to_m:
            return ()
        first, last = bisect_right(self._metres, from_m), bisect_left(self._metres, to_m)
        return (self._at(from_m), *self.line[first:last], self._at(to_m))

    def _at(self, along_m: float) -> LonLat:
        segment, share = self._segment_at(along_m)
        return interpolate(self.line[segment], self.line[segment + 1], share)

    def _segment_at(self, along_m: float) -> tuple[int, float]:
        """Return the segment that holds this distance, and the share (0..1) of it that lies before."""
        segment = min(max(bisect_right(self._metres, along_m) - 1, 0), len(self.line) - 2)
        begin, end = self._metres[segment : segment + 2]
        return segment, min(max((along_m - begin) / (end - begin), 0.0), 1.0) if end > begin else 0.0

    def _search(self, at: LonLat, after_m: float, ahead_m: float, heading: float | None) -> Progress:
        """Return the cheapest place from BEHIND before *after_m* to *ahead_m* after it. Runs for every fix.

        Drivers mostly move ahead, so the part behind is searched only as far as a place there may cost less
        than the best one ahead.
        """
        metres, last = self._metres, len(self._metres) - 1
        here = bisect_left(metres, after_m, 1, last) - 1
        first = bisect_right(metres, after_m - BEHIND, 1, here + 1) - 1
        end = bisect_left(metres, after_m + ahead_m, here + 1, last)
        (lon, lat), begin = at, self._lons[first]
        lon = begin + (lon - begin + 180.0) % 360.0 - 180.0
        east, north = (0.0, 0.0) if heading is None else (sin(radians(heading)), cos(radians(heading)))
        query = lon, lat, METRES_PER_DEGREE * cos(radians(lat)), after_m, east, north
        found = self._cheapest(here, end, query)
        if first < here and (after_m - metres[here]) * BEHIND_COSTS <= found[0]:
            first = bisect_right(metres, after_m - found[0] / BEHIND_COSTS, first + 1, here) - 1
            found = min(found, self._cheapest(first, here, query))
        return self._progress(found)

    def _cheapest(self, first: int, end: int, query: _Query) -> _Candidate:
        """Return the cheapest place on the segments from *first* to before *end*.

        Metres east (x) and north (y) of the fix are computed for each vertex. They are exact to 0.1 % within
        the few hundred metres that matter, however long the route is.
        """
        at_lon, at_lat, per_lon, after_m, east, north = query
        lons, lats, metres = self._lons, self._lats, self._metres
        to_x, to_y = (lons[first] - at_lon) * per_lon, (lats[first] - at_lat) * METRES_PER_DEGREE
        to_ahead = metres[first] - after_m
        found, least = (inf, first, 0.0, inf, 0.0, 0.0), inf
        for segment in range(first, end):
            x, y, ahead = to_x, to_y, to_ahead
            if ahead * AHEAD_COSTS > least:
                break  # no later segment can cost less
            to = segment + 1
            to_x, to_y = (lons[to] - at_lon) * per_lon, (lats[to] - at_lat) * METRES_PER_DEGREE
            to_ahead = metres[to] - after_m
            if x > least < to_x or x < -least > to_x or y > least < to_y or y < -least > to_y:
                continue  # the whole segment is too far away
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

    def _progress(self, found: _Candidate) -> Progress:
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
    """Return the longitudes without the jump at the antimeridian."""
    lons = [lon for lon, _ in line]
    if max(lons) - min(lons) < 180.0:
        return lons
    steps = ((b.lon - a.lon + 180.0) % 360.0 - 180.0 for a, b in pairwise(line))
    return list(accumulate(steps, initial=line[0].lon))
