"""Backup and restore: a snapshot while the service stores, and the same rows in another database."""

import asyncio
import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import asyncpg
import pytest

from tests.conftest import temporary_database
from tests.fork_server import ROOT
from tests.service import hear, running_service, say
from tests.test_end_to_end import fix, on_the_way
from tracker.database.backup.archive import MANIFEST, ArchiveReader, Manifest
from tracker.database.backup.dump import dump
from tracker.database.backup.restore import restore
from tracker.database.migrations import migrate, migrations
from tracker.errors import ConfigError

TABLES = "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"


def quiet(_part: float) -> None:
    """Nobody wants to hear of progress here."""


async def content(url: str) -> dict[str, list[str]]:
    """Every row of every table, as text, in an order of its own."""
    connection = await asyncpg.connect(url)
    try:
        names = [row[0] for row in await connection.fetch(TABLES)]
        return {
            name: sorted(row[0] for row in await connection.fetch(f'SELECT t::text FROM "{name}" t'))
            for name in names
            if name != "migrations"
        }
    finally:
        await connection.close()


def sums(manifest: Manifest) -> dict[str, tuple[int, str]]:
    return {table.name: (table.rows, table.sha256) for table in manifest.tables}


async def fill(url: str) -> None:
    """Rows that are hard to copy: quotes, tabs, NULLs, bytes, JSON, times before partitions."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(r"""
            INSERT INTO drivers (id, name, vehicle)
            VALUES ('drv_1', E'a\tb\\N "c" \n ä 🚲', 'car'), ('drv_2', '\N', 'car');
            INSERT INTO driver_tokens (token_hash, driver, used_at)
            VALUES ('\x0001ff', 1, now()), ('\x02', 2, now());
            SELECT ensure_fix_partition('2026-11-22');
            INSERT INTO fixes (driver, recorded_at, received_at, lat, lon, accuracy)
            SELECT 1, '2026-11-22'::timestamptz + n * interval '1.000001 s', now(), 60 + n / 700000.0, 25, 1.1
            FROM generate_series(1, 5000) n;
            INSERT INTO fixes (driver, recorded_at, received_at, lat, lon)
            VALUES (2, '1999-12-31 23:59:59.999999+00', now(), -89.999999999, 180);
        """)
    finally:
        await connection.close()


async def test_a_backup_holds_every_row(database_url: str, empty_database_url: str, tmp_path: Path) -> None:
    """Restored into an empty database, every table is equal, and numbers go on where they were."""
    await fill(database_url)
    saved = await dump(database_url, tmp_path / "one.backup", quiet)
    restored = await restore(empty_database_url, tmp_path / "one.backup", quiet)
    assert restored == saved
    assert saved.rows >= 5003
    assert await content(empty_database_url) == await content(database_url)
    connection = await asyncpg.connect(empty_database_url)
    try:
        number = await connection.fetchval(
            "INSERT INTO drivers (id, name, vehicle) VALUES ('drv_3', 'c', 'car') RETURNING number"
        )
    finally:
        await connection.close()
    assert number == 3


async def test_a_backup_under_load_is_one_moment(
    postgres: str, database_url: str, data_dir: Path, tmp_path: Path
) -> None:
    """While a driver streams and orders change: what was acknowledged before is in it, and it is whole."""
    async with running_service(data_dir, database_url) as service, temporary_database(postgres) as other:
        driver = await service.new_driver()
        await service.new_order(driver["id"])
        async with service.drive(driver["token"]) as courier:
            await hear(courier, "welcome")
            stored = 0
            under_way = asyncio.create_task(dump(database_url, tmp_path / "load.backup", quiet))
            while not under_way.done() or stored < 20:
                await say(courier, type="fixes", id=stored, fixes=[fix(0.0, *on_the_way(0.1))])
                stored += (await hear(courier, "ack"))["stored"]
                await service.new_order(driver["id"])
        saved = await under_way
        restored = await restore(other, tmp_path / "load.backup", quiet)
        again = await dump(other, tmp_path / "again.backup", quiet)
        assert sums(again) == sums(saved) == sums(restored)
        last = await dump(database_url, tmp_path / "last.backup", quiet)
        assert last.rows > saved.rows


async def test_an_older_backup_is_brought_up_to_date(postgres: str, tmp_path: Path) -> None:
    """The restore begins with the backup's schema and ends with this version's."""
    names = [migration.name for migration in migrations()]
    async with temporary_database(postgres) as old, temporary_database(postgres) as new:
        await migrate(old, names[:-2])
        saved = await dump(old, tmp_path / "old.backup", quiet)
        assert list(saved.migrations) == names[:-2]
        await restore(new, tmp_path / "old.backup", quiet)
        assert await migrate(new) == []
        await migrate(old)
        with pytest.raises(ConfigError, match=r"^DATABASE_URL: the backup is older than this database"):
            await restore(old, tmp_path / "old.backup", quiet)


async def test_a_database_with_rows_is_refused(database_url: str, tmp_path: Path) -> None:
    """The table is named, and nothing has changed."""
    await fill(database_url)
    before = await content(database_url)
    await dump(database_url, tmp_path / "one.backup", quiet)
    with pytest.raises(
        ConfigError, match=r"^DATABASE_URL: the database is not empty: the table \w+ has rows"
    ):
        await restore(database_url, tmp_path / "one.backup", quiet)
    assert await content(database_url) == before


async def test_a_damaged_backup_restores_nothing(
    database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    """A changed byte is found by the checksum, in the one transaction that is then undone."""
    await fill(database_url)
    path = tmp_path / "one.backup"
    await dump(database_url, path, quiet)
    forged = tmp_path / "forged.backup"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(forged, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, data.replace(b"60.001", b"61.001") if name != MANIFEST else data)
    (tmp_path / "cut.backup").write_bytes(path.read_bytes()[:-100])
    (tmp_path / "other.backup").write_text("hello")
    for damaged in (forged, tmp_path / "cut.backup", tmp_path / "other.backup"):
        with pytest.raises(ConfigError, match=r"is damaged, cut off, or no backup; nothing was restored"):
            await restore(empty_database_url, damaged, quiet)
    assert not any((await content(empty_database_url)).values())
    await restore(empty_database_url, path, quiet)


async def test_the_file_is_private_and_never_half_made(database_url: str, tmp_path: Path) -> None:
    """Only its owner may read it, an existing file is kept, and a failure leaves none."""
    path = tmp_path / "one.backup"
    await dump(database_url, path, quiet)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(ConfigError, match="exists already"):
        await dump(database_url, path, quiet)
    with pytest.raises(ConfigError, match="cannot be written"):
        await dump(database_url, tmp_path / "no" / "folder", quiet)
    with pytest.raises(ConfigError, match=r"^DATABASE_URL: "):
        await dump(database_url.replace("/test_", "/no_test_"), tmp_path / "two.backup", quiet)
    assert [file.name for file in tmp_path.iterdir()] == ["one.backup"]
    with ArchiveReader.open(path) as archive:
        assert list(archive.manifest.migrations) == [migration.name for migration in migrations()]


async def test_the_commands_move_an_installation(tmp_path: Path) -> None:
    """`tracker backup` from one data folder, `tracker restore` into another, both without a DATABASE_URL."""
    old, new, file = tmp_path / "old", tmp_path / "new", tmp_path / "tracker.backup"
    await tracker(old, "migrate")
    await tracker(old, "keys", "create", "--name", "shop")
    assert "rows of" in await tracker(old, "backup", str(file))
    assert "rows of" in await tracker(new, "restore", str(file))
    assert await tracker(new, "keys", "list") == await tracker(old, "keys", "list")


@pytest.mark.parametrize("words", [("keys", "list"), ("keys", "create", "--name", "x"), ("backup", "b")])
async def test_no_command_creates_a_database_in_a_wrong_folder(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    """It says that there is none, and how to name the right folder."""
    said = await tracker(tmp_path / "wrong", *words, status=1)
    assert "TRACKER_DATA_DIR: there is no database in" in said
    assert not (tmp_path / "wrong" / "postgres").exists()


async def tracker(data_dir: Path, *words: str, status: int = 0) -> str:
    """What the command prints on standard output, or on standard error if it has to fail."""
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tracker", *words),
        cwd=ROOT,
        env={**environment, "TRACKER_DATA_DIR": str(data_dir)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, error = await asyncio.wait_for(command.communicate(), 120)
    assert command.returncode == status, error.decode()
    return (error if status else out).decode()
