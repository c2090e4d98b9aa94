"""Latency from a driver's client sending a fix to a customer's client receiving the position."""

import asyncio
from statistics import median, quantiles
from time import perf_counter

import msgspec
from websockets.asyncio.client import ClientConnection

from bench.node import Job, Node, drive, new_job, now_text, receive_until, watch
from bench.rows import Row
from tracker.domain.geo import distance

FIXES = 60
EVERY = 0.7  # seconds; a customer gets at most two updates a second, so faster fixes would be conflated
STEP = 4.0 * EVERY  # metres, at a bicycle's speed
LIMIT = 50.0  # milliseconds
LOST_AFTER = 5.0  # seconds


async def measure_latency(node: Node) -> list[Row]:
    """Measure with one driver and one customer, both on WebSockets, on an idle service."""
    job = await new_job(node, seed=1)
    async with drive(node, job) as driver, watch(node, job) as customer:
        await receive_until(driver, "welcome")
        await receive_until(customer, "snapshot")
        took = [await _one_fix(driver, customer, job, number) for number in range(FIXES)]
    warm = sorted(took[5:])
    p95 = quantiles(warm, n=20)[-1]
    detail = f"{len(warm)} fixes, fastest {warm[0]:.1f}, slowest {warm[-1]:.1f} ms"
    return [
        Row(
            name="fix to customer, median",
            value=median(warm),
            unit="ms",
            against="limit",
            reference=LIMIT,
            detail=detail,
        ),
        Row(
            name="fix to customer, 95 %",
            value=p95,
            unit="ms",
            against="limit of the median",
            reference=LIMIT,
            limit=False,
        ),
    ]


async def _one_fix(driver: ClientConnection, customer: ClientConnection, job: Job, number: int) -> float:
    """Send a fix. Return the milliseconds until the customer receives its position."""
    begin = asyncio.get_running_loop().time()
    recorded_at = now_text()
    fix = {"recorded_at": recorded_at, **_place(job, number), "accuracy": 5, "speed": 4}
    message = msgspec.json.encode({"type": "fixes", "id": number, "fixes": [fix]}).decode()
    sent = perf_counter()
    await driver.send(message)
    async with asyncio.timeout(LOST_AFTER):
        while not _shows(await customer.recv(), recorded_at):
            pass
    took = (perf_counter() - sent) * 1000
    await receive_until(driver, "ack")
    await asyncio.sleep(max(0.0, begin + EVERY - asyncio.get_running_loop().time()))
    return took


def _shows(message: str | bytes, recorded_at: str) -> bool:
    position = msgspec.json.decode(message).get("position")
    return position is not None and position["recorded_at"] == recorded_at


def _place(job: Job, number: int) -> dict[str, float]:
    """Return the place *number* steps from the pickup towards the dropoff."""
    share = number * STEP / _metres(job)
    return {
        "lat": job.pickup.lat + share * (job.dropoff.lat - job.pickup.lat),
        "lon": job.pickup.lon + share * (job.dropoff.lon - job.pickup.lon),
    }


def _metres(job: Job) -> float:
    return distance(job.pickup, job.dropoff)
