"""Forecast records: which displayed forecasts to keep, and their errors."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from tracker.domain.eta.estimate import Basis, Eta

KEPT_EVERY: Final = timedelta(seconds=15)
MOVED: Final = timedelta(seconds=20)  # a larger change of the arrival is recorded at once
COUNTED_FROM: Final = timedelta(seconds=30)  # to go; below it, relative errors are meaningless
BUCKETS: Final = (0, 2, 5, 10, 20)  # lower bounds in actual minutes to go; as in `tracker eta evaluate`


class ForecastRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A forecast that a customer saw, and its inputs; times are UTC."""

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
        """Return the record of *eta*; None if it has no arrival."""
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
        """Return forecast minus actual arrival in seconds; None for a forecast made after the arrival."""
        if self.made_at > arrived_at:
            return None
        return (self.arrives_at - arrived_at).total_seconds()

    def covers(self, arrived_at: datetime) -> bool:
        """Return whether the interval contains the arrival."""
        return self.earliest <= arrived_at <= self.latest


def is_worth_recording(before: ForecastRecord, after: Eta) -> bool:
    """Return whether *after* is worth recording; *before* is the order's last record."""
    if after.arrives_at is None or after.computed_at <= before.made_at:
        return False
    if (after.basis, after.stale, after.stops_before) != (before.basis, before.stale, before.stops_before):
        return True
    moved = abs(after.arrives_at - before.arrives_at)
    return after.computed_at - before.made_at >= KEPT_EVERY or moved > MOVED
