"""Travel time: the learned seconds along a route, street by street."""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import accumulate, repeat
from operator import mul, sub
from typing import Final

import msgspec

from tracker.domain.eta.live_traffic import LiveTraffic, delay_of
from tracker.domain.eta.model import Passage, kind_of
from tracker.domain.route import Edge, Route

LIVE_FOR: Final = 30.0  # seconds; then the live seconds are computed again
HALT_RADIUS: Final = 20.0  # metres; a receiver at rest seldom shows more
LONGEST_HALT: Final = 180.0  # seconds; no red light lasts so long, and in a queue drivers move on

type _Place = tuple[int, float]
"""The index of a stretch, and the share of the stretch before the place."""


class RouteSection(msgspec.Struct, frozen=True, gc=False):
    """A part of a route that a driver drove, in metres from the route's start, and its seconds."""

    from_m: float
    to_m: float
    seconds: float


class TravelTime:
    """Learned seconds from the route's start, and the same in live traffic, for the driver on this route.

    Read at every fix. The live seconds begin at the driver's street. Old ones are computed again.
    """

    __slots__ = ("_halt_m", "_halt_s", "_last", "_live", "_live_at", "_metres", "_seconds", "_stops", "route")

    def __init__(self, route: Route, ratio: Callable[[Edge], float]) -> None:
        self.route = route
        stretches = route.stretches
        learned = (stretch.seconds * ratio(stretch.edge) for stretch in stretches)
        # There is one for each driver, and an array takes a quarter of a list's memory.
        self._metres = array("d", [0.0, *(stretch.end_m for stretch in stretches)])
        self._seconds = array("d", accumulate(learned, initial=0.0))
        self._live = self._seconds
        self._live_at: datetime | None = None
        self._last: tuple[float, _Place] = 0.0, (0, 0.0)  # one fix repeats the same query
        self._stops = [self._place(route.stop_at_m(index)) for index in range(len(route.stops))]
        self._halt_m = self._halt_s = 0.0  # where the driver last moved on, and the seconds since then

    def to_stop(self, index: int, along_m: float) -> float:
        """Return the seconds from *along_m* to the route's stop *index*; 0 once the stop is passed."""
        seconds = _at(self._stops[index], self._seconds) - self.at(along_m)
        return seconds if seconds > 0.0 else 0.0

    def at(self, along_m: float) -> float:
        """Return the seconds from the route's start to *along_m*."""
        return _at(self._place(along_m), self._seconds)

    def delay(self, index: int, along_m: float, traffic: LiveTraffic, now: datetime) -> float:
        """Return the delay from *along_m* to the route's stop *index*, see `delay_of`."""
        if self._live_at is None or not 0.0 <= (now - self._live_at).total_seconds() < LIVE_FOR:
            self._renew(along_m, traffic, now)
        here, stop = self._place(along_m), self._stops[index]
        learned = _at(stop, self._seconds) - _at(here, self._seconds)
        live = _at(stop, self._live) - _at(here, self._live)
        return delay_of(live / learned) if learned > 0.0 else 1.0

    def is_parked(self, driven: RouteSection) -> bool:
        """Add a section to the driver's halt; return whether the halt is too long to be traffic."""
        if abs(driven.to_m - self._halt_m) > HALT_RADIUS:
            self._halt_m, self._halt_s = driven.to_m, 0.0
        self._halt_s += driven.seconds
        return self._halt_s > LONGEST_HALT

    def street_at(self, along_m: float) -> Edge:
        return self.route.stretches[self._place(along_m)[0]].edge

    def _renew(self, along_m: float, traffic: LiveTraffic, now: datetime) -> None:
        first = self._place(along_m)[0]
        ratios = traffic.ratios([stretch.edge for stretch in self.route.stretches[first:]], now)
        begins, ends = self._seconds[first:], self._seconds[first + 1 :]
        live = map(mul, ratios, map(sub, ends, begins))
        self._live = array("d", [*repeat(0.0, first), *accumulate(live, initial=0.0)])
        self._live_at = now

    def _place(self, along_m: float) -> _Place:
        asked, answer = self._last
        if along_m != asked:
            metres = self._metres
            i = min(max(bisect_right(metres, along_m) - 1, 0), len(metres) - 2)
            begin, end = metres[i], metres[i + 1]
            share = (along_m - begin) / (end - begin) if begin < along_m < end else float(along_m >= end)
            answer = i, share
            self._last = along_m, answer
        return answer


def _at(place: _Place, seconds: array[float]) -> float:
    """Return the seconds from the route's start to a place."""
    i, share = place
    begin = seconds[i]
    return begin + share * (seconds[i + 1] - begin)


def passages(route: Route, driven: Iterable[RouteSection]) -> Iterator[Passage]:
    """Divide the seconds of each section among its streets, in proportion to the router's times."""
    ends = [stretch.end_m for stretch in route.stretches]
    for piece in driven:
        parts = []
        for stretch in route.stretches[bisect_right(ends, piece.from_m) :]:
            if stretch.begin_m > piece.to_m:
                break
            length = stretch.end_m - stretch.begin_m
            inside = min(piece.to_m, stretch.end_m) - max(piece.from_m, stretch.begin_m)
            if length > 0.0 and stretch.edge.road_class:
                parts.append((stretch.edge, max(inside, 0.0) / length * stretch.seconds))
        whole = sum(seconds for _, seconds in parts)
        for edge, seconds in parts:
            share = seconds / whole if whole else 1.0 / len(parts)
            yield Passage(edge.key, kind_of(edge), piece.seconds * share, seconds)
