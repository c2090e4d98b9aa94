"""Leg: the way from one stop to the next, and how legs join to the line of a whole route."""

from itertools import pairwise
from typing import NamedTuple

import msgspec

from tracker.domain.geo import LonLat, distance


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
