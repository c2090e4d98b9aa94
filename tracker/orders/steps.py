"""The steps of order changes. Each runs in a transaction that has locked the order."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from tracker.database import Connection
from tracker.database import drivers as driver_rows
from tracker.database import orders as rows
from tracker.database.events import timeline
from tracker.domain.order import BOTH_STOPS, Driver, Order, OrderStatus
from tracker.domain.order_rules import StatusTime, drivers_of
from tracker.errors import FieldError, InvalidFields

_KIND: Final[Mapping[OrderStatus, timeline.TimelineKind]] = {
    OrderStatus.PICKED_UP: "picked_up",
    OrderStatus.DELIVERED: "delivered",
    OrderStatus.FAILED: "failed",
    OrderStatus.CANCELLED: "cancelled",
}


async def store(connection: Connection, order: Order) -> Order:
    """Store *order* as its next version and return that."""
    order = msgspec.structs.replace(order, version=order.version + 1)
    await rows.update_order(connection, order)
    return order


async def assign(connection: Connection, order: Order, driver: Driver, at: datetime) -> Order:
    """Append the order's remaining stops to those of *driver*, whom the caller has locked; return it."""
    kinds = BOTH_STOPS if order.picked_up_at is None else BOTH_STOPS[1:]
    await rows.append_stops(connection, [(order.id, kind, driver.id) for kind in kinds])
    await rows.insert_assignments(connection, [(order.id, driver.number, at)])
    status = OrderStatus.ASSIGNED if order.status is OrderStatus.CREATED else order.status
    changes = {"status": status, "driver_id": driver.id, "assigned_at": at, "proofs": ()}
    order = await store(connection, msgspec.structs.replace(order, **changes))
    await timeline.insert_timeline(connection, order.id, at, "assigned", {"driver_id": driver.id})
    return order


async def assign_to(connection: Connection, order: Order, driver_id: str, now: datetime) -> Order:
    """Assign the order to this driver instead of any other, and return it. Raises InvalidFields."""
    now = max(now, (await timeline.select_last_entry_times(connection, order.id)).status_at)
    drivers = await driver_rows.lock_drivers(connection, sorted({driver_id, *drivers_of(order)}))
    if driver_id not in drivers:
        raise InvalidFields([FieldError("driver_id", "must be the id of a driver")])
    if order.driver_id is not None:
        await unassign(connection, order, now)
    return await assign(connection, order, drivers[driver_id], now)


async def unassign(
    connection: Connection, order: Order, at: datetime, track_ends_at: datetime | None = None
) -> None:
    """End the assignment and the track of the order's driver, whom the caller has locked."""
    await rows.delete_stops(connection, order.id)
    await rows.end_assignment(connection, order.id, track_ends_at or at)
    await timeline.insert_timeline(connection, order.id, at, "unassigned", {"driver_id": order.driver_id})


async def set_status(
    connection: Connection,
    order: Order,
    status: OrderStatus,
    time: StatusTime,
    detail: Mapping[str, object],
) -> Order:
    """Store the order's new status, update its stops and return the order."""
    await driver_rows.lock_drivers(connection, drivers_of(order))
    if status is OrderStatus.CREATED:
        await unassign(connection, order, time.at, time.track_ends_at)
        changed = msgspec.structs.replace(order, status=status, driver_id=None, assigned_at=None, proofs=())
        return await store(connection, changed)
    ended = status is not OrderStatus.PICKED_UP
    await rows.delete_stops(connection, order.id, BOTH_STOPS if ended else BOTH_STOPS[:1])
    if ended:
        await rows.end_assignment(connection, order.id, time.track_ends_at)
    changes = {f"{status}_at": time.at} | ({"closed_at": time.known_at, "pin": None} if ended else {})
    order = await store(connection, msgspec.structs.replace(order, status=status, **changes))
    await timeline.insert_timeline(connection, order.id, time.at, _KIND[status], detail)
    return order
