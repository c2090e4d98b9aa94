"""SpeedProfile: the safe speed at each place of a leg, so that a vehicle can always brake in time."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from math import inf, radians, sqrt, tan
from typing import Final

import msgspec

from tracker.domain.geo import LonLat, bearing, distance
from tracker.domain.order import Vehicle
from tracker.domain.route import Leg

TICK: Final = 0.1  # seconds of one simulation step
CORNER: Final = 10.0  # metres before and after a corner within which the vehicle turns
SLOWEST_TURN: Final = 1.2  # metres per second
SLOWEST_EDGE: Final = (
    1.0  # metres per second; the turn costs on tiny edges would make them slower than walking
)


class Caps(msgspec.Struct, frozen=True):
    """The limits of a vehicle, in m/s and m/s²."""

    top_speed: float
    acceleration: float
    braking: float
    sideways: float  # in a turn


CAPS: Final[Mapping[Vehicle, Caps]] = {
    "car": Caps(22.0, 2.0, 2.8, 3.0),
    "scooter": Caps(12.5, 2.0, 2.8, 3.0),
    "bicycle": Caps(7.5, 0.9, 2.0, 1.8),
    "foot": Caps(1.8, 1.0, 1.5, 2.0),
}


class SpeedProfile:
    """The speeds on one leg. Distances are metres along its line."""

    def __init__(self, leg: Leg, caps: Caps, *, eagerness: float = 1.0) -> None:
        """*eagerness* scales the router's speeds; 0.9 is a careful driver."""
        self.caps = caps
        self._line = leg.line
        steps = [distance(a, b) for a, b in pairwise(leg.line)]
        self.along = tuple(accumulate(steps, initial=0.0))
        self.length_m = self.along[-1]
        self.limits = tuple(_segment_speeds(leg, caps, eagerness))
        self.signals = tuple(edge.end for edge in leg.edges if edge.signal and edge.end < len(leg.line) - 1)
        self.corners = _limit_by_braking(_corner_speeds(leg.line, steps, caps), self.limits, steps, caps)

    def segment(self, along_m: float) -> int:
        """Return the index of the segment that contains *along_m*."""
        return max(0, min(bisect_right(self.along, along_m), len(self._line) - 1) - 1)

    def safe_speed(self, along_m: float) -> float:
        """Return the speed in m/s that obeys the street and can brake for every corner ahead."""
        index = self.segment(along_m)
        ahead = self.along[index + 1] - along_m
        return min(self.limits[index], self.speed_to_brake_to(self.corners[index + 1], ahead))

    def speed_to_brake_to(self, speed: float, ahead_m: float) -> float:
        """Return the highest speed that can brake to *speed* within *ahead_m*, starting one tick later."""
        step = self.caps.braking * TICK
        return sqrt(step * step + speed * speed + 2 * self.caps.braking * max(0.0, ahead_m)) - step

    def at(self, along_m: float) -> tuple[LonLat, float]:
        """Return the place on the line, and the heading there in degrees."""
        index = self.segment(along_m)
        a, b = self._line[index], self._line[index + 1]
        length = self.along[index + 1] - self.along[index]
        share = min(1.0, max(0.0, (along_m - self.along[index]) / length)) if length > 0 else 0.0
        return LonLat(a.lon + (b.lon - a.lon) * share, a.lat + (b.lat - a.lat) * share), bearing(a, b)

    def place(self, vertex: int) -> LonLat:
        return self._line[vertex]


def _segment_speeds(leg: Leg, caps: Caps, eagerness: float) -> list[float]:
    """Return a speed for each segment: the router's speed of its edge, or the leg's mean without an edge."""
    mean = leg.distance_m / leg.duration_s if leg.duration_s > 0 else caps.top_speed
    limits = [_within(mean * eagerness, caps)] * (len(leg.line) - 1)
    for edge in leg.edges:
        speed = edge.length_m / edge.duration_s if edge.duration_s > 0 else mean
        for index in range(edge.begin, min(edge.end, len(limits))):
            limits[index] = _within(speed * eagerness, caps)
    return limits


def _within(speed: float, caps: Caps) -> float:
    return max(SLOWEST_EDGE, min(speed, caps.top_speed))


def _corner_speeds(line: Sequence[LonLat], steps: Sequence[float], caps: Caps) -> list[float]:
    """Return the speed at each vertex: unlimited at the begin, 0 at the end, the turn's limit between."""
    corners = [inf]
    for index in range(1, len(line) - 1):
        a, b, c = line[index - 1 : index + 2]
        angle = abs((bearing(b, c) - bearing(a, b) + 180.0) % 360.0 - 180.0)
        corners.append(_turn_speed(angle, min(steps[index - 1], steps[index]), caps))
    return [*corners, 0.0]


def _turn_speed(angle: float, shorter: float, caps: Caps) -> float:
    """Return the speed in m/s through a turn of *angle* degrees: v² = a r on the arc in the corner."""
    if angle < 5.0 or shorter <= 0.0:
        return inf
    radius = min(CORNER, shorter / 2) / tan(radians(min(angle, 175.0)) / 2)
    return max(SLOWEST_TURN, sqrt(caps.sideways * radius))


def _limit_by_braking(
    corners: list[float], limits: Sequence[float], steps: Sequence[float], caps: Caps
) -> tuple[float, ...]:
    """Reduce speeds from the end backwards: obey the street, and be able to brake to the next vertex."""
    for index in range(len(steps) - 1, -1, -1):
        reachable = sqrt(corners[index + 1] ** 2 + 2 * caps.braking * steps[index])
        corners[index] = min(corners[index], limits[index], reachable)
    return tuple(corners)
