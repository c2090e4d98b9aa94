"""Ingest: acknowledged fixes a second through one driver's WebSocket, beside PostgreSQL's fastest way in."""

import asyncio
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any

import asyncpg
import msgspec
from websockets.asyncio.client import ClientConnection

from bench.node import Job, Node, drive, new_job, now_text, receive_until
from bench.rows import Row

MESSAGES = 400  # 20,000 fixes: what a driver may send at once
FIXES_PER_MESSAGE = 50
UNANSWERED = 24  # messages on their way
ROWS_PER_COPY = 5_000


async def measure_ingest(node: Node) -> list[Row]:
    """The driver has a day's backlog; every fix is new, and counted when its ack is there."""
    job = await new_job(node, seed=2)
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=MESSAGES * FIXES_PER_MESSAGE + 60)
    places = [_reading(job, begin, second) for second in range(MESSAGES * FIXES_PER_MESSAGE)]
    stream = await _through_the_socket(node, job, places)
    copied = await _copied(node, begin, places)
    return [
        Row(
            name="fixes acknowledged through one WebSocket",
            value=stream,
            unit="fixes/s",
            against="binary COPY into the same table",
            reference=copied,
            better="higher",
            limit=False,
            detail=f"{len(places):,} fixes, {FIXES_PER_MESSAGE} a message",
        )
    ]


def _reading(job: Job, begin: datetime, second: int) -> dict[str, Any]:
    """Someone pacing to and fro around the pickup."""
    to_and_fro = abs(second % 200 - 100) * 1e-5
    return {
        "recorded_at": now_text(begin + timedelta(seconds=second)),
        "lat": job.pickup.lat + to_and_fro,
        "lon": job.pickup.lon,
        "accuracy": 5.0,
        "speed": 1.1,
    }


async def _through_the_socket(node: Node, job: Job, readings: list[dict[str, Any]]) -> float:
    """Fixes a second."""
    messages = [
        msgspec.json.encode(
            {"type": "fixes", "id": first, "fixes": readings[first : first + FIXES_PER_MESSAGE]}
        ).decode()
        for first in range(0, len(readings), FIXES_PER_MESSAGE)
    ]
    room = asyncio.Semaphore(UNANSWERED)
    async with drive(node, job) as driver:
        await receive_until(driver, "welcome")
        sent = perf_counter()
        async with asyncio.TaskGroup() as both:
            both.create_task(_send(driver, messages, room))
            acknowledged = both.create_task(_count_acks(driver, len(messages), room))
        took = perf_counter() - sent
    if acknowledged.result() != len(readings):
        raise RuntimeError(f"{acknowledged.result()} of {len(readings)} fixes were stored")
    return len(readings) / took


async def _send(driver: ClientConnection, messages: list[str], room: asyncio.Semaphore) -> None:
    for message in messages:
        await room.acquire()
        await driver.send(message)


async def _count_acks(driver: ClientConnection, messages: int, room: asyncio.Semaphore) -> int:
    stored = 0
    for _ in range(messages):
        stored += (await receive_until(driver, "ack"))["stored"]
        room.release()
    return stored


async def _copied(node: Node, begin: datetime, readings: list[dict[str, Any]]) -> float:
    """Rows a second into a table with the same columns and key; a COPY and commit for every 5,000."""
    connection = await asyncpg.connect(node.database_url)
    try:
        await connection.execute(
            "CREATE TABLE copied (LIKE fixes INCLUDING ALL) PARTITION BY RANGE (recorded_at)"
        )
        await connection.execute("CREATE TABLE copied_all PARTITION OF copied DEFAULT")
        columns = ("driver", "recorded_at", "received_at", "lat", "lon", "accuracy", "speed")
        rows = [
            (1, begin + timedelta(seconds=second), begin, it["lat"], it["lon"], it["accuracy"], it["speed"])
            for second, it in enumerate(readings)
        ]
        started = perf_counter()
        for first in range(0, len(rows), ROWS_PER_COPY):
            part = rows[first : first + ROWS_PER_COPY]
            await connection.copy_records_to_table("copied", records=part, columns=columns)
        return len(rows) / (perf_counter() - started)
    finally:
        await connection.close()
