"""Forecast log: store every displayed forecast, and compare it with the arrival.

Off the hot path: `add` compares and queues, and WriteBehind writes. While the database is down, the oldest
forecasts are dropped and counted. Forecasts carry no durability guarantee, and must not delay what does.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from time import monotonic
from typing import Final, Self

from tracker.database import Database
from tracker.database.eta.forecasts import insert_errors, insert_forecasts
from tracker.domain.eta.estimate import Eta
from tracker.domain.eta.forecast_error import ForecastRecord, is_worth_recording
from tracker.metrics import Metrics
from tracker.write_behind import WriteBehind

QUEUE_SIZE: Final = 20_000  # forecasts, about 10 MB
ROWS_PER_COMMIT: Final = 2_000
WRITE_EVERY: Final = 1.0  # seconds
SWEEP_EVERY: Final = 30.0  # seconds between two sweeps for ended orders whose errors no node has computed
ORDERS_AT_ONCE: Final = 200  # orders whose errors one transaction computes
LAST_RECORDS: Final = 50_000  # orders; beyond it, the least recently inserted are dropped
WAIT: Final = 1.0  # seconds that a reader waits for queued forecasts

# The time of the newest fix that a forecast used, and the metres along the route; None if unknown.
type ForecastBasis = tuple[datetime | None, float | None]


class ForecastLog:
    """Writes forecasts and their errors during `async with`. `add` and `order_ended` never block."""

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database, self._metrics = database, metrics
        self._last_records: dict[str, ForecastRecord] = {}  # by order: its last record
        self._ended: set[str] = set()  # orders whose errors are to be computed
        self._swept_at = monotonic() - SWEEP_EVERY
        self._records = WriteBehind(
            self._insert,
            then=self._compute_errors,
            size=QUEUE_SIZE,
            batch=ROWS_PER_COMMIT,
            every_s=WRITE_EVERY,
            delayed="forecasts_delayed",
            failed="forecasts_rejected",
            dropped=metrics.forecasts.labels("dropped").inc,
        )

    async def __aenter__(self) -> Self:
        await self._records.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._records.__aexit__(*error)

    def add(self, order_id: str, driver: int, eta: Eta, basis: Callable[[], ForecastBasis]) -> None:
        """Queue a forecast that a customer sees, if it differs enough from the last record.

        *basis* returns its basis; it is called only for a forecast that is kept.
        """
        before = self._last_records.get(order_id)
        if before is not None and not is_worth_recording(before, eta):
            return
        record = ForecastRecord.of(order_id, driver, eta, *basis())
        if record is not None:
            self._last_records[order_id] = record
            if len(self._last_records) > LAST_RECORDS:
                del self._last_records[next(iter(self._last_records))]
            self._records.add(record)

    def order_ended(self, order_id: str) -> None:
        """Queue an ended order, so that its forecasts are compared with the arrival."""
        self._last_records.pop(order_id, None)
        self._ended.add(order_id)
        self._records.wake()

    async def flush(self) -> None:
        """Wait until every queued forecast is stored, at most 1 s."""
        await self._records.flush(WAIT)

    async def _insert(self, records: Sequence[ForecastRecord]) -> None:
        async with self._database.transaction() as connection:
            await insert_forecasts(connection, records)
        self._metrics.forecasts.labels("stored").inc(len(records))

    async def _compute_errors(self) -> None:
        """Compute the errors of orders that ended on this node; at each sweep, of any orders."""
        is_sweep = monotonic() - self._swept_at >= SWEEP_EVERY
        if not is_sweep and not self._ended:
            return
        ended = set(self._ended)
        async with self._database.transaction() as connection:
            errors = await insert_errors(connection, ORDERS_AT_ONCE, None if is_sweep else sorted(ended))
        if is_sweep:
            self._swept_at = monotonic()
        else:
            self._ended -= ended
        for error in errors:
            self._metrics.eta_error.observe(error)
