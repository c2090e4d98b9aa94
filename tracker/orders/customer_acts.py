"""What customers may do with their order on its page. Each act runs in a transaction and locks the order."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from tracker.database import Connection
from tracker.database import orders as rows
from tracker.database.events import timeline
from tracker.domain.geo import LonLat, distance
from tracker.domain.order import OPEN, Order, OrderStatus, Rating
from tracker.domain.order_rules import drivers_of, require_order
from tracker.errors import Conflict, FieldError, InvalidFields
from tracker.orders import steps
from tracker.orders.changes import OrderChange

ACTS: Final = 50  # of each kind, about one order
FURTHEST_M: Final = 150.0  # from where the merchant put the dropoff to the customer's pin
ENDED: Final = frozenset({OrderStatus.DELIVERED, OrderStatus.FAILED, OrderStatus.CANCELLED})


async def instruct(connection: Connection, order_id: str, text: str, now: datetime) -> OrderChange:
    """Replace the customer's instructions for the driver. Raises NotFound, Conflict."""
    order = await _lock_open(connection, order_id, "instructions")
    changed = msgspec.structs.replace(order, customer_instructions=text)
    return await _store(connection, changed, "instructions", {"text": text}, now)


async def move_pin(connection: Connection, order_id: str, to: LonLat, now: datetime) -> OrderChange:
    """Move the dropoff to the customer's door, which is then exact.

    Raises NotFound, Conflict, InvalidFields if it is too far.
    """
    order = await _lock_open(connection, order_id, "place")
    given = order.given_dropoff or order.dropoff.lonlat
    metres = round(distance(given, to), 1)
    if metres > FURTHEST_M:
        why = f"must be within {FURTHEST_M:g} m of the address; it is {metres:,.0f} m away"
        raise InvalidFields([FieldError("lat", why), FieldError("lon", why)])
    dropoff = msgspec.structs.replace(order.dropoff, lat=to.lat, lon=to.lon, precision="exact")
    changed = msgspec.structs.replace(order, dropoff=dropoff, given_dropoff=given)
    place = {"lat": to.lat, "lon": to.lon, "distance_m": metres}
    return await _store(connection, changed, "place", place, now)


async def rate(
    connection: Connection, order_id: str, stars: int, text: str | None, now: datetime
) -> OrderChange:
    """Rate the delivery, once. Raises NotFound, Conflict before the end and after the first rating."""
    order = require_order(await rows.lock_order(connection, order_id))
    if order.status not in ENDED:
        raise Conflict(f"The order is {order.status}; it can be rated once it is over.")
    if order.rating is not None:
        raise Conflict("The order was rated already.")
    changed = msgspec.structs.replace(order, rating=Rating(stars, now, text))
    said = {"stars": stars} if text is None else {"stars": stars, "text": text}
    return await _store(connection, changed, "rating", said, now)


async def _lock_open(connection: Connection, order_id: str, kind: timeline.TimelineKind) -> Order:
    """Lock an order that is open and takes one more act. Raises NotFound, Conflict."""
    order = require_order(await rows.lock_order(connection, order_id))
    if order.status not in OPEN:
        raise Conflict(f"The order is {order.status}; it can no longer be changed.")
    if await timeline.count_entries(connection, order_id, kind) >= ACTS:
        raise Conflict(f"This was changed {ACTS} times, the most there may be.")
    return order


async def _store(
    connection: Connection,
    order: Order,
    kind: timeline.TimelineKind,
    detail: Mapping[str, object],
    now: datetime,
) -> OrderChange:
    order = await steps.store(connection, order)
    await timeline.insert_timeline(connection, order.id, now, kind, {"from": "customer", **detail})
    return OrderChange(order.id, drivers_of(order))
