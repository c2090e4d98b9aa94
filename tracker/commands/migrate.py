"""`tracker migrate`: the missing database migrations."""

from collections.abc import Callable

from tracker.config import Config
from tracker.database.migrations import migrate as migrate_database
from tracker.node import database_url


async def migrate(config: Config, say: Callable[[str], None]) -> list[str]:
    """Apply the missing migrations and return their names, in order."""
    async with database_url(config, say) as url:
        return await migrate_database(url)
