"""Standing: whether the driver is at the next stop, since when, and when it was left."""

from datetime import datetime
from typing import Final

import msgspec

from tracker.domain.geo import LonLat, distance
from tracker.domain.track import Fix

AT_STOP: Final = 30.0  # metres; a driver who stands so near serves the stop
LEFT: Final = 60.0  # metres; so far off the stop has been left
STANDS: Final = 1.5  # m/s; below
SERVED_AFTER: Final = 20.0  # seconds; shorter halts are lights and queues


class Standing(msgspec.Struct):
    """One driver at the first of the stops that are still to be served."""

    since: datetime | None = None  # when the present halt at the stop began
    stood: float = 0.0  # seconds of the longest halt there
    still_at: datetime | None = None  # the newest fix of that halt

    def move(self, fix: Fix, before: Fix | None, stop: LonLat) -> bool:
        """Takes in a fix; whether the stop has been served and left by it."""
        away = distance(fix.lonlat, stop)
        if away > LEFT:
            served = self.stood >= SERVED_AFTER
            self.forget()
            return served
        if away <= AT_STOP and _speed(fix, before) < STANDS:
            self.since = self.since or fix.recorded_at
            self.still_at = fix.recorded_at
            self.stood = max(self.stood, (fix.recorded_at - self.since).total_seconds())
        elif self.stood < SERVED_AFTER:
            self.since = None
        return False

    def forget(self) -> None:
        """Another stop is the next one, or the driver is far from it."""
        self.since, self.stood, self.still_at = None, 0.0, None


def _speed(fix: Fix, before: Fix | None) -> float:
    """The device's own, or from the fix before; m/s."""
    if fix.speed is not None or before is None:
        return fix.speed or 0.0
    passed = (fix.recorded_at - before.recorded_at).total_seconds()
    return distance(before.lonlat, fix.lonlat) / passed if passed > 0.0 else 0.0
