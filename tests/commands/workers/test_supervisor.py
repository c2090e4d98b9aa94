"""`tracker serve --workers`: several nodes behind one port, as one service."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx

from tests.service import ADMIN_KEY, SECRET, STOP_WITHIN, Service, hear
from tests.test_nodes import drive, sees
from tests.waiting import until
from tracker.commands.options import without_option

ROOT = Path(__file__).parent.parent.parent.parent


@asynccontextmanager
async def workers(data_dir: Path, database_url: str) -> AsyncIterator[Service]:
    """Two workers on a free port, as one service."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    log = data_dir / "workers.log"
    environment = {
        **os.environ,
        "TRACKER_DATA_DIR": str(data_dir),
        "TRACKER_BIND": address,
        "TRACKER_ADMIN_KEY": ADMIN_KEY,
        "TRACKER_SECRET": SECRET,
        "DATABASE_URL": database_url,
    }
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tracker", "serve", "--workers", "2"),
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stderr=stderr,
        )
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    async with httpx.AsyncClient(base_url=f"http://{address}", headers=headers, timeout=30.0) as http:
        try:
            await until(lambda: started(log) >= 2, 120.0)
            yield Service(f"http://{address}", address, process, http, log)
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            async with asyncio.timeout(STOP_WITHIN + 10.0):
                assert await process.wait() == 0


def started(log: Path) -> int:
    return log.read_text(errors="replace").count("service_started")


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [one for one in map(int, found) if b"tracker" in Path(f"/proc/{one}/cmdline").read_bytes()]


async def test_workers_are_one_service(data_dir: Path, database_url: str) -> None:
    """Whichever worker accepts a connection; one that is killed is replaced; SIGTERM ends all of them."""
    async with workers(data_dir, database_url) as service:
        driver = await service.new_driver()
        order = await service.new_order(driver["id"])
        async with service.drive(driver["token"]) as courier:
            await hear(courier, "welcome")
            for step in range(4):  # each connection is accepted by any of the two
                async with service.watch(order) as watcher:
                    await sees(watcher, await drive(courier, step / 100))
        pid = service.process.pid
        own = children(pid)
        assert len(own) == 2
        os.kill(own[0], signal.SIGKILL)
        await until(lambda: started(service.log) >= 3, 60.0)
        assert (await service.http.get("/readyz")).status_code == 200
        own = children(pid)
    assert not any(Path(f"/proc/{one}").exists() for one in own)


def test_workers_get_the_options_of_the_service() -> None:
    """All but those that the supervisor has."""
    given = ["--workers", "4", "--migrate", "--metrics-bind=127.0.0.1:9", "--bind", "127.0.0.1:80"]
    assert without_option(given, "--workers", "--metrics-bind") == ["--migrate", "--bind", "127.0.0.1:80"]
