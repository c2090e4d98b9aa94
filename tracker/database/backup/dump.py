"""Dump: every table in one snapshot, while the service runs."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from pathlib import Path

import asyncpg

from tracker.database.backup.archive import ArchiveWriter, Manifest, SavedTable
from tracker.database.connection.errors import storage_errors
from tracker.database.connection.opening import connect
from tracker.database.connection.session import Session
from tracker.database.queries import sql

type Row = asyncpg.Record


async def dump(url: str, path: Path, on_progress: Callable[[float], None]) -> Manifest:
    """Write a backup of the database to *path*; *on_progress* gets the part that is done, 0 to 1.

    Raises StorageUnavailable, ConfigError.
    """
    with ArchiveWriter.create(path) as archive:
        async with connect(url) as session:
            with storage_errors():
                async with session.transaction(isolation="repeatable_read", readonly=True):
                    manifest = await _dump(session, archive, on_progress)
        archive.finish(manifest)
    return manifest


async def _dump(session: Session, archive: ArchiveWriter, on_progress: Callable[[float], None]) -> Manifest:
    await session.execute(sql("lock_tables_to_read"))  # no partition is dropped meanwhile
    await session.execute(sql("set_copy_format"))
    made_at = datetime.now(UTC)
    tables = await session.fetch(sql("select_tables"))
    total, done = sum(table["bytes"] for table in tables) or 1, 0
    saved: list[SavedTable] = []
    for table in _in_order(tables, await session.fetch(sql("select_references"))):
        saved.append(await _dump_table(session, archive, table))
        done += table["bytes"]
        on_progress(done / total)
    applied = await session.fetch(sql("select_migrations"))
    return Manifest(
        made_at=made_at,
        migrations={row["name"]: row["checksum"].hex() for row in applied},
        tables=saved,
        sequences={row["name"]: row["last_value"] for row in await session.fetch(sql("select_sequences"))},
    )


async def _dump_table(session: Session, archive: ArchiveWriter, table: Row) -> SavedTable:
    name, columns = str(table["name"]), list(table["columns"])
    with archive.table(name) as member:

        async def keep(data: bytes) -> None:
            member.write(data)

        status = await session.copy_from_table(name, output=keep, columns=columns)
        return SavedTable(name, columns, int(status.split()[-1]), member.size, member.sha256)


def _in_order(tables: Sequence[Row], references: Sequence[Row]) -> list[Row]:
    """Sort the tables so that each follows those that it refers to."""
    by_name = {table["name"]: table for table in tables}
    graph: TopologicalSorter[object] = TopologicalSorter({name: () for name in by_name})
    for reference in references:
        graph.add(reference["from_table"], reference["to_table"])
    return [by_name[name] for name in graph.static_order() if name in by_name]
