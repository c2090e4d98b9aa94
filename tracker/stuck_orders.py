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

LOOK_EVERY: Final = 5.0  # seconds
AT_ONCE: Final = 500  # orders of one statement

log = structlog.get_logger()


@asynccontextmanager
async def stuck_orders_reported(
    database: Database, metrics: Metrics, now: Callable[[], datetime]
) -> AsyncIterator[None]:
    """Report stuck orders while the block runs."""

    async def report_forever() -> None:
        while True:
            await report_stuck_orders(database, metrics, now())
            await asyncio.sleep(LOOK_EVERY)

    reporter = asyncio.create_task(report_forever())
    try:
        yield
    finally:
        reporter.cancel()


async def report_stuck_orders(database: Database, metrics: Metrics, now: datetime) -> int:
    """Put `stuck` into the timeline of each order that is due and was not reported, and count them.

    Every node may do so at the same time: each order is reported by one of them.
    """
    reported = 0
    try:
        while order_ids := await flag_stuck_orders(database, now, AT_ONCE):
            for order_id in order_ids:
                log.warning("order_stuck", order=order_id)
            metrics.stuck_orders.inc(len(order_ids))
            reported += len(order_ids)
    except StorageUnavailable as error:
        log.warning("stuck_orders_unknown", why=str(error))
    return reported
