"""Leg: the way from one stop to the next, and how legs join to the line of a whole route."""

from itertools import accumulate
from typing import NamedTuple

import msgspec

from tracker.domain.geo import LonLat, distance, steps


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
    straight: bool = False  # no way leads there: a straight line, that nobody can drive


class Stretch(NamedTuple):
    """An edge as a part of a whole route, with the router's seconds for it."""

    edge: Edge
    begin_m: float  # from the route's beginning
    end_m: float
    seconds: float


class Joined:
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
        gap = distance(self.line[-1], leg.line[0])
        if gap > 0.0:
            self._append_place(leg.line[0], gap)
        lengths = steps(leg.line)
        metres = list(accumulate(lengths, initial=self.metres[-1]))  # at each place of the leg
        seconds = list(accumulate(_segment_seconds(leg, lengths), initial=self.seconds[-1]))
        for place, length, along, passed in zip(leg.line[1:], lengths, metres[1:], seconds[1:], strict=True):
            if length > 0.0:
                self.line.append(place)
                self.metres.append(along)
                self.seconds.append(passed)
            else:
                self.seconds[-1] = passed
        for edge in leg.edges or (_whole(leg),):
            begin, end = edge.begin, edge.end
            self.stretches.append(Stretch(edge, metres[begin], metres[end], seconds[end] - seconds[begin]))
        self.stop_m.append(self.metres[-1])
        self.stop_s.append(self.seconds[-1])

    def _append_place(self, place: LonLat, metres: float) -> None:
        self.line.append(place)
        self.metres.append(self.metres[-1] + metres)
        self.seconds.append(self.seconds[-1])


def _whole(leg: Leg) -> Edge:
    """A leg whose streets are not known, as one."""
    return Edge(0, len(leg.line) - 1, leg.distance_m, leg.duration_s, "", False)


def _segment_seconds(leg: Leg, metres: list[float]) -> list[float]:
    """The router's seconds of each segment, which are so long: by the leg's edges, or evenly where it has
    none."""
    seconds = [0.0] * len(metres)
    for edge in leg.edges or (_whole(leg),):
        whole = sum(metres[edge.begin : edge.end])
        for segment in range(edge.begin, edge.end):
            share = metres[segment] / whole if whole else 1.0 / (edge.end - edge.begin)
            seconds[segment] = edge.duration_s * share
    total = sum(seconds)
    return [each * leg.duration_s / total for each in seconds] if total else seconds
