"""Cost of a message and of a connection, for this project's WebSockets and for Quart's."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import websockets
from websockets.frames import Frame, Opcode

from bench.node import Node
from bench.processes import resident_bytes
from bench.rows import Row

MESSAGES = 300  # of one client, below the rate limit
PEERS = 15  # clients, one after another
BYTES = 250  # of one message
LISTENERS = 100
DELIVERIES = 300  # messages, each to all listeners
IDLE = 400  # connections


async def measure_sockets(_: Node) -> list[Row]:
    """Measure both on servers without the rest of the service."""
    ours, quarts = await _costs("ours"), await _costs("quart")
    names = (
        ("CPU time for a message received", "µs", f"{PEERS} times {MESSAGES} of {BYTES} bytes"),
        ("CPU time for a message delivered", "µs", f"{DELIVERIES} to each of {LISTENERS} listeners"),
        ("memory of one idle socket", "KiB", f"{IDLE} of them"),
    )
    return [
        Row(
            name=name,
            value=own,
            unit=unit,
            against="Quart's API",
            reference=other,
            limit=False,
            detail=detail,
        )
        for (name, unit, detail), own, other in zip(names, ours, quarts, strict=True)
    ]


async def _costs(kind: str) -> tuple[float, float, float]:
    async with _server(kind) as (pid, url):
        await _measure_receive(url)  # warm
        received = sum([await _measure_receive(url) for _ in range(PEERS)]) / PEERS
        return received, await _measure_delivery(url), await _measure_idle(url, pid)


@asynccontextmanager
async def _server(kind: str) -> AsyncIterator[tuple[int, str]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.socket_node", kind), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield process.pid, f"ws://127.0.0.1:{int(await process.stdout.readline())}"
    finally:
        process.kill()
        await process.wait()


def _connect(url: str) -> websockets.connect:
    return websockets.connect(url, proxy=None, compression=None)


async def _measure_receive(url: str) -> float:
    message = Frame(Opcode.TEXT, b"x" * BYTES).serialize(mask=True)
    async with _connect(f"{url}/in") as peer:
        await peer.send("begin")
        peer.transport.write(message * MESSAGES)
        await peer.send("done")
        return float(await peer.recv()) / MESSAGES


async def _measure_delivery(url: str) -> float:
    async with AsyncExitStack() as stack:
        listeners = [await stack.enter_async_context(_connect(f"{url}/out")) for _ in range(LISTENERS)]
        readers = [asyncio.create_task(_read(listener)) for listener in listeners]
        async with _connect(f"{url}/tell") as publisher:
            await publisher.send(f"{DELIVERIES}")
            cost = float(await publisher.recv())
        await asyncio.gather(*readers)
    return cost / DELIVERIES / LISTENERS


async def _read(listener: websockets.ClientConnection) -> None:
    for _ in range(DELIVERIES + 1):
        await listener.recv()


async def _measure_idle(url: str, pid: int) -> float:
    async with AsyncExitStack() as stack:
        before = resident_bytes(pid)
        for _ in range(IDLE):
            idle = await stack.enter_async_context(_connect(f"{url}/out"))
            await idle.recv()
        return (resident_bytes(pid) - before) / 1024 / IDLE
