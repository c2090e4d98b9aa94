"""Capacity: what a fix, an update, an order, a webhook and a driver cost; docs/scaling.md reckons with it.

Processor time is that of the service's process and of PostgreSQL's, without the clients; so other work on the
machine changes the figures little. Two nodes with a NATS server are measured for the bytes on the bus.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import asyncpg
import msgspec

from bench.nats import nats_server
from bench.node import Job, Node, along, drive, free_port, new_job, node_on, now_text, receive_until, watch
from bench.processes import processor_s, resident_bytes
from bench.rows import Row
from bench.webhooks import PLACES, receiving

DRIVERS: Final = 60
CONNECT_S: Final = 8.0  # until all drivers are connected; twice that, until they send
RATE: Final = 1.0  # fixes a second of each driver
FIXES: Final = 25  # of each driver
WARM: Final = 5  # of them, before anything is counted
SPEED: Final = 4.0  # metres a second
ORDERS: Final = 40
MORE_DRIVERS: Final = 60
EVENTS: Final = 4  # of an order: created, assigned, picked up, delivered
ROUTED_AFTER: Final = 3.0  # seconds until the routes of the last drivers are there
COPIED: Final = 100_000
KEY: Final = "a-key-for-two-nodes-only"
POSTMASTER: Final = "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)"
SIZE: Final = """
SELECT sum(pg_total_relation_size(oid)) FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname NOT LIKE '%fixes%'
"""
COPIES: Final = """
INSERT INTO bench_fixes (driver, recorded_at, received_at, lat, lon, accuracy, speed, heading, altitude,
                         battery)
SELECT n % 100, now() + n * interval '1 s', now(), 60 + n * 1e-6, 24.9, 5, 4, 90, 12, 0.7
FROM generate_series(1, {rows}) n
"""


class Load(msgspec.Struct, frozen=True):
    """What was spent while drivers sent fixes."""

    fixes: int
    updates: int
    service_s: float
    postgres_s: float
    wal_bytes: int


async def measure_capacity(node: Node) -> list[Row]:
    """Measure one after the other: fixes alone, fixes with customers, drivers, orders, webhooks, the bus."""
    memory = await _memory_of_drivers(node)  # first, because freed memory would hide later growth
    jobs = [await new_job(node, seed=9_000 + n) for n in range(DRIVERS)]
    alone = await _load(node, jobs, watched=False)
    watched = await _load(node, jobs, watched=True)
    rows = [*_of_fixes(alone), *_of_updates(watched)]
    rows += [_row("stored bytes of a fix", await _bytes_of_a_fix(node), "B", 149)]
    rows += [_row("memory of a driver", memory / 1024, "KiB", 520)]
    rows += await _of_orders(node)
    return rows + await _of_the_bus(node)


def _row(name: str, value: float, unit: str, documented: float, detail: str = "") -> Row:
    return Row(
        name=name,
        value=value,
        unit=unit,
        against="docs/scaling.md",
        reference=documented,
        limit=False,
        detail=detail,
    )


# --- fixes and updates


async def _load(node: Node, jobs: Sequence[Job], *, watched: bool, other: Node | None = None) -> Load:
    """Let all drivers send at RATE; customers watch at *other*, if that is given."""
    measured = _Spent(node)
    async with AsyncExitStack() as stack:
        if watched:
            for job in jobs:
                await stack.enter_async_context(_watching(other or node, job, measured.counts))
        ready_at = asyncio.get_running_loop().time() + 2 * CONNECT_S
        phases = (n / len(jobs) for n in range(len(jobs)))
        drives = (
            _drive(node, job, measured, phase, ready_at) for job, phase in zip(jobs, phases, strict=True)
        )
        await asyncio.gather(*drives)
        return await measured.load()


class _Spent:
    """What has been spent since the drivers were warm."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.counts = {"updates": 0, "fixes": 0}
        self._since: tuple[float, float, int, dict[str, int]] | None = None

    async def begin(self) -> None:
        if self._since is None:
            self._since = (0.0, 0.0, 0, {})
            self._since = (*await self._now(), dict(self.counts))

    async def load(self) -> Load:
        assert self._since is not None
        service, postgres, wal, before = self._since
        now_service, now_postgres, now_wal = await self._now()
        return Load(
            fixes=self.counts["fixes"] - before["fixes"],
            updates=self.counts["updates"] - before["updates"],
            service_s=now_service - service,
            postgres_s=now_postgres - postgres,
            wal_bytes=now_wal - wal,
        )

    async def _now(self) -> tuple[float, float, int]:
        wal = await _value(self._node, "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
        postmaster = int(await _value(self._node, POSTMASTER))
        return processor_s(self._node.pid), processor_s(postmaster, children=True), int(wal)


async def _drive(node: Node, job: Job, measured: _Spent, phase: float, ready_at: float) -> None:
    await asyncio.sleep(phase * CONNECT_S)  # a log-in reads the database
    async with drive(node, job) as driver:
        await receive_until(driver, "welcome")
        await asyncio.sleep(max(0.0, ready_at - asyncio.get_running_loop().time()))  # all are connected then
        await asyncio.sleep(phase / RATE)  # spread over the interval
        for number in range(FIXES):
            begin = asyncio.get_running_loop().time()
            if number == WARM:
                await measured.begin()
            place = along(job, number * SPEED / RATE)
            fix = {"recorded_at": now_text(), **place, "accuracy": 5, "speed": SPEED, "heading": 90}
            await driver.send(msgspec.json.encode({"type": "fixes", "id": number, "fixes": [fix]}).decode())
            await receive_until(driver, "ack")
            measured.counts["fixes"] += 1
            await asyncio.sleep(max(0.0, begin + 1.0 / RATE - asyncio.get_running_loop().time()))


@asynccontextmanager
async def _watching(node: Node, job: Job, counts: dict[str, int]) -> AsyncIterator[None]:
    async with watch(node, job) as customer:
        await receive_until(customer, "snapshot")

        async def count() -> None:
            async for _ in customer:
                counts["updates"] += 1

        counting = asyncio.create_task(count())
        try:
            yield
        finally:
            counting.cancel()
            await asyncio.gather(counting, return_exceptions=True)


def _of_fixes(load: Load) -> list[Row]:
    detail = f"{load.fixes} fixes, one a message, nobody watches"
    return [
        _row("service's processor time for a fix", 1000 * load.service_s / load.fixes, "ms", 2.1, detail),
        _row("PostgreSQL's processor time for a fix", 1000 * load.postgres_s / load.fixes, "ms", 0.6, detail),
        _row("write-ahead log of a fix", load.wal_bytes / load.fixes, "B", 500, detail),
    ]


def _of_updates(watched: Load) -> list[Row]:
    each, detail = watched.service_s / watched.fixes, f"{watched.updates} updates for {watched.fixes} fixes"
    return [_row("service's processor time for a fix and its update", 1000 * each, "ms", 2.5, detail)]


# --- storage, memory, orders


async def _value(node: Node, statement: str) -> str:
    connection = await asyncpg.connect(node.database_url)
    try:
        return str(await connection.fetchval(statement))
    finally:
        await connection.close()


async def _execute(node: Node, statement: str) -> None:
    connection = await asyncpg.connect(node.database_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _bytes_of_a_fix(node: Node) -> float:
    """Return what a row takes in the table and its index, in a copy with so many rows that pages are full."""
    connection = await asyncpg.connect(node.database_url)
    try:
        await connection.execute("CREATE TABLE bench_fixes (LIKE fixes INCLUDING ALL)")
        await connection.execute(COPIES.format(rows=COPIED))
        size: int = await connection.fetchval("SELECT pg_total_relation_size('bench_fixes')")
        await connection.execute("DROP TABLE bench_fixes")
    finally:
        await connection.close()
    return size / COPIED


async def _memory_of_drivers(node: Node) -> float:
    """Return the bytes of a driver who is connected and has a trip with one order and its route."""
    jobs = [await new_job(node, seed=12_000 + n) for n in range(MORE_DRIVERS)]
    async with AsyncExitStack() as stack:
        before = resident_bytes(node.pid)
        for job in jobs:
            driver = await stack.enter_async_context(drive(node, job))
            await receive_until(driver, "welcome")
            fix = {"recorded_at": now_text(), **along(job, 1.0), "accuracy": 5}
            await driver.send(msgspec.json.encode({"type": "fixes", "id": 1, "fixes": [fix]}).decode())
            await receive_until(driver, "ack")
        await asyncio.sleep(ROUTED_AFTER)
        return (resident_bytes(node.pid) - before) / MORE_DRIVERS


async def _of_orders(node: Node) -> list[Row]:
    """Measure orders from creation to delivery by the API, then the same with a webhook for each event."""
    sized, spent = int(await _value(node, SIZE)), processor_s(node.pid)
    await _deliver(node, ORDERS)
    plain = processor_s(node.pid) - spent
    size = (int(await _value(node, SIZE)) - sized) / ORDERS
    arrived: asyncio.Queue[float] = asyncio.Queue()
    async with receiving(arrived) as url:
        created = await node.http.post("/v1/webhooks", json={"url": url})
        spent = processor_s(node.pid)
        await _deliver(node, ORDERS)
        for _ in range(ORDERS * EVENTS):
            await arrived.get()
        hooked = processor_s(node.pid) - spent
        await node.http.delete(f"/v1/webhooks/{created.json()['id']}")
    each = 1000 * (hooked - plain) / (ORDERS * EVENTS)
    return [
        _row("service's processor time for an order", 1000 * plain / ORDERS, "ms", 60.0, "four requests"),
        _row("stored bytes of an order", size, "B", 8_200, "with timeline, events and link, no fixes"),
        _row("service's processor time for a webhook", each, "ms", 8.0, f"{ORDERS * EVENTS} events"),
    ]


async def _deliver(node: Node, orders: int) -> None:
    """Create orders and take each to its end."""
    driver = (await node.http.post("/v1/drivers", json={"name": "Bench", "vehicle": "car"})).json()["id"]
    for _ in range(orders):
        order = (await node.http.post("/v1/orders", json=PLACES)).raise_for_status().json()["id"]
        await node.http.post(f"/v1/orders/{order}/assign", json={"driver_id": driver})
        for status in ("picked_up", "delivered"):
            (await node.http.post(f"/v1/orders/{order}/status", json={"status": status})).raise_for_status()


# --- two nodes


async def _of_the_bus(node: Node) -> list[Row]:
    """Measure with every driver at one node and the customer at the other, in a database of their own."""
    await _execute(node, "CREATE DATABASE bench_two_nodes")
    url = node.database_url.replace("/postgres?", "/bench_two_nodes?")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        async with nats_server() as nats, AsyncExitStack() as stack:
            settings = {"NATS_URL": nats.url, "TRACKER_SECRET": KEY, "TRACKER_DATA_DIR": str(node.data_dir)}
            a, b = [
                await stack.enter_async_context(node_on(Path(folder), url, free_port(), KEY, **settings))
                for _ in range(2)
            ]
            jobs = [await new_job(a, seed=9_000 + n) for n in range(DRIVERS)]
            before, spent = await nats.bytes_in(), processor_s(b.pid)
            load = await _load(a, jobs, watched=True, other=b)
            passed, other = await nats.bytes_in() - before, processor_s(b.pid) - spent
    both = load.service_s + other * load.fixes / (DRIVERS * FIXES)
    detail = f"{DRIVERS} drivers at one node, their customers at the other"
    return [
        _row("bytes on the bus for a fix", passed / (DRIVERS * FIXES), "B", 1_500, detail),
        _row(
            "both nodes' processor time for a fix and its update", 1000 * both / load.fixes, "ms", 4.4, detail
        ),
    ]
