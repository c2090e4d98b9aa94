"""Certificates are replaced while the service runs, and SIGHUP never ends it."""

import asyncio
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
import trustme

from tests import hasty_node
from tests.fork_server import ROOT
from tests.service import Service, hear, running_service, say
from tests.waiting import until

SEEN_WITHIN = 20.0  # seconds


class Secured(msgspec.Struct):
    """A node under TLS, the authority of its certificates, and their files."""

    service: Service
    authority: trustme.CA
    trusting: ssl.SSLContext
    folder: Path

    def issue(self) -> bytes:
        """Replace the files by a new certificate, and return it as it comes in a handshake."""
        return write(self.authority, self.folder)

    async def presented(self) -> bytes:
        """The certificate of a new handshake."""
        host, port = self.service.address.rsplit(":", 1)
        _, writer = await asyncio.open_connection(host, int(port), ssl=self.trusting)
        try:
            certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            assert isinstance(certificate, bytes)
            return certificate
        finally:
            writer.transport.abort()

    async def until_presented(self, certificate: bytes) -> None:
        async def is_presented() -> bool:
            return await self.presented() == certificate

        await until(is_presented, SEEN_WITHIN)

    def hang_up(self) -> None:
        os.kill(self.service.process.pid, signal.SIGHUP)

    async def logged(self, event: str, count: int = 1) -> None:
        await until(lambda: self.service.log.read_text(errors="replace").count(event) >= count, SEEN_WITHIN)


def write(authority: trustme.CA, folder: Path) -> bytes:
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    for number, pem in enumerate(issued.cert_chain_pems):
        pem.write_to_path(folder / "cert.pem", append=number > 0)
    return ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def secured(
    tmp_path_factory: pytest.TempPathFactory, data_dir: Path, own_database: str
) -> AsyncIterator[Secured]:
    folder, authority = tmp_path_factory.mktemp("certificates"), trustme.CA()
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    write(authority, folder)
    async with running_service(
        data_dir,
        own_database,
        program=hasty_node.PROGRAM,
        trusting=trusting,
        TRACKER_TLS_CERT=str(folder / "cert.pem"),
        TRACKER_TLS_KEY=str(folder / "key.pem"),
    ) as running:
        yield Secured(running, authority, trusting, folder)


async def test_a_hang_up_reloads_the_certificate_and_cuts_nobody(secured: Secured) -> None:
    """New handshakes get the new one; a driver who is connected stays."""
    before = await secured.presented()
    driver = await secured.service.new_driver()
    async with secured.service.drive(driver["token"], ssl=secured.trusting) as courier:
        await hear(courier, "welcome")
        new = secured.issue()
        assert new != before
        secured.hang_up()
        await secured.until_presented(new)
        await say(courier, type="ping", n=1)
        assert (await hear(courier, "pong"))["n"] == 1


async def test_new_files_are_noticed_without_a_signal(secured: Secured) -> None:
    """As certbot and Kubernetes leave them."""
    await secured.until_presented(secured.issue())


@pytest.mark.parametrize("broken", ["no certificate", "another key", "missing"])
async def test_a_broken_file_keeps_the_old_certificate(secured: Secured, broken: str) -> None:
    """The log says why, and clients notice nothing; the next good file is used."""
    before = await secured.presented()
    failures = secured.service.log.read_text(errors="replace").count("certificate_not_reloaded")
    if broken == "no certificate":
        (secured.folder / "cert.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n")
    elif broken == "another key":
        secured.authority.issue_cert("127.0.0.1").private_key_pem.write_to_path(secured.folder / "key.pem")
    else:
        (secured.folder / "key.pem").unlink()
    secured.hang_up()
    await secured.logged("certificate_not_reloaded", failures + 1)
    assert await secured.presented() == before
    assert (await secured.service.http.get("/livez")).is_success
    await secured.until_presented(secured.issue())


async def test_a_hang_up_without_tls_ends_nothing(data_dir: Path, own_database: str) -> None:
    """A terminal that closes, or a habit of other servers."""
    async with running_service(data_dir, own_database) as service:
        for _ in range(3):
            os.kill(service.process.pid, signal.SIGHUP)
            assert (await service.http.get("/livez")).is_success
        assert await service.stop() == 0


async def test_a_hang_up_during_the_start_ends_nothing(tmp_path: Path) -> None:
    """While it waits for its database, too; SIGTERM then ends it as ever."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tracker", "serve"),
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
            "TRACKER_DATA_DIR": str(tmp_path),
            "TRACKER_BIND": "127.0.0.1:0",
        },
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    async with asyncio.timeout(60):
        while b"Waiting for it" not in await process.stderr.readline():
            pass
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
