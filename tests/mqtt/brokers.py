"""Real brokers that tests start: Mosquitto and nats-server with its MQTT gateway, on a free port."""

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import Final, Literal

import msgspec
import pytest
import trustme

from tests.privacy.recording import recorded_broker
from tests.waiting import until

CONFIGURATION: Final = Path(__file__).parent.parent.parent / "deploy" / "mosquitto" / "tracker.conf"
SERVICE_USER: Final = "tracker"
SERVICE_PASSWORD: Final = "pass/word-of-the-service#1"
URL_PASSWORD: Final = "pass%2Fword-of-the-service%231"

Kind = Literal["mosquitto", "nats"]


class Broker(msgspec.Struct):
    """One broker, which can be killed and started again on its port."""

    kind: Kind
    folder: Path  # configuration, state, and the files that `tracker mqtt acl` writes
    port: int
    tls: bool = False
    process: asyncio.subprocess.Process | None = None
    service_port: int = 0  # of the relay that records what it says, or the broker's own

    @property
    def url(self) -> str:
        """The address with the service's account, for TRACKER_MQTT_URL."""
        scheme, ca = ("mqtts", f"?ca={self.folder / 'ca.pem'}") if self.tls else ("mqtt", "")
        return f"{scheme}://{SERVICE_USER}:{URL_PASSWORD}@localhost:{self.service_port}{ca}"

    async def start(self) -> None:
        """Start the broker, and wait until it accepts connections."""
        with (self.folder / "log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(*_command(self), stdout=log, stderr=log)
        await until(self._accepts)

    async def _accepts(self) -> bool:
        assert self.process is not None
        assert self.process.returncode is None, (self.folder / "log").read_text()
        with suppress(OSError):
            _, writer = await asyncio.open_connection("localhost", self.port)
            writer.close()
            return True
        return False

    async def end(self, *, kill: bool = False) -> None:
        """Stop or kill the broker."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill() if kill else self.process.terminate()
            await self.process.wait()

    def reload(self) -> None:
        """Make it read the files of accounts again."""
        assert self.process is not None
        self.process.send_signal(1)  # SIGHUP


@asynccontextmanager
async def broker_for(
    kind: Kind, folder: Path, *, tls: bool = False, judged: bool = False
) -> AsyncIterator[Broker]:
    """Yield a broker that is not started yet; end it afterwards. Skips the test where it is not installed.

    If it is *judged*, the judge of privacy reads what the service publishes.
    """
    _require(kind)
    folder.mkdir(parents=True, exist_ok=True)
    broker = Broker(kind, folder, _free_port(), tls)
    if tls:
        certify(folder)
    (folder / "broker.conf").write_text(_mosquitto(broker) if kind == "mosquitto" else _nats(broker))
    with recorded_broker(broker.port) if judged else nullcontext(broker.port) as broker.service_port:
        try:
            yield broker
        finally:
            await broker.end()


def _require(kind: Kind) -> None:
    if kind == "mosquitto" and _program(kind) is None:
        pytest.skip("needs Mosquitto: apt-get install mosquitto")


def _program(kind: Kind) -> str | None:
    if kind == "nats":
        return shutil.which("nats-server", path=str(Path(sys.executable).parent))
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def _command(broker: Broker) -> list[str]:
    program = _program(broker.kind)
    assert program is not None
    return [program, "-c", str(broker.folder / "broker.conf")]


def _mosquitto(broker: Broker) -> str:
    """Return deploy/mosquitto/tracker.conf with this broker's port and folder, and one of the listeners."""
    text = CONFIGURATION.read_text().replace("/etc/mosquitto/tracker", str(broker.folder))
    plain, tls = "listener 1883 localhost", "listener 8883"
    if broker.tls:
        text = text.replace(plain, "").replace(tls, f"listener {broker.port} localhost")
    else:
        lines = text.replace(tls, "").splitlines()
        text = "\n".join(line for line in lines if not line.startswith(("certfile", "keyfile")))
        text = text.replace(plain, f"listener {broker.port} localhost")
    user = "user root" if os.geteuid() == 0 else ""
    return f"{text}\npersistence_location {broker.folder}/\n{user}\n"


def _nats(broker: Broker) -> str:
    return f"""
server_name: tracker
listen: "127.0.0.1:-1"
jetstream {{ store_dir: "{broker.folder}/jetstream" }}
mqtt {{ listen: "127.0.0.1:{broker.port}" }}
include "authorization.conf"
"""


def certify(folder: Path) -> None:
    """Write a certificate for localhost, and its authority."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "server.pem")
    certificate.private_key_pem.write_to_path(folder / "server.key")


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
