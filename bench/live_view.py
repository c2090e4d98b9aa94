"""The customer's live view: latency of each transport, and memory of one view."""

import asyncio
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import httpx
import msgspec
import websockets

from bench.live_view_memory import measure_live_view_memory
from bench.node import Job, Node, along, drive, new_job, now_text, receive_until, watch
from bench.rows import Row

FIXES = 12
EVERY = 1.2  # seconds; below the limit of two updates a second
SOON = 100.0  # milliseconds

OnPosition = Callable[[str], None]


async def measure_live_view(node: Node) -> list[Row]:
    """Measure the latency first, because the memory measurement opens many views."""
    return [*await _latencies(node), *await measure_live_view_memory(node)]


async def _latencies(node: Node) -> list[Row]:
    job = await new_job(node, seed=2)
    received: dict[str, dict[str, float]] = {"ws": {}, "msgpack": {}, "sse": {}, "poll": {}}
    readers = {"ws": _socket, "msgpack": _binary_socket, "sse": _events, "poll": _polls}
    sent: dict[str, float] = {}
    tasks = [
        asyncio.create_task(read(node, job, _recorder(received[transport])))
        for transport, read in readers.items()
    ]
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
    measured_fixes = list(sent)[2:]
    return [
        _latency_row(transport, [times[at] - sent[at] for at in measured_fixes if at in times])
        for transport, times in received.items()
    ]


def _latency_row(transport: str, latencies: list[float]) -> Row:
    return Row(
        name=f"fix to a customer over {transport}, median",
        value=1_000 * median(latencies) if latencies else float("inf"),
        unit="ms",
        against="limit",
        reference=SOON,
        detail=f"{len(latencies)} of {FIXES - 2} fixes received without conflation",
    )


def _recorder(times: dict[str, float]) -> OnPosition:
    def on_position(recorded_at: str) -> None:
        times.setdefault(recorded_at, perf_counter())

    return on_position


def _report_position(message: Any, on_position: OnPosition) -> None:
    if (position := message.get("position")) is not None:
        on_position(position["recorded_at"])


async def _socket(node: Node, job: Job, on_position: OnPosition) -> None:
    async with watch(node, job) as customer:
        async for frame in customer:
            _report_position(msgspec.json.decode(frame), on_position)


async def _binary_socket(node: Node, job: Job, on_position: OnPosition) -> None:
    names = [websockets.Subprotocol("tracker.v1.msgpack")]
    url = node.ws(f"/v1/track/{job.link_token}/stream")
    async with websockets.connect(url, subprotocols=names, proxy=None, compression=None) as customer:
        async for frame in customer:
            assert isinstance(frame, bytes)
            _report_position(msgspec.msgpack.decode(frame), on_position)


async def _events(node: Node, job: Job, on_position: OnPosition) -> None:
    async with node.http.stream("GET", f"/v1/track/{job.link_token}/events") as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                _report_position(msgspec.json.decode(line.removeprefix("data: ")), on_position)


async def _polls(node: Node, job: Job, on_position: OnPosition) -> None:
    cursor = ""
    while True:
        answer = await node.http.get(f"/v1/track/{job.link_token}/poll", params={"cursor": cursor})
        if answer.status_code == httpx.codes.OK:
            cursor = answer.json()["cursor"]
            for message in answer.json()["messages"]:
                _report_position(message, on_position)
