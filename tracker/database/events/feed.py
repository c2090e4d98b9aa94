"""The list of events: numbered after their commits, so that a reader misses none."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from tracker.database.orders import order_of
from tracker.database.pool import Connection, Queries, Row
from tracker.domain.eta.estimate import Eta
from tracker.domain.events.event import Event, OrderThen


class FeedState(NamedTuple):
    """How far the list reaches."""

    last: int  # the newest position; 0: there was no event yet
    dropped: int  # the newest position whose event was deleted for its age
    is_behind: bool  # committed events wait for their position


async def select_event_feed(queries: Queries) -> FeedState:
    row = await queries.fetchrow("select_event_feed")
    assert row is not None  # an aggregate has one row
    return FeedState(*row)


async def lock_event_feed(connection: Connection) -> None:
    """Lock the list until the commit: no event is numbered, and no delivery added or ended meanwhile."""
    await connection.execute("lock_event_feed")


async def number_events(connection: Connection, limit: int) -> tuple[int, int]:
    """Number at most *limit* committed events. Return the newest position, and how many were numbered."""
    await lock_event_feed(connection)
    row = await connection.fetchrow("number_events", limit)
    assert row is not None
    return row["last"], row["numbered"]


async def select_events(queries: Queries, after: int, limit: int) -> list[Event]:
    """Return the oldest events after that position."""
    return [_event(row) for row in await queries.fetch("select_events", after, limit, [])]


async def select_events_by_number(queries: Queries, numbers: Sequence[int]) -> dict[int, Event]:
    """Return the events with these numbers, those that still exist."""
    rows = await queries.fetch("select_events", 0, 0, list(numbers))
    return {row["event_number"]: _event(row) for row in rows}


async def delete_old_events(queries: Queries, before: datetime, limit: int) -> int:
    """Delete at most *limit* events recorded before then; return how many."""
    deleted: int = await queries.fetchval("delete_old_events", before, limit)
    return deleted


def _event(row: Row) -> Event:
    return Event(
        position=row["position"],
        id=row["event_id"],
        type=row["type"],
        at=row["at"],
        recorded_at=row["recorded_at"],
        order=None if row["id"] is None else _order_then(row),
        driver_id=row["event_driver_id"],
        detail=row["detail"],
    )


def _order_then(row: Row) -> OrderThen:
    order = order_of(row)
    return OrderThen(
        order,
        row["at"] if row["type"] == "order.arrived" else row["arrived_at"],
        None if row["eta"] is None else msgspec.convert(row["eta"], Eta),
        row["present_closed_at"],
        row["present_version"] == order.version,
    )
