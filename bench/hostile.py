"""Hostile bodies: the latency of other clients while every endpoint receives invalid requests."""

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

import msgspec
from websockets.asyncio.client import ClientConnection

from bench.node import Job, Node, along, drive, new_job, now_text, receive_until, watch
from bench.processes import resident_bytes
from bench.rows import Row
from tests.hostile import Targets, targets_of

CUSTOMERS = 20  # of one order, each with a ping every PING_EVERY
PING_EVERY = 0.15  # seconds; a socket may send ten messages a second
FIX_EVERY = 0.7  # seconds
QUIET_DURATION = 6.0  # seconds
ATTACK_DURATION = 30.0  # seconds
WARM_UP = 10.0  # seconds
LIMIT = 50.0  # milliseconds


async def measure_hostile(node: Node) -> list[Row]:
    """Measure without load first, then with attackers in a separate process."""
    job = await new_job(node, seed=11)
    targets = await targets_of(node.http, node.http.headers["Authorization"].removeprefix("Bearer "))
    await _attack(targets, WARM_UP)  # exclude allocations that happen once
    quiet = await _latencies(node, job, QUIET_DURATION)
    attacking = asyncio.create_task(_attack(targets, ATTACK_DURATION))
    before = resident_bytes(node.pid) / 2**20
    latencies = await _latencies(node, job, ATTACK_DURATION)
    answers = await attacking
    growth = resident_bytes(node.pid) / 2**20 - before
    failed = sum(count for kind, count in answers.items() if kind.startswith("5") and kind != "505")
    detail = f"quiet {_p99(quiet):.1f} ms; median {median(latencies):.1f}, worst {max(latencies):.0f} ms"
    return [
        Row(
            name="another client's wait during hostile bodies, 99 %",
            value=_p99(latencies),
            unit="ms",
            against="limit",
            reference=LIMIT,
            detail=detail,
        ),
        Row(
            name="memory growth from hostile bodies",
            value=max(0.0, growth),
            unit="MB",
            against="limit",
            reference=10.0,
            detail=f"{sum(answers.values())} requests, {failed} answered with 5xx",
        ),
    ]


def _p99(latencies: list[float]) -> float:
    return quantiles(latencies, n=100)[-1]


async def _attack(targets: Targets, seconds: float) -> dict[str, int]:
    """Attack for so many seconds. Return the number of responses by status."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.hostile", str(seconds), f"bench {seconds}"),
        cwd=Path(__file__).parent.parent,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate(msgspec.json.encode(targets) + b"\n")
    return msgspec.json.decode(output, type=dict[str, int])


async def _latencies(node: Node, job: Job, seconds: float) -> list[float]:
    """Return the milliseconds to each pong for a customer and each ack for their driver."""
    latencies: list[float] = []
    async with AsyncExitStack() as stack:
        customers = [await stack.enter_async_context(watch(node, job)) for _ in range(CUSTOMERS)]
        driver = await stack.enter_async_context(drive(node, job))
        await receive_until(driver, "welcome")
        until = perf_counter() + seconds
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_acks(driver, job, until, latencies))
            for number, customer in enumerate(customers):
                tasks.create_task(_pongs(customer, number * PING_EVERY / CUSTOMERS, until, latencies))
    return latencies


async def _pongs(customer: ClientConnection, offset: float, until: float, latencies: list[float]) -> None:
    await asyncio.sleep(offset)
    while (started := perf_counter()) < until:
        await customer.send('{"type":"ping","n":1}')
        await receive_until(customer, "pong")
        latencies.append(1_000 * (perf_counter() - started))
        await asyncio.sleep(PING_EVERY)


async def _acks(driver: ClientConnection, job: Job, until: float, latencies: list[float]) -> None:
    number = 0
    while (started := perf_counter()) < until:
        number += 1
        fix = {"recorded_at": now_text(), **along(job, number * 3.0), "accuracy": 5, "speed": 4}
        await driver.send(msgspec.json.encode({"type": "fixes", "id": number, "fixes": [fix]}).decode())
        await receive_until(driver, "ack")
        latencies.append(1_000 * (perf_counter() - started))
        await asyncio.sleep(FIX_EVERY)
