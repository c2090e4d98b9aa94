"""Maintenance: partitions, expired rows and customer data every hour; stuck orders every few seconds."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from time import monotonic
from typing import Final

import structlog

from tracker.config import Config
from tracker.database import Database
from tracker.database.credentials.api_keys import delete_old_answers
from tracker.database.credentials.sessions import delete_old_sessions
from tracker.database.customers import ERASED_AT_ONCE, erase_expired_customers
from tracker.database.dispatch.audit import delete_old_audit
from tracker.database.drivers import delete_old_duty_intervals
from tracker.database.eta.forecasts import delete_old_forecasts
from tracker.database.events.feed import delete_old_events
from tracker.database.partitions import keep_partitions
from tracker.errors import StorageUnavailable
from tracker.metrics import Metrics
from tracker.orders.stuck_orders import stuck_order_reporting

INTERVAL_S: Final = 3_600.0
EVENTS_KEPT: Final = timedelta(days=30)
AUDIT_KEPT: Final = timedelta(days=365)
EVENTS_AT_ONCE: Final = 2_000  # deleted in one transaction

log = structlog.get_logger()


@asynccontextmanager
async def maintenance_running(
    database: Database, config: Config, metrics: Metrics, now: Callable[[], datetime]
) -> AsyncIterator[None]:
    """Maintain the database before the block and every hour while it runs; report stuck orders."""
    await _maintain(database, config, metrics, now())

    async def repeat() -> None:
        while True:
            await _erase_customers(database, config, now)
            await asyncio.sleep(INTERVAL_S)
            await _maintain(database, config, metrics, now())

    task = asyncio.create_task(repeat())
    try:
        async with stuck_order_reporting(database, metrics, now):
            yield
    finally:
        task.cancel()


async def _maintain(database: Database, config: Config, metrics: Metrics, now: datetime) -> None:
    """Create next week's partitions, drop expired ones, and delete old idempotency answers and forecasts.

    The next hour's run repeats what the database could not do.
    """
    try:
        partitions = await keep_partitions(database, config.retention_days, now)
        metrics.stray_fixes.set(partitions.in_default)
        if partitions.in_default:  # an alarm each hour until it is empty
            log.error("fixes_without_partition", count=partitions.in_default)
        await delete_old_answers(database, now)
        await delete_old_sessions(database, now)
        await delete_old_audit(database, now - AUDIT_KEPT)
        await delete_old_forecasts(database, now - timedelta(days=config.retention_days))
        await delete_old_duty_intervals(database, now - timedelta(days=config.retention_days + 1))
        while await delete_old_events(database, now - EVENTS_KEPT, EVENTS_AT_ONCE) == EVENTS_AT_ONCE:
            pass
    except StorageUnavailable as error:
        log.warning("maintenance_failed", why=str(error))


async def _erase_customers(database: Database, config: Config, now: Callable[[], datetime]) -> None:
    """Erase expired customer data in batches; pause after each batch for as long as it took."""
    retention, erased, last = timedelta(days=config.customer_retention_days), 0, ERASED_AT_ONCE
    try:
        while last == ERASED_AT_ONCE:
            begun = monotonic()
            last = await erase_expired_customers(database, now() - retention, now())
            erased += last
            await asyncio.sleep(monotonic() - begun)
    except StorageUnavailable as error:
        log.warning("customer_erasure_failed", why=str(error))
    if erased:
        log.info("customers_erased", orders=erased)
