"""Dwell: detect when the driver halts at the next stop, for how long, and when they leave."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec

from tracker.domain.geo import METRES_PER_DEGREE, LonLat, distance
from tracker.domain.tracks.fix import Fix

AT_STOP: Final = 30.0  # metres; a driver who halts within them serves the stop
AT_DOOR: Final = 20.0  # metres; within them, whatever the route distance
NEARLY: Final = 60.0  # metres along the route
LEFT: Final = 60.0  # metres; beyond them the driver has left the stop
LEFT_DEGREES: Final = LEFT / METRES_PER_DEGREE * 1.01  # of latitude; certainly beyond LEFT
STANDING_SPEED: Final = 1.5  # m/s; below it the driver stands
SERVED_AFTER: Final = 20.0  # seconds; shorter halts are traffic lights and queues


class DwellDetector(msgspec.Struct):
    """Detects the halt of one driver at the first stop that is not served yet."""

    since: datetime | None = None  # start of the current halt at the stop
    halt_s: float = 0.0  # seconds of the longest halt there
    step_s: float = 0.0  # seconds between the last two fixes there

    reached: bool = False  # whether the driver has been at the stop, however briefly

    def move(self, fix: Fix, before: Fix | None, stop: LonLat, to_go: Callable[[], float]) -> bool:
        """Process a fix; return whether the driver has served the stop and left it.

        *to_go* returns the metres along the route before this fix. It distinguishes the stop from a red light
        on the other side, and is called only near the stop.
        """
        # The latitude alone rules out most fixes cheaply.
        if abs(fix.lat - stop.lat) > LEFT_DEGREES or (away := distance(fix.lonlat, stop)) > LEFT:
            served = self.halt_s >= SERVED_AFTER
            if not served and self.since is not None:
                self._end_halt()
            return served
        here = away <= AT_DOOR or (away <= AT_STOP and to_go() <= NEARLY)
        self.reached = self.reached or here
        if here and _speed(fix, before) < STANDING_SPEED:
            self.since = self.since or fix.recorded_at
            if before is not None:
                self.step_s = (fix.recorded_at - before.recorded_at).total_seconds()
            self.halt_s = max(self.halt_s, (fix.recorded_at - self.since).total_seconds())
        elif self.halt_s < SERVED_AFTER:
            self._end_halt()
        return False

    def served_s(self, opens_at: datetime | None) -> float:
        """Return the seconds of the longest halt, without the wait until the stop opened.

        Half of the interval to the first moving fix counts.
        """
        waited = 0.0
        if opens_at is not None and self.since is not None:
            waited = max((opens_at - self.since).total_seconds(), 0.0)
        return self.halt_s + self.step_s / 2 - waited

    def reset(self) -> None:
        """Reset, because another stop is next or the driver is far from it."""
        self._end_halt()
        self.reached = False

    def _end_halt(self) -> None:
        self.since, self.halt_s, self.step_s = None, 0.0, 0.0


def _speed(fix: Fix, before: Fix | None) -> float:
    """Return the device's speed in m/s, or the speed from the previous fix."""
    if fix.speed is not None or before is None:
        return fix.speed or 0.0
    passed = (fix.recorded_at - before.recorded_at).total_seconds()
    return distance(before.lonlat, fix.lonlat) / passed if passed > 0.0 else 0.0
