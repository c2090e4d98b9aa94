"""The service's memory for one live view, idle or stalled, by transport."""

import asyncio
import socket
from collections.abc import Awaitable
from typing import Final
from urllib.parse import urlsplit

import msgspec

from bench.node import Job, Node, along, drive, new_job, now_text, receive_until
from bench.processes import resident_bytes
from bench.rows import Row

VIEWS: Final = 400  # over several links, because one link allows 50
PER_JOB: Final = 40
IDLE: Final = 64.0  # KiB
STALLED: Final = 96.0  # KiB
STALLS: Final = 120
FIXES: Final = 40  # fixes sent while the clients do not read
RECEIVE_BUFFER: Final = 4_096  # bytes; kernel buffer of a stalled client
SETTLED_AFTER: Final = 1.5  # seconds
NAMES: Final = {"stream": "a WebSocket", "events": "server-sent events", "poll": "long polling"}
ADDRESSES: Final = {
    "stream": "127.0.0.1",
    "events": "127.0.0.2",
    "poll": "127.0.0.3",
}  # one address allows 1,000 views


async def measure_live_view_memory(node: Node) -> list[Row]:
    """Measure each transport and state. All views stay open, because freed memory would hide later growth.

    A poll cannot stall: it ends with its response.
    """
    idle = {transport: await _jobs(node, 100 * n, VIEWS) for n, transport in enumerate(NAMES, start=10)}
    stalled = {
        transport: await _jobs(node, 100 * n, STALLS)
        for n, transport in enumerate(("stream", "events"), start=20)
    }
    views: list[socket.socket] = []
    for transport, jobs in (*idle.items(), *stalled.items()):
        views += await _open(node, jobs, transport, 2 * len(jobs))
    await _send_fixes(
        node, [job for jobs in stalled.values() for job in jobs]
    )  # exclude the memory of the trips
    rows = []
    for transport, jobs in idle.items():
        before = resident_bytes(node.pid)
        views += await _open(node, jobs, transport, VIEWS)
        await asyncio.sleep(SETTLED_AFTER)
        rows.append(_row("idle", transport, resident_bytes(node.pid) - before, VIEWS, IDLE))
    for transport, jobs in stalled.items():
        before = resident_bytes(node.pid)
        views += await _open(node, jobs, transport, STALLS, read=False)
        await _send_fixes(node, jobs)
        rows.append(_row("stalled", transport, resident_bytes(node.pid) - before, STALLS, STALLED))
    for view in views:
        view.close()
    return rows


async def _jobs(node: Node, seed: int, views: int) -> list[Job]:
    return [await new_job(node, seed=seed + n) for n in range(views // PER_JOB)]


def _row(kind: str, transport: str, growth: int, views: int, limit: float) -> Row:
    return Row(
        name=f"memory of the service for one {kind} customer on {NAMES[transport]}",
        value=max(growth, 0) / views / 1024,
        unit="KiB",
        against="limit",
        reference=limit,
        detail=f"resident memory, {views} customers",
    )


async def _open(
    node: Node, jobs: list[Job], transport: str, count: int, *, read: bool = True
) -> list[socket.socket]:
    """Open views with bare sockets, which cost the benchmark little. They never reply."""
    loop, url = asyncio.get_running_loop(), urlsplit(node.url)
    requests = [await _request(node, job, transport) for job in jobs]
    opened = []
    for n in range(count):
        view = socket.socket()
        view.setblocking(False)
        view.bind((ADDRESSES[transport], 0))
        if not read:
            view.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        assert url.hostname is not None
        await loop.sock_connect(view, (url.hostname, url.port))
        await loop.sock_sendall(view, requests[n % len(jobs)])
        if transport != "poll":  # a poll's response comes with the next update
            assert (await loop.sock_recv(view, 12)).startswith((b"HTTP/1.1 101", b"HTTP/1.1 200"))
        opened.append(view)
    return opened


async def _request(node: Node, job: Job, transport: str) -> bytes:
    path = f"/v1/track/{job.link_token}/{transport}"
    head = [f"Host: {urlsplit(node.url).netloc}"]
    if transport == "stream":
        head += ["Connection: Upgrade", "Upgrade: websocket"]
        head += ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]
    if transport == "poll":  # with the current cursor, so that the poll waits
        response = await node.http.get(path, params={"wait_s": 0})
        path += f"?wait_s=60&cursor={response.json()['cursor']}"
    return "\r\n".join([f"GET {path} HTTP/1.1", *head, "", ""]).encode()


async def _send_fixes(node: Node, jobs: list[Job]) -> None:
    """Send fixes for all drivers until kernel buffers are full and the subscriptions conflate."""

    async def one(job: Job) -> None:
        async with drive(node, job) as driver:
            await receive_until(driver, "welcome")
            for number in range(FIXES):
                fix = {"recorded_at": now_text(), **along(job, number * 10.0), "accuracy": 5, "speed": 15}
                await driver.send(msgspec.json.encode({"type": "fixes", "id": 1, "fixes": [fix]}).decode())
                await receive_until(driver, "ack")
                await asyncio.sleep(0.3)

    senders: list[Awaitable[None]] = [one(job) for job in jobs]
    await asyncio.gather(*senders)
