"""Long measurements of live views: a slow reader for a minute, and 5,000 reconnects after a kill."""

import asyncio
import os
import re
import resource
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import random
from secrets import token_urlsafe
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import msgspec
from websockets.asyncio.client import ClientConnection

from bench.node import Job, Node, along, drive, free_port, new_job, node_on, now_text, receive_until, watch
from bench.processes import processor_s
from bench.rows import Row
from tracker.postgres.server import embedded

DURATION = 60.0  # seconds
FIXES_PER_S = 10.0
FRAME_TIME = 0.5  # seconds in which the slow reader processes one frame
SPEED = 2.0  # metres per second
OLDEST_LIMIT = 3.0  # seconds

WATCHERS = 5_000
ORDERS = 200
ADDRESSES = 8  # of the loopback interface, because one address allows 1,000 live views
SPREAD = 15.0  # seconds; the contract's spread after a restart, and a client's longest pause
RECONNECT_LIMIT = 5.0  # seconds from the connect to the final state
TIMEOUT = 60.0  # seconds
VISITS_AT_ONCE = 20  # first visits at a time, because each is recorded as a page view
READS_LIMIT = 3.0  # of rows by key for one reconnect
DESCRIPTORS = 2 * WATCHERS
STATISTICS_DELAY = 1.5  # seconds until PostgreSQL has updated its statistics

CURSOR = re.compile(rb'"cursor":"([^"]+)"')
SCANS = "SELECT coalesce(sum(idx_scan), 0)::int, coalesce(sum(seq_scan), 0)::int FROM pg_stat_user_tables"


async def measure_live_view_long(folder: Path) -> list[Row]:
    """Measure on a separate node, because the second measurement kills it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, DESCRIPTORS) if most > 0 else DESCRIPTORS, most))
    await asyncio.to_thread(folder.mkdir)
    port, key = free_port(), token_urlsafe(24)
    async with embedded(folder / "database", lambda _: None) as database_url:
        async with node_on(folder, database_url, port, key) as node:
            rows = [await _slow_reader(node)]
            watchers, finals = await _first_visits(node)
            os.kill(node.pid, signal.SIGKILL)
        async with node_on(folder, database_url, port, key) as node:
            return rows + await _reconnect_all(node, watchers, finals)


# --- a slow reader


async def _slow_reader(node: Node) -> Row:
    job = await new_job(node, seed=300)
    oldest, displayed_at, frames = 0.0, None, 0
    async with watch(node, job) as customer:
        await _acknowledge(customer, await receive_until(customer, "snapshot"))
        driving = asyncio.create_task(_drive_often(node, job))
        while not driving.done():
            message = msgspec.json.decode(await customer.recv())
            await asyncio.sleep(FRAME_TIME)
            now = datetime.now(UTC)
            if displayed_at is not None:  # a position is oldest just before its replacement
                oldest = max(oldest, (now - displayed_at).total_seconds())
            if (position := message.get("position")) is not None:
                displayed_at, frames = datetime.fromisoformat(position["recorded_at"]), frames + 1
            await _acknowledge(customer, message)
        await driving
    return Row(
        name="oldest position on a slow reader's screen",
        value=oldest,
        unit="s",
        against="limit",
        reference=OLDEST_LIMIT,
        detail=f"{frames} frames shown in {DURATION:.0f} s of {FIXES_PER_S:.0f} fixes a second",
    )


async def _acknowledge(customer: ClientConnection, message: dict[str, Any]) -> None:
    await customer.send(msgspec.json.encode({"type": "seen", "cursor": message["cursor"]}).decode())


async def _drive_often(node: Node, job: Job) -> None:
    clock = asyncio.get_running_loop().time
    async with drive(node, job) as driver:
        await receive_until(driver, "welcome")
        started = clock()
        for number in range(int(DURATION * FIXES_PER_S)):
            await _fix(driver, job, number * SPEED / FIXES_PER_S)
            await asyncio.sleep(max(0.0, started + (number + 1) / FIXES_PER_S - clock()))


async def _fix(driver: ClientConnection, job: Job, metres: float) -> str:
    """Send a fix and wait for its `ack`. Return its recorded_at."""
    at = now_text()
    fix = {"recorded_at": at, **along(job, metres), "accuracy": 5, "speed": SPEED}
    await driver.send(msgspec.json.encode({"type": "fixes", "id": 1, "fixes": [fix]}).decode())
    await receive_until(driver, "ack")
    return at


# --- a kill


class _Watcher(asyncio.Protocol):
    """A customer's WebSocket on a bare transport, cheap enough for thousands of connections."""

    def __init__(self, number: int, job: Job) -> None:
        self.job, self.address = job, f"127.0.0.{1 + number % ADDRESSES}"
        self.cursor = b""
        self.failed = ""
        self._received = b""
        self._pattern = b""
        self._done: asyncio.Future[None]
        self._transport: asyncio.Transport

    async def connect(self, node: Node, pattern: bytes) -> float:
        """Connect and wait for *pattern* in the stream. Return the seconds; the connection stays open."""
        loop, url, started = asyncio.get_running_loop(), urlsplit(node.url), perf_counter()
        self._received, self._pattern, self._done = b"", pattern, loop.create_future()
        try:
            async with asyncio.timeout(TIMEOUT):
                assert url.hostname is not None and url.port is not None
                self._transport, _ = await loop.create_connection(
                    lambda: self, url.hostname, url.port, local_addr=(self.address, 0)
                )
                self._transport.write(self._request(url.netloc))
                await self._done
        except (OSError, TimeoutError, ConnectionError) as error:
            after = perf_counter() - started
            self.failed = f"{type(error).__name__} {error} after {after:.1f} s: {self._received[:60]!r}"
        return perf_counter() - started

    def _request(self, host: str) -> bytes:
        path = f"/v1/track/{self.job.link_token}/stream?cursor={self.cursor.decode()}"
        return (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        ).encode()

    def data_received(self, data: bytes) -> None:
        if self._done.done():
            return
        self._received += data
        if not self._received.startswith(b"HTTP/1.1 101"[: len(self._received)]):
            self._done.set_exception(ConnectionError("handshake rejected"))
        elif self._pattern in self._received and (cursors := CURSOR.findall(self._received)):
            self.cursor = cursors[-1]
            self._done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(ConnectionError(f"connection lost: {exc!r}"))

    def abort(self) -> None:
        self._transport.abort()


async def _first_visits(node: Node) -> tuple[list[_Watcher], dict[str, bytes]]:
    """Open all live views, then send one more fix for each driver and wait for its ack.

    Most views have not received that fix yet. Return the watchers, and a part of each link's final state.
    """
    jobs = [await new_job(node, seed=1_000 + number) for number in range(ORDERS)]
    watchers = [_Watcher(number, jobs[number % ORDERS]) for number in range(WATCHERS)]
    gate = asyncio.Semaphore(VISITS_AT_ONCE)

    async def visit(watcher: _Watcher) -> None:
        async with gate:
            await watcher.connect(node, b'"snapshot"')

    await asyncio.gather(*map(visit, watchers))
    _check(watchers)
    finals = {}
    for job in jobs:
        async with drive(node, job) as driver:
            await receive_until(driver, "welcome")
            finals[job.link_token] = f'"recorded_at":"{await _fix(driver, job, 50.0)}"'.encode()
    return watchers, finals


async def _reconnect_all(node: Node, watchers: Sequence[_Watcher], finals: dict[str, bytes]) -> list[Row]:
    """Reconnect all watchers within the spread, each with its cursor of the killed node."""

    async def reconnect(watcher: _Watcher) -> float:
        await asyncio.sleep(random() * SPREAD)
        return await watcher.connect(node, finals[watcher.job.link_token])

    used = processor_s(node.pid)
    async with _count_scans(node) as read:
        latencies = sorted(await asyncio.gather(*map(reconnect, watchers)))
        used = processor_s(node.pid) - used
    _check(watchers)
    for watcher in watchers:
        watcher.abort()
    indexed, sequential = read
    per_reconnect = 1_000 * used / WATCHERS
    median = latencies[WATCHERS // 2]
    detail = f"{WATCHERS} on {ORDERS} links; median {median:.2f} s; {per_reconnect:.2f} ms of CPU time each"
    return [
        Row(
            name="reconnect after a kill, connect to final state, 99 %",
            value=latencies[WATCHERS * 99 // 100],
            unit="s",
            against="limit",
            reference=RECONNECT_LIMIT,
            detail=detail,
        ),
        Row(
            name="rows read by key for one reconnect",
            value=indexed / WATCHERS,
            unit="reads",
            against="limit",
            reference=READS_LIMIT,
            detail=f"{indexed} index scans, {sequential} sequential scans, including background work",
        ),
    ]


@asynccontextmanager
async def _count_scans(node: Node) -> AsyncIterator[list[int]]:
    """Count the database's index and sequential scans in the block, which fill the list at its end."""
    connection = await asyncpg.connect(node.database_url)
    scans: list[int] = []
    try:
        await asyncio.sleep(STATISTICS_DELAY)
        (before,) = await connection.fetch(SCANS)
        yield scans
        await asyncio.sleep(STATISTICS_DELAY)
        (after,) = await connection.fetch(SCANS)
        scans += [now - then for now, then in zip(after, before, strict=True)]
    finally:
        await connection.close()


def _check(watchers: Sequence[_Watcher]) -> None:
    """Raises RuntimeError if a customer was not served, because the figures would be wrong."""
    failed = [watcher.failed for watcher in watchers if watcher.failed]
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(watchers)} customers were not served: {failed[:3]}")
