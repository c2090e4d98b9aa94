"""Reading tracks: along the assignments, in order, in chunks that do not grow with the track."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from math import isclose
from typing import Any

import pytest

from tracker.api.merchant.tracks.summary import summarize
from tracker.database import Database
from tracker.database import fixes as fixes_module
from tracker.database.fixes import (
    StoredFix,
    Window,
    is_track_broken,
    last_fix_at_or_before,
    track_fixes,
    track_page,
    track_windows,
)
from tracker.database.queries import sql
from tracker.domain.geo import LonLat, distance
from tracker.domain.tracks.fix import Fix, JudgedFix
from tracker.domain.tracks.segments import GAP
from tracker.fix_recorder import FixRecorder
from tracker.messages import rfc3339

NOW = datetime(2026, 11, 22, 23, 59, 30, tzinfo=UTC)  # tracks of these tests run over midnight


def at(second: float) -> datetime:
    return NOW + timedelta(seconds=second)


def seconds(fixes: list[StoredFix]) -> list[float]:
    return [(stored.fix.recorded_at - NOW).total_seconds() for stored in fixes]


@pytest.fixture
async def drivers(database: Database) -> AsyncIterator[tuple[int, int]]:
    """Two drivers with a fix each second, every tenth doubted; the first carries an order from 10 to 20, then
    the second from 20 to 40."""
    statement = "INSERT INTO drivers (id, name, vehicle) VALUES ($1, $1, 'car') RETURNING number"
    first, second = [await database.pool.fetchval(statement, name) for name in "ab"]
    await database.pool.execute(
        "INSERT INTO orders (id, pickup_lat, pickup_lon, dropoff_lat, dropoff_lon) "
        "VALUES ('ord_1', 60, 25, 60, 25)"
    )
    for driver, begins, ends in ((first, 10, 20), (second, 20, 40)):
        await database.pool.execute(
            "INSERT INTO assignments VALUES ('ord_1', $1, $2, $3)", driver, at(begins), at(ends)
        )
    async with FixRecorder(database) as recorder:
        for driver in (first, second):
            track = [Fix(at(n), 60.0 + n * 1e-4, 25.0) for n in range(60)]
            await recorder.record(
                driver,
                [
                    JudgedFix(fix, fix.recorded_at, NOW, "teleport" if n % 10 == 5 else None)
                    for n, fix in enumerate(track)
                ],
            )
    yield first, second


async def test_a_track_follows_the_assignments(database: Database, drivers: tuple[int, int]) -> None:
    """Each driver counts from assignment to end, both included; at a change the new driver does."""
    windows = await track_windows(database, "ord_1")
    assert [window.driver for window in windows] == list(drivers)
    page = await track_page(database, windows, after=None, limit=500)
    assert seconds(page) == [n for n in range(10, 41) if n % 10 != 5]
    assert all(stored.reason is None for stored in page)


async def test_doubted_fixes_come_on_request_with_their_reason(
    database: Database, drivers: tuple[int, int]
) -> None:
    """`include_rejected` adds what is left out otherwise."""
    windows = await track_windows(database, "ord_1")
    page = await track_page(database, windows, after=None, limit=500, include_rejected=True)
    assert seconds(page) == list(range(10, 41))
    assert [s.reason for s in page if s.reason is not None] == ["teleport"] * 3


async def test_pages_join_without_gap_or_repetition(database: Database, drivers: tuple[int, int]) -> None:
    """Pages by the last `recorded_at` give the whole track, also over a change of drivers and midnight."""
    windows = await track_windows(database, "ord_1", at(12), at(38))
    seen: list[StoredFix] = []
    while page := await track_page(
        database, windows, after=seen[-1].fix.recorded_at if seen else None, limit=4
    ):
        assert len(page) <= 4
        seen += page
    assert seconds(seen) == [n for n in range(12, 39) if n % 10 != 5]


async def test_chunks_give_the_same_track(
    database: Database, drivers: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streaming gives what one big page gives, first a small chunk, then larger ones."""
    monkeypatch.setattr(fixes_module, "FIRST_CHUNK", 3)
    monkeypatch.setattr(fixes_module, "CHUNK", 10)
    windows = await track_windows(database, "ord_1")
    chunks = [chunk async for chunk in track_fixes(database, windows)]
    assert [len(chunk) for chunk in chunks] == [3, 10, 10, 5]
    whole = await track_page(database, windows, after=None, limit=500)
    assert [stored for chunk in chunks for stored in chunk] == whole


async def test_where_it_was_then(database: Database, drivers: tuple[int, int]) -> None:
    """The newest believed fix up to that time, of whoever carried the order; nothing before the first."""
    windows = await track_windows(database, "ord_1")
    for asked, expected in ((25.9, 24), (20, 20), (19.99, 19), (99, 40)):
        stored = await last_fix_at_or_before(database, windows, at(asked))
        assert stored is not None
        assert seconds([stored]) == [expected]
    assert await last_fix_at_or_before(database, windows, at(9.9)) is None


async def test_a_track_in_numbers(database: Database, drivers: tuple[int, int]) -> None:
    """Counts, ends, length and time in motion agree with the fixes."""
    windows = await track_windows(database, "ord_1", at(20), at(40))
    summary = await summarize(database, windows)
    assert (summary.fixes, summary.rejected) == (19, 2)
    assert (summary.first_fix_at, summary.last_fix_at) == (rfc3339(at(20)), rfc3339(at(40)))
    assert isclose(summary.distance_m, distance(LonLat(25, 60.002), LonLat(25, 60.004)), rel_tol=1e-3)
    assert summary.moving_s == 20


async def test_the_way_from_one_driver_to_the_next_is_not_driven(
    database: Database, drivers: tuple[int, int]
) -> None:
    """The second driver begins kilometres away: a broken track, whose pieces alone have a length."""
    windows = await track_windows(database, "ord_1")
    assert await is_track_broken(database, windows, GAP)
    assert not await is_track_broken(database, windows[1:], GAP)
    assert await is_track_broken(database, windows[1:], timedelta(seconds=1))
    assert not await is_track_broken(database, [], GAP)
    whole = await summarize(database, windows)
    parts = [await summarize(database, [window]) for window in windows]
    assert whole.distance_m == round(sum(part.distance_m for part in parts), 1)
    assert whole.moving_s == sum(part.moving_s for part in parts)


async def test_nothing_known_is_no_error(database: Database) -> None:
    """An order that nobody carried has an empty track and zeros in numbers."""
    assert await track_windows(database, "ord_none") == []
    assert [chunk async for chunk in track_fixes(database, [])] == []
    summary = await summarize(database, [])
    assert (summary.fixes, summary.first_fix_at, summary.distance_m) == (0, None, 0.0)


async def test_a_long_track_begins_at_once(database: Database, drivers: tuple[int, int]) -> None:
    """The first chunk reads no more rows than it returns, however many there are: it is a scan of the key."""
    await database.pool.execute(
        "INSERT INTO fixes (driver, recorded_at, received_at, lat, lon) "
        "SELECT $1, $2::timestamptz + n * interval '1 second', now(), 60, 25 "
        "FROM generate_series(1, 50000) n",
        drivers[0],
        at(3600),
    )
    await database.pool.execute("ANALYZE fixes")
    windows = [Window(drivers[0], at(3600), at(10**6))]
    page = await track_page(database, windows, after=None, limit=100)
    explain = "EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF, FORMAT JSON) " + sql("select_track_page")
    plan = await database.pool.fetchval(explain, drivers[0], at(3600), at(10**6), False, 100)
    assert len(page) == 100
    others = 60  # of a day so small that no index is worth it
    assert rows_read(json.loads(plan)[0]["Plan"]) <= 110 + others


def rows_read(plan: dict[str, Any]) -> float:
    """Rows that the scans of a plan returned or threw away."""
    if "Plans" in plan:
        return sum(map(rows_read, plan["Plans"]))
    return float((plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"])
