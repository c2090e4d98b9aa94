"""A commit of fixes and a node that takes the trip over, at the same time, on two connections."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.waiting import until
from tracker.database import Database
from tracker.database.fix_batch import FEW, Batch, Stored, microseconds, store
from tracker.database.nodes.leases import take_lease
from tracker.database.queries import sql
from tracker.domain.tracks.fix import Fix, JudgedFix

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
WAITING = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


async def add_node(database: Database, node: str) -> None:
    """A node that runs for an hour."""
    await database.pool.execute(
        "INSERT INTO nodes VALUES ($1, now() + interval '1 hour') ON CONFLICT DO NOTHING", node
    )


async def new_driver(database: Database, name: str, node: str) -> int:
    """A driver whose trip a running node owns."""
    number: int = await database.pool.fetchval(
        "INSERT INTO drivers (id, name, vehicle) VALUES ($1, $1, 'car') RETURNING number", name
    )
    await add_node(database, node)
    assert (await take_lease(database, name, node)).node == node
    return number


def batch_of(drivers: list[int], rows: int) -> Batch:
    """So many fixes of each driver."""
    batch = Batch()
    for number in range(rows):
        at = NOW + timedelta(seconds=number)
        for driver in drivers:
            judged = JudgedFix(Fix(at, 60.0, 25.0), at, NOW, None)
            assert batch.add((driver, microseconds(at)), judged, microseconds(NOW))
            batch.add_state(driver, judged)
    return batch


async def stored(database: Database, batch: Batch) -> Stored:
    """The commit of the node that owned all trips."""
    async with database.ingesting() as raw:
        return await store(raw, batch, "a")


@pytest.mark.parametrize("rows", [1, FEW + 1], ids=["one statement", "COPY"])
async def test_a_commit_sees_a_lease_that_was_taken_while_it_waited(database: Database, rows: int) -> None:
    """It began before the other node had the lease. Once it has the lock, nothing of that trip is stored."""
    kept, lost = [await new_driver(database, name, "a") for name in ("kept", "lost")]
    async with database.pool.acquire() as other:
        async with other.transaction():
            await other.fetchval(sql("lock_driver_for_lease"), "lost")
            commit = asyncio.create_task(stored(database, batch_of([kept, lost], rows)))
            await until(lambda: database.pool.fetchval(WAITING))
            await other.execute(sql("upsert_lease"), lost, "b")
        result = await commit
    assert result.drivers == {kept}
    assert result.fenced == {lost}
    for table in ("fixes", "driver_states"):
        found = await database.pool.fetch(f"SELECT DISTINCT driver FROM {table}")
        assert [row["driver"] for row in found] == [kept]


@pytest.mark.parametrize("rows", [1, FEW + 1], ids=["one statement", "COPY"])
async def test_a_lease_is_taken_after_the_commits_that_have_begun(database: Database, rows: int) -> None:
    """So the new owner reads what the former one has stored."""
    driver = await new_driver(database, "moving", "a")
    await database.pool.execute("UPDATE nodes SET expires_at = now()")
    await add_node(database, "b")
    async with database.pool.acquire() as owner:
        async with owner.transaction():
            assert (await store(owner, batch_of([driver], rows), "a")).drivers == {driver}
            taking = asyncio.create_task(take_lease(database, "moving", "b"))
            await until(lambda: database.pool.fetchval(WAITING))
            assert not taking.done()
        assert (await taking).node == "b"
    assert await database.pool.fetchval("SELECT count(*) FROM fixes") == rows
