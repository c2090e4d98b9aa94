"""Sessions of browsers that are logged in with an API key; they end with it, by time, or by logging out."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from tracker.database.credentials.api_keys import ApiKey
from tracker.database.pool import Queries

LASTS: Final = timedelta(days=7)
IDLE: Final = timedelta(hours=12)  # without a request or an open stream
TOUCH_AFTER: Final = timedelta(minutes=5)  # a later use is stored
PER_KEY: Final = 100  # sessions; a further one ends the oldest


class BrowserSession(NamedTuple):
    """A session that has not ended."""

    key: ApiKey
    created_at: datetime
    admin_mark: bytes | None  # of TRACKER_ADMIN_KEY, which has no row: valid only with the same key

    @property
    def expires_at(self) -> datetime:
        """When it ends, even if it is used."""
        return self.created_at + LASTS


async def insert_session(
    queries: Queries, token_hash: bytes, key: ApiKey, admin_mark: bytes | None, now: datetime
) -> None:
    """Insert a session of *key*; only the hash of the cookie's token is stored."""
    await queries.execute("insert_session", token_hash, key.id, admin_mark, now, now, PER_KEY)


async def select_session(queries: Queries, token_hash: bytes, now: datetime) -> BrowserSession | None:
    """Return the session, and note its use; None if it is unknown or has ended."""
    row = await queries.fetchrow("select_session", token_hash, now - LASTS, now - IDLE)
    if row is None:
        return None
    api_key, scope, name, created_at, used_at, admin_mark = row
    if now - used_at > TOUCH_AFTER:
        await queries.execute("touch_session", token_hash, now)
    return BrowserSession(ApiKey(api_key, scope, name), created_at, admin_mark)


async def delete_session(queries: Queries, token_hash: bytes) -> None:
    """End a session. Idempotent."""
    await queries.execute("delete_session", token_hash)


async def delete_old_sessions(queries: Queries, now: datetime) -> None:
    """Delete the sessions that have ended by time."""
    await queries.execute("delete_old_sessions", now - LASTS, now - IDLE)
