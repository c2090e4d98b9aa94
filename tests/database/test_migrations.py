"""Migrations: once each, in order, whoever starts first."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from secrets import token_hex
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from tracker.database import Database
from tracker.database.credentials.driver_tokens import select_driver_by_token
from tracker.database.migrations import Migration, migrate, migrations, missing
from tracker.database.partitions import ensure_partition, fixes_in_default, keep_partitions
from tracker.errors import ConfigError

NOW = datetime(2026, 11, 22, 16, 43, tzinfo=UTC)


async def partitions(database: Database) -> set[str]:
    rows = await database.pool.fetch(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'fixes'::regclass"
    )
    return {row[0] for row in rows}


async def insert_fix(database: Database, recorded_at: datetime) -> None:
    await database.pool.execute(
        "INSERT INTO fixes (driver, recorded_at, received_at, lat, lon) VALUES (1, $1, $1, 60, 25)",
        recorded_at,
    )


async def test_two_nodes_at_once_apply_each_file_once(empty_database_url: str) -> None:
    """Nodes that start together take turns, and end up with one migrated database and no error."""
    applied = await asyncio.gather(*(migrate(empty_database_url) for _ in range(3)))
    assert sorted(name for names in applied for name in names) == [
        migration.name for migration in migrations()
    ]


async def test_a_second_run_does_nothing(database_url: str) -> None:
    """What is applied stays applied."""
    assert await migrate(database_url) == []


async def test_a_changed_file_is_named(database_url: str) -> None:
    """A file whose text changed after it had been applied stops the start by its name."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(r"UPDATE migrations SET checksum = '\x00' WHERE name = '0001_first.sql'")
    await connection.close()
    with pytest.raises(ConfigError, match=r"0001_first\.sql: was changed"):
        await migrate(database_url)


def test_a_newer_nodes_migrations_are_left_alone() -> None:
    """Unknown names in the database are no error: a newer node was here first."""
    known = [Migration("0001_a.sql", "a"), Migration("0002_b.sql", "b")]
    applied = {"0001_a.sql": known[0].checksum, "0009_later.sql": b"?"}
    assert missing(known, applied) == known[1:]


async def test_a_drivers_token_outlives_the_move_to_its_own_table(empty_database_url: str) -> None:
    """A driver of an older version keeps the token that their phone has."""
    older = {each.name for each in migrations() if each.name < "0017"}
    await migrate(empty_database_url, older)
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute(
        "INSERT INTO drivers (id, name, vehicle, token_hash) VALUES ('drv_1', 'a', 'car', $1)", b"hash"
    )
    await connection.close()
    await migrate(empty_database_url)
    async with Database.open(empty_database_url) as database:
        driver = await select_driver_by_token(database, b"hash", NOW)
        assert driver is not None
        assert driver.id == "drv_1"
        assert await select_driver_by_token(database, b"other", NOW) is None


async def test_partitions_are_made_a_week_ahead_and_old_ones_dropped(database: Database) -> None:
    """After each run there is a partition for today and the seven days to come, and none beyond retention."""
    await ensure_partition(database, date(2026, 10, 1))
    await insert_fix(database, datetime(2026, 9, 1, tzinfo=UTC))
    done = await keep_partitions(database, 30, NOW)
    assert (done.made, done.dropped, done.in_default) == (9, 1, 0)
    names = await partitions(database)
    assert {"fixes_20261121", "fixes_20261122", "fixes_20261129"} < names
    assert "fixes_20261001" not in names
    assert (await keep_partitions(database, 30, NOW)).made == 0


async def test_the_default_partition_catches_and_gives_back(database: Database) -> None:
    """A fix without a partition is kept, counted for the alarm, and moves when its partition is made."""
    await insert_fix(database, NOW)
    assert await fixes_in_default(database) == 1
    assert await ensure_partition(database, NOW.date())
    assert await fixes_in_default(database) == 0
    assert await database.pool.fetchval("SELECT count(*) FROM fixes_20261122") == 1


async def test_days_are_utc_days(database: Database) -> None:
    """The partition of a day begins at midnight UTC and ends before the next."""
    await ensure_partition(database, NOW.date())
    midnight = datetime(2026, 11, 22, tzinfo=UTC)
    for at in (
        midnight,
        midnight + timedelta(days=1) - timedelta(microseconds=1),
        midnight + timedelta(days=1),
    ):
        await insert_fix(database, at)
    assert await database.pool.fetchval("SELECT count(*) FROM fixes_20261122") == 2
    assert await fixes_in_default(database) == 1


async def test_several_nodes_make_partitions_at_once(database: Database) -> None:
    """Each partition is made by one node, and nobody fails."""
    done = await asyncio.gather(*(keep_partitions(database, 30, NOW) for _ in range(4)))
    assert sum(one.made for one in done) == 9


async def test_a_user_who_may_not_create_tables_is_told_the_statement(empty_database_url: str) -> None:
    """Since PostgreSQL 15 only a database's owner may create tables in the schema `public`."""
    role = f"poor_{token_hex(4)}"
    owner = await asyncpg.connect(empty_database_url)
    try:
        await owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'p#w/['")
        parts = urlsplit(empty_database_url)
        address = parts.netloc.rpartition("@")[2]
        url = urlunsplit(parts._replace(netloc=f"{role}:p#w%2F[@{address}"))
        with pytest.raises(ConfigError, match=r"^DATABASE_URL: .*GRANT CREATE ON SCHEMA public"):
            await migrate(url)
    finally:
        await owner.execute(f"DROP ROLE {role}")
        await owner.close()
