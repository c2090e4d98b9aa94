"""Real nats-servers that tests start, kill and start again on their ports."""

import asyncio
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import msgspec

from tests.waiting import until


class NatsServer(msgspec.Struct):
    """One server. `options` are those of its command line."""

    port: int
    options: tuple[str, ...] = ()
    process: asyncio.subprocess.Process | None = None
    host: str = "127.0.0.1"
    namespace: str = ""  # of the network in which it runs; empty: this process's own

    @property
    def url(self) -> str:
        return f"nats://{self.host}:{self.port}"

    async def start(self) -> None:
        """Start the server, and wait until it accepts connections."""
        program = shutil.which("nats-server", path=str(Path(sys.executable).parent))
        assert program is not None
        inside = ("ip", "netns", "exec", self.namespace) if self.namespace else ()
        self.process = await asyncio.create_subprocess_exec(
            *(*inside, program, "-a", self.host, "-p", str(self.port), *self.options),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await until(self._accepts)

    async def _accepts(self) -> bool:
        assert self.process is not None
        assert self.process.returncode is None, "nats-server ended"
        with suppress(OSError):
            _, writer = await asyncio.open_connection(self.host, self.port)
            writer.close()
            return True
        return False

    async def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.send_signal(SIGCONT)
                self.process.kill()
            await self.process.wait()

    def freeze(self) -> None:
        assert self.process is not None
        self.process.send_signal(SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(SIGCONT)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@asynccontextmanager
async def nats_server(*options: str) -> AsyncIterator[NatsServer]:
    """Run a server on a free port during the block."""
    server = NatsServer(free_port(), options)
    await server.start()
    try:
        yield server
    finally:
        await server.kill()


@asynccontextmanager
async def nats_cluster(hosts: list[str], namespaces: list[str]) -> AsyncIterator[list[NatsServer]]:
    """Run a server on each of these addresses, in its namespace, and join them to a cluster."""
    ports = [(free_port(), free_port()) for _ in hosts]
    routes = ",".join(f"nats://{host}:{route}" for host, (_, route) in zip(hosts, ports, strict=True))
    servers = [
        NatsServer(
            port,
            ("--cluster", f"nats://{host}:{route}", "--cluster_name", "tests", "--routes", routes),
            host=host,
            namespace=namespace,
        )
        for host, namespace, (port, route) in zip(hosts, namespaces, ports, strict=True)
    ]
    try:
        await asyncio.gather(*(server.start() for server in servers))
        yield servers
    finally:
        await asyncio.gather(*(server.kill() for server in servers))
