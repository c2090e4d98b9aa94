"""Set-up time: `make demo` in a fresh clone until a courier moves, then a second start."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter

import httpx
import msgspec
import websockets

from bench.node import free_port
from bench.rows import Row

ROOT = Path(__file__).parent.parent
FIRST_LIMIT = 180.0  # seconds
SECOND_LIMIT = 10.0  # seconds
TIMEOUT = 600.0  # seconds


async def measure_setup(folder: Path) -> list[Row]:
    """Measure with empty package caches, as on a new machine. Raises RuntimeError, TimeoutError."""
    started = perf_counter()
    clone = folder / "clone"
    git = await asyncio.create_subprocess_exec("git", "clone", "--quiet", str(ROOT), str(clone))
    if await git.wait():
        raise RuntimeError(f"git could not clone {ROOT}")
    async with asyncio.timeout(TIMEOUT):
        async with demo(clone) as output:
            await _wait_until_moving(await _tracking_url(output))
            first = perf_counter() - started
        started = perf_counter()
        async with demo(clone) as output:
            await _wait_until_ready(output)
            second = perf_counter() - started
    return [
        Row(
            name="fresh clone to first moving position",
            value=first,
            unit="s",
            against="limit",
            reference=FIRST_LIMIT,
        ),
        Row(
            name="second make demo is serving",
            value=second,
            unit="s",
            against="limit",
            reference=SECOND_LIMIT,
        ),
    ]


@asynccontextmanager
async def demo(clone: Path) -> AsyncIterator[asyncio.StreamReader]:
    """Run `make demo`, and stop it with SIGINT. Yields its output."""
    empty_caches = {"PIP_NO_CACHE_DIR": "1", "npm_config_cache": str(clone.parent / "npm")}
    process = await asyncio.create_subprocess_exec(
        "make", "demo", f"PORT={free_port()}",
        cwd=clone, env=_environment() | empty_caches, start_new_session=True,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGINT)
        await asyncio.wait_for(process.communicate(), 60)


def _environment() -> dict[str, str]:
    """Return the environment without variables that would affect the clone."""
    excluded = ("TRACKER_", "VIRTUAL_ENV", "MAKE", "MFLAGS", "DATABASE_URL")
    return {name: value for name, value in os.environ.items() if not name.startswith(excluded)}


async def _line(output: asyncio.StreamReader, pattern: str) -> str:
    """Read lines until *pattern* matches. Return the match. Raises RuntimeError if the demo exits."""
    lines = []
    while line := (await output.readline()).decode():
        lines.append(line)
        if found := re.search(pattern, line):
            return found[0]
    raise RuntimeError(f"make demo exited:\n{''.join(lines[-20:])}")


async def _tracking_url(output: asyncio.StreamReader) -> str:
    return await _line(output, r"http://[^/\s]+/t/[\w-]+")


async def _wait_until_ready(output: asyncio.StreamReader) -> None:
    address = await _line(output, r"http://127\.0\.0\.1:\d+")
    async with httpx.AsyncClient(trust_env=False) as http:
        while True:
            try:
                if (await http.get(f"{address}/readyz")).is_success:
                    return
            except httpx.TransportError:
                pass  # not listening yet
            await asyncio.sleep(0.05)


async def _wait_until_moving(tracking_url: str) -> None:
    """Wait until a customer has received two different positions."""
    stream = tracking_url.replace("http", "ws", 1).replace("/t/", "/v1/track/") + "/stream"
    positions = set()
    async with websockets.connect(stream, proxy=None) as customer:
        async for message in customer:
            if position := msgspec.json.decode(message).get("position"):
                positions.add((position["lat"], position["lon"]))
            if len(positions) > 1:
                return
