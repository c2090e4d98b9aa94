"""What the dispatchers' board shows: every driver and every open order, and marks of their changes."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from tracker.database.drivers import Activity, driver_of, select_driver_activity
from tracker.database.pool import Queries
from tracker.domain.order import Driver, OrderStatus


class DriverMark(NamedTuple):
    """What tells that something about a driver has changed."""

    mark: int
    received_at: datetime | None  # when the newest believed fix came


class OrderMark(NamedTuple):
    """What tells that an order has changed."""

    version: int
    is_stuck: bool


class BoardPlace(NamedTuple):
    """Where an order is picked up or goes."""

    lat: float
    lon: float
    address: str | None


class BoardOrder(NamedTuple):
    """An open order as dispatchers see it; without the customer."""

    id: str
    reference: str | None
    status: OrderStatus
    driver_id: str | None
    created_at: datetime
    pickup: BoardPlace
    dropoff: BoardPlace
    window_from: datetime | None
    window_to: datetime | None
    attempt: int
    version: int
    is_stuck: bool
    arrived_at: datetime | None  # at the dropoff, as positions showed


async def select_driver_marks(queries: Queries) -> dict[str, DriverMark]:
    """Return the marks of all drivers."""
    rows = await queries.fetch("select_board_driver_marks")
    return {row["id"]: DriverMark(row["mark"], row["received_at"]) for row in rows}


async def select_board_drivers(
    queries: Queries, driver_ids: Sequence[str]
) -> dict[str, tuple[Driver, Activity]]:
    """Return those of the drivers that exist."""
    rows = await queries.fetch("select_drivers_by_id", list(driver_ids))
    activities = await select_driver_activity(queries, driver_ids)
    return {row["id"]: (driver_of(row), activities[row["id"]]) for row in rows if row["id"] in activities}


async def select_order_marks(queries: Queries) -> dict[str, OrderMark]:
    """Return the marks of all open orders."""
    rows = await queries.fetch("select_board_order_marks")
    return {row["id"]: OrderMark(row["version"], row["is_stuck"]) for row in rows}


async def select_board_orders(queries: Queries, order_ids: Sequence[str]) -> dict[str, BoardOrder]:
    """Return those of the orders that are open."""
    rows = await queries.fetch("select_board_orders", list(order_ids))
    return {
        row["id"]: BoardOrder(
            id=row["id"],
            reference=row["reference"],
            status=OrderStatus(row["status"]),
            driver_id=row["driver_id"],
            created_at=row["created_at"],
            pickup=BoardPlace(row["pickup_lat"], row["pickup_lon"], row["pickup_address"]),
            dropoff=BoardPlace(row["dropoff_lat"], row["dropoff_lon"], row["dropoff_address"]),
            window_from=row["window_from"],
            window_to=row["window_to"],
            attempt=row["attempt"],
            version=row["version"],
            is_stuck=row["is_stuck"],
            arrived_at=row["arrived_at"],
        )
        for row in rows
    }
