"""Valhalla in a child process that serves HTTP, so that a crash of the engine does not end the node."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import structlog
import valhalla

from tracker.errors import RouterUnavailable
from tracker.system.processes import Child, Program, running

HOST: Final = "127.0.0.1"  # by default the program listens on every interface
THREADS: Final = 2
STARTS_WITHIN: Final = 30.0  # seconds
RESTART_DELAY: Final = 1.0  # seconds
POLL: Final = 0.02  # seconds
ENDS_WITHIN: Final = 3.0  # seconds after SIGTERM

log = structlog.get_logger()


@asynccontextmanager
async def run_valhalla(configuration: Path) -> AsyncIterator[str]:
    """Run a child process that serves these tiles; yield its URL. Restart it whenever it dies.

    Raises RouterUnavailable, with the child's last lines, if it does not start within 30 s.
    """
    port = _free_port()
    program = _program(configuration, port)
    first: asyncio.Future[Child] = asyncio.get_running_loop().create_future()
    keeper = asyncio.create_task(_keep_running(program, first))
    try:
        either: list[asyncio.Future[Any]] = [first, keeper]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not first.done():
            raise RouterUnavailable(f"Valhalla could not be started: {keeper.exception()}")
        await _wait_until_listening(first.result(), port)
        yield f"http://{HOST}:{port}"
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        _remove_configuration(program)


def _remove_configuration(program: Program) -> None:
    """Remove the configuration file, which holds the port of this child process."""
    Path(program.arguments[0]).unlink(missing_ok=True)


def _program(configuration: Path, port: int) -> Program:
    """Configure the server to listen on loopback only and to end within a second after SIGTERM."""
    content = json.loads(configuration.read_text())
    content["httpd"]["service"] |= {
        "listen": f"tcp://{HOST}:{port}",
        "drain_seconds": 1,
        "shutdown_seconds": 1,
    }
    path = configuration.with_suffix(f".{port}.json")
    path.write_text(json.dumps(content))
    executable = str(Path(valhalla.__file__).parent / "bin" / "valhalla_service")
    return Program("router", (str(path), str(THREADS)), {}, ENDS_WITHIN, executable)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


async def _keep_running(program: Program, first: asyncio.Future[Child]) -> None:
    while True:
        async with running(program, out=_ignore, err=_ignore) as child:
            if not first.done():
                first.set_result(child)
            await child.process.wait()
        log.warning("router_died", code=child.process.returncode, last_lines=list(child.last_lines)[-3:])
        await asyncio.sleep(RESTART_DELAY)


async def _wait_until_listening(child: Child, port: int) -> None:
    """Return when the port accepts connections. Raises RouterUnavailable."""
    try:
        async with asyncio.timeout(STARTS_WITHIN):
            while child.process.returncode is None:
                try:
                    _, writer = await asyncio.open_connection(HOST, port)
                except OSError:
                    await asyncio.sleep(POLL)
                else:
                    writer.close()
                    return
    except TimeoutError:
        pass
    raise RouterUnavailable(
        f"Valhalla does not accept connections. Its last lines: {' '.join(child.last_lines)}"
    )


def _ignore(_: str) -> None:
    """Ignore the line: `Child.last_lines` keeps the last ones."""
