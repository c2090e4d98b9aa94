"""`tracker serve --workers`: several nodes behind one port, as one service."""

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import trustme

from tests.nats import nats_server
from tests.service import ADMIN_KEY, SECRET, STOP_WITHIN, Service, hear
from tests.test_certificates import Secured, write
from tests.test_nodes import drive, sees
from tests.waiting import until
from tracker.commands.options import without_option

ROOT = Path(__file__).parent.parent.parent.parent


@asynccontextmanager
async def workers(
    data_dir: Path, *, trusting: ssl.SSLContext | None = None, **settings: str
) -> AsyncIterator[Service]:
    """Two workers on a free port, as one service; with *trusting* under TLS."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    log = data_dir / f"workers-{os.urandom(4).hex()}.log"
    environment = {
        **os.environ,
        "TRACKER_DATA_DIR": str(data_dir),
        "TRACKER_BIND": address,
        "TRACKER_ADMIN_KEY": ADMIN_KEY,
        "TRACKER_SECRET": SECRET,
        **settings,
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
    url = f"{'https' if trusting else 'http'}://{address}"
    verify = trusting or False
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30.0, verify=verify) as http:
        try:
            await until(lambda: started(log) >= 2, 120.0)
            yield Service(url, address, process, http, log)
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


async def test_workers_are_one_service(data_dir: Path) -> None:
    """Whichever worker accepts a connection; one that is killed is replaced; SIGTERM ends all of them.

    The database and the bus are the service's own, as without any setting.
    """
    async with workers(data_dir) as service:
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


async def test_workers_take_over_a_certificate_and_use_a_bus_under_tls(
    data_dir: Path, database_url: str, tmp_path: Path
) -> None:
    """SIGHUP reaches all of them; the bus's certificate is of a private authority."""
    authority, trusting = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(trusting)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    write(authority, tmp_path)
    certificate = "--tlscert", str(tmp_path / "cert.pem"), "--tlskey", str(tmp_path / "key.pem")
    files = {"TRACKER_TLS_CERT": certificate[1], "TRACKER_TLS_KEY": certificate[3]}
    async with nats_server("--tls", *certificate) as bus:
        url = f"{bus.url.replace('nats:', 'tls:')}?ca={tmp_path / 'ca.pem'}"
        shared = {"DATABASE_URL": database_url, "NATS_URL": url, **files}
        async with workers(data_dir, trusting=trusting, **shared) as service:
            assert "degraded" not in (await service.get("/readyz"))
            await until(lambda: service.log.read_text(errors="replace").count("bus_connected") >= 2)
            own = write(authority, tmp_path)
            service.process.send_signal(signal.SIGHUP)
            secured = Secured(service, authority, trusting, tmp_path)

            async def is_presented_by_all() -> bool:
                return {await secured.presented() for _ in range(20)} == {own}

            await until(is_presented_by_all)


def test_workers_get_the_options_of_the_service() -> None:
    """All but those that the supervisor has."""
    given = ["--workers", "4", "--migrate", "--metrics-bind=127.0.0.1:9", "--bind", "127.0.0.1:80"]
    assert without_option(given, "--workers", "--metrics-bind") == ["--migrate", "--bind", "127.0.0.1:80"]
