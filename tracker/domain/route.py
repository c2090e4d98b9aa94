"""Route: the planned path through a trip's stops, and where on it the driver is."""

from bisect import bisect_left, bisect_right
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


class Progress(msgspec.Struct, frozen=True, gc=False):
    """Where on a route somebody is."""

    along_m: float  # metres from the route's beginning
    offset_m: float  # metres from the line
    at: LonLat  # the nearest place on the line
    heading: float  # degrees, of the line there
    along_s: float  # the router's seconds from the route's beginning


BEHIND: Final = 50.0  # metres before the last progress that are searched: noise, and turning round
AHEAD: Final = (400.0, 1_600.0, 6_400.0)  # metres; the next one only where nothing was near in the last
NEAR: Final = 45.0  # metres; beyond it a fix does not show that the driver is on the line

# Where a street is driven out and back, two places of the line are equally near. These say which is meant.
AHEAD_COSTS: Final = 0.02  # metres of offset for each metre ahead of the last progress
BEHIND_COSTS: Final = 0.5  # the same for each metre back: drivers seldom go back
AGAINST_COSTS: Final = 15.0  # metres of offset where the line runs against the driver's heading


class Route:
    """The legs joined to one line, with the metres and the router's seconds from its beginning; immutable.

    Raises ValueError unless there are as many legs as stops, and at least one.
    """

    __slots__ = (
        "_metres",
        "_places",
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
        self._metres: Final = joined.metres
        self._seconds: Final = joined.seconds
        lats = [lat for _, lat in self.line]
        self._places: Final = list(zip(_unwrapped(self.line), lats, joined.metres, strict=True))
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

        Metres east (x) and north (y) of `at` are computed on the way: they are exact to 0.1 % within the few
        hundred metres that count, however long the route is.
        """
        places = self._places
        first = bisect_right(self._metres, after_m - BEHIND, 1) - 1
        end = bisect_left(self._metres, after_m + ahead_m, first + 1, len(places) - 1) + 1
        lon, lat, along = places[first]
        at_lon, at_lat = at
        at_lon = lon + (at_lon - lon + 180.0) % 360.0 - 180.0
        per_lon = METRES_PER_DEGREE * cos(radians(at_lat))
        east, north = (0.0, 0.0) if heading is None else (sin(radians(heading)), cos(radians(heading)))
        x, y, ahead = (lon - at_lon) * per_lon, (lat - at_lat) * METRES_PER_DEGREE, along - after_m
        best, least, segment = (first, 0.0, inf, 0.0, 0.0), inf, first
        for lon, lat, along in places[first + 1 : end]:
            if ahead * AHEAD_COSTS > least:
                break  # nothing further on can cost less
            to_x, to_y = (lon - at_lon) * per_lon, (lat - at_lat) * METRES_PER_DEGREE
            to_ahead, dx, dy = along - after_m, to_x - x, to_y - y
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
                best, least = (segment, share, offset, dx, dy), cost
            x, y, ahead = to_x, to_y, to_ahead
            segment += 1
        segment, share, offset, dx, dy = best
        return self._progress(segment, share, offset, degrees(atan2(dx, dy)) % 360.0 % 360.0)

    def _progress(self, segment: int, share: float, offset_m: float, heading: float) -> Progress:
        (lon, lat, along), (to_lon, to_lat, to_along) = self._places[segment : segment + 2]
        begin, end = self._seconds[segment : segment + 2]
        at = LonLat((lon + share * (to_lon - lon) + 180.0) % 360.0 - 180.0, lat + share * (to_lat - lat))
        return Progress(
            along + share * (to_along - along), offset_m, at, heading, begin + share * (end - begin)
        )


def _unwrapped(line: tuple[LonLat, ...]) -> list[float]:
    """The longitudes without the jump at the antimeridian."""
    lons = [lon for lon, _ in line]
    if max(lons) - min(lons) < 180.0:
        return lons
    steps = ((b.lon - a.lon + 180.0) % 360.0 - 180.0 for a, b in pairwise(line))
    return list(accumulate(steps, initial=line[0].lon))
