"""The customer's live view: how soon each kind of reader knows, and what one costs in memory."""

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
EVERY = 1.2  # seconds: no reader is held back by the two updates a second
SOON = 100.0  # milliseconds

Hear = Callable[[str], None]


async def measure_live_view(node: Node) -> list[Row]:
    """Latency first: afterwards there are many who watch."""
    return [*await _latencies(node), *await measure_live_view_memory(node)]


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
        name=f"fix to a customer over {way}, median",
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
