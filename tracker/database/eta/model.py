"""Arrival samples, the ETA models trained on them, and the speed factors of drivers."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime

import msgspec

from tracker.database.pool import Connection, Queries
from tracker.domain.eta.model import ArrivalSample
from tracker.domain.eta.speed_factor import SpeedFactor
from tracker.domain.order import Vehicle


class StoredModel(msgspec.Struct, frozen=True):
    """The encoded ETA model of a kind of vehicle; each change increments the version."""

    vehicle: Vehicle
    version: int
    arrivals: int
    state: bytes


async def insert_arrival_samples(queries: Queries, samples: Sequence[ArrivalSample]) -> None:
    """Insert arrival samples for the next training."""
    await queries.execute("insert_arrival_samples", [msgspec.to_builtins(sample) for sample in samples])


async def take_arrival_samples(connection: Connection, limit: int) -> list[ArrivalSample] | None:
    """Delete and return the oldest arrival samples; None if another node is training now.

    Also deletes samples that cannot be decoded because another version wrote them.
    """
    if not await connection.fetchval("lock_training"):
        return None
    rows = await connection.fetch("select_arrival_samples", limit)
    await connection.execute("delete_arrival_samples", [row["id"] for row in rows])
    samples: list[ArrivalSample] = []
    for row in rows:
        with suppress(msgspec.ValidationError):
            samples.append(msgspec.convert(row["lesson"], ArrivalSample, strict=False))
    return samples


async def select_models(queries: Queries, held: Mapping[Vehicle, int]) -> list[StoredModel]:
    """Return the models that are newer than the versions in *held*."""
    rows = await queries.fetch("select_models", list(held), list(held.values()))
    return [StoredModel(*row) for row in rows]


async def upsert_model(queries: Queries, stored: StoredModel, at: datetime) -> None:
    await queries.execute("upsert_model", stored.vehicle, stored.version, stored.arrivals, stored.state, at)


async def upsert_speed_factors(queries: Queries, factors: Mapping[int, SpeedFactor], at: datetime) -> None:
    """Store speed factors by drivers.number. Erased drivers are skipped."""
    observed = [factor.observed for factor in factors.values()]
    expected = [factor.expected for factor in factors.values()]
    await queries.execute("upsert_speed_factors", list(factors), observed, expected, at)


async def select_speed_factor(queries: Queries, driver: int, since: datetime) -> SpeedFactor | None:
    """Return the driver's speed factor if it was stored at *since* or later."""
    row = await queries.fetchrow("select_speed_factor", driver, since)
    return None if row is None else SpeedFactor(row["observed"], row["expected"])
