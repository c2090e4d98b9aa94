"""The customer's live view: how soon each kind of reader knows, and what one costs in memory."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
import websockets

from bench.node import Job, Node, drive, new_job, now_text, receive_until, watch
from bench.rows import Row
from tracker.domain.geo import distance

FIXES = 12
EVERY = 1.2  # seconds: no reader is held back by the two updates a second
SOON = 100.0  # milliseconds
VIEWS = 400  # of several links: one has fifty at most
PER_JOB = 40
IDLE = 64.0  # KiB
STALLED = 96.0  # KiB
STALLS = 120
PRESSURE = 40  # fixes while somebody does not read
RECEIVE_BUFFER = 4_096  # bytes in the kernel of a client that does not read

Hear = Callable[[str], None]


async def measure_live_view(node: Node) -> list[Row]:
    """Latency first: afterwards there are many who watch."""
    return [*await _latencies(node), *await _memory(node)]


async def _latencies(node: Node) -> list[Row]:
    job = await new_job(node, seed=2)
    heard: dict[str, dict[str, float]] = {"ws": {}, "msgpack": {}, "sse": {}, "poll": {}}
    readers = {"ws": _socket, "msgpack": _binary_socket, "sse": _events, "poll": _polls}
    sent: dict[str, float] = {}
    tasks = [asyncio.create_task(read(node, job, _noting(heard[way]))) for way, read in readers.items()]
    async with drive(node, job) as driver:
        await receive_until(driver, "welcome")
        for number in range(FIXES):
            await asyncio.sleep(EVERY)
            at = now_text()
            fix = {"recorded_at": at, **along(job, number * 5.0), "accuracy": 5, "speed": 4}
            sent[at] = perf_counter()
            await driver.send(msgspec.json.encode({"type": "fixes", "id": number, "fixes": [fix]}).decode())
            await receive_until(driver, "ack")
        await asyncio.sleep(EVERY)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    counted = list(sent)[2:]
    return [
        _latency_row(way, [times[at] - sent[at] for at in counted if at in times])
        for way, times in heard.items()
    ]


def _latency_row(way: str, took: list[float]) -> Row:
    return Row(
        name=f"fix to a customer by {way}, median",
        value=1_000 * median(took) if took else float("inf"),
        unit="ms",
        against="limit",
        reference=SOON,
        detail=f"{len(took)} of {FIXES - 2} fixes heard by themselves",
    )


def _noting(times: dict[str, float]) -> Hear:
    def hear(recorded_at: str) -> None:
        times.setdefault(recorded_at, perf_counter())

    return hear


def _note(message: Any, hear: Hear) -> None:
    if (position := message.get("position")) is not None:
        hear(position["recorded_at"])


async def _socket(node: Node, job: Job, hear: Hear) -> None:
    async with watch(node, job) as customer:
        async for frame in customer:
            _note(msgspec.json.decode(frame), hear)


async def _binary_socket(node: Node, job: Job, hear: Hear) -> None:
    names = [websockets.Subprotocol("tracker.v1.msgpack")]
    url = node.ws(f"/v1/track/{job.link_token}/stream")
    async with websockets.connect(url, subprotocols=names, proxy=None, compression=None) as customer:
        async for frame in customer:
            assert isinstance(frame, bytes)
            _note(msgspec.msgpack.decode(frame), hear)


async def _events(node: Node, job: Job, hear: Hear) -> None:
    async with node.http.stream("GET", f"/v1/track/{job.link_token}/events") as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                _note(msgspec.json.decode(line.removeprefix("data: ")), hear)


async def _polls(node: Node, job: Job, hear: Hear) -> None:
    cursor = ""
    while True:
        answer = await node.http.get(f"/v1/track/{job.link_token}/poll", params={"cursor": cursor})
        if answer.status_code == httpx.codes.OK:
            cursor = answer.json()["cursor"]
            for message in answer.json()["messages"]:
                _note(message, hear)


# --- memory


async def _memory(node: Node) -> list[Row]:
    """Nobody leaves in between: what they would free would hide what others take."""
    jobs = [await new_job(node, seed=100 + n) for n in range(VIEWS // PER_JOB)]
    pressed = [await new_job(node, seed=200 + n) for n in range(STALLS // PER_JOB)]
    views = await _open(node, [*jobs, *pressed], 2 * len([*jobs, *pressed]))
    await _press(node, pressed)  # what the trips themselves need is not counted
    before = _resident(node)
    views += await _open(node, jobs, VIEWS)
    await asyncio.sleep(1.0)
    with_idle = _resident(node)
    views += await _open(node, pressed, STALLS, read=False)
    await _press(node, pressed)
    with_stalled = _resident(node)
    for view in views:
        view.close()
    return [
        _memory_row("idle", with_idle - before, VIEWS, IDLE),
        _memory_row("stalled", with_stalled - with_idle, STALLS, STALLED),
    ]


def _memory_row(kind: str, grown: int, views: int, limit: float) -> Row:
    return Row(
        name=f"memory of the service for one {kind} customer on a WebSocket",
        value=max(grown, 0) / views / 1024,
        unit="KiB",
        against="limit",
        reference=limit,
        detail=f"resident memory, {views} customers",
    )


async def _open(node: Node, jobs: list[Job], count: int, *, read: bool = True) -> list[socket.socket]:
    """Bare sockets, so that what is measured is the service: after the handshake nobody answers."""
    loop, opened = asyncio.get_running_loop(), []
    where = urlsplit(node.url)
    assert where.hostname is not None
    for n in range(count):
        view = socket.socket()
        view.setblocking(False)
        if not read:
            view.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        await loop.sock_connect(view, (where.hostname, where.port))
        token = jobs[n % len(jobs)].link_token
        head = (
            f"GET /v1/track/{token}/stream HTTP/1.1", f"Host: {where.netloc}", "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "", "",
        )  # fmt: skip
        await loop.sock_sendall(view, "\r\n".join(head).encode())
        assert (await loop.sock_recv(view, 12)).startswith(b"HTTP/1.1 101")
        opened.append(view)
    return opened


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


def along(job: Job, metres: float) -> dict[str, float]:
    """So far from the pickup towards the dropoff."""
    share = metres / distance(job.pickup, job.dropoff)
    return {
        "lat": job.pickup.lat + share * (job.dropoff.lat - job.pickup.lat),
        "lon": job.pickup.lon + share * (job.dropoff.lon - job.pickup.lon),
    }
