"""A nats-server of the benchmark's own, with its count of bytes."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec

from bench.node import free_port


class NatsServer(msgspec.Struct, frozen=True):
    """A running server."""

    port: int
    monitoring_port: int
    pid: int

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    async def bytes_in(self) -> int:
        """Return the bytes of messages that clients have sent."""
        async with httpx.AsyncClient(trust_env=False) as http:
            return int((await http.get(f"http://127.0.0.1:{self.monitoring_port}/varz")).json()["in_bytes"])


@asynccontextmanager
async def nats_server() -> AsyncIterator[NatsServer]:
    """Run a server on free ports during the block. Nodes connect as soon as it listens."""
    program = shutil.which("nats-server", path=str(Path(sys.executable).parent))
    if program is None:
        raise RuntimeError("there is no nats-server; `make tools` installs it")
    port, monitoring_port = free_port(), free_port()
    process = await asyncio.create_subprocess_exec(
        *(program, "-a", "127.0.0.1", "-p", str(port), "-m", str(monitoring_port)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield NatsServer(port, monitoring_port, process.pid)
    finally:
        process.terminate()
        await process.wait()
