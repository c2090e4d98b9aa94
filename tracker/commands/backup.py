"""`tracker backup` and `tracker restore`: the whole database as one file."""

from pathlib import Path

from tracker.config import Config
from tracker.database.backup.archive import Manifest
from tracker.database.backup.dump import dump
from tracker.database.backup.restore import restore as restore_database
from tracker.database.connection.configured import database_url, existing_database_url
from tracker.system.progress import Percent, Say


async def backup(config: Config, say: Say, path: Path) -> Manifest:
    """Write a backup while the service may run. Never creates a database."""
    async with existing_database_url(config, say) as url:
        return await dump(url, path, Percent(say, "Backup").reach)


async def restore(config: Config, say: Say, path: Path) -> Manifest:
    """Fill an empty database from the backup; without DATABASE_URL, create it in the data folder."""
    async with database_url(config, say) as url:
        return await restore_database(url, path, Percent(say, "Restore").reach)
