"""API keys, and the answers that were given to an Idempotency-Key."""

from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from tracker.database.pool import Queries

Scope = Literal["read", "orders", "admin"]

ANSWERS_KEPT: Final = timedelta(hours=24)  # they may hold a token or an address, so no longer than needed


class ApiKey(NamedTuple):
    """A key that is known and not revoked."""

    id: str
    scope: Scope


class KnownKey(NamedTuple):
    """What is kept of a key, for people."""

    id: str
    name: str
    scope: Scope
    created_at: datetime
    revoked_at: datetime | None


class KeptAnswer(NamedTuple):
    """What was answered, and the hash of what it was the answer to."""

    request: bytes
    status: int
    body: bytes


async def insert_api_key(queries: Queries, key: ApiKey, name: str, key_hash: bytes, at: datetime) -> None:
    """`name` is what people call the key; of its text only the hash is kept."""
    await queries.execute("insert_api_key", key.id, name, key.scope, key_hash, at)


async def select_api_key(queries: Queries, key_hash: bytes) -> ApiKey | None:
    row = await queries.fetchrow("select_api_key", key_hash)
    return None if row is None else ApiKey(*row)


async def select_api_keys(queries: Queries) -> list[KnownKey]:
    """All that were ever made, the oldest first."""
    return [KnownKey(*row) for row in await queries.fetch("select_api_keys")]


async def revoke_api_key(queries: Queries, key_id: str, at: datetime) -> bool:
    """From the commit on it is refused. False where there is no such key."""
    return await queries.fetchval("revoke_api_key", key_id, at) is not None


async def claim_idempotency_key(
    queries: Queries, api_key: str, key: str, request: bytes, now: datetime
) -> KeptAnswer | None:
    """None: it is ours to answer in this transaction. Else what was answered, once it is."""
    claimed = await queries.fetchval("claim_idempotency_key", api_key, key, request, now, now - ANSWERS_KEPT)
    if claimed:
        return None
    row = await queries.fetchrow("select_kept_answer", api_key, key)
    assert row is not None  # the claim has just conflicted with it, and holds it
    return KeptAnswer(*row)


async def keep_answer(queries: Queries, api_key: str, key: str, status: int, body: bytes) -> None:
    await queries.execute("keep_answer", api_key, key, status, body)


async def delete_old_answers(queries: Queries, now: datetime) -> None:
    """Every hour or so: after ANSWERS_KEPT a key is as good as new."""
    await queries.execute("delete_old_answers", now - ANSWERS_KEPT)
