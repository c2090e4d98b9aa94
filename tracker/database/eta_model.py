"""Arrival samples, the ETA models trained on them, and the speed factors of drivers."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from tracker.database.pool import Connection, Queries
from tracker.domain.eta.model import ArrivalSample
from tracker.domain.eta.speed_factor import SpeedFactor
from tracker.domain.order import Vehicle


class StoredKnowledge(msgspec.Struct, frozen=True):
    """The encoded ETA model of a kind of vehicle; each change increments the version."""

    vehicle: Vehicle
    version: int
    arrivals: int
    state: bytes


async def insert_lessons(queries: Queries, lessons: Sequence[ArrivalSample]) -> None:
    """Insert arrival samples for the next training."""
    await queries.execute("insert_lessons", [msgspec.to_builtins(lesson) for lesson in lessons])


async def take_lessons(connection: Connection, limit: int) -> list[ArrivalSample] | None:
    """Delete and return the oldest arrival samples; None if another node is training now.

    Also deletes samples that cannot be decoded because another version wrote them.
    """
    if not await connection.fetchval("lock_learning"):
        return None
    rows = await connection.fetch("select_lessons", limit)
    await connection.execute("delete_lessons", [row["id"] for row in rows])
    return list(_readable([row["lesson"] for row in rows]))


async def select_knowledge(queries: Queries, held: Mapping[Vehicle, int]) -> list[StoredKnowledge]:
    """Return the models that are newer than the versions in *held*."""
    rows = await queries.fetch("select_knowledge", list(held), list(held.values()))
    return [StoredKnowledge(*row) for row in rows]


async def upsert_knowledge(queries: Queries, stored: StoredKnowledge, at: datetime) -> None:
    await queries.execute(
        "upsert_knowledge", stored.vehicle, stored.version, stored.arrivals, stored.state, at
    )


async def upsert_paces(queries: Queries, paces: Mapping[int, SpeedFactor], at: datetime) -> None:
    """Store speed factors by drivers.number. Erased drivers are skipped."""
    observed = [pace.observed for pace in paces.values()]
    expected = [pace.expected for pace in paces.values()]
    await queries.execute("upsert_driver_paces", list(paces), observed, expected, at)


async def select_pace(queries: Queries, driver: int, since: datetime) -> SpeedFactor | None:
    """Return the driver's speed factor if it was stored at *since* or later."""
    row = await queries.fetchrow("select_driver_pace", driver, since)
    return None if row is None else SpeedFactor(row["observed"], row["expected"])


def _readable(lessons: Iterable[object]) -> Iterable[ArrivalSample]:
    for lesson in lessons:
        try:
            yield msgspec.convert(lesson, ArrivalSample, strict=False)
        except msgspec.ValidationError:
            continue
