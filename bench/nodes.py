"""Several nodes: what an update costs that crosses nodes, and how long that takes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from secrets import token_urlsafe
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final
from urllib.parse import urlsplit

import asyncpg
import msgspec
from websockets.asyncio.client import ClientConnection

from bench.nats import nats_server
from bench.node import Job, Node, along, drive, free_port, new_job, node_on, now_text, receive_until, watch
from bench.processes import processor_s
from bench.rows import Row

RATES: Final = (20, 120)  # drivers, each with a fix a second and a customer
TURNS: Final = 2  # of each site; they alternate, so that other work on the machine meets all of them
DURATION_S: Final = 8.0
WARM_UP_S: Final = 4.0
SPEED: Final = 3.0  # metres per second
BEGAN: Final = perf_counter()
CROSSINGS: Final = 40
CROSSING_EVERY_S: Final = 0.7
CROSSING_LIMIT_MS: Final = 5.0
LOST_AFTER_S: Final = 5.0
COST_LIMIT: Final = 1.15  # times that on one node


class Site(msgspec.Struct):
    """Nodes that share a bus and a database, and where drivers and customers are."""

    nodes: list[Node]
    database_url: str
    bus_pid: int
    crossing: int  # of two customers, how many are at another node than their driver
    jobs: list[Job] = []

    def driver_at(self, number: int) -> Node:
        return self.nodes[number % len(self.nodes)]

    def customer_at(self, number: int) -> Node:
        is_elsewhere = number // len(self.nodes) % 2 < self.crossing
        return self.nodes[(number + is_elsewhere) % len(self.nodes)]


async def measure_nodes(node: Node) -> list[Row]:
    """Run one node with a bus, and two nodes on another database and bus; load them in turns."""
    async with AsyncExitStack() as stack:
        alone = await stack.enter_async_context(_site(node, "bench_one_node", 1))
        pair = await stack.enter_async_context(_site(node, "bench_two_nodes", 2))
        rows = []
        for rate in RATES:
            costs = [[await _cost_ms(site, rate) for site in _three(alone, pair)] for _ in range(TURNS)]
            rows += _cost_rows(rate, *map(median, zip(*costs, strict=True)))
        pair.crossing = 2
        crossing = await _crossing_ms(pair)
    return [
        Row(
            name="an update crosses nodes, median",
            value=crossing,
            unit="ms",
            against="limit",
            reference=CROSSING_LIMIT_MS,
            detail="from a customer on the driver's node to one on another",
        ),
        *rows,
    ]


def _three(alone: Site, pair: Site) -> list[Site]:
    """Return the sites of one turn: one node; two behind a balancer; two where every update crosses."""
    every = msgspec.structs.replace(pair, crossing=2)
    return [alone, msgspec.structs.replace(pair, crossing=1), every]


def _cost_rows(rate: int, one: float, half: float, every: float) -> list[Row]:
    what = f"processor time of a fix and its update on two nodes, {rate} a second"
    detail = f"one node {one:.2f} ms; two {{:.2f}} times"
    return [
        Row(
            name=f"{what}, half of the customers at the other node",
            value=half,
            unit="ms",
            against=f"{COST_LIMIT} x that on one node",
            reference=COST_LIMIT * one,
            detail=detail.format(half / one),
        ),
        Row(
            name=f"{what}, all of them",
            value=every,
            unit="ms",
            against="one node",
            reference=one,
            limit=False,
            detail=detail.format(every / one),
        ),
    ]


# --- cost


async def _cost_ms(site: Site, rate: int) -> float:
    """Milliseconds of nodes, bus and PostgreSQL for a fix and its update."""
    jobs = site.jobs[:rate]
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        running = []
        for number, job in enumerate(jobs):
            driver = await stack.enter_async_context(drive(site.driver_at(number), job))
            customer = await stack.enter_async_context(watch(site.customer_at(number), job))
            work = [_discard(driver), _discard(customer), _send(driver, job, number / len(jobs))]
            running += [tasks.create_task(one) for one in work]
        await asyncio.sleep(WARM_UP_S)
        before = await _processor_s(site)
        await asyncio.sleep(DURATION_S)
        used = await _processor_s(site) - before
        for task in running:
            task.cancel()
    return 1_000 * used / (len(jobs) * DURATION_S)


async def _send(driver: ClientConnection, job: Job, phase: float) -> None:
    """Send a fix a second, at a moment of this driver's own."""
    loop, number = asyncio.get_running_loop(), 0
    begin = loop.time() + phase
    while True:
        await asyncio.sleep(begin + number - loop.time())
        await driver.send(_fix(job, number, now_text()))
        number += 1


def _fix(job: Job, number: int, recorded_at: str) -> str:
    place = along(job, (perf_counter() - BEGAN) * SPEED)  # also between two turns
    fix = {"recorded_at": recorded_at, **place, "accuracy": 5, "speed": SPEED}
    return msgspec.json.encode({"type": "fixes", "id": number, "fixes": [fix]}).decode()


async def _discard(connection: ClientConnection) -> None:
    async for _ in connection:
        pass


async def _processor_s(site: Site) -> float:
    """Seconds that nodes, bus and the sessions of this database have used."""
    connection = await asyncpg.connect(site.database_url)
    try:
        rows = await connection.fetch(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    finally:
        await connection.close()
    services = [*(node.pid for node in site.nodes), site.bus_pid]
    return sum(map(processor_s, (*services, *(row["pid"] for row in rows))))


# --- time


async def _crossing_ms(site: Site) -> float:
    """Median of how much later a customer on another node sees a fix than one on the driver's node."""
    job = site.jobs[0]
    async with (
        drive(site.nodes[0], job) as driver,
        watch(site.nodes[0], job) as near,
        watch(site.nodes[1], job) as far,
    ):
        await receive_until(driver, "welcome")
        for customer in (near, far):
            await receive_until(customer, "snapshot")
        later = []
        for number in range(CROSSINGS):
            recorded_at = now_text()
            await driver.send(_fix(job, number, recorded_at))
            async with asyncio.timeout(LOST_AFTER_S), asyncio.TaskGroup() as tasks:
                seen = [tasks.create_task(_seen_at(one, recorded_at)) for one in (near, far)]
            later.append(1_000 * (seen[1].result() - seen[0].result()))
            await asyncio.sleep(CROSSING_EVERY_S)
    return median(later[5:])


async def _seen_at(customer: ClientConnection, recorded_at: str) -> float:
    async for message in customer:
        position = msgspec.json.decode(message).get("position")
        if position is not None and position["recorded_at"] == recorded_at:
            break
    return perf_counter()


# --- the parts


@asynccontextmanager
async def _site(node: Node, database: str, count: int) -> AsyncIterator[Site]:
    """Yield so many nodes with a database and a bus of their own, and the jobs of their drivers."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(_database(node.database_url, database))
        bus = await stack.enter_async_context(nats_server())
        folder, key = Path(stack.enter_context(TemporaryDirectory(prefix="bench-"))), token_urlsafe(24)
        settings = {"NATS_URL": bus.url, "TRACKER_SECRET": key, "TRACKER_DATA_DIR": str(node.data_dir)}
        nodes = [
            await stack.enter_async_context(node_on(folder, url, free_port(), key, **settings))
            for _ in range(count)
        ]
        site = Site(nodes, url, bus.pid, crossing=0)
        site.jobs = [await new_job(nodes[0], seed=number) for number in range(max(RATES))]
        yield site


@asynccontextmanager
async def _database(server_url: str, name: str) -> AsyncIterator[str]:
    """Yield the URL of an empty database on the server."""
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
        yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()
