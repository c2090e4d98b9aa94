"""What a node reads every few seconds to find out what the bus did not tell it."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from tracker.database.pool import Queries
from tracker.domain.driver.duty import Duty


class WatchedOrder(NamedTuple):
    """An order that customers watch, as PostgreSQL has it."""

    id: str
    version: int
    driver_id: str | None
    owner: str | None  # the running node that owns the driver's trip
    received_at: datetime | None  # when the driver's newest believed fix came


class DriverMark(NamedTuple):
    """What PostgreSQL has of a driver whom a node knows."""

    text: str  # differs once something about the driver or their orders has changed
    duty: Duty
    owner: str | None  # the running node that owns the driver's trip


class DriverNote(NamedTuple):
    """A note from a driver to the customer of an order."""

    order_id: str
    text: str
    at: datetime


async def select_watched_orders(queries: Queries, order_ids: Sequence[str]) -> list[WatchedOrder]:
    """Return those of the orders that exist."""
    rows = await queries.fetch("select_watched_orders", order_ids)
    return [WatchedOrder(*row) for row in rows]


async def select_driver_marks(queries: Queries, driver_ids: Sequence[str]) -> dict[str, DriverMark]:
    """Return the marks of those of the drivers who exist."""
    rows = await queries.fetch("select_driver_marks", driver_ids)
    return {driver_id: DriverMark(*mark) for driver_id, *mark in rows}


async def select_revoked_links(queries: Queries, link_ids: Sequence[str]) -> list[str]:
    """Return those of the links that are revoked."""
    return [row["id"] for row in await queries.fetch("select_revoked_links", link_ids)]


async def select_valid_tokens(queries: Queries, token_hashes: Sequence[bytes]) -> set[bytes]:
    """Return those of the drivers' tokens that are not revoked."""
    return {row["token_hash"] for row in await queries.fetch("select_valid_tokens", token_hashes)}


async def select_driver_notes(
    queries: Queries, order_ids: Sequence[str], since: datetime
) -> list[DriverNote]:
    """Return the notes that drivers have sent to the customers of these orders, oldest first."""
    rows = await queries.fetch("select_driver_notes", order_ids, since)
    return [DriverNote(*row) for row in rows]
