"""What is kept of the forecasts that were shown, and how wrong a forecast was."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from tracker.domain.eta.estimate import Basis, Eta

KEPT_EVERY: Final = timedelta(seconds=15)
MOVED: Final = timedelta(seconds=20)  # an arrival that moved further is another forecast
COUNTED_FROM: Final = timedelta(seconds=30)  # to go; nearer, a share of the time to go says nothing
BUCKETS: Final = (0, 2, 5, 10, 20)  # true minutes to go, from; as in `tracker eta evaluate`


class ForecastRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A forecast that somebody was shown, and what it knew; times are UTC."""

    order_id: str
    made_at: datetime
    driver: int  # drivers.number
    arrives_at: datetime
    earliest: datetime
    latest: datetime
    distance_m: float | None
    stops_before: int
    basis: Basis
    stale: bool
    last_fix_at: datetime | None = None
    progress_m: float | None = None  # along the route

    @classmethod
    def of(
        cls, order_id: str, driver: int, eta: Eta, last_fix_at: datetime | None, progress_m: float | None
    ) -> "ForecastRecord | None":
        """None for a forecast that foretells nothing."""
        if eta.arrives_at is None or eta.earliest is None or eta.latest is None:
            return None
        return cls(
            order_id=order_id,
            made_at=eta.computed_at,
            driver=driver,
            arrives_at=eta.arrives_at,
            earliest=eta.earliest,
            latest=eta.latest,
            distance_m=eta.distance_m,
            stops_before=eta.stops_before,
            basis=eta.basis,
            stale=eta.stale,
            last_fix_at=last_fix_at,
            progress_m=progress_m,
        )

    def error_s(self, arrived_at: datetime) -> float | None:
        """Seconds, above zero where the order came earlier than foretold; None once it had arrived."""
        if self.made_at > arrived_at:
            return None
        return (self.arrives_at - arrived_at).total_seconds()

    def held(self, arrived_at: datetime) -> bool:
        """Whether the interval held the arrival."""
        return self.earliest <= arrived_at <= self.latest


def says_more(before: ForecastRecord, after: Eta) -> bool:
    """Whether `after` is worth keeping, `before` being the last that was kept of the same order."""
    if after.arrives_at is None or after.computed_at <= before.made_at:
        return False
    if (after.basis, after.stale, after.stops_before) != (before.basis, before.stale, before.stops_before):
        return True
    moved = abs(after.arrives_at - before.arrives_at)
    return after.computed_at - before.made_at >= KEPT_EVERY or moved > MOVED
