"""From nothing to a moving courier: `make demo` in a fresh clone, and again in the same one."""

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
GIVE_UP = 600.0  # seconds


async def measure_setup(folder: Path) -> list[Row]:
    """Package caches are empty: everything comes from the registries, as on a new machine."""
    began = perf_counter()
    clone = folder / "clone"
    git = await asyncio.create_subprocess_exec("git", "clone", "--quiet", str(ROOT), str(clone))
    if await git.wait():
        raise RuntimeError(f"git could not clone {ROOT}")
    async with asyncio.timeout(GIVE_UP):
        async with demo(clone) as output:
            await _moving(await _tracking_url(output))
            first = perf_counter() - began
        began = perf_counter()
        async with demo(clone) as output:
            await _served(output)
            second = perf_counter() - began
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
    """`make demo` as a person runs it, ended with Ctrl-C; yields what it prints."""
    nothing = {"PIP_NO_CACHE_DIR": "1", "npm_config_cache": str(clone.parent / "npm")}
    process = await asyncio.create_subprocess_exec(
        "make", "demo", f"PORT={free_port()}",
        cwd=clone, env=_environment() | nothing, start_new_session=True,
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
    """Ours without what would make the clone use our own environment or settings."""
    left_out = ("TRACKER_", "VIRTUAL_ENV", "MAKE", "MFLAGS", "DATABASE_URL")
    return {name: value for name, value in os.environ.items() if not name.startswith(left_out)}


async def _line(output: asyncio.StreamReader, wanted: str) -> str:
    """What `wanted` finds in the lines to come. Raises RuntimeError where the demo ended instead."""
    seen = []
    while line := (await output.readline()).decode():
        seen.append(line)
        if found := re.search(wanted, line):
            return found[0]
    raise RuntimeError(f"make demo ended:\n{''.join(seen[-20:])}")


async def _tracking_url(output: asyncio.StreamReader) -> str:
    return await _line(output, r"http://[^/\s]+/t/[\w-]+")


async def _served(output: asyncio.StreamReader) -> None:
    address = await _line(output, r"http://127\.0\.0\.1:\d+")
    async with httpx.AsyncClient(trust_env=False) as http:
        while True:
            try:
                if (await http.get(f"{address}/readyz")).is_success:
                    return
            except httpx.TransportError:
                pass  # not listening yet
            await asyncio.sleep(0.05)


async def _moving(tracking_url: str) -> None:
    """Returns when a customer has seen two different positions."""
    stream = tracking_url.replace("http", "ws", 1).replace("/t/", "/v1/track/") + "/stream"
    places = set()
    async with websockets.connect(stream, proxy=None) as customer:
        async for message in customer:
            if position := msgspec.json.decode(message).get("position"):
                places.add((position["lat"], position["lon"]))
            if len(places) > 1:
                return
