"""A real nats-server that tests start, kill and start again on its port."""

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

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start the server, and wait until it accepts connections."""
        program = shutil.which("nats-server", path=str(Path(sys.executable).parent))
        assert program is not None
        self.process = await asyncio.create_subprocess_exec(
            *(program, "-a", "127.0.0.1", "-p", str(self.port), *self.options),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await until(self._accepts)

    async def _accepts(self) -> bool:
        assert self.process is not None
        assert self.process.returncode is None, "nats-server ended"
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
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


@asynccontextmanager
async def nats_server(*options: str) -> AsyncIterator[NatsServer]:
    """Run a server on a free port during the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = NatsServer(port, options)
    await server.start()
    try:
        yield server
    finally:
        await server.kill()
