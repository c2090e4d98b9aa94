"""Stuck orders: reports each order that stays open for too long, once, watched or not."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

import structlog

from tracker.database import Database
from tracker.database.events.milestones import flag_stuck_orders
from tracker.errors import StorageUnavailable
from tracker.metrics import Metrics

CHECK_INTERVAL_S: Final = 5.0
BATCH: Final = 500  # orders per statement

log = structlog.get_logger()


@asynccontextmanager
async def stuck_order_reporting(
    database: Database, metrics: Metrics, now: Callable[[], datetime]
) -> AsyncIterator[None]:
    """Report stuck orders while the block runs."""

    async def report_forever() -> None:
        fails = False
        while True:
            failed, fails = fails, not await _try_report(database, metrics, now())
            if fails and not failed:
                log.warning("stuck_order_report_failed")
            await asyncio.sleep(CHECK_INTERVAL_S)

    reporter = asyncio.create_task(report_forever())
    try:
        yield
    finally:
        reporter.cancel()


async def _try_report(database: Database, metrics: Metrics, now: datetime) -> bool:
    """Report stuck orders; return whether the database answered."""
    try:
        await report_stuck_orders(database, metrics, now)
    except StorageUnavailable:
        return False
    return True


async def report_stuck_orders(database: Database, metrics: Metrics, now: datetime) -> int:
    """Add `stuck` to the timeline of each due order that was not reported, and return their number.

    Nodes may run this concurrently: one of them reports each order. Raises StorageUnavailable.
    """
    reported = 0
    while True:
        async with database.transaction() as connection:
            order_ids = await flag_stuck_orders(connection, now, BATCH)
        if not order_ids:
            return reported
        for order_id in order_ids:
            log.warning("order_stuck", order=order_id)
        metrics.stuck_orders.inc(len(order_ids))
        reported += len(order_ids)
