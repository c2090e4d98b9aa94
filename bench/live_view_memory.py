"""What one customer's live view costs the service in memory: by each way, idle or stalled."""

import asyncio
import socket
from collections.abc import Awaitable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from bench.node import Job, Node, along, drive, new_job, now_text, receive_until
from bench.rows import Row

VIEWS: Final = 400  # of several links: one has fifty at most
PER_JOB: Final = 40
IDLE: Final = 64.0  # KiB
STALLED: Final = 96.0  # KiB
STALLS: Final = 120
PRESSURE: Final = 40  # fixes while somebody does not read
RECEIVE_BUFFER: Final = 4_096  # bytes in the kernel of a client that does not read
SETTLED_AFTER: Final = 1.5  # seconds
NAMES: Final = {"stream": "a WebSocket", "events": "server-sent events", "poll": "long polling"}
ADDRESSES: Final = {
    "stream": "127.0.0.1",
    "events": "127.0.0.2",
    "poll": "127.0.0.3",
}  # one has a thousand views


async def measure_live_view_memory(node: Node) -> list[Row]:
    """Nobody leaves in between: what they would free would hide what others take.

    A poll cannot stall: it is answered once, and over.
    """
    idle = {way: await _jobs(node, 100 * n, VIEWS) for n, way in enumerate(NAMES, start=10)}
    pressed = {
        way: await _jobs(node, 100 * n, STALLS) for n, way in enumerate(("stream", "events"), start=20)
    }
    views: list[socket.socket] = []
    for way, jobs in (*idle.items(), *pressed.items()):
        views += await _open(node, jobs, way, 2 * len(jobs))
    await _press(
        node, [job for jobs in pressed.values() for job in jobs]
    )  # the trips' own need is not counted
    rows = []
    for way, jobs in idle.items():
        before = _resident(node)
        views += await _open(node, jobs, way, VIEWS)
        await asyncio.sleep(SETTLED_AFTER)
        rows.append(_row("idle", way, _resident(node) - before, VIEWS, IDLE))
    for way, jobs in pressed.items():
        before = _resident(node)
        views += await _open(node, jobs, way, STALLS, read=False)
        await _press(node, jobs)
        rows.append(_row("stalled", way, _resident(node) - before, STALLS, STALLED))
    for view in views:
        view.close()
    return rows


async def _jobs(node: Node, seed: int, views: int) -> list[Job]:
    return [await new_job(node, seed=seed + n) for n in range(views // PER_JOB)]


def _row(kind: str, way: str, grown: int, views: int, limit: float) -> Row:
    return Row(
        name=f"memory of the service for one {kind} customer on {NAMES[way]}",
        value=max(grown, 0) / views / 1024,
        unit="KiB",
        against="limit",
        reference=limit,
        detail=f"resident memory, {views} customers",
    )


async def _open(
    node: Node, jobs: list[Job], way: str, count: int, *, read: bool = True
) -> list[socket.socket]:
    """Bare sockets, so that what is measured is the service: once they watch nobody answers."""
    loop, where = asyncio.get_running_loop(), urlsplit(node.url)
    requests = [await _request(node, job, way) for job in jobs]
    opened = []
    for n in range(count):
        view = socket.socket()
        view.setblocking(False)
        view.bind((ADDRESSES[way], 0))
        if not read:
            view.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        assert where.hostname is not None
        await loop.sock_connect(view, (where.hostname, where.port))
        await loop.sock_sendall(view, requests[n % len(jobs)])
        if way != "poll":  # whose answer comes when there is something to tell
            assert (await loop.sock_recv(view, 12)).startswith((b"HTTP/1.1 101", b"HTTP/1.1 200"))
        opened.append(view)
    return opened


async def _request(node: Node, job: Job, way: str) -> bytes:
    path = f"/v1/track/{job.link_token}/{way}"
    head = [f"Host: {urlsplit(node.url).netloc}"]
    if way == "stream":
        head += ["Connection: Upgrade", "Upgrade: websocket"]
        head += ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]
    if way == "poll":  # with nothing new to tell
        told = await node.http.get(path, params={"wait_s": 0})
        path += f"?wait_s=60&cursor={told.json()['cursor']}"
    return "\r\n".join([f"GET {path} HTTP/1.1", *head, "", ""]).encode()


async def _press(node: Node, jobs: list[Job]) -> None:
    """Fixes of all drivers, until kernels have no room left and the mailbox has to conflate."""

    async def one(job: Job) -> None:
        async with drive(node, job) as driver:
            await receive_until(driver, "welcome")
            for number in range(PRESSURE):
                fix = {"recorded_at": now_text(), **along(job, number * 10.0), "accuracy": 5, "speed": 15}
                await driver.send(msgspec.json.encode({"type": "fixes", "id": 1, "fixes": [fix]}).decode())
                await receive_until(driver, "ack")
                await asyncio.sleep(0.3)

    pressing: list[Awaitable[None]] = [one(job) for job in jobs]
    await asyncio.gather(*pressing)


def _resident(node: Node) -> int:
    """Bytes."""
    for line in Path(f"/proc/{node.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("the service has ended")
