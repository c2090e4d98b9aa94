"""`tracker migrate`: the missing database migrations."""

from collections.abc import Callable

from tracker.config import Config
from tracker.database.connection.configured import database_url
from tracker.database.connection.opening import wait_for_database
from tracker.database.migrations import migrate as migrate_database


async def migrate(config: Config, say: Callable[[str], None]) -> list[str]:
    """Wait for the database, apply the missing migrations and return their names, in order."""
    async with database_url(config, say) as url:
        await wait_for_database(url, say)
        return await migrate_database(url)
