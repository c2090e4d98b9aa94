"""When to request the next route of a trip."""

from datetime import datetime, timedelta
from typing import Final

from tracker.domain.geo import LonLat, distance

REROUTE_PAUSE: Final = timedelta(seconds=10)
RETRY_AFTER: Final = 30.0  # metres from where the router found no route; nearer it finds none either
MOVED_FAR: Final = 1_000.0  # metres from the last request; further away the next one needs no pause


class RouteRequests:
    """The last routing request of one trip."""

    __slots__ = ("_place", "at", "unroutable")

    def __init__(self) -> None:
        self.at: datetime | None = None
        self._place: LonLat | None = None  # of the driver
        self.unroutable = False  # whether the router found no route

    def note(self, place: LonLat | None, now: datetime) -> None:
        """Record a request from the driver's place."""
        self._place, self.at = place, now

    def may_repeat(self, place: LonLat, now: datetime) -> bool:
        """Return whether to request again: after a pause, or if the driver has moved far."""
        if self.at is None or self._place is None:
            return True
        moved_m = distance(self._place, place)
        if now - self.at < REROUTE_PAUSE:
            return moved_m >= MOVED_FAR
        return not self.unroutable or moved_m >= RETRY_AFTER
