"""A Valhalla of our own that serves over HTTP: where it crashes, it takes no node with it."""

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

HOST: Final = "127.0.0.1"  # the program listens on every interface unless told otherwise
THREADS: Final = 2
STARTS_WITHIN: Final = 30.0  # seconds
AGAIN_AFTER: Final = 1.0  # seconds
POLL: Final = 0.02  # seconds
ENDS_WITHIN: Final = 3.0  # seconds

log = structlog.get_logger()


@asynccontextmanager
async def serving(configuration: Path) -> AsyncIterator[str]:
    """The address of a child that serves these tiles and is started again where it dies.

    Raises RouterUnavailable with its last words where it does not come up.
    """
    port = _free_port()
    program = _program(configuration, port)
    first: asyncio.Future[Child] = asyncio.get_running_loop().create_future()
    keeper = asyncio.create_task(_keep_running(program, first))
    try:
        either: list[asyncio.Future[Any]] = [first, keeper]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not first.done():
            raise RouterUnavailable(f"The router's program does not start: {keeper.exception()}")
        await _answers(first.result(), port)
        yield f"http://{HOST}:{port}"
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        _remove(program)


def _remove(program: Program) -> None:
    """The configuration, which named this child's port."""
    Path(program.arguments[0]).unlink(missing_ok=True)


def _program(configuration: Path, port: int) -> Program:
    """On loopback only, and gone within a second when asked to."""
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
        async with running(program, out=_unheard, err=_unheard) as child:
            if not first.done():
                first.set_result(child)
            await child.process.wait()
        log.warning("router_died", code=child.process.returncode, last_words=list(child.last_lines)[-3:])
        await asyncio.sleep(AGAIN_AFTER)


async def _answers(child: Child, port: int) -> None:
    """Returns once the port takes connections."""
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
    raise RouterUnavailable(f"The router's program does not come up: {' '.join(child.last_lines)}")


def _unheard(_: str) -> None:
    """Its last lines are remembered anyway."""
