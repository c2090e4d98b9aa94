"""Webhooks: from the request that changes an order to its event at the merchant's program."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import median
from time import perf_counter
from typing import Any

import msgspec

from bench.node import Node
from bench.rows import Row

ORDERS = 40  # one after the other
AT_ONCE = 50  # in one request
MEDIAN_LIMIT = 100.0  # milliseconds
SLOWEST_LIMIT = 1_000.0  # milliseconds
LOST_AFTER = 10.0  # seconds
PLACES = {"pickup": {"lat": 60.1713, "lon": 24.9440}, "dropoff": {"lat": 60.1666, "lon": 24.9486}}
ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


async def measure_webhooks(node: Node) -> list[Row]:
    """Measure with one webhook on this machine, on an idle service, and in a burst."""
    arrived: asyncio.Queue[float] = asyncio.Queue()
    async with receiving(arrived) as url:
        webhook = await _post(node, "/v1/webhooks", {"url": url, "events": ["order.created"]})
        took = [await _one_order(node, arrived) for _ in range(ORDERS)]
        began = perf_counter()
        await _post(node, "/v1/orders/bulk", {"orders": [PLACES] * AT_ONCE})
        burst = [await _next(arrived) - began for _ in range(AT_ONCE)]
        (await node.http.delete(f"/v1/webhooks/{webhook['id']}")).raise_for_status()
    warm = sorted(one * 1000 for one in took[3:])
    detail = f"{len(warm)} events, fastest {warm[0]:.1f}, slowest {warm[-1]:.1f} ms"
    return [
        _row("change of an order to its webhook, median", median(warm), MEDIAN_LIMIT, detail),
        _row("change of an order to its webhook, slowest", warm[-1], SLOWEST_LIMIT, ""),
        _row(f"{AT_ONCE} orders at once to their webhooks, slowest", max(burst) * 1000, SLOWEST_LIMIT, ""),
    ]


def _row(name: str, value: float, limit: float, detail: str) -> Row:
    return Row(name=name, value=value, unit="ms", against="limit", reference=limit, detail=detail)


async def _one_order(node: Node, arrived: asyncio.Queue[float]) -> float:
    """Return the seconds from sending the request to the event's arrival."""
    began = perf_counter()
    await _post(node, "/v1/orders", PLACES)
    return await _next(arrived) - began


async def _next(arrived: asyncio.Queue[float]) -> float:
    async with asyncio.timeout(LOST_AFTER):
        return await arrived.get()


async def _post(node: Node, path: str, body: object) -> Any:
    return msgspec.json.decode((await node.http.post(path, json=body)).raise_for_status().content)


@asynccontextmanager
async def receiving(arrived: asyncio.Queue[float]) -> AsyncIterator[str]:
    """Serve a program that takes every event at once; put the times of arrival into *arrived*."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
                )
                await reader.readexactly(int(length.partition(b":")[2]))
                arrived.put_nowait(perf_counter())
                writer.write(ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/events"
    finally:
        server.close()
