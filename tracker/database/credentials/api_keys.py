"""API keys, and the responses stored for an Idempotency-Key."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from tracker.database.pool import Queries

Scope = Literal["read", "orders", "admin"]

ANSWERS_KEPT: Final = timedelta(hours=24)  # they may hold a token or an address, so no longer than needed


class ApiKey(NamedTuple):
    """A valid key: known and not revoked."""

    id: str
    scope: Scope
    name: str = ""  # for people


class KnownKey(NamedTuple):
    """The stored data of a key, for lists."""

    id: str
    name: str
    scope: Scope
    created_at: datetime
    revoked_at: datetime | None


class KeptAnswer(NamedTuple):
    """A stored response, and the hash of its request."""

    request: bytes
    status: int
    headers: Mapping[str, str]
    body: bytes


async def insert_api_key(queries: Queries, key: ApiKey, name: str, key_hash: bytes, at: datetime) -> None:
    """Insert a key. *name* is for people; only the hash of the key is stored."""
    await queries.execute("insert_api_key", key.id, name, key.scope, key_hash, at)


async def select_api_key(queries: Queries, key_hash: bytes) -> ApiKey | None:
    row = await queries.fetchrow("select_api_key", key_hash)
    return None if row is None else ApiKey(*row)


async def select_api_keys(queries: Queries) -> list[KnownKey]:
    """Return all keys, revoked ones too, oldest first."""
    return [KnownKey(*row) for row in await queries.fetch("select_api_keys")]


async def revoke_api_key(queries: Queries, key_id: str, at: datetime) -> bool:
    """Revoke a key; it is rejected from the commit on. Return False if there is no such key."""
    return await queries.fetchval("revoke_api_key", key_id, at) is not None


async def claim_idempotency_key(
    queries: Queries, api_key: str, key: str, request: bytes, now: datetime
) -> KeptAnswer | None:
    """Claim the key for this transaction and return None, or return the stored response.

    Waits while another transaction holds the key.
    """
    claimed = await queries.fetchval("claim_idempotency_key", api_key, key, request, now, now - ANSWERS_KEPT)
    if claimed:
        return None
    row = await queries.fetchrow("select_kept_answer", api_key, key)
    assert row is not None  # the claim conflicted with this row and has locked it
    return KeptAnswer(*row)


async def keep_answer(queries: Queries, api_key: str, key: str, kept: KeptAnswer) -> None:
    """Store the response for a key that this transaction has claimed."""
    await queries.execute("keep_answer", api_key, key, kept.status, dict(kept.headers), kept.body)


async def delete_old_answers(queries: Queries, now: datetime) -> None:
    """Delete responses older than ANSWERS_KEPT; their keys may be reused."""
    await queries.execute("delete_old_answers", now - ANSWERS_KEPT)
