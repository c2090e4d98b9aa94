"""Orders with their stops and assignments."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from tracker.database.pool import Queries, Row
from tracker.domain.geo import LonLat
from tracker.domain.order import BOTH_STOPS, Customer, Order, OrderStatus, Place, Rating, StopKind
from tracker.domain.privacy.other_dropoffs import Door, EndedDoor, contacts
from tracker.domain.proof import GivenProof, Requirements
from tracker.domain.route import Stop


class Assignment(msgspec.Struct, frozen=True):
    """The time in which a driver carried an order; `driver` is the driver's number."""

    driver: int
    begun_at: datetime
    ended_at: datetime | None
    attempt: int = 1


class OrderFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders to list; None does not filter by that field."""

    status: Sequence[OrderStatus] | None = None
    driver_id: str | None = None
    reference: str | None = None
    created_from: datetime | None = None  # and later
    created_to: datetime | None = None  # earlier than this
    bbox: tuple[float, float, float, float] | None = None  # west, south, east, north of the dropoff


async def insert_orders(queries: Queries, orders: Iterable[Order]) -> None:
    await queries.executemany("insert_order", [_columns(order) for order in orders])


async def update_order(queries: Queries, order: Order) -> None:
    """Write every field. The caller has locked the row (`lock_order`)."""
    await queries.execute("update_order", *_columns(order))


async def select_order(queries: Queries, order_id: str) -> Order | None:
    return _order_or_none(await queries.fetchrow("select_order", order_id))


async def lock_order(queries: Queries, order_id: str) -> Order | None:
    """Lock the order until the transaction ends, and return it."""
    return _order_or_none(await queries.fetchrow("lock_order", order_id))


async def select_orders(
    queries: Queries, filter_: OrderFilter, limit: int, before: tuple[datetime, str] | None = None
) -> list[Order]:
    """Return orders, newest first, beginning below *before* (created_at, id)."""
    at, id_ = before or (None, None)
    rows = await queries.fetch(
        "select_orders",
        at,
        id_,
        None if filter_.status is None else list(filter_.status),
        filter_.driver_id,
        filter_.reference,
        filter_.created_from,
        filter_.created_to,
        filter_.bbox,
        limit,
    )
    return [order_of(row) for row in rows]


async def select_orders_of_driver(queries: Queries, driver_id: str) -> list[Order]:
    """Return the orders that the driver carries or has to pick up, in stop sequence."""
    return [order_of(row) for row in await queries.fetch("select_orders_of_driver", driver_id)]


async def select_stops(queries: Queries, driver_id: str) -> list[Stop]:
    """Return the driver's remaining stops in sequence."""
    return [_stop(row) for row in await queries.fetch("select_stops", driver_id)]


async def select_ended_doors(queries: Queries, driver: int, since: datetime, limit: int) -> list[EndedDoor]:
    """Return the last dropoffs that left the trip (delivered, failed, unassigned), earliest first."""
    rows = await queries.fetch("select_ended_dropoffs", driver, since, limit)
    return [
        EndedDoor(Door(id_, LonLat(lon, lat), contacts(_customer(customer))), ended_at)
        for id_, lat, lon, customer, ended_at in rows
    ]


async def append_stops(queries: Queries, stops: Iterable[tuple[str, StopKind, str]]) -> None:
    """Append stops (order, kind, driver) to their drivers' sequences. The caller has locked the drivers."""
    await queries.executemany("append_stop", list(stops))


async def delete_stops(queries: Queries, order_id: str, kinds: Sequence[StopKind] = BOTH_STOPS) -> None:
    await queries.execute("delete_stops", order_id, list(kinds))


async def update_stop_sequence(
    queries: Queries, driver_id: str, sequence: Sequence[tuple[str, StopKind]]
) -> None:
    """Set the sequence of the driver's stops. Name all of them: others keep their old numbers."""
    order_ids, kinds = [order_id for order_id, _ in sequence], [kind for _, kind in sequence]
    await queries.execute("update_stop_sequence", driver_id, order_ids, kinds)


async def insert_assignments(queries: Queries, rows: Iterable[tuple[str, int, datetime]]) -> None:
    """Insert assignments: the order, the driver's number, and since when."""
    await queries.executemany("insert_assignment", list(rows))


async def end_assignment(queries: Queries, order_id: str, at: datetime) -> None:
    await queries.execute("end_assignment", order_id, at)


async def select_assignments(queries: Queries, order_id: str) -> list[Assignment]:
    """Return the assignments, earliest first. They never overlap."""
    return [Assignment(*row) for row in await queries.fetch("select_assignments", order_id)]


def _columns(order: Order) -> tuple[object, ...]:
    """In the sequence of `insert_order` and `update_order`."""
    return (
        order.id,
        order.reference,
        order.status.value,
        order.created_at,
        order.driver_id,
        *_place_columns(order.pickup),
        order.pickup.ready_at,
        *_place_columns(order.dropoff),
        None if order.customer is None else msgspec.structs.asdict(order.customer),
        order.window_from,
        order.window_to,
        order.visibility,
        order.assigned_at,
        order.picked_up_at,
        order.delivered_at,
        order.failed_at,
        order.cancelled_at,
        order.closed_at,
        order.version,
        order.instructions,
        order.contact,
        order.metadata,
        msgspec.to_builtins(order.requirements),
        msgspec.to_builtins(order.proofs),
        order.pin,
        order.attempt,
        order.attempt_at,
        order.customer_instructions,
        order.given_dropoff and order.given_dropoff._asdict(),
        order.rating and msgspec.to_builtins(order.rating),
        order.pickup.precision,
        order.dropoff.precision,
    )


def _place_columns(place: Place) -> tuple[object, ...]:
    return place.lat, place.lon, place.address, place.service_s


def _order_or_none(row: Row | None) -> Order | None:
    return None if row is None else order_of(row)


def order_of(row: Row) -> Order:
    """Return the order of a row with all columns of `orders`."""
    return Order(
        id=row["id"],
        reference=row["reference"],
        status=OrderStatus(row["status"]),
        created_at=row["created_at"],
        driver_id=row["driver_id"],
        pickup=_place(row, "pickup"),
        dropoff=_place(row, "dropoff"),
        customer=_customer(row["customer"]),
        window_from=row["window_from"],
        window_to=row["window_to"],
        visibility=row["visibility"],
        assigned_at=row["assigned_at"],
        picked_up_at=row["picked_up_at"],
        delivered_at=row["delivered_at"],
        failed_at=row["failed_at"],
        cancelled_at=row["cancelled_at"],
        closed_at=row["closed_at"],
        version=row["version"],
        instructions=row["instructions"],
        contact=row["contact"],
        metadata=row["metadata"],
        requirements=msgspec.convert(row["requirements"], Requirements),
        proofs=msgspec.convert(row["proofs"], tuple[GivenProof, ...]),
        pin=row["pin"],
        attempt=row["attempt"],
        attempt_at=row["attempt_at"],
        customer_instructions=row["customer_instructions"],
        given_dropoff=row["given_dropoff"] and LonLat(**row["given_dropoff"]),
        rating=row["rating"] and msgspec.convert(row["rating"], Rating),
    )


def _customer(given: dict[str, Any] | None) -> Customer | None:
    return None if given is None else Customer(**given)


def _place(row: Row, kind: str) -> Place:
    return Place(
        row[f"{kind}_lat"],
        row[f"{kind}_lon"],
        row[f"{kind}_address"],
        row[f"{kind}_service_s"],
        row["pickup_ready_at"] if kind == "pickup" else None,
        row[f"{kind}_precision"],
    )


def _stop(row: Row) -> Stop:
    place, is_dropoff = _place(row, row["kind"]), row["kind"] == "dropoff"
    return Stop(
        row["order_id"],
        row["kind"],
        place.lonlat,
        place.service_s,
        row["window_from"] if is_dropoff else place.ready_at,
        row["window_to"] if is_dropoff else None,
    )
