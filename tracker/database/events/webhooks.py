"""Webhooks: where events go."""

from collections.abc import Sequence
from datetime import datetime

from tracker.database.pool import Connection, Queries, Row
from tracker.domain.events.event import EventType
from tracker.domain.events.webhook import FAILING_FOR, DisabledReason, Webhook


async def insert_webhook(queries: Queries, webhook: Webhook) -> Webhook:
    row = await queries.fetchrow(
        "insert_webhook", webhook.id, webhook.url, list(webhook.types), webhook.base_url, webhook.created_at
    )
    assert row is not None  # RETURNING after an INSERT without a conflict clause
    return webhook_of(row)


async def count_webhooks(queries: Queries) -> int:
    count: int = await queries.fetchval("count_webhooks")
    return count


async def select_webhook(queries: Queries, webhook_id: str) -> Webhook | None:
    return _webhook_or_none(await queries.fetchrow("select_webhook", webhook_id))


async def select_webhooks(
    queries: Queries, limit: int, before: tuple[datetime, str] | None = None
) -> list[Webhook]:
    """Return webhooks, newest first, below *before* (created_at, id)."""
    at, id_ = before or (None, None)
    return [webhook_of(row) for row in await queries.fetch("select_webhooks", at, id_, limit)]


async def update_webhook(
    queries: Queries, webhook_id: str, url: str, types: Sequence[EventType], base_url: str
) -> Webhook | None:
    return _webhook_or_none(await queries.fetchrow("update_webhook", webhook_id, url, list(types), base_url))


async def enable_webhook(queries: Queries, webhook_id: str) -> Webhook | None:
    """Send later events to it again. Those that it missed are not added."""
    return _webhook_or_none(await queries.fetchrow("enable_webhook", webhook_id))


async def disable_webhook(connection: Connection, webhook_id: str, reason: DisabledReason) -> Webhook | None:
    """Send nothing more to it; its unsent deliveries are dead."""
    await connection.execute("lock_event_feed")  # no event is added to it meanwhile
    return _webhook_or_none(await connection.fetchrow("disable_webhook", webhook_id, reason))


async def renew_webhook_secret(queries: Queries, webhook_id: str, old_until: datetime) -> Webhook | None:
    """Give it a new secret; the one before signs, too, until then."""
    return _webhook_or_none(await queries.fetchrow("renew_webhook_secret", webhook_id, old_until))


async def delete_webhook(queries: Queries, webhook_id: str) -> bool:
    """Delete it with its deliveries; return whether there was one."""
    return await queries.fetchval("delete_webhook", webhook_id) is not None


async def note_webhook_failure(queries: Queries, webhook_id: str) -> bool:
    """Note a failed attempt; return whether there has been no success for FAILING_FOR."""
    return bool(await queries.fetchval("note_webhook_failure", webhook_id, FAILING_FOR))


async def note_webhook_success(queries: Queries, webhook_id: str) -> None:
    await queries.execute("note_webhook_success", webhook_id)


async def insert_test_event(connection: Connection, webhook_id: str, at: datetime) -> str:
    """Insert an event for this webhook alone; return its id."""
    event_id: str = await connection.fetchval("insert_test_event", webhook_id, at)
    return event_id


def webhook_of(row: Row) -> Webhook:
    """Return the webhook of a row with all columns of `webhooks`."""
    return Webhook(
        id=row["id"],
        url=row["url"],
        types=tuple(row["types"]),
        base_url=row["base_url"],
        created_at=row["created_at"],
        secret_number=row["secret_number"],
        old_secret_until=row["old_secret_until"],
        failing_since=row["failing_since"],
        disabled_at=row["disabled_at"],
        disabled_reason=row["disabled_reason"],
    )


def _webhook_or_none(row: Row | None) -> Webhook | None:
    return None if row is None else webhook_of(row)
