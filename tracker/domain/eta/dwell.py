"""Standing: whether the driver is at the next stop, since when, and when it was left."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec

from tracker.domain.geo import METRES_PER_DEGREE, LonLat, distance
from tracker.domain.tracks.track import Fix

AT_STOP: Final = 30.0  # metres; a driver who stands so near serves the stop
AT_DOOR: Final = 20.0  # metres; that near, whatever the route says
NEARLY: Final = 60.0  # metres along the route
LEFT: Final = 60.0  # metres; so far off the stop has been left
LEFT_DEGREES: Final = LEFT / METRES_PER_DEGREE * 1.01  # of latitude; surely as far
STANDS: Final = 1.5  # m/s; below
SERVED_AFTER: Final = 20.0  # seconds; shorter halts are lights and queues


class DwellDetector(msgspec.Struct):
    """One driver at the first of the stops that are still to be served."""

    since: datetime | None = None  # when the present halt at the stop began
    stood: float = 0.0  # seconds of the longest halt there
    step: float = 0.0  # seconds between the last two fixes there

    reached: bool = False  # the driver has been at the stop, however shortly

    def move(self, fix: Fix, before: Fix | None, stop: LonLat, to_go: Callable[[], float]) -> bool:
        """Takes in a fix; whether the stop has been served and left by it.

        `to_go`, metres along the route before this fix, tells a red light on the other side from the stop;
        it is asked only near by.
        """
        # Latitudes alone tell most fixes from those near by.
        if abs(fix.lat - stop.lat) > LEFT_DEGREES or (away := distance(fix.lonlat, stop)) > LEFT:
            served = self.stood >= SERVED_AFTER
            if not served and self.since is not None:
                self._moves_on()
            return served
        here = away <= AT_DOOR or (away <= AT_STOP and to_go() <= NEARLY)
        self.reached = self.reached or here
        if here and _speed(fix, before) < STANDS:
            self.since = self.since or fix.recorded_at
            if before is not None:
                self.step = (fix.recorded_at - before.recorded_at).total_seconds()
            self.stood = max(self.stood, (fix.recorded_at - self.since).total_seconds())
        elif self.stood < SERVED_AFTER:
            self._moves_on()
        return False

    @property
    def served_s(self) -> float:
        """Seconds of the longest halt, and half of the step after which the driver was seen moving."""
        return self.stood + self.step / 2

    def forget(self) -> None:
        """Another stop is the next one, or the driver is far from it."""
        self._moves_on()
        self.reached = False

    def _moves_on(self) -> None:
        self.since, self.stood, self.step = None, 0.0, 0.0


def _speed(fix: Fix, before: Fix | None) -> float:
    """The device's own, or from the fix before; m/s."""
    if fix.speed is not None or before is None:
        return fix.speed or 0.0
    passed = (fix.recorded_at - before.recorded_at).total_seconds()
    return distance(before.lonlat, fix.lonlat) / passed if passed > 0.0 else 0.0
