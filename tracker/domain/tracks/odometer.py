"""Length of a track and time in motion, without the receiver's drift at standstill.

One pass with bounded memory. Fixes that lie within their accuracies of each other form a spot. A driver who
never leaves a spot stands. A crossed spot contributes the path through it.
"""

from typing import Final

from tracker.domain.geo import LonLat, distance
from tracker.domain.spot import Spot
from tracker.domain.tracks.fix import Fix

GAP: Final = 120.0  # seconds between two fixes; a longer gap does not count as motion
UNKNOWN_ACCURACY: Final = 12.0  # metres, for a fix without an accuracy or with 0
ACCURACY: Final = (5.0, 200.0)  # metres; values outside are clamped
RADIUS: Final = 1.25  # of a spot, in multiples of the sum of the accuracies of spot and fix
STOOD: Final = 60.0  # seconds of standing, after which the spot is wider: drift grows with time
WIDER: Final = 1.75
SURE: Final = 2.0  # spot radii; a fix further off is not an outlier


class Odometer:
    """Odometer of one driver. It takes the believed fixes in order of time.

    `distance_m` never exceeds the length of the line through the fixes. A gap counts as a straight line.
    """

    __slots__ = ("_ends_at", "_last", "_length_m", "_moving_s", "_pending", "_raw_m", "_spot")

    def __init__(self) -> None:
        self._length_m = 0.0  # to `_ends_at`
        self._moving_s = 0.0  # until the present spot was entered
        self._raw_m = 0.0
        self._ends_at: LonLat | None = None  # the end of the path through the last spot left
        self._spot: Spot | None = None
        self._pending: Fix | None = None  # outside the spot: an outlier, or the first fix after it
        self._last: Fix | None = None

    def add(self, fix: Fix) -> None:
        """Take the next fix."""
        before, self._last = self._last, fix
        if before is None or self._spot is None:
            self._spot = Spot(fix, _accuracy(fix))
            return
        self._raw_m += distance(before.lonlat, fix.lonlat)
        self._place(fix)

    @property
    def distance_m(self) -> float:
        """Metres up to the last fix."""
        length = self._length_m
        spot = self._spot
        if spot is not None:
            path = spot.path(first=self._ends_at is None, last=True)
            length += path.length_m + _distance_from(self._ends_at, path.begin)
            if self._pending is not None and spot.is_crossed:
                length += distance(path.end, self._pending.lonlat)
        return min(length, self._raw_m)

    @property
    def moving_s(self) -> float:
        """Seconds in motion up to the last fix."""
        spot = self._spot
        if spot is None:
            return 0.0
        seconds = self._moving_s + spot.moving_s(None)
        if self._pending is not None and spot.is_crossed:
            seconds += _seconds_between(spot.last, self._pending)
        return seconds

    def _place(self, fix: Fix) -> None:
        """Add a fix to the present spot, or to a new one if the driver has left it."""
        spot, pending = self._spot, self._pending
        assert spot is not None
        off, radius = spot.distance(fix), RADIUS * (spot.accuracy + _accuracy(fix))
        if off > radius and spot.seconds >= STOOD and not spot.is_crossed:
            spot.is_halt = True
            radius *= WIDER
        if off <= radius:
            self._pending = None
            spot.add(fix, _accuracy(fix), GAP)
        elif pending is not None:
            self._pending = None
            self._leave(spot, pending)
            self._place(fix)
        elif off > SURE * radius or _seconds_between(spot.last, fix) == 0.0:
            self._leave(spot, fix)
        else:
            self._pending = fix

    def _leave(self, spot: Spot, fix: Fix) -> None:
        path = spot.path(first=self._ends_at is None, last=False)
        self._length_m += path.length_m + _distance_from(self._ends_at, path.begin)
        passed_s = _seconds_between(spot.last, fix)
        leaving = distance(spot.last.lonlat, fix.lonlat) / passed_s if passed_s else 0.0
        self._moving_s += spot.moving_s(leaving) + passed_s
        self._ends_at = path.end
        self._spot = Spot(fix, _accuracy(fix))


def _accuracy(fix: Fix) -> float:
    low, high = ACCURACY
    return min(max(fix.accuracy or UNKNOWN_ACCURACY, low), high)


def _distance_from(before: LonLat | None, place: LonLat) -> float:
    return 0.0 if before is None else distance(before, place)


def _seconds_between(before: Fix, fix: Fix) -> float:
    """Return the seconds between two fixes; 0 for a gap."""
    seconds = (fix.recorded_at - before.recorded_at).total_seconds()
    return seconds if seconds <= GAP else 0.0
