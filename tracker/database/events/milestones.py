"""Milestones of orders, detected from positions, in their timelines; and orders that are stuck."""

from collections.abc import Iterable
from datetime import datetime

from tracker.database.pool import Queries
from tracker.domain.arrival.milestone import Milestone


async def insert_milestone(queries: Queries, order_id: str, kind: Milestone, at: datetime) -> bool:
    """Insert a milestone. Return False if the order has it already or had ended by then."""
    return await queries.fetchval("insert_milestone", order_id, kind, at) is not None


async def select_milestones(
    queries: Queries, order_ids: Iterable[str]
) -> dict[str, dict[Milestone, datetime]]:
    """Return the milestones of each of these orders, with their times."""
    found: dict[str, dict[Milestone, datetime]] = {}
    for order_id, kind, at in await queries.fetch("select_milestones", list(order_ids)):
        found.setdefault(order_id, {})[kind] = at
    return found


async def flag_stuck_orders(queries: Queries, now: datetime, limit: int) -> list[str]:
    """Flag orders that are open for too long as stuck, also in their timelines. Return each id once."""
    return [order_id for (order_id,) in await queries.fetch("flag_stuck_orders", now, limit)]


async def reset_progress(queries: Queries, order_id: str) -> None:
    """Forget arrival, report as stuck and wrong PINs of an order that starts again."""
    await queries.execute("reset_progress", order_id)
