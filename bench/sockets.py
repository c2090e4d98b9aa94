"""Sockets of ours beside Quart's own, behind the same server: what a message and a connection cost it."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import websockets
from websockets.frames import Frame, Opcode

from bench.node import Node
from bench.rows import Row

MESSAGES = 300  # of one peer: who sends more at once is slowed down
PEERS = 15  # one after the other
BYTES = 250  # of one
LISTENERS = 100
TOLD = 300  # messages, each to all listeners
IDLE = 400  # connections


async def measure_sockets(_: Node) -> list[Row]:
    """The service itself is not asked: both are echoes of nothing but its sockets."""
    ours, quarts = await _costs("ours"), await _costs("quart")
    names = (
        ("CPU time for a message received", "µs", f"{PEERS} times {MESSAGES} of {BYTES} bytes"),
        ("CPU time for a message delivered", "µs", f"{TOLD} to each of {LISTENERS} listeners"),
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
        await _received(url)  # warm
        received = sum([await _received(url) for _ in range(PEERS)]) / PEERS
        return received, await _delivered(url), await _idle(url, pid)


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


async def _received(url: str) -> float:
    message = Frame(Opcode.TEXT, b"x" * BYTES).serialize(mask=True)
    async with _connect(f"{url}/in") as peer:
        await peer.send("begin")
        peer.transport.write(message * MESSAGES)
        await peer.send("done")
        return float(await peer.recv()) / MESSAGES


async def _delivered(url: str) -> float:
    async with AsyncExitStack() as stack:
        listeners = [await stack.enter_async_context(_connect(f"{url}/out")) for _ in range(LISTENERS)]
        hearing = [asyncio.create_task(_hear(listener)) for listener in listeners]
        async with _connect(f"{url}/tell") as teller:
            await teller.send(f"{TOLD}")
            cost = float(await teller.recv())
        await asyncio.gather(*hearing)
    return cost / TOLD / LISTENERS


async def _hear(listener: websockets.ClientConnection) -> None:
    for _ in range(TOLD + 1):
        await listener.recv()


async def _idle(url: str, pid: int) -> float:
    async with AsyncExitStack() as stack:
        before = _resident(pid)
        for _ in range(IDLE):
            idle = await stack.enter_async_context(_connect(f"{url}/out"))
            await idle.recv()
        return (_resident(pid) - before) / IDLE


def _resident(pid: int) -> float:
    """KiB."""
    (line,) = [
        line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")
    ]
    return float(line.split()[1])
