"""Route: the planned path through a trip's stops, and where on it the driver is."""

from bisect import bisect_left, bisect_right
from itertools import accumulate, pairwise
from math import cos, hypot, inf, radians, sin
from typing import Final, NamedTuple

import msgspec

from tracker.domain.geo import EARTH_RADIUS, LonLat, bearing, distance, part_way
from tracker.domain.order import StopKind


class Stop(msgspec.Struct, frozen=True):
    """A place to be served."""

    order_id: str
    kind: StopKind
    at: LonLat
    service_s: float | None = None  # seconds the driver needs there; None: not known


class Edge(msgspec.Struct, frozen=True, gc=False):
    """A piece of street on a leg, `line[begin]` to `line[end]`."""

    begin: int
    end: int
    length_m: float
    duration_s: float  # the router's
    road_class: str  # as the engine names it: primary, residential, footway, …
    signal: bool  # traffic lights at its end
    key: str = ""  # the same for everybody who passes here, as long as the map is the same; "": not known


class Leg(msgspec.Struct, frozen=True):
    """The way from one stop to the next, as the router gave it."""

    line: tuple[LonLat, ...]  # at least two places
    distance_m: float
    duration_s: float
    edges: tuple[Edge, ...] = ()


class Stretch(NamedTuple):
    """An edge as a part of a whole route, with the router's seconds for it."""

    edge: Edge
    begin_m: float  # from the route's beginning
    end_m: float
    seconds: float


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
        joined = _Joined(legs)
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


class _Joined:
    """The legs end to end: equal neighbours are one place, a gap between legs is bridged in no time."""

    def __init__(self, legs: tuple[Leg, ...]) -> None:
        self.line = [legs[0].line[0]]
        self.metres, self.seconds = [0.0], [0.0]
        self.stop_m: list[float] = []
        self.stop_s: list[float] = []
        self.stretches: list[Stretch] = []
        for leg in legs:
            self._append(leg)
        if len(self.line) == 1:
            self._append_place(self.line[0], 0.0)

    def _append(self, leg: Leg) -> None:
        marks: list[tuple[float, float]] = []  # metres and seconds at each place of the leg
        for place, seconds in zip(leg.line, (0.0, *_segment_seconds(leg)), strict=True):
            metres = distance(self.line[-1], place)
            if metres > 0.0:
                self._append_place(place, metres)
            self.seconds[-1] += seconds
            marks.append((self.metres[-1], self.seconds[-1]))
        for edge in leg.edges or (_whole(leg),):
            (begin_m, begin_s), (end_m, end_s) = marks[edge.begin], marks[edge.end]
            self.stretches.append(Stretch(edge, begin_m, end_m, end_s - begin_s))
        self.stop_m.append(self.metres[-1])
        self.stop_s.append(self.seconds[-1])

    def _append_place(self, place: LonLat, metres: float) -> None:
        self.line.append(place)
        self.metres.append(self.metres[-1] + metres)
        self.seconds.append(self.seconds[-1])


def _whole(leg: Leg) -> Edge:
    """A leg whose streets are not known, as one."""
    return Edge(0, len(leg.line) - 1, leg.distance_m, leg.duration_s, "", False)


def _segment_seconds(leg: Leg) -> list[float]:
    """The router's seconds of each segment: by the leg's edges, or evenly where it has none."""
    metres = [distance(a, b) for a, b in pairwise(leg.line)]
    seconds = [0.0] * len(metres)
    for edge in leg.edges or (_whole(leg),):
        whole = sum(metres[edge.begin : edge.end])
        for segment in range(edge.begin, edge.end):
            share = metres[segment] / whole if whole else 1.0 / (edge.end - edge.begin)
            seconds[segment] = edge.duration_s * share
    total = sum(seconds)
    return [each * leg.duration_s / total for each in seconds] if total else seconds


def _unwrapped(line: tuple[LonLat, ...]) -> list[float]:
    """The longitudes without the jump at the antimeridian."""
    steps = ((b.lon - a.lon + 180.0) % 360.0 - 180.0 for a, b in pairwise(line))
    return list(accumulate(steps, initial=line[0].lon))
