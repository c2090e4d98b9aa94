"""Reading fixes: the track of an order along its assignments, and the newest states.

An order's track is read by windows: one driver from the beginning of an assignment to its end, inclusive.
Each chunk is a short query by key. No connection is held while a slow client reads a chunk, and the cost of
a chunk does not grow with the track.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

import msgspec

from tracker.database.pool import Queries, Reads, Row
from tracker.domain.tracks.fix import Doubt, Fix, JudgedFix

FIRST_CHUNK: Final = 500  # fixes; small, so that a response begins at once
CHUNK: Final = 5_000  # fixes
INSTANT: Final = timedelta(microseconds=1)  # resolution of the database
BEFORE_NEWEST: Final = timedelta(hours=2)  # older fixes hardly affect the verdict of the next one
AROUND: Final = 8  # fixes before and after late ones
WITHIN: Final = 1_000  # fixes between late ones: as many as two messages hold
FARTHEST_AROUND: Final = timedelta(hours=1)  # from a late fix to the fixes that it is judged by
BEGIN_OF_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)
END_OF_TIME: Final = datetime(9999, 12, 31, tzinfo=UTC)


class StoredFix(msgspec.Struct, frozen=True, gc=False):
    """A stored fix. `reason` says why it is doubted; None if it is believed."""

    fix: Fix
    received_at: datetime
    reason: Doubt | None = None
    driver: int = 0  # drivers.number; 0 if it was not selected
    part: int = 0  # which of the order's assignments it belongs to, from 0
    attempt: int = 1  # in which attempt of the order
    segment: int = 0  # which unbroken line of the track it belongs to, from 0, once computed


class Window(msgspec.Struct, frozen=True, gc=False):
    """The time in which one driver carried an order, both ends included."""

    driver: int  # drivers.number
    begins: datetime
    ends: datetime
    part: int = 0  # which of the order's assignments this is, from 0
    attempt: int = 1  # of the order


async def track_windows(
    queries: Reads, order_id: str, from_at: datetime | None = None, to_at: datetime | None = None
) -> list[Window]:
    """Return which driver carried the order when, oldest first, clipped to [from_at, to_at]."""
    rows = await queries.fetch("select_assignments", order_id)
    whole = [
        Window(row["driver"], row["begun_at"], row["ended_at"] or END_OF_TIME, part, row["attempt"])
        for part, row in enumerate(rows)
    ]
    return list(_cut(_disjoint(whole), from_at, to_at))


def driver_windows(driver: int, from_at: datetime | None, to_at: datetime | None) -> list[Window]:
    """Return the window of all fixes of a driver (`drivers.number`), clipped to [from_at, to_at]."""
    return list(_cut([Window(driver, BEGIN_OF_TIME, END_OF_TIME)], from_at, to_at))


def track_fixes(
    queries: Reads, windows: Sequence[Window], *, include_rejected: bool = False
) -> AsyncIterator[list[StoredFix]]:
    """Yield the track in non-empty chunks, oldest first. The first chunk is small."""
    return _chunks(queries, windows, include_rejected)


async def track_page(
    queries: Reads,
    windows: Sequence[Window],
    *,
    after: datetime | None,
    limit: int,
    include_rejected: bool = False,
) -> list[StoredFix]:
    """Return at most *limit* fixes later than *after* (the last one's `recorded_at`), oldest first."""
    page: list[StoredFix] = []
    for window in _cut(windows, after and after + INSTANT, None):
        left = limit - len(page)
        if left <= 0:
            break
        args = (window.driver, window.begins, window.ends, include_rejected, left)
        rows = await queries.fetch("select_track_page", *args)
        page += [_stored(row, window) for row in rows]
    return page


async def last_fix_at_or_before(queries: Reads, windows: Sequence[Window], at: datetime) -> StoredFix | None:
    """Return the newest believed fix of the track that is not later than *at*."""
    for window in reversed(list(_cut(windows, None, at))):
        row = await queries.fetchrow("select_last_fix", window.driver, window.begins, window.ends)
        if row is not None:
            return _stored(row)
    return None


async def is_track_broken(queries: Reads, windows: Sequence[Window], gap: timedelta) -> bool:
    """Return whether the believed track has a gap, several drivers or attempts, or crosses 180 degrees."""
    drivers = [window.driver for window in windows]
    begins = [window.begins for window in windows]
    ends = [window.ends for window in windows]
    attempts = [window.attempt for window in windows]
    broken: bool = await queries.fetchval("select_is_track_broken", drivers, begins, ends, gap, attempts)
    return broken


async def newest_states(queries: Queries, drivers: Iterable[int]) -> dict[int, StoredFix]:
    """Return the newest believed fixes by `drivers.number`. Drivers without one are absent."""
    rows = await queries.fetch("select_driver_states", list(drivers))
    return {row["driver"]: _stored(row) for row in rows}


async def newest_judged(queries: Queries, driver: int, limit: int) -> list[JudgedFix]:
    """Return the driver's newest fixes with their verdicts, oldest first.

    The newest believed fix is among them, and none is more than BEFORE_NEWEST older than it.
    """
    state = (await newest_states(queries, [driver])).get(driver)
    if state is None:
        return []
    rows = await queries.fetch("select_newest_judged", driver, state.fix.recorded_at - BEFORE_NEWEST, limit)
    found = sorted(map(_judged, rows), key=_at)[-limit:]
    if any(judged.doubt is None for judged in found):
        return found
    newest = state.fix  # its row was dropped, or more than *limit* doubted ones follow it
    return [JudgedFix(newest, newest.recorded_at, state.received_at, judged=True), *found]


async def select_stored_keys(
    queries: Queries, driver: int, keys: Collection[datetime], ahead: int = 0
) -> set[datetime]:
    """Return which of these keys (`sent_at`, at least one) are stored, and the next *ahead* stored ones."""
    rows = await queries.fetch("select_stored_keys", driver, list(keys), min(keys), max(keys), ahead)
    return {row["recorded_at"] for row in rows}


async def judged_around(
    queries: Queries, driver: int, begins: datetime, ends: datetime
) -> tuple[list[JudgedFix], tuple[datetime, datetime]]:
    """Return the stored fixes within [begins, ends] and some around, and the times that they cover fully."""
    rows = await queries.fetch("select_judged_around", driver, begins, ends, AROUND, WITHIN, FARTHEST_AROUND)
    parts: dict[str, list[JudgedFix]] = {"before": [], "within": [], "after": []}
    for row in rows:
        parts[row["part"]].append(_judged(row))
    before, within, after = (sorted(part, key=_at) for part in parts.values())
    before, within, after = before[-AROUND:], within[:WITHIN], after[:AROUND]
    first = before[0].at if len(before) == AROUND else begins - FARTHEST_AROUND
    if len(within) == WITHIN:
        return [*before, *within], (first, within[-1].at)
    last = after[-1].at if len(after) == AROUND else ends + FARTHEST_AROUND
    return [*before, *within, *after], (first, last)


async def _chunks(
    queries: Reads, windows: Sequence[Window], include_rejected: bool
) -> AsyncIterator[list[StoredFix]]:
    after: datetime | None = None
    limit = FIRST_CHUNK
    while True:
        chunk = await track_page(
            queries, windows, after=after, limit=limit, include_rejected=include_rejected
        )
        if chunk:
            yield chunk
        if len(chunk) < limit:
            return
        after, limit = chunk[-1].fix.recorded_at, CHUNK


def _disjoint(windows: Sequence[Window]) -> Sequence[Window]:
    """Return windows that do not overlap. The instant of a change of drivers belongs to the new driver."""
    earlier = [
        msgspec.structs.replace(window, ends=min(window.ends, later.begins - INSTANT))
        for window, later in pairwise(windows)
    ]
    return [*earlier, *windows[-1:]]


def _cut(windows: Iterable[Window], begins: datetime | None, ends: datetime | None) -> Iterable[Window]:
    """Yield the parts of the windows within [begins, ends]."""
    for window in windows:
        first = window.begins if begins is None else max(begins, window.begins)
        last = window.ends if ends is None else min(ends, window.ends)
        if first <= last:
            yield msgspec.structs.replace(window, begins=first, ends=last)


def _stored(row: Row, window: Window | None = None) -> StoredFix:
    """Build a stored fix, by default without the window in which it was found."""
    driver, part, attempt = (0, 0, 1) if window is None else (window.driver, window.part, window.attempt)
    fix = _fix(row, row["recorded_at"])
    return StoredFix(fix, row["received_at"], row["reason"], driver, part, attempt)


def _judged(row: Row) -> JudgedFix:
    """Build a judged fix. Its time is not later than its receipt, whatever the device's clock said."""
    at = min(row["at"], row["received_at"])
    return JudgedFix(_fix(row, at), row["recorded_at"], row["received_at"], row["reason"], judged=True)


def _at(judged: JudgedFix) -> datetime:
    return judged.at


def _fix(row: Row, at: datetime) -> Fix:
    return Fix(
        at,
        row["lat"],
        row["lon"],
        row["accuracy"],
        row["speed"],
        row["heading"],
        row["altitude"],
        row["battery"],
    )


async def count_track_fixes(queries: Reads, windows: Sequence[Window], limit: int) -> tuple[int, int]:
    """Count the fixes of a track, doubted ones too, and the changes of its drivers' verdicts.

    Counts at most *limit* fixes, which bounds the cost for long tracks.
    """
    drivers = [window.driver for window in windows]
    begins, ends = [window.begins for window in windows], [window.ends for window in windows]
    row = await queries.fetchrow("count_track_fixes", drivers, begins, ends, limit)
    assert row is not None  # an aggregate always returns a row
    return row["count"], row["rejudgements"]
