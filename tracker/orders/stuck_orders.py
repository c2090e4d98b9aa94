"""Stuck orders: an order that stays open for too long is reported once, whether or not anybody watches it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

import structlog

from tracker.database import Database
from tracker.database.orders import flag_stuck_orders
from tracker.errors import StorageUnavailable
from tracker.metrics import Metrics

REVIEW_EVERY: Final = 5.0  # seconds
AT_ONCE: Final = 500  # orders of one statement

log = structlog.get_logger()


@asynccontextmanager
async def stuck_order_reporting(
    database: Database, metrics: Metrics, now: Callable[[], datetime]
) -> AsyncIterator[None]:
    """Report stuck orders while the block runs."""

    async def report_forever() -> None:
        is_away = False
        while True:
            was_away, is_away = is_away, not await _reported(database, metrics, now())
            if is_away and not was_away:
                log.warning("stuck_order_report_failed")
            await asyncio.sleep(REVIEW_EVERY)

    reporter = asyncio.create_task(report_forever())
    try:
        yield
    finally:
        reporter.cancel()


async def _reported(database: Database, metrics: Metrics, now: datetime) -> bool:
    """Whether the database answered."""
    try:
        await report_stuck_orders(database, metrics, now)
    except StorageUnavailable:
        return False
    return True


async def report_stuck_orders(database: Database, metrics: Metrics, now: datetime) -> int:
    """Put `stuck` into the timeline of each order that is due and was not reported, and count them.

    Every node may do so at the same time: each order is reported by one of them. Raises StorageUnavailable.
    """
    reported = 0
    while order_ids := await flag_stuck_orders(database, now, AT_ONCE):
        for order_id in order_ids:
            log.warning("order_stuck", order=order_id)
        metrics.stuck_orders.inc(len(order_ids))
        reported += len(order_ids)
    return reported
