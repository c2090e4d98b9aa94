"""What reaching stops taught, what was learned from it, and how fast each driver has been lately."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from tracker.database.pool import Connection, Queries
from tracker.domain.eta.model import ArrivalSample
from tracker.domain.eta.speed_factor import SpeedFactor
from tracker.domain.order import Vehicle


class StoredKnowledge(msgspec.Struct, frozen=True):
    """What a kind of vehicle has taught, encoded; the version is one more after each change."""

    vehicle: Vehicle
    version: int
    arrivals: int
    state: bytes


async def insert_lessons(queries: Queries, lessons: Sequence[ArrivalSample]) -> None:
    """For whoever learns next."""
    await queries.execute("insert_lessons", [msgspec.to_builtins(lesson) for lesson in lessons])


async def take_lessons(connection: Connection, limit: int) -> list[ArrivalSample] | None:
    """The oldest lessons, gone with the commit; None where another node is learning now.

    What cannot be read, because another version wrote it, is gone too.
    """
    if not await connection.fetchval("lock_learning"):
        return None
    rows = await connection.fetch("select_lessons", limit)
    await connection.execute("delete_lessons", [row["id"] for row in rows])
    return list(_readable([row["lesson"] for row in rows]))


async def select_knowledge(queries: Queries, held: Mapping[Vehicle, int]) -> list[StoredKnowledge]:
    """What is newer than the versions that are held."""
    rows = await queries.fetch("select_knowledge", list(held), list(held.values()))
    return [StoredKnowledge(*row) for row in rows]


async def upsert_knowledge(queries: Queries, stored: StoredKnowledge, at: datetime) -> None:
    await queries.execute(
        "upsert_knowledge", stored.vehicle, stored.version, stored.arrivals, stored.state, at
    )


async def upsert_paces(queries: Queries, paces: Mapping[int, SpeedFactor], at: datetime) -> None:
    """By drivers.number; those of drivers who were erased are left out."""
    observed = [pace.observed for pace in paces.values()]
    expected = [pace.expected for pace in paces.values()]
    await queries.execute("upsert_driver_paces", list(paces), observed, expected, at)


async def select_pace(queries: Queries, driver: int, since: datetime) -> SpeedFactor | None:
    """The driver's own pace, where it was kept at `since` or later."""
    row = await queries.fetchrow("select_driver_pace", driver, since)
    return None if row is None else SpeedFactor(row["observed"], row["expected"])


def _readable(lessons: Iterable[object]) -> Iterable[ArrivalSample]:
    for lesson in lessons:
        try:
            yield msgspec.convert(lesson, ArrivalSample, strict=False)
        except msgspec.ValidationError:
            continue
