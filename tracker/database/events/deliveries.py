"""Deliveries: one for each event that a webhook gets. Numbering an event adds them, see `number_events`."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from tracker.database.events.webhooks import webhook_of
from tracker.database.pool import Connection, Queries
from tracker.domain.events.event import EventType
from tracker.domain.events.webhook import DeliveryError, DeliveryStatus, Result, Webhook


class ClaimedDelivery(NamedTuple):
    """A delivery that this node has to send now."""

    event_number: int
    attempts: int  # so far
    webhook: Webhook


class Delivery(msgspec.Struct, frozen=True):
    """A delivery as its merchant sees it."""

    event_id: str
    type: EventType
    event_at: datetime
    recorded_at: datetime
    event_number: int
    status: DeliveryStatus
    attempts: int
    next_attempt_at: datetime | None
    last_attempt_at: datetime | None
    last_status: int | None
    last_error: DeliveryError | None


class Backlog(NamedTuple):
    """What is not sent."""

    unsent: int
    dead: int
    oldest_s: float  # age of the oldest unsent event


async def claim_deliveries(
    queries: Queries, *, per_webhook: int, busy: Mapping[str, int], limit: int, lease: timedelta
) -> list[ClaimedDelivery]:
    """Claim due deliveries for *lease*. *busy* counts by webhook what this node is sending."""
    rows = await queries.fetch("claim_deliveries", per_webhook, list(busy), list(busy.values()), limit, lease)
    return [ClaimedDelivery(row["event_number"], row["attempts"], webhook_of(row)) for row in rows]


async def retry_delivery(
    queries: Queries, claimed: ClaimedDelivery, result: Result, pause: timedelta
) -> None:
    """Note a failed attempt; the next one is due after *pause*."""
    key = claimed.webhook.id, claimed.event_number
    await queries.execute("retry_delivery", *key, pause, result.status, result.error)


async def end_deliveries(
    connection: Connection, ended: Sequence[tuple[ClaimedDelivery, Result]], status: DeliveryStatus
) -> None:
    """Note last attempts; the next delivery of each order or driver is due at once."""
    await connection.execute("lock_deliveries")
    rows = [
        (claimed.webhook.id, claimed.event_number, status, result.status, result.error)
        for claimed, result in ended
    ]
    await connection.executemany("end_delivery", rows)


async def repeat_deliveries(connection: Connection, webhook_id: str, event_id: str | None) -> int | None:
    """Send an event again, or all that are dead. Return how many; None if there is no such event."""
    await connection.execute("lock_event_feed")
    number: int | None = None
    if event_id is not None:
        number = await connection.fetchval("insert_delivery", webhook_id, event_id)
        if number is None:
            return None
    return len(await connection.fetch("repeat_deliveries", webhook_id, number))


async def select_deliveries(
    queries: Queries, webhook_id: str, status: DeliveryStatus | None, below: int | None, limit: int
) -> list[Delivery]:
    """Return deliveries, the newest event first, beginning below that event's number."""
    rows = await queries.fetch("select_deliveries", webhook_id, status, below, limit)
    return [Delivery(*row) for row in rows]


async def select_delivery_backlog(queries: Queries) -> Backlog:
    row = await queries.fetchrow("select_delivery_backlog")
    assert row is not None  # a SELECT without FROM
    return Backlog(*row)
