"""New orders: any number of them, in few statements of one transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from tracker.database import Connection
from tracker.database import drivers as driver_rows
from tracker.database import links as link_rows
from tracker.database import orders as rows
from tracker.database.events import timeline
from tracker.domain.link import Link
from tracker.domain.order import BOTH_STOPS, Driver, Order, OrderStatus
from tracker.errors import FieldError, InvalidFields
from tracker.orders.changes import NewOrder
from tracker.orders.proofs import with_pin
from tracker.tokens import new_id

ASSIGNED_VERSION: Final = 2  # of an order that is created with a driver: it was created, then assigned


class CreatedOrder(NamedTuple):
    """A new order and its tracking link."""

    order: Order
    link: Link


type Created = CreatedOrder | InvalidFields  # the error of an order whose driver is unknown


def require_created(created: Created) -> CreatedOrder:
    """Return the order. Raises InvalidFields for an unknown driver."""
    if isinstance(created, InvalidFields):
        raise created
    return created


async def insert_orders(connection: Connection, new: Sequence[NewOrder], now: datetime) -> list[Created]:
    """Create orders; assign those with a driver, as their last stops. Return what became of each."""
    wanted = sorted({one.driver_id for one in new if one.driver_id is not None})
    drivers = await driver_rows.lock_drivers(connection, wanted) if wanted else {}
    found = [_create(one, drivers, now) for one in new]
    made = [one for one in found if isinstance(one, CreatedOrder)]
    assigned = [(order, drivers[order.driver_id]) for order, _ in made if order.driver_id is not None]
    await rows.insert_orders(connection, [order for order, _ in made])
    await link_rows.insert_links(connection, [link for _, link in made])
    await timeline.insert_timelines(connection, [(order.id, now, "created", {}) for order, _ in made])
    if assigned:
        stops = [(order.id, kind, driver.id) for order, driver in assigned for kind in BOTH_STOPS]
        await rows.append_stops(connection, stops)
        begun = [(order.id, driver.number, now) for order, driver in assigned]
        await rows.insert_assignments(connection, begun)
        await timeline.insert_timelines(
            connection, [(order.id, now, "assigned", {"driver_id": driver.id}) for order, driver in assigned]
        )
    return found


def _create(new: NewOrder, drivers: Mapping[str, Driver], now: datetime) -> Created:
    fields = {field: getattr(new, field) for field in new.__struct_fields__}
    order = with_pin(Order(id=new_id("ord"), created_at=now, **fields))
    link = Link(id=new_id("lnk"), order_id=order.id, created_at=now)
    if order.driver_id is None:
        return CreatedOrder(order, link)
    if order.driver_id not in drivers:
        return InvalidFields([FieldError("driver_id", "must be the id of a driver")])
    assigned = {"status": OrderStatus.ASSIGNED, "assigned_at": now, "version": ASSIGNED_VERSION}
    return CreatedOrder(msgspec.structs.replace(order, **assigned), link)
