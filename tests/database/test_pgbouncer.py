"""A real PgBouncer in transaction mode between the service and PostgreSQL."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests import test_end_to_end
from tests.database.pooler import PgBouncer, needs_pgbouncer
from tests.database.test_backup import content, fill
from tests.faults.check import all_wrong
from tests.faults.cluster import Cluster
from tests.faults.world import World
from tests.fork_server import ROOT
from tests.service import running_service
from tests.waiting import until
from tracker.database import Database
from tracker.database.backup.dump import dump
from tracker.database.backup.restore import restore
from tracker.database.connection.opening import connect, is_shared
from tracker.database.migrations import migrate, migrations
from tracker.errors import ConfigError, StorageUnavailable

pytestmark = needs_pgbouncer


@pytest.fixture
async def pooler(postgres: str) -> AsyncIterator[PgBouncer]:
    async with PgBouncer.open(postgres) as pooler:
        yield pooler


async def test_it_is_told_from_a_server(pooler: PgBouncer, database_url: str) -> None:
    """A direct connection keeps its prepared statements; one through a pooler keeps nothing."""
    assert not await is_shared(database_url)
    assert await is_shared(pooler.url(database_url))
    async with Database.open(database_url) as database:
        await database.fetchval("count_fixes_in_default")
        assert await prepared(database) >= 1
    async with Database.open(pooler.url(database_url)) as database:
        await database.fetchval("count_fixes_in_default")
        assert await prepared(database) == 0


async def prepared(database: Database) -> int:
    async with database.transaction() as connection:
        return int(
            await connection.raw.fetchval("SELECT count(*) FROM pg_prepared_statements WHERE name <> ''")
        )


async def test_settings_hold_for_each_transaction(pooler: PgBouncer, database_url: str) -> None:
    """What a pooler refuses at the start of a connection is set where it matters, and left nowhere."""
    async with Database.open(pooler.url(database_url)) as database:
        async with database.transaction() as connection:
            assert await connection.raw.fetchval("SHOW idle_in_transaction_session_timeout") == "5s"
            assert await connection.raw.fetchval("SHOW jit") == "off"
            assert await connection.raw.fetchval("SHOW timezone") == "UTC"
        async with connect(database_url) as plain:
            rows = await plain.fetch("SELECT pid FROM pg_locks WHERE locktype = 'advisory'")
    assert rows == []


async def test_many_sessions_share_few(pooler: PgBouncer, database_url: str) -> None:
    """Sixteen callers on three server sessions: no statement is missing, and none is another's."""
    async with Database.open(pooler.url(database_url)) as database:

        async def ask(number: int) -> None:
            for step in range(20):
                async with database.transaction() as connection:
                    assert (
                        await connection.raw.fetchval("SELECT $1::int + $2::int", number, step)
                        == number + step
                    )
                assert await database.pool.fetchval("SELECT $1::text[]", [str(number)]) == [str(number)]
                await database.fetchval("count_fixes_in_default")

        await asyncio.gather(*map(ask, range(16)))


async def test_two_processes_migrate_at_once(pooler: PgBouncer, empty_database_url: str) -> None:
    """`tracker migrate` on two nodes: each file is applied once, and both end well."""
    url = pooler.url(empty_database_url, tcp=True)
    commands = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tracker", "migrate"),
            env={**os.environ, "DATABASE_URL": url},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for _ in range(2)
    ]
    said = [(await command.communicate())[0].decode() for command in commands]
    assert [command.returncode for command in commands] == [0, 0], said
    applied = [
        line.removeprefix("applied ") for text in said for line in text.splitlines() if "applied" in line
    ]
    assert sorted(applied) == [migration.name for migration in migrations()]
    assert await migrate(url) == []


async def test_a_whole_order(pooler: PgBouncer, database_url: str, data_dir: Path) -> None:
    """From the merchant's order to the customer's last message, and the history afterwards."""
    async with running_service(data_dir, pooler.url(database_url, tcp=True)) as service:
        await test_end_to_end.test_an_order_from_creation_to_its_history(service)
        await test_end_to_end.test_the_same_fix_by_two_ways_is_stored_once(service)


async def test_a_restart_under_load_loses_nothing(data_dir: Path, tmp_path: Path) -> None:
    """-9 to PgBouncer, then to PostgreSQL behind it: every acknowledged fix is stored once."""
    async with (
        Cluster.open(tmp_path / "cluster") as cluster,
        PgBouncer.open(cluster.url) as pooler,
        World.open(tmp_path, data_dir, cluster, seed=12, drivers=4, through=pooler.url) as world,
    ):
        for victim in (pooler, cluster):
            before = world.acknowledged
            await until(lambda before=before: world.acknowledged > before + 40, 30)  # type: ignore[misc]
            victim.kill()
            await asyncio.sleep(1.0)  # simulates the outage
            await victim.start()
            await until(world.node.is_ready)
        wrong = await all_wrong(world)
    assert wrong == []
    assert world.acknowledged > 100


async def test_a_backup_goes_through_it(
    pooler: PgBouncer, database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    """One transaction reads all, and one writes all."""
    await fill(database_url)
    saved = await dump(pooler.url(database_url), tmp_path / "b", lambda _: None)
    assert await restore(pooler.url(empty_database_url), tmp_path / "b", lambda _: None) == saved
    assert await content(empty_database_url) == await content(database_url)


async def test_what_it_refuses_is_a_matter_of_the_setting(pooler: PgBouncer, database_url: str) -> None:
    """A parameter that it refuses stops the start with the fix; a pooler that is away may come back."""
    with pytest.raises(ConfigError, match=r"^DATABASE_URL: .*options.*ignore_startup_parameters"):
        async with Database.open(f"{pooler.url(database_url)}&options=-cjit%3Doff"):
            pass
    pooler.kill()
    with pytest.raises(StorageUnavailable):
        async with Database.open(pooler.url(database_url)):
            pass


async def test_a_database_that_is_not_there_is_named(pooler: PgBouncer, database_url: str) -> None:
    """PgBouncer says so with the SQLSTATE of a broken protocol."""
    url = pooler.url(database_url).replace("/test_", "/no_test_")
    with pytest.raises(ConfigError, match=r"^DATABASE_URL: .*create it"):
        async with Database.open(url):
            pass
