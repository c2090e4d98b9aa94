"""Spots: consecutive fixes of one driver that lie within their accuracies of each other."""

from collections.abc import Iterator
from itertools import pairwise
from math import cos, hypot, radians
from typing import Final, NamedTuple

from tracker.domain.geo import METRES_PER_DEGREE, LonLat
from tracker.domain.tracks.fix import Fix

POINTS: Final = 64  # per spot at most, each the mean of equally many fixes
PIECES: Final = 4  # of a spot; the means of the first and the last one show whether it is crossed
CROSSED: Final = 0.7  # accuracies between these two means in a crossed spot, at least
SLOWEST: Final = 0.3  # m/s between these two means; a slower change is drift or a halt
TURNED: Final = 2.0  # accuracies; minimum path length of a moving driver who turns in the spot
# Noise of variance v on each axis lengthens a path with steps of s metres by v / s^2. The median bend is then
# 2 v, and the mean square of the steps s^2 + 4 v. At this ratio of the two the path is 3 % too long.
NOISE: Final = 0.054
MOVING: Final = 0.5  # m/s, as sent by the device

_Point = tuple[float, float, int]
"""Metres east and north of the spot's first fix, and the number of fixes in this mean."""


class Path(NamedTuple):
    """The path through one spot."""

    begin: LonLat
    end: LonLat
    length_m: float


class Spot:
    """A spot in bounded memory: the mean place, the fixes and the path through it."""

    __slots__ = (
        "_count",
        "_east",
        "_fixes_per_point",
        "_lat",
        "_lon",
        "_moving",
        "_north",
        "_per_lon",
        "_points",
        "_speeds",
        "accuracy",
        "is_halt",
        "last",
        "seconds",
    )

    def __init__(self, fix: Fix, accuracy: float) -> None:
        self._lon, self._lat = fix.lon, fix.lat
        self._per_lon = METRES_PER_DEGREE * cos(radians(fix.lat))
        self._points: list[_Point] = [(0.0, 0.0, 1)]
        self._fixes_per_point = 1  # fixes per point
        self._count, self._east, self._north = 1, 0.0, 0.0  # sums over all fixes
        self.seconds = 0.0  # without gaps
        self._moving = 0.0  # of these, in motion by the device's speed
        self._speeds = fix.speed is not None  # whether the device sends speeds
        self.accuracy = accuracy  # mean, in metres
        self.is_halt = False  # the driver stood here for long, whatever fixes follow
        self.last = fix

    def distance(self, fix: Fix) -> float:
        """Return the metres from the mean place."""
        east, north = self._metres(fix)
        return hypot(east - self._east / self._count, north - self._north / self._count)

    def add(self, fix: Fix, accuracy: float, gap: float) -> None:
        """Add the next fix. A time of more than *gap* seconds since the last one does not count."""
        east, north = self._metres(fix)
        self._count += 1
        self._east += east
        self._north += north
        self.accuracy += (accuracy - self.accuracy) / self._count
        seconds = (fix.recorded_at - self.last.recorded_at).total_seconds()
        if seconds <= gap:
            self.seconds += seconds
            if (fix.speed or 0.0) >= MOVING and (self.last.speed or 0.0) >= MOVING:
                self._moving += seconds
        self._speeds = self._speeds or fix.speed is not None
        self._add_point(east, north)
        self.last = fix

    def _add_point(self, east: float, north: float) -> None:
        """Add a point, or extend the last one, so that all points are means of equally many fixes."""
        points = self._points
        if points[-1][2] < self._fixes_per_point:
            points[-1] = _mean([points[-1], (east, north, 1)])
            return
        points.append((east, north, 1))
        if len(points) > POINTS:
            self._points = _merge(points, 2)
            self._fixes_per_point *= 2

    @property
    def is_crossed(self) -> bool:
        """Whether the driver drove through, or turned here while the device reported motion.

        True for a single fix.
        """
        if self._count == 1 or self.is_halt:
            return not self.is_halt
        ends = max(1, len(self._points) // PIECES)
        (ax, ay, _), (bx, by, _) = _mean(self._points[:ends]), _mean(self._points[-ends:])
        if hypot(bx - ax, by - ay) >= max(CROSSED * self.accuracy, SLOWEST * self.seconds):
            return True
        return 2.0 * self._moving > self.seconds and _length(self._line()) >= TURNED * self.accuracy

    def moving_s(self, leaving: float | None) -> float:
        """Return the seconds in motion. *leaving* is the speed of departure in m/s; None: still here.

        In a halt, the driver moves to the place and from it: as the device reports, or at speed *leaving*.
        """
        if self.is_crossed:
            return self._moving if self._speeds else self.seconds
        if leaving is None or self._speeds:
            return 0.0 if leaving is None else self._moving
        east, north = self._east / self._count, self._north / self._count
        metres = hypot(east, north) + self.distance(self.last)
        return min(metres / leaving, self.seconds) if leaving else 0.0

    def path(self, *, first: bool, last: bool) -> Path:
        """Return the path through the spot; for a halt it is the mean place, without length.

        *first*, *last*: the track begins or ends here, so the path begins or ends at the outermost fix.
        """
        if not self.is_crossed or self._count == 1:
            place = self._lonlat(self._east / self._count, self._north / self._count)
            return Path(place, place, 0.0)
        line = self._line()
        length = _length(line)
        if first:
            length += _ahead(line[1], line[0], (0.0, 0.0))
        if last:
            length += _ahead(line[-2], line[-1], self._metres(self.last))
        (ax, ay, _), (bx, by, _) = line[0], line[-1]
        return Path(self._lonlat(ax, ay), self._lonlat(bx, by), length)

    def _line(self) -> list[_Point]:
        """Return the points at the finest resolution that the noise allows: means of more fixes have less."""
        line = self._points
        while len(line) > 2:
            bends = sorted(_bends(line))
            if bends[(len(bends) - 1) // 2] <= NOISE * _mean_square(line):
                break
            line = _merge(line, 2)
        return line

    def _metres(self, fix: Fix) -> tuple[float, float]:
        east = (fix.lon - self._lon + 180.0) % 360.0 - 180.0
        return east * self._per_lon, (fix.lat - self._lat) * METRES_PER_DEGREE

    def _lonlat(self, east: float, north: float) -> LonLat:
        lon = self._lon + (east / self._per_lon if self._per_lon else 0.0)
        return LonLat((lon + 180.0) % 360.0 - 180.0, self._lat + north / METRES_PER_DEGREE)


def _length(line: list[_Point]) -> float:
    return sum(hypot(bx - ax, by - ay) for (ax, ay, _), (bx, by, _) in pairwise(line))


def _mean_square(line: list[_Point]) -> float:
    """Return the mean square of the steps in square metres."""
    squares = ((bx - ax) ** 2 + (by - ay) ** 2 for (ax, ay, _), (bx, by, _) in pairwise(line))
    return sum(squares) / (len(line) - 1)


def _bends(line: list[_Point]) -> Iterator[float]:
    """Yield the square metres between each point and the middle of its neighbours."""
    for (ax, ay, _), (x, y, _), (bx, by, _) in zip(line, line[1:], line[2:], strict=False):
        yield (x - (ax + bx) / 2.0) ** 2 + (y - (ay + by) / 2.0) ** 2


def _ahead(inner: _Point, outer: _Point, to: tuple[float, float]) -> float:
    """Return the metres that *to* lies beyond *outer* in the direction from *inner*."""
    dx, dy = outer[0] - inner[0], outer[1] - inner[1]
    length = hypot(dx, dy)
    if length == 0.0:
        return 0.0
    return max(((to[0] - outer[0]) * dx + (to[1] - outer[1]) * dy) / length, 0.0)


def _merge(points: list[_Point], count: int) -> list[_Point]:
    """Replace each *count* neighbours by their mean."""
    return [_mean(points[n : n + count]) for n in range(0, len(points), count)]


def _mean(points: list[_Point]) -> _Point:
    total = sum(n for _, _, n in points)
    return sum(x * n for x, _, n in points) / total, sum(y * n for _, y, n in points) / total, total
