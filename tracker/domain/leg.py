"""Legs between stops, and their join into the line of a whole route."""

from itertools import accumulate
from typing import NamedTuple

import msgspec

from tracker.domain.geo import LonLat, distance, steps


class Edge(msgspec.Struct, frozen=True, gc=False):
    """A piece of street on a leg, `line[begin]` to `line[end]`."""

    begin: int
    end: int
    length_m: float
    duration_s: float  # by the router
    road_class: str  # in the engine's terms: primary, residential, footway, …
    signal: bool  # whether traffic lights stand at its end
    key: str = ""  # identifies the street for as long as the map is the same; "": unknown


class Leg(msgspec.Struct, frozen=True):
    """The path from one stop to the next, as the router returned it."""

    line: tuple[LonLat, ...]  # at least two places
    distance_m: float
    duration_s: float
    edges: tuple[Edge, ...] = ()
    straight: bool = False  # no route exists: a straight line that nobody can drive


class Stretch(NamedTuple):
    """An edge within a whole route, with the router's seconds for it."""

    edge: Edge
    begin_m: float  # from the start of the route
    end_m: float
    seconds: float


class JoinedLegs:
    """Legs joined end to end. Equal neighbouring places become one; a gap between legs takes no time."""

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
        for edge in leg.edges or (_whole_leg(leg),):
            begin, end = edge.begin, edge.end
            self.stretches.append(Stretch(edge, metres[begin], metres[end], seconds[end] - seconds[begin]))
        self.stop_m.append(self.metres[-1])
        self.stop_s.append(self.seconds[-1])

    def _append_place(self, place: LonLat, metres: float) -> None:
        self.line.append(place)
        self.metres.append(self.metres[-1] + metres)
        self.seconds.append(self.seconds[-1])


def _whole_leg(leg: Leg) -> Edge:
    """Return one edge for a leg whose streets are unknown."""
    return Edge(0, len(leg.line) - 1, leg.distance_m, leg.duration_s, "", False)


def _segment_seconds(leg: Leg, metres: list[float]) -> list[float]:
    """Return the router's seconds of each segment, by the leg's edges; without edges, evenly by length."""
    seconds = [0.0] * len(metres)
    for edge in leg.edges or (_whole_leg(leg),):
        whole = sum(metres[edge.begin : edge.end])
        for segment in range(edge.begin, edge.end):
            share = metres[segment] / whole if whole else 1.0 / (edge.end - edge.begin)
            seconds[segment] = edge.duration_s * share
    total = sum(seconds)
    return [each * leg.duration_s / total for each in seconds] if total else seconds
