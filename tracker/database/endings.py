"""How orders ended, for their customers."""

from tracker.database.drivers import driver_of
from tracker.database.pool import Queries
from tracker.domain.order import Order, OrderStatus
from tracker.domain.view import Ending


async def select_ending(queries: Queries, order: Order) -> Ending:
    """Return who delivered an order, or why it failed. A driver who was erased is absent."""
    if order.status is OrderStatus.DELIVERED and order.driver_id is not None:
        row = await queries.fetchrow("select_driver", order.driver_id)
        return Ending(None if row is None else driver_of(row))
    if order.status is OrderStatus.FAILED:
        return Ending(outcome=await queries.fetchval("select_outcome", order.id))
    return Ending()
