"""Account: every forecast that was shown goes into the database, and is held against the arrival.

Off the hot path: `show` compares and remembers, one task writes. With the database away the oldest are
dropped and counted: a forecast is no promise, and nothing that is one may wait for it.
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
from tracker.domain.eta.forecast_error import ForecastRecord, says_more
from tracker.errors import StorageUnavailable
from tracker.metrics import Metrics

WAITING: Final = 20_000  # forecasts, about 10 MB
ROWS_PER_COMMIT: Final = 2_000
WRITE_EVERY: Final = 1.0  # seconds
SWEEP_EVERY: Final = 30.0  # seconds between two looks for ended orders whose node has died before the account
ORDERS_AT_ONCE: Final = 200  # that are settled in one transaction
REMEMBERED: Final = 50_000  # orders; beyond, the ones that were shown first are forgotten
WAIT: Final = 1.0  # seconds that a reader waits for what was shown a moment ago
END_WITHIN: Final = 2.0  # seconds

log = structlog.get_logger()

# The newest fix that a forecast for this order knew, and the metres along the route; None where not known.
type Knew = tuple[datetime | None, float | None]


class ForecastLog:
    """Owns the task that writes; `show` and `arrived` never wait."""

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database, self._metrics = database, metrics
        self._last: dict[str, ForecastRecord] = {}  # by order: the last one kept
        self._waiting: deque[ForecastRecord] = deque()
        self._ended: set[str] = set()  # orders to settle
        self._swept = monotonic() - SWEEP_EVERY
        self._writing = False
        self._work = asyncio.Event()
        self._round_over = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._writer = asyncio.create_task(self._write_forever())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Writes what is waiting, unless the database is away."""
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
        with suppress(StorageUnavailable, TimeoutError):
            async with asyncio.timeout(END_WITHIN):
                await self._write()

    def show(self, order_id: str, driver: int, eta: Eta, knew: Callable[[], Knew]) -> None:
        """Somebody sees this forecast; `knew` is asked only where it is kept."""
        before = self._last.get(order_id)
        if before is not None and not says_more(before, eta):
            return
        kept = ForecastRecord.of(order_id, driver, eta, *knew())
        if kept is not None:
            self._remember(kept)
            self._waiting.append(kept)
            self._drop_surplus()

    def arrived(self, order_id: str) -> None:
        """The order is over: its forecasts can be judged."""
        self._last.pop(order_id, None)
        self._ended.add(order_id)
        self._work.set()

    async def written(self) -> None:
        """Returns when all that was shown so far is in the database, or after a second."""
        with suppress(TimeoutError):
            async with asyncio.timeout(WAIT):
                while self._waiting or self._ended or self._writing:
                    self._work.set()
                    await self._round_over.wait()

    def _remember(self, kept: ForecastRecord) -> None:
        self._last[kept.order_id] = kept
        if len(self._last) > REMEMBERED:
            del self._last[next(iter(self._last))]

    def _drop_surplus(self) -> None:
        dropped = 0
        while len(self._waiting) > WAITING:
            self._waiting.popleft()
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
                log.warning("forecasts_wait", waiting=len(self._waiting))
                await asyncio.sleep(WRITE_EVERY)
            self._round_over.set()
            self._round_over.clear()

    async def _write(self) -> None:
        self._writing = True
        try:
            while self._waiting:
                await self._write_batch()
            await self._settle()
        finally:
            self._writing = False

    async def _write_batch(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), ROWS_PER_COMMIT))]
        try:
            async with self._database.transaction() as connection:
                await insert_forecasts(connection, batch)
        except (StorageUnavailable, asyncio.CancelledError):
            self._waiting.extendleft(reversed(batch))
            self._drop_surplus()
            raise
        except Exception as error:  # the database refuses something in it: the others shall not wait for that
            log.error("forecasts_refused", exc_info=error)
            self._metrics.forecasts.labels("dropped").inc(len(batch))
        else:
            self._metrics.forecasts.labels("stored").inc(len(batch))

    async def _settle(self) -> None:
        """The orders that ended here at once; now and then all that anybody has left."""
        sweep = monotonic() - self._swept >= SWEEP_EVERY
        if not sweep and not self._ended:
            return
        ended = set(self._ended)
        async with self._database.transaction() as connection:
            errors = await settle_accounts(connection, ORDERS_AT_ONCE, None if sweep else sorted(ended))
        if sweep:
            self._swept = monotonic()
        else:
            self._ended -= ended
        for error in errors:
            self._metrics.eta_error.observe(error)
