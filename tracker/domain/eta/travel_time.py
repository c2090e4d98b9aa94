"""Travel time: the learned seconds along a route, street by street."""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

import msgspec

from tracker.domain.eta.model import Passage, kind_of
from tracker.domain.route import Edge, Route


class RouteSection(msgspec.Struct, frozen=True, gc=False):
    """A part of a route that a driver drove, in metres from the route's start, and its seconds."""

    from_m: float
    to_m: float
    seconds: float


class TravelTime:
    """Learned seconds from the route's start. Built once per route, and read at every fix."""

    __slots__ = ("_last", "_metres", "_seconds", "_stops", "route")

    def __init__(self, route: Route, ratio: Callable[[Edge], float]) -> None:
        self.route = route
        stretches = route.stretches
        learned = (stretch.seconds * ratio(stretch.edge) for stretch in stretches)
        # There is one for each driver, and an array takes a quarter of a list's memory.
        self._metres = array("d", [0.0, *(stretch.end_m for stretch in stretches)])
        self._seconds = array("d", accumulate(learned, initial=0.0))
        self._last = 0.0, 0.0  # the last query and its result: one fix repeats the same query
        self._stops = [self.at(route.stop_at_m(index)) for index in range(len(route.stops))]

    def to_stop(self, index: int, along_m: float) -> float:
        """Return the seconds from *along_m* to the route's stop *index*; 0 once the stop is passed."""
        seconds = self._stops[index] - self.at(along_m)
        return seconds if seconds > 0.0 else 0.0

    def at(self, along_m: float) -> float:
        """Return the seconds from the route's start to *along_m*."""
        asked, answer = self._last
        if along_m != asked:
            answer = self._at(along_m)
            self._last = along_m, answer
        return answer

    def _at(self, along_m: float) -> float:
        metres, seconds = self._metres, self._seconds
        i = bisect_right(metres, along_m)
        if i == 0:
            return 0.0
        begin_s = seconds[i - 1]
        if i == len(metres):
            return begin_s
        begin = metres[i - 1]
        return begin_s + (along_m - begin) / (metres[i] - begin) * (seconds[i] - begin_s)


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
