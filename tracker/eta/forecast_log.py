"""Forecast log: store every displayed forecast, and compare it with the arrival.

Off the hot path: `add` compares and queues, and one task writes. While the database is down, the oldest
forecasts are dropped and counted. Forecasts carry no durability guarantee, and must not delay what does.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from time import monotonic
from typing import Final, Self

import structlog

from tracker.database import Database
from tracker.database.forecasts import insert_forecasts, settle_accounts
from tracker.domain.eta.estimate import Eta
from tracker.domain.eta.forecast_error import ForecastRecord, is_worth_recording
from tracker.errors import StorageUnavailable
from tracker.metrics import Metrics

QUEUE_SIZE: Final = 20_000  # forecasts, about 10 MB
ROWS_PER_COMMIT: Final = 2_000
WRITE_EVERY: Final = 1.0  # seconds
SWEEP_EVERY: Final = 30.0  # seconds between two sweeps for ended orders that no node has settled
ORDERS_AT_ONCE: Final = 200  # orders settled in one transaction
LAST_RECORDS: Final = 50_000  # orders; beyond it, the least recently inserted are dropped
WAIT: Final = 1.0  # seconds that a reader waits for queued forecasts
END_WITHIN: Final = 2.0  # seconds for the last write at exit

log = structlog.get_logger()

# The time of the newest fix that a forecast used, and the metres along the route; None if unknown.
type ForecastBasis = tuple[datetime | None, float | None]


class ForecastLog:
    """Owns the writing task. `add` and `order_ended` never block."""

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database, self._metrics = database, metrics
        self._last_records: dict[str, ForecastRecord] = {}  # by order: its last record
        self._queue: deque[ForecastRecord] = deque()
        self._ended: set[str] = set()  # orders to settle
        self._swept_at = monotonic() - SWEEP_EVERY
        self._writing = False
        self._work = asyncio.Event()
        self._round_over = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._writer = asyncio.create_task(self._write_forever())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the task and write the queue, unless the database is down."""
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
        with suppress(StorageUnavailable, TimeoutError):
            async with asyncio.timeout(END_WITHIN):
                await self._write()

    def add(self, order_id: str, driver: int, eta: Eta, basis: Callable[[], ForecastBasis]) -> None:
        """Queue a forecast that a customer sees, if it differs enough from the last record.

        *basis* returns its basis; it is called only for a forecast that is kept.
        """
        before = self._last_records.get(order_id)
        if before is not None and not is_worth_recording(before, eta):
            return
        record = ForecastRecord.of(order_id, driver, eta, *basis())
        if record is not None:
            self._remember(record)
            self._queue.append(record)
            self._drop_surplus()

    def order_ended(self, order_id: str) -> None:
        """Queue an ended order, so that its forecasts are compared with the arrival."""
        self._last_records.pop(order_id, None)
        self._ended.add(order_id)
        self._work.set()

    async def flush(self) -> None:
        """Wait until every queued forecast is stored, at most 1 s."""
        with suppress(TimeoutError):
            async with asyncio.timeout(WAIT):
                while self._queue or self._ended or self._writing:
                    self._work.set()
                    await self._round_over.wait()

    def _remember(self, record: ForecastRecord) -> None:
        self._last_records[record.order_id] = record
        if len(self._last_records) > LAST_RECORDS:
            del self._last_records[next(iter(self._last_records))]

    def _drop_surplus(self) -> None:
        dropped = 0
        while len(self._queue) > QUEUE_SIZE:
            self._queue.popleft()
            dropped += 1
        if dropped:
            self._metrics.forecasts.labels("dropped").inc(dropped)

    async def _write_forever(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(WRITE_EVERY):
                    await self._work.wait()
            self._work.clear()
            try:
                await self._write()
            except StorageUnavailable:
                log.warning("forecasts_delayed", waiting=len(self._queue))
                await asyncio.sleep(WRITE_EVERY)
            self._round_over.set()
            self._round_over.clear()

    async def _write(self) -> None:
        self._writing = True
        try:
            while self._queue:
                await self._write_batch()
            await self._settle()
        finally:
            self._writing = False

    async def _write_batch(self) -> None:
        batch = [self._queue.popleft() for _ in range(min(len(self._queue), ROWS_PER_COMMIT))]
        try:
            async with self._database.transaction() as connection:
                await insert_forecasts(connection, batch)
        except (StorageUnavailable, asyncio.CancelledError):
            self._queue.extendleft(reversed(batch))
            self._drop_surplus()
            raise
        except Exception as error:  # a row that the database rejects must not block the next batches
            log.error("forecasts_rejected", exc_info=error)
            self._metrics.forecasts.labels("dropped").inc(len(batch))
        else:
            self._metrics.forecasts.labels("stored").inc(len(batch))

    async def _settle(self) -> None:
        """Settle the orders that ended on this node; at each sweep, those of all nodes."""
        sweep = monotonic() - self._swept_at >= SWEEP_EVERY
        if not sweep and not self._ended:
            return
        ended = set(self._ended)
        async with self._database.transaction() as connection:
            errors = await settle_accounts(connection, ORDERS_AT_ONCE, None if sweep else sorted(ended))
        if sweep:
            self._swept_at = monotonic()
        else:
            self._ended -= ended
        for error in errors:
            self._metrics.eta_error.observe(error)
