"""The customer's live view at length: a slow reader for a minute, and 5,000 who come back after a kill."""

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
from bench.rows import Row
from tracker.postgres.server import embedded

CHANGING = 60.0  # seconds
HERTZ = 10.0
SHOW = 0.5  # seconds that the slow reader takes for a frame
SPEED = 2.0  # metres per second
OLDEST = 3.0  # seconds

WATCHERS = 5_000
ORDERS = 200
ADDRESSES = 8  # of the loopback: one has a thousand live views at most
SPREAD = 15.0  # seconds: the interface's, and the longest pause of a client that was cut off
BACK = 5.0  # seconds from connecting to the final state
GIVE_UP = 60.0  # seconds
AT_ONCE = 20  # who come for the first time, each noted as an opening
READS = 3.0  # of a row by its key, a watcher
DESCRIPTORS = 2 * WATCHERS
COUNTED_AFTER = 1.5  # seconds until the database's own counters hold everything

CURSOR = re.compile(rb'"cursor":"([^"]+)"')
SCANS = "SELECT coalesce(sum(idx_scan), 0)::int, coalesce(sum(seq_scan), 0)::int FROM pg_stat_user_tables"


async def measure_live_view_long(folder: Path) -> list[Row]:
    """A node of its own: it is killed."""
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
            return rows + await _return(node, watchers, finals)


# --- a slow reader


async def _slow_reader(node: Node) -> Row:
    job = await new_job(node, seed=300)
    oldest, shown, frames = 0.0, None, 0
    async with watch(node, job) as customer:
        await _seen(customer, await receive_until(customer, "snapshot"))
        driving = asyncio.create_task(_drive_often(node, job))
        while not driving.done():
            message = msgspec.json.decode(await customer.recv())
            await asyncio.sleep(SHOW)
            now = datetime.now(UTC)
            if shown is not None:  # what was shown until now is oldest just before it is replaced
                oldest = max(oldest, (now - shown).total_seconds())
            if (position := message.get("position")) is not None:
                shown, frames = datetime.fromisoformat(position["recorded_at"]), frames + 1
            await _seen(customer, message)
        await driving
    return Row(
        name="oldest position on a slow reader's screen",
        value=oldest,
        unit="s",
        against="limit",
        reference=OLDEST,
        detail=f"{frames} frames shown in {CHANGING:.0f} s of {HERTZ:.0f} fixes a second",
    )


async def _seen(customer: ClientConnection, message: dict[str, Any]) -> None:
    await customer.send(msgspec.json.encode({"type": "seen", "cursor": message["cursor"]}).decode())


async def _drive_often(node: Node, job: Job) -> None:
    clock = asyncio.get_running_loop().time
    async with drive(node, job) as driver:
        await receive_until(driver, "welcome")
        begun = clock()
        for number in range(int(CHANGING * HERTZ)):
            await _fix(driver, job, number * SPEED / HERTZ)
            await asyncio.sleep(max(0.0, begun + (number + 1) / HERTZ - clock()))


async def _fix(driver: ClientConnection, job: Job, metres: float) -> str:
    """Sends one and waits for its `ack`; when it was recorded."""
    at = now_text()
    fix = {"recorded_at": at, **along(job, metres), "accuracy": 5, "speed": SPEED}
    await driver.send(msgspec.json.encode({"type": "fixes", "id": 1, "fixes": [fix]}).decode())
    await receive_until(driver, "ack")
    return at


# --- a kill


class _Watcher(asyncio.Protocol):
    """A customer's bare WebSocket, cheap enough for thousands; knows a cursor and what it waits for."""

    def __init__(self, number: int, job: Job) -> None:
        self.job, self.address = job, f"127.0.0.{1 + number % ADDRESSES}"
        self.cursor = b""
        self.failed = ""
        self._heard = b""
        self._wanted = b""
        self._there: asyncio.Future[None]
        self._transport: asyncio.Transport

    async def come(self, node: Node, wanted: bytes) -> float:
        """Seconds from connecting until `wanted` was heard; the connection stays open."""
        loop, where, began = asyncio.get_running_loop(), urlsplit(node.url), perf_counter()
        self._heard, self._wanted, self._there = b"", wanted, loop.create_future()
        try:
            async with asyncio.timeout(GIVE_UP):
                assert where.hostname is not None and where.port is not None
                self._transport, _ = await loop.create_connection(
                    lambda: self, where.hostname, where.port, local_addr=(self.address, 0)
                )
                self._transport.write(self._request(where.netloc))
                await self._there
        except (OSError, TimeoutError, ConnectionError) as error:
            after = perf_counter() - began
            self.failed = f"{type(error).__name__} {error} after {after:.1f} s: {self._heard[:60]!r}"
        return perf_counter() - began

    def _request(self, host: str) -> bytes:
        path = f"/v1/track/{self.job.link_token}/stream?cursor={self.cursor.decode()}"
        return (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        ).encode()

    def data_received(self, data: bytes) -> None:
        if self._there.done():
            return
        self._heard += data
        if not self._heard.startswith(b"HTTP/1.1 101"[: len(self._heard)]):
            self._there.set_exception(ConnectionError("refused"))
        elif self._wanted in self._heard and (cursors := CURSOR.findall(self._heard)):
            self.cursor = cursors[-1]
            self._there.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._there.done():
            self._there.set_exception(ConnectionError(f"cut {exc!r}"))

    def leave(self) -> None:
        self._transport.abort()


async def _first_visits(node: Node) -> tuple[list[_Watcher], dict[str, bytes]]:
    """Everybody watches; then each driver sends one more fix, which is acknowledged but hardly shown yet.

    Yields them, and what the final state of each order holds.
    """
    jobs = [await new_job(node, seed=1_000 + number) for number in range(ORDERS)]
    watchers = [_Watcher(number, jobs[number % ORDERS]) for number in range(WATCHERS)]
    gate = asyncio.Semaphore(AT_ONCE)

    async def visit(watcher: _Watcher) -> None:
        async with gate:
            await watcher.come(node, b'"snapshot"')

    await asyncio.gather(*map(visit, watchers))
    _check(watchers)
    finals = {}
    for job in jobs:
        async with drive(node, job) as driver:
            await receive_until(driver, "welcome")
            finals[job.link_token] = f'"recorded_at":"{await _fix(driver, job, 50.0)}"'.encode()
    return watchers, finals


async def _return(node: Node, watchers: Sequence[_Watcher], finals: dict[str, bytes]) -> list[Row]:
    """All within the spread, each with the cursor of the dead node."""

    async def back(watcher: _Watcher) -> float:
        await asyncio.sleep(random() * SPREAD)
        return await watcher.come(node, finals[watcher.job.link_token])

    worked = _worked(node)
    async with _counting(node) as read:
        took = sorted(await asyncio.gather(*map(back, watchers)))
        worked = _worked(node) - worked
    _check(watchers)
    for watcher in watchers:
        watcher.leave()
    indexed, whole = read
    each = 1_000 * worked / WATCHERS
    detail = (
        f"{WATCHERS} on {ORDERS} links; median {took[WATCHERS // 2]:.2f} s; {each:.2f} ms of processor each"
    )
    return [
        Row(
            name="reconnect after a kill, connect to final state, 99 %",
            value=took[WATCHERS * 99 // 100],
            unit="s",
            against="limit",
            reference=BACK,
            detail=detail,
        ),
        Row(
            name="rows read by key for one reconnect",
            value=indexed / WATCHERS,
            unit="reads",
            against="limit",
            reference=READS,
            detail=f"{indexed} index scans, {whole} scans of whole tables, the service's own included",
        ),
    ]


@asynccontextmanager
async def _counting(node: Node) -> AsyncIterator[list[int]]:
    """How many scans of indexes and of whole tables the database made meanwhile."""
    connection = await asyncpg.connect(node.database_url)
    scans: list[int] = []
    try:
        await asyncio.sleep(COUNTED_AFTER)
        (before,) = await connection.fetch(SCANS)
        yield scans
        await asyncio.sleep(COUNTED_AFTER)
        (after,) = await connection.fetch(SCANS)
        scans += [now - then for now, then in zip(after, before, strict=True)]
    finally:
        await connection.close()


def _worked(node: Node) -> float:
    """Seconds that the service has kept a processor busy."""
    times = Path(f"/proc/{node.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")


def _check(watchers: Sequence[_Watcher]) -> None:
    """Raises RuntimeError where somebody was not served: there is no figure without them."""
    failed = [watcher.failed for watcher in watchers if watcher.failed]
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(watchers)} customers were not served: {failed[:3]}")
