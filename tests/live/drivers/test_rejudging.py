"""Verdicts in the database: what was judged again, in one commit with the fixes that caused it, once."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.test_fix_recorder import Bench
from tracker.database import Database
from tracker.database.fixes import judged_around, newest_judged, newest_states
from tracker.database.queries import sql
from tracker.domain.order import Driver
from tracker.domain.tracks.fix import Fix, JudgedFix
from tracker.domain.tracks.track import WINDOW
from tracker.domain.trip import Trip
from tracker.errors import StorageUnavailable
from tracker.fix_recorder import FixRecorder
from tracker.live.drivers.trip import JudgedBatch, LiveTrip

NOW = datetime(2026, 11, 22, 16, 43, tzinfo=UTC)
MONTH = timedelta(days=30)


def at(n: float) -> datetime:
    return NOW + timedelta(seconds=n)


def fix(n: float, lat: float = 60.17, **more: float) -> Fix:
    return Fix(at(n), lat, 24.94, **more)


class Node:
    """What a node does with the fixes of one driver, until it dies."""

    def __init__(self, bench: Bench, driver: int, live: LiveTrip) -> None:
        self.bench, self.driver, self.live = bench, driver, live

    @classmethod
    async def start(cls, bench: Bench, driver: int) -> "Node":
        known = await newest_judged(bench.database, driver, WINDOW)
        owner = Driver(id="drv_a", number=driver, name="A", vehicle="car", created_at=NOW)
        return cls(bench, driver, LiveTrip(Trip(owner, known)))

    def judge(self, *fixes: Fix) -> JudgedBatch:
        return self.live.receive_fixes(fixes, now=at(600), retention=MONTH)

    async def record(self, batch: JudgedBatch) -> None:
        last = (lambda: self.live.trip.track.last_believed) if batch.doubts_newest else None
        await self.bench.recorder.record(self.driver, batch.fixes, batch.rejudged, last)
        self.live.verdicts.stored(batch.fixes)

    async def take(self, *fixes: Fix) -> None:
        await self.record(self.judge(*fixes))

    async def reasons(self) -> list[str | None]:
        """Of the stored fixes, oldest first."""
        rows = await self.bench.database.pool.fetch(
            "SELECT reason FROM fixes WHERE driver = $1 ORDER BY recorded_at", self.driver
        )
        return [row["reason"] for row in rows]

    async def state(self) -> Fix:
        return (await newest_states(self.bench.database, [self.driver]))[self.driver].fix

    async def rejudgements(self) -> int:
        number: int = await self.bench.database.pool.fetchval(
            "SELECT rejudgements FROM driver_states WHERE driver = $1", self.driver
        )
        return number


@pytest.fixture
async def bench(database: Database) -> AsyncIterator[Bench]:
    async with FixRecorder(database) as recorder:
        yield Bench(database, recorder)


STALE = fix(0, lat=60.3)
TRUE = [fix(n, lat=60.17 + n * 1e-5) for n in range(1, 11)]


async def test_stored_verdicts_follow_the_track(bench: Bench) -> None:
    """One message a fix: the false first one comes to be doubted, the true ones believed."""
    node = await Node.start(bench, await bench.driver())
    for one in (STALE, *TRUE):
        await node.take(one)
    assert await node.reasons() == ["teleport"] + [None] * 10
    assert await node.state() == TRUE[-1]
    assert await node.rejudgements() == 1  # so the ETag of the track is another one


async def test_a_node_that_dies_before_the_commit_changes_nothing_twice(bench: Bench) -> None:
    """The next one begins from what is stored, hears the unacknowledged fix again, and comes to the same."""
    driver = await bench.driver()
    node = await Node.start(bench, driver)
    for one in (STALE, *TRUE[:2]):
        await node.take(one)
    node.judge(TRUE[2])  # and dies
    assert await node.reasons() == [None, "teleport", "teleport"]
    node = await Node.start(bench, driver)
    assert node.live.trip.position == STALE
    await node.take(*TRUE[2:])
    assert await node.reasons() == ["teleport"] + [None] * 10
    assert await node.state() == TRUE[-1]


async def test_a_node_that_dies_after_the_commit_changes_nothing_twice(bench: Bench) -> None:
    """All that was not acknowledged comes again, and is a duplicate."""
    driver = await bench.driver()
    node = await Node.start(bench, driver)
    for one in (STALE, *TRUE[:4]):
        await node.take(one)
    node = await Node.start(bench, driver)
    await node.take(STALE, *TRUE)
    assert await node.reasons() == ["teleport"] + [None] * 10
    assert await node.rejudgements() == 1


async def test_all_messages_in_flight_at_once(bench: Bench) -> None:
    """Two pipelines store what was doubted and what corrects it; the last verdict stands in any case."""
    for number in range(10):
        node = await Node.start(bench, await bench.driver(str(number)))
        batches = [node.judge(one) for one in (STALE, *TRUE)]
        await asyncio.gather(*(node.record(batch) for batch in batches))
        assert await node.reasons() == ["teleport"] + [None] * 10


async def test_dying_sessions_lose_no_change(bench: Bench) -> None:
    """Commits that fail, or may have failed, are repeated with the verdicts of that moment."""
    nodes = [await Node.start(bench, await bench.driver(str(number))) for number in range(10)]

    async def drive(node: Node) -> None:
        for one in (STALE, *TRUE):
            batch = node.judge(one)
            await asyncio.sleep(0)  # yields, so that the nodes interleave
            while True:
                with suppress(StorageUnavailable):
                    await node.record(batch)
                    break

    driving = asyncio.gather(*map(drive, nodes))
    for _ in range(5):
        await bench.kill_sessions()
    await driving
    for node in nodes:
        assert await node.reasons() == ["teleport"] + [None] * 10


async def test_a_newest_fix_that_the_backlog_refutes_is_no_state_any_more(bench: Bench) -> None:
    """The newest believed fix is an older one then, also for the next start."""
    driver = await bench.driver()
    node = await Node.start(bench, driver)
    await node.take(fix(30, lat=60.3))
    for one in TRUE:
        await node.take(one)
    assert await node.reasons() == [None] * 10 + ["teleport"]
    assert await node.state() == TRUE[-1]
    assert (await Node.start(bench, driver)).live.trip.position == TRUE[-1]


async def test_a_driver_erased_meanwhile_stays_erased(bench: Bench) -> None:
    """Changing verdicts brings nobody back."""
    driver = await bench.driver()
    node = await Node.start(bench, driver)
    await node.take(STALE, *TRUE[:2])
    await bench.database.pool.execute("DELETE FROM drivers WHERE number = $1", driver)
    await bench.database.pool.execute("DELETE FROM fixes WHERE driver = $1", driver)
    await node.take(TRUE[2])
    assert await node.reasons() == []


async def test_neighbours_are_found_without_reading_the_table(bench: Bench) -> None:
    """A few fixes before and behind late ones, whatever else is stored, with or without a corrected clock."""
    driver = await bench.driver()
    await bench.database.pool.execute(
        "INSERT INTO fixes (driver, recorded_at, received_at, lat, lon, corrected_at) "
        "SELECT $1, $2::timestamptz + n * interval '1 second', $2, 60, 25, "
        "CASE WHEN n >= 20000 THEN $2::timestamptz + (n - 3600) * interval '1 second' END "
        "FROM generate_series(1, 40000) n",
        driver,
        NOW,
    )
    await bench.database.pool.execute("ANALYZE fixes")
    await bench.database.pool.execute("UPDATE fixes SET received_at = received_at + interval '1 day'")
    known, (begins, ends) = await judged_around(bench.database, driver, at(9_000), at(9_009.5))
    assert [judged.at for judged in known] == [at(n) for n in range(8_992, 9_018)]
    assert (begins, ends) == (at(8_992), at(9_017))
    known, _ = await judged_around(bench.database, driver, at(30_000), at(30_000))
    assert [judged.at for judged in known] == [at(n) for n in range(29_992, 30_009)]
    assert known[0].sent_at == at(29_992 + 3_600)
    hour = timedelta(hours=1)
    read = await rows_read(
        bench.database, "select_judged_around", driver, at(9_000), at(9_009.5), 8, 1_000, hour
    )
    assert read < 100


async def rows_read(database: Database, name: str, *args: object) -> float:
    explain = "EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF, FORMAT JSON) " + sql(name)
    return scanned(json.loads(await database.pool.fetchval(explain, *args))[0]["Plan"])


def scanned(plan: dict[str, Any]) -> float:
    """Rows that the scans of a plan returned or threw away."""
    if "Plans" in plan:
        return sum(map(scanned, plan["Plans"]))
    return float((plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"])


async def test_a_trip_begins_with_what_was_stored_last(bench: Bench) -> None:
    """Its newest fixes with their verdicts, not more than it needs, and none of the future."""
    driver = await bench.driver()
    node = await Node.start(bench, driver)
    await node.take(*(fix(n) for n in range(400)), fix(400, lat=61.0), fix(401, accuracy=900.0))
    known = await newest_judged(bench.database, driver, WINDOW)
    assert [judged.doubt for judged in known] == [None] * (WINDOW - 2) + ["teleport", "inaccurate"]
    assert all(isinstance(judged, JudgedFix) and judged.judged for judged in known)
    late = await bench.driver("b")
    node = await Node.start(bench, late)
    await node.take(fix(640))  # received at 600
    assert [judged.at for judged in await newest_judged(bench.database, late, WINDOW)] == [at(600)]
