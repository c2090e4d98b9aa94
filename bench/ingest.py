"""Ingest: acknowledged fixes a second through one driver's WebSocket, compared with binary COPY."""

import asyncio
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any

import asyncpg
import msgspec
from websockets.asyncio.client import ClientConnection

from bench.node import Job, Node, drive, new_job, now_text, receive_until
from bench.rows import Row

MESSAGES = 400  # 20,000 fixes: the burst that a driver may send
FIXES_PER_MESSAGE = 50
MAX_IN_FLIGHT = 24  # messages in flight
ROWS_PER_COPY = 5_000


async def measure_ingest(node: Node) -> list[Row]:
    """Send a backlog of new fixes. A fix counts when its ack arrives."""
    job = await new_job(node, seed=2)
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=MESSAGES * FIXES_PER_MESSAGE + 60)
    fixes = [_fix(job, begin, second) for second in range(MESSAGES * FIXES_PER_MESSAGE)]
    stream_rate = await _measure_stream(node, job, fixes)
    copy_rate = await _measure_copy(node, begin, fixes)
    return [
        Row(
            name="fixes acknowledged through one WebSocket",
            value=stream_rate,
            unit="fixes/s",
            against="binary COPY into the same table",
            reference=copy_rate,
            better="higher",
            limit=False,
            detail=f"{len(fixes):,} fixes, {FIXES_PER_MESSAGE} a message",
        )
    ]


def _fix(job: Job, begin: datetime, second: int) -> dict[str, Any]:
    """Return the fix of this second. The driver walks to and fro at the pickup."""
    to_and_fro = abs(second % 200 - 100) * 1e-5
    return {
        "recorded_at": now_text(begin + timedelta(seconds=second)),
        "lat": job.pickup.lat + to_and_fro,
        "lon": job.pickup.lon,
        "accuracy": 5.0,
        "speed": 1.1,
    }


async def _measure_stream(node: Node, job: Job, fixes: list[dict[str, Any]]) -> float:
    """Return the fixes a second that the service acknowledges."""
    messages = [
        msgspec.json.encode(
            {"type": "fixes", "id": first, "fixes": fixes[first : first + FIXES_PER_MESSAGE]}
        ).decode()
        for first in range(0, len(fixes), FIXES_PER_MESSAGE)
    ]
    in_flight = asyncio.Semaphore(MAX_IN_FLIGHT)
    async with drive(node, job) as driver:
        await receive_until(driver, "welcome")
        sent = perf_counter()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_send(driver, messages, in_flight))
            acknowledged = tasks.create_task(_count_acks(driver, len(messages), in_flight))
        duration = perf_counter() - sent
    if acknowledged.result() != len(fixes):
        raise RuntimeError(f"{acknowledged.result()} of {len(fixes)} fixes were stored")
    return len(fixes) / duration


async def _send(driver: ClientConnection, messages: list[str], in_flight: asyncio.Semaphore) -> None:
    for message in messages:
        await in_flight.acquire()
        await driver.send(message)


async def _count_acks(driver: ClientConnection, messages: int, in_flight: asyncio.Semaphore) -> int:
    stored = 0
    for _ in range(messages):
        stored += (await receive_until(driver, "ack"))["stored"]
        in_flight.release()
    return stored


async def _measure_copy(node: Node, begin: datetime, fixes: list[dict[str, Any]]) -> float:
    """Return the rows a second into an equal table, with a COPY and commit for every 5,000."""
    connection = await asyncpg.connect(node.database_url)
    try:
        await connection.execute(
            "CREATE TABLE copied (LIKE fixes INCLUDING ALL) PARTITION BY RANGE (recorded_at)"
        )
        await connection.execute("CREATE TABLE copied_all PARTITION OF copied DEFAULT")
        columns = ("driver", "recorded_at", "received_at", "lat", "lon", "accuracy", "speed")
        rows = [
            (1, begin + timedelta(seconds=second), begin, it["lat"], it["lon"], it["accuracy"], it["speed"])
            for second, it in enumerate(fixes)
        ]
        started = perf_counter()
        for first in range(0, len(rows), ROWS_PER_COPY):
            part = rows[first : first + ROWS_PER_COPY]
            await connection.copy_records_to_table("copied", records=part, columns=columns)
        return len(rows) / (perf_counter() - started)
    finally:
        await connection.close()
