"""`tracker keys`: API keys for merchants' programs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from tracker.config import Config
from tracker.database import Database
from tracker.database.connection.configured import existing_database_url
from tracker.database.credentials.api_keys import (
    ApiKey,
    KnownKey,
    Scope,
    insert_api_key,
    revoke_api_key,
    select_api_keys,
)
from tracker.database.migrations import migrate
from tracker.system.progress import Say
from tracker.tokens import hash_token, new_api_key, new_id


async def create_key(config: Config, say: Say, name: str, scope: Scope) -> str:
    """Store the hash of a new key and return the key."""
    key = new_api_key()
    async with open_existing_database(config, say) as database:
        await insert_api_key(database, ApiKey(new_id("key"), scope), name, hash_token(key), datetime.now(UTC))
    return key


async def list_keys(config: Config, say: Say) -> list[KnownKey]:
    """Return all keys, revoked ones too, oldest first."""
    async with open_existing_database(config, say) as database:
        return await select_api_keys(database)


def as_line(key: KnownKey) -> str:
    """Describe a key in one line: id, scope, date of creation, state and name."""
    state = "in use" if key.revoked_at is None else f"revoked {key.revoked_at:%Y-%m-%d}"
    return f"{key.id}  {key.scope:6}  {key.created_at:%Y-%m-%d}  {state:18}  {key.name}"


async def revoke_key(config: Config, say: Say, key_id: str) -> bool:
    """Revoke the key. Returns False if there is no such key."""
    async with open_existing_database(config, say) as database:
        return await revoke_api_key(database, key_id, datetime.now(UTC))


@asynccontextmanager
async def open_existing_database(config: Config, say: Say) -> AsyncIterator[Database]:
    """Open the database, which must exist. An embedded one is migrated first."""
    async with existing_database_url(config, say) as url:
        if config.database_url is None:
            await migrate(url)
        async with Database.open(url) as database:
            yield database
