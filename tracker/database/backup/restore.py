"""Restore: a backup into an empty database, in one transaction."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Final

import asyncpg

from tracker.database.backup.archive import ArchiveReader, Manifest
from tracker.database.connection.errors import storage_errors
from tracker.database.connection.opening import connect
from tracker.database.connection.session import Session
from tracker.database.migrations import applied_migrations, migrate, migrations
from tracker.database.queries import sql
from tracker.errors import ConfigError

_PARTITION: Final = re.compile(r"fixes_(\d{8})")


async def restore(url: str, path: Path, on_progress: Callable[[float], None]) -> Manifest:
    """Fill an empty database from the backup; *on_progress* gets the part that is done, 0 to 1.

    The database first gets the schema of the backup, and afterwards that of this version. If anything fails,
    it stays empty. Raises StorageUnavailable, and ConfigError if file and database do not fit.
    """
    with ArchiveReader.open(path) as archive:
        manifest = archive.manifest
        _check_known(path, manifest)
        await _check_schema(url, manifest)
        await migrate(url, manifest.migrations)
        async with connect(url) as session:
            with storage_errors(), _not_empty_named():
                async with session.transaction():
                    await _fill(session, archive, on_progress)
    await migrate(url)
    return manifest


def _check_known(path: Path, manifest: Manifest) -> None:
    """Raise ConfigError if this version does not know the backup's schema."""
    known = {migration.name: migration.checksum.hex() for migration in migrations()}
    for name, checksum in manifest.migrations.items():
        if known.get(name) != checksum:
            raise ConfigError(
                str(path), f"was made by another version, with {name}; restore it with that one"
            )


async def _check_schema(url: str, manifest: Manifest) -> None:
    """Raise ConfigError if the database is newer than the backup."""
    newer = (await applied_migrations(url)).keys() - manifest.migrations.keys()
    if newer:
        why = f"the backup is older than this database, which has {min(newer)}; give an empty database"
        raise ConfigError("DATABASE_URL", f"{why}, and the restore brings it up to date")


@contextmanager
def _not_empty_named() -> Iterator[None]:
    try:
        yield
    except asyncpg.ObjectNotInPrerequisiteStateError as error:
        why = f"the database is not empty: the table {error} has rows; give an empty one"
        raise ConfigError("DATABASE_URL", why) from error


async def _fill(session: Session, archive: ArchiveReader, on_progress: Callable[[float], None]) -> None:
    manifest = archive.manifest
    await session.execute(sql("set_copy_format"))
    for table in manifest.tables:
        if day := _PARTITION.fullmatch(table.name):
            await session.fetchval(sql("ensure_fix_partition"), date.fromisoformat(day[1]))
    await session.execute(sql("lock_empty_tables"))
    total, done = sum(table.size for table in manifest.tables) or 1, 0
    for table in manifest.tables:
        await session.copy_to_table(table.name, source=archive.read(table), columns=table.columns)
        done += table.size
        on_progress(done / total)
    for name, value in manifest.sequences.items():
        await session.fetchval(sql("set_sequence"), name, value)
