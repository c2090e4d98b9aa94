"""FixRecorder: every acknowledged fix is stored exactly once, whatever happens to the database meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tracker import fix_recorder as recorder_module
from tracker.database import Database, fix_batch
from tracker.database.fixes import newest_states
from tracker.database.partitions import fixes_in_default
from tracker.domain.tracks.fix import Fix, JudgedFix
from tracker.errors import StorageUnavailable
from tracker.fix_recorder import FixRecorder, Recorded

NOW = datetime(2026, 11, 22, 16, 43, tzinfo=UTC)


@dataclass
class Bench:
    """A recorder on a database of its own, and shorthands for what the tests do with it."""

    database: Database
    recorder: FixRecorder

    async def driver(self, name: str = "a") -> int:
        statement = "INSERT INTO drivers (id, name, vehicle) VALUES ($1, $1, 'car') RETURNING number"
        number: int = await self.database.pool.fetchval(statement, name)
        return number

    async def record(self, driver: int, *fixes: Fix, doubted: bool = False) -> Recorded:
        return await self.recorder.record(driver, judged(fixes, "teleport" if doubted else None))

    async def count(self, table: str = "fixes") -> int:
        number: int = await self.database.pool.fetchval(f"SELECT count(*) FROM {table}")
        return number

    async def kill_sessions(self) -> None:
        """Ends every other session of this database, as a crashing backend would."""
        await self.database.pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.fixture
async def bench(database: Database) -> AsyncIterator[Bench]:
    async with FixRecorder(database) as recorder:
        yield Bench(database, recorder)


@pytest.fixture(params=[fix_batch.FEW, 0], ids=["one statement", "COPY"])
def both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Store small batches as usual, and as large ones are stored."""
    monkeypatch.setattr(fix_batch, "FEW", request.param)


def judged(fixes: Sequence[Fix], doubt: Any = None, *, received_at: datetime = NOW) -> list[JudgedFix]:
    return [JudgedFix(fix, fix.recorded_at, received_at, doubt, judged=True) for fix in fixes]


def fix(second: float, **others: float) -> Fix:
    return Fix(NOW + timedelta(seconds=second), 60.17, 24.94, **others)


@pytest.mark.usefixtures("both_ways")
async def test_what_goes_in_comes_out(bench: Bench) -> None:
    """Every field is stored as it was, and unknown stays unknown."""
    driver = await bench.driver()
    whole = Fix(NOW, 60.17, 24.94, accuracy=5.5, speed=3.25, heading=270.0, altitude=-12.5, battery=0.5)
    assert await bench.record(driver, whole, fix(1, speed=2.0)) == Recorded(2, 0)
    rows = await bench.database.pool.fetch("SELECT * FROM fixes ORDER BY recorded_at")
    assert tuple(rows[0]) == (driver, NOW, NOW, 60.17, 24.94, 5.5, 3.25, 270.0, -12.5, 0.5, None, None)
    assert tuple(rows[1])[5:] == (None, 2.0, *[None] * 5)


@pytest.mark.usefixtures("both_ways")
async def test_a_second_sending_is_a_duplicate_and_the_first_stands(bench: Bench) -> None:
    """The same key again, with whatever content, changes nothing and is counted."""
    driver = await bench.driver()
    await bench.record(driver, fix(0, speed=1.0), fix(1))
    assert await bench.record(driver, fix(0, speed=9.0), fix(2)) == Recorded(1, 1)
    assert await bench.database.pool.fetchval("SELECT speed FROM fixes ORDER BY recorded_at LIMIT 1") == 1.0
    assert await bench.count() == 3


@pytest.mark.usefixtures("both_ways")
async def test_duplicates_within_one_batch(bench: Bench) -> None:
    """Two fixes with one key in the same message: the first stands, the second is counted."""
    driver = await bench.driver()
    assert await bench.record(driver, fix(0, speed=1.0), fix(0, speed=2.0)) == Recorded(1, 1)
    assert await bench.database.pool.fetchval("SELECT speed FROM fixes") == 1.0


async def test_the_same_batch_from_many_sides_is_stored_once(bench: Bench) -> None:
    """However many senders race with the same fixes, each is stored by exactly one of them."""
    drivers = [await bench.driver(name) for name in "abc"]
    fixes = [fix(second) for second in range(40)]
    done = await asyncio.gather(*(bench.record(driver, *fixes) for _ in range(20) for driver in drivers))
    assert sum(one.stored for one in done) == 3 * 40 == await bench.count()
    assert sum(one.duplicates for one in done) == 19 * 3 * 40


async def test_many_drivers_share_a_commit(bench: Bench) -> None:
    """What waits together is committed together."""
    drivers = [await bench.driver(str(number)) for number in range(50)]
    await asyncio.gather(*(bench.record(driver, fix(0)) for driver in drivers))
    assert await bench.database.pool.fetchval("SELECT count(DISTINCT xmin::text) FROM fixes") <= 4


async def test_a_busy_recorder_waits_for_more(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first fix after a pause is committed at once. Those that follow soon share a commit."""
    monkeypatch.setattr(recorder_module, "WINDOW_S", 1.0)
    monkeypatch.setattr(recorder_module, "BUSY_S", 60.0)
    driver = await bench.driver()
    await bench.record(driver, fix(0))
    waiting = asyncio.create_task(bench.record(driver, fix(1)))
    await asyncio.sleep(0.05)  # simulates a fix that comes a moment later
    assert await bench.count() == 1
    await asyncio.gather(waiting, bench.record(driver, fix(2)))
    assert await bench.database.pool.fetchval("SELECT count(DISTINCT xmin::text) FROM fixes") == 2


@pytest.mark.usefixtures("both_ways")
async def test_the_newest_believed_fix_is_the_state(bench: Bench) -> None:
    """Late and doubted fixes are stored, but never move a driver's state."""
    driver = await bench.driver()
    await bench.record(driver, fix(10, speed=1.0), fix(5))
    await bench.record(driver, fix(7), fix(8))
    await bench.record(driver, fix(99), doubted=True)
    state = (await newest_states(bench.database, [driver, 999]))[driver]
    assert (state.fix, len(await newest_states(bench.database, [999]))) == (fix(10, speed=1.0), 0)


@pytest.mark.usefixtures("both_ways")
async def test_values_that_no_column_can_hold_cost_nothing_else(bench: Bench) -> None:
    """An absurd optional value becomes unknown; the fix and its neighbours are stored."""
    driver = await bench.driver()
    fixes = [fix(0), fix(1, altitude=1e300, speed=4.0), fix(2)]
    odd = [*judged(fixes[:1]), *judged(fixes[1:2], "odd\0reason \ud800"), *judged(fixes[2:])]
    done = await bench.recorder.record(driver, odd)
    assert done == Recorded(3, 0)
    row = await bench.database.pool.fetchrow(
        "SELECT altitude, speed, reason FROM fixes WHERE reason IS NOT NULL"
    )
    assert row is not None
    assert tuple(row) == (None, 4.0, "oddreason ?")


@pytest.mark.usefixtures("both_ways")
async def test_an_erased_driver_stays_erased(bench: Bench) -> None:
    """Fixes of a driver who is gone are dropped, and those of others in the same commit are stored."""
    here, gone = await bench.driver("here"), await bench.driver("gone")
    await bench.database.pool.execute("DELETE FROM drivers WHERE number = $1", gone)
    done = await asyncio.gather(bench.record(gone, fix(0)), bench.record(here, fix(0)))
    assert list(done) == [Recorded(0, 0), Recorded(1, 0)]
    assert [row["driver"] for row in await bench.database.pool.fetch("SELECT driver FROM fixes")] == [here]


@pytest.mark.usefixtures("both_ways")
async def test_erasure_waits_for_a_running_commit(bench: Bench) -> None:
    """Erasing while the driver's fixes stream in leaves none of them behind."""
    driver = await bench.driver()

    async def erase() -> None:
        async with bench.database.transaction() as connection:
            await connection.raw.execute("DELETE FROM drivers WHERE number = $1", driver)
            await connection.raw.execute("DELETE FROM fixes WHERE driver = $1", driver)

    await asyncio.gather(*(bench.record(driver, fix(second)) for second in range(50)), erase())
    assert await bench.count() == await bench.count("driver_states") == 0


async def test_late_fixes_get_a_partition(bench: Bench) -> None:
    """A fix of a day that has no partition yet makes one; far days go to the default partition."""
    driver = await bench.driver()
    await bench.record(driver, fix(-20 * 86_400), fix(0))
    assert await fixes_in_default(bench.database) == 0
    await bench.record(driver, fix(400 * 86_400))
    assert await fixes_in_default(bench.database) == 1


async def test_a_killed_session_costs_nothing(bench: Bench) -> None:
    """Backends that die in the middle of commits delay acknowledgements; none is lost, none is doubled."""
    drivers = [await bench.driver(str(number)) for number in range(10)]
    calls = [bench.record(driver, fix(second)) for second in range(30) for driver in drivers]
    recording = asyncio.gather(*calls)
    for _ in range(5):
        await bench.kill_sessions()
    done = await recording
    assert sum(one.stored + one.duplicates for one in done) == 300 == await bench.count()


async def test_an_acknowledged_fix_is_committed(bench: Bench) -> None:
    """Whoever has an answer finds the fix in another session at once."""
    driver = await bench.driver()
    for second in range(20):
        await bench.record(driver, fix(second))
        assert await bench.count() == second + 1


async def test_a_locked_table_ends_in_storage_unavailable_and_recovers(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nothing can be committed callers are told in time, and afterwards it works by itself."""
    driver = await bench.driver()
    await bench.record(driver, fix(0))
    monkeypatch.setattr(recorder_module, "TIMEOUT_S", 0.3)
    async with bench.database.transaction() as connection:
        await connection.raw.execute("LOCK TABLE fixes IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StorageUnavailable):
            await bench.record(driver, fix(1))
    monkeypatch.undo()
    done = await bench.record(driver, fix(1), fix(2))
    assert done.stored + done.duplicates == 2
    assert await bench.count() == 3


async def test_the_queue_is_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond its bound the recorder refuses at once instead of growing."""
    monkeypatch.setattr(recorder_module, "ROWS_WAITING", 100)
    driver = await bench.driver()
    fixes = [fix(second) for second in range(60)]
    calls = [bench.record(driver, *fixes) for _ in range(3)]
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert [isinstance(one, StorageUnavailable) for one in done] == [False, True, True]
    assert bench.recorder.waiting == 0


async def test_a_caller_that_goes_away_takes_nothing_along(bench: Bench) -> None:
    """The commit belongs to the recorder: cancelling one caller harms no other."""
    driver = await bench.driver()
    leaving = asyncio.create_task(bench.record(driver, fix(0)))
    staying = asyncio.create_task(bench.record(driver, fix(1)))
    await asyncio.sleep(0)  # yields, so that both calls begin
    leaving.cancel()
    assert await staying == Recorded(1, 0)


async def test_what_is_waiting_is_committed_at_the_end(database: Database) -> None:
    """Closing answers everybody who was before it, and refuses who comes after."""
    async with FixRecorder(database) as recorder:
        bench = Bench(database, recorder)
        driver = await bench.driver()
        waiting = [asyncio.create_task(bench.record(driver, fix(second))) for second in range(20)]
        await asyncio.sleep(0)  # yields, so that all calls begin
    assert sum(one.stored for one in await asyncio.gather(*waiting)) == 20 == await bench.count()
    with pytest.raises(StorageUnavailable):
        await bench.record(driver, fix(99))


async def test_nothing_to_record_is_nothing_to_do(bench: Bench) -> None:
    """An empty call is answered without the database."""
    assert await bench.record(1) == Recorded(0, 0)
