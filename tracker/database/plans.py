"""What drivers have to do: orders, stops and the notes of the orders' customers."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from tracker.database.orders import select_orders_of_driver, select_stops
from tracker.database.pool import Queries
from tracker.domain.order import Note, Order
from tracker.domain.route import Stop

NOTES_BYTES: Final = 16_384  # of the notes of one order in a plan, as UTF-8


class Plan(NamedTuple):
    """What one driver has to do."""

    orders: list[Order]  # in stop sequence
    stops: list[Stop]  # in sequence
    notes: Mapping[str, Sequence[Note]]  # from the customers, by order, oldest first


async def select_plan(queries: Queries, driver_id: str) -> Plan:
    """Return the driver's active orders, their stops, and their newest notes of at most NOTES_BYTES each.

    A change that is committed between the statements counts only with the plan after it.
    """
    orders, stops = await select_orders_of_driver(queries, driver_id), await select_stops(queries, driver_id)
    with_dropoff = {stop.order_id for stop in stops if stop.kind == "dropoff"}
    orders = [order for order in orders if order.id in with_dropoff]
    known = {order.id for order in orders}
    stops = [stop for stop in stops if stop.order_id in known]
    return Plan(orders, stops, await _select_customer_notes(queries, list(known)))


async def count_notes(queries: Queries, order_id: str, sender: str) -> int:
    """Count the notes that one side has written about an order."""
    count: int = await queries.fetchval("count_notes", order_id, sender)
    return count


async def _select_customer_notes(queries: Queries, order_ids: Sequence[str]) -> Mapping[str, Sequence[Note]]:
    rows = await queries.fetch("select_customer_notes", order_ids, NOTES_BYTES) if order_ids else []
    return _by_order((row["order_id"], Note("customer", row["text"], row["at"])) for row in rows)


def _by_order(notes: Iterable[tuple[str, Note]]) -> Mapping[str, Sequence[Note]]:
    found: defaultdict[str, list[Note]] = defaultdict(list)
    for order_id, note in notes:
        found[order_id].append(note)
    return found
