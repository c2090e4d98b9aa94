"""The configured database: that of DATABASE_URL, or the embedded one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tracker.config import Config
from tracker.errors import ConfigError
from tracker.postgres.server import embedded
from tracker.system.progress import Say


@asynccontextmanager
async def database_url(config: Config, say: Say) -> AsyncIterator[str]:
    """Yield the configured database's URL, or run the embedded database during the block."""
    if config.database_url is not None:
        yield config.database_url
    else:
        config.make_data_dir()
        async with embedded(config.data_dir, say) as url:
            yield url


@asynccontextmanager
async def existing_database_url(config: Config, say: Say) -> AsyncIterator[str]:
    """Yield the database's URL as `database_url` does, but never create a database. Raises ConfigError."""
    if config.database_url is None and not has_database(config):
        why = (
            f"there is no database in {config.data_dir.absolute()}; set it to the data folder of your service"
        )
        raise ConfigError("TRACKER_DATA_DIR", f"{why}, or set DATABASE_URL. `tracker migrate` creates one")
    async with database_url(config, say) as url:
        yield url


def has_database(config: Config) -> bool:
    """Return whether the data folder holds an embedded database."""
    return (config.data_dir / "postgres").exists()
