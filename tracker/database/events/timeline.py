"""Timelines of orders."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import msgspec

from tracker.database.pool import Queries, Reads

TimelineKind = Literal[
    "created",
    "assigned",
    "unassigned",
    "picked_up",
    "delivered",
    "failed",
    "cancelled",
    "message",
    "link_created",
    "link_revoked",
    "arrived_at_pickup",
    "departed_pickup",
    "approaching",
    "arrived_at_dropoff",
    "stuck",
    "proof",
    "attempt",
    "instructions",
    "place",
    "rating",
]


class TimelineEntry(msgspec.Struct, frozen=True):
    """One event in the history of an order."""

    at: datetime
    kind: TimelineKind
    detail: dict[str, Any] = {}
    number: int = 0  # order among entries of the same time


class LastEntryTimes(NamedTuple):
    """The last times in the timeline of an order."""

    status_at: datetime  # when it entered its status or was last assigned
    seen_at: datetime | None  # time of its last milestone from positions


async def insert_timeline(
    queries: Queries, order_id: str, at: datetime, kind: TimelineKind, detail: Mapping[str, object]
) -> None:
    await queries.execute("insert_timeline", order_id, at, kind, dict(detail))


async def insert_timelines(
    queries: Queries, entries: Iterable[tuple[str, datetime, TimelineKind, Mapping[str, object]]]
) -> None:
    await queries.executemany("insert_timeline", [(*entry[:3], dict(entry[3])) for entry in entries])


async def count_entries(queries: Queries, order_id: str, kind: TimelineKind) -> int:
    """Count the entries of one kind."""
    count: int = await queries.fetchval("count_entries", order_id, kind)
    return count


async def select_last_entry_times(queries: Queries, order_id: str) -> LastEntryTimes:
    """Return the last times in the timeline of an existing order."""
    row = await queries.fetchrow("select_last_entry_times", order_id)
    assert row is not None
    return LastEntryTimes(row["status_at"], row["seen_at"])


async def select_timeline(queries: Reads, order_id: str) -> list[TimelineEntry]:
    """Return the timeline, earliest first."""
    return [TimelineEntry(*row) for row in await queries.fetch("select_timeline", order_id)]


async def select_timeline_page(
    queries: Reads, order_id: str, after: tuple[datetime, int] | None, limit: int
) -> list[TimelineEntry]:
    """Return the oldest *limit* entries after that time and number."""
    at, number = after or (datetime.min.replace(tzinfo=UTC), 0)
    found = await queries.fetch("select_timeline_page", order_id, at, number, limit)
    return [TimelineEntry(*row) for row in found]
