"""What positions showed of orders, in their timelines, once each."""

from collections.abc import Iterable
from datetime import datetime

from tracker.database.pool import Queries
from tracker.domain.arrival.milestone import Milestone


async def insert_milestone(queries: Queries, order_id: str, kind: Milestone, at: datetime) -> bool:
    """False where it stood there already, or the order was over by then."""
    return await queries.fetchval("insert_milestone", order_id, kind, at) is not None


async def select_milestones(
    queries: Queries, order_ids: Iterable[str]
) -> dict[str, dict[Milestone, datetime]]:
    """What is known of each of these orders, and since when."""
    found: dict[str, dict[Milestone, datetime]] = {}
    for order_id, kind, at in await queries.fetch("select_milestones", list(order_ids)):
        found.setdefault(order_id, {})[kind] = at
    return found
