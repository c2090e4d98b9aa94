"""Track: which fixes of one driver are believed, and why not the others."""

from collections import deque
from typing import Final

from tracker.domain.fix import Doubt, Fix, Refusal, parse_fix, refusal, sift, without_impossible_values
from tracker.domain.geo import distance
from tracker.domain.order import Vehicle

__all__ = [
    "Doubt",
    "Fix",
    "Refusal",
    "Track",
    "parse_fix",
    "refusal",
    "sift",
    "without_impossible_values",
]

ACCURACY_LIMIT: Final = 200.0  # metres; a fix that is worse is kept, but doubted
RESEAT_AFTER: Final = 3  # consistent doubtful fixes in a row move the marker after all
INTERVALS_KEPT: Final = 10
# Nobody on such a vehicle is faster; metres per second.
TOP_SPEED: Final[dict[Vehicle, float]] = {"car": 70.0, "scooter": 40.0, "bicycle": 25.0, "foot": 12.0}


class Track:
    """The believed fixes of one driver, as far as judging the next one needs them."""

    __slots__ = ("_doubted", "_intervals", "_top_speed", "newest")

    def __init__(self, vehicle: Vehicle, newest: Fix | None = None) -> None:
        self.newest = newest  # the newest believed fix
        self._top_speed = TOP_SPEED[vehicle]
        self._doubted: list[Fix] = []  # teleported, consistent with each other
        self._intervals: deque[float] = deque(maxlen=INTERVALS_KEPT)  # seconds between live fixes

    def add(self, fix: Fix) -> Doubt | None:
        """Why the fix is doubted, or None where it is believed; then it is `newest` unless it came late."""
        if fix.accuracy is not None and fix.accuracy > ACCURACY_LIMIT:
            return "inaccurate"
        if self.newest is None or fix.recorded_at <= self.newest.recorded_at:
            self.newest = self.newest or fix
            return None
        if self._is_teleport(self.newest, fix) and not self._reseats(fix):
            return "teleport"
        self._believe(fix)
        return None

    @property
    def median_interval(self) -> float | None:
        """Seconds between the last ten live fixes; None before there are two."""
        ordered = sorted(self._intervals)
        return ordered[len(ordered) // 2] if ordered else None

    def _believe(self, fix: Fix) -> None:
        if self.newest is not None:
            self._intervals.append((fix.recorded_at - self.newest.recorded_at).total_seconds())
        self.newest = fix
        self._doubted.clear()

    def _is_teleport(self, before: Fix, fix: Fix) -> bool:
        """Two independent signs: faster than the vehicle can be, and than the device itself says.

        A jump within what the two accuracies explain is never one.
        """
        jump = distance(before.lonlat, fix.lonlat)
        if jump <= 2.0 * ((before.accuracy or 20.0) + (fix.accuracy or 20.0)):
            return False
        implied = jump / (fix.recorded_at - before.recorded_at).total_seconds()
        return implied > self._top_speed and implied > 3.0 * (fix.speed or 0.0) + 10.0

    def _reseats(self, fix: Fix) -> bool:
        """Whether this is the third doubtful fix in a row that agrees with the ones before."""
        if self._doubted:
            last = self._doubted[-1]
            if fix.recorded_at <= last.recorded_at:
                return False
            if self._is_teleport(last, fix):
                self._doubted.clear()
        self._doubted.append(fix)
        return len(self._doubted) >= RESEAT_AFTER
