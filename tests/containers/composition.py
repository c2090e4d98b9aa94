"""Composition: the services of docker-compose.yml, as a merchant, a driver and a customer see them."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
from websockets.sync.client import connect

from tests.containers.engine import Engine
from tests.waiting import until

GROUPS: Final = Path("/sys/fs/cgroup")
LOOK_EVERY: Final = 0.5  # seconds
PROFILES: Final = ("simulator", "tls")
PLACES: Final = {
    "pickup": {"lat": 60.1713, "lon": 24.9440, "address": "Rautatientori"},
    "dropoff": {"lat": 60.1666, "lon": 24.9486, "address": "Kasarmikatu 36"},
}


def wait_until(holds: Callable[[], object], within: float) -> None:
    """Wait for a condition outside of coroutines."""
    asyncio.run(until(holds, within=within, every=LOOK_EVERY))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Composition:
    """One project of podman-compose."""

    def __init__(
        self,
        engine: Engine,
        checkout: Path,
        project: str,
        settings: dict[str, str],
        profiles: tuple[str, ...] = PROFILES,
    ) -> None:
        self.engine = engine
        self._profiles = [word for profile in profiles for word in ("--profile", profile)]
        self._images = self._built()  # those that were there before
        self.checkout = checkout
        self.settings = settings
        self.ready_after = 0.0  # seconds from the first `up`
        self._project = project
        key = (checkout / "secrets/admin_key").read_text().strip()
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{settings['PORT']}",
            headers={"Authorization": f"Bearer {key}"},
            timeout=30,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    def run(self, *arguments: str, timeout: float = 900, check: bool = True) -> str:
        """Run `docker compose` with these arguments and the composition's profiles."""
        named = ("--project-name", self._project, *self._profiles, *arguments)
        return self.engine.compose(
            self.checkout, *named, settings=self.settings, timeout=timeout, check=check
        )

    def up(self, *options: str) -> None:
        """Start all services, or replace those that changed; Podman keeps one on which another depends."""
        self.run("up", "--detach", *options, timeout=1800)

    def down(self) -> None:
        """Remove the containers, then what podman-compose leaves behind: volumes, the network, our images."""
        self.run("down", "--volumes", check=False)
        self._clean()

    def container(self, service: str) -> str:
        return f"{self._project}_{service}_1"

    @property
    def network(self) -> str:
        return f"{self._project}_default"

    def state(self, service: str) -> Any:
        """What Podman says of the service's container: Status, ExitCode, OOMKilled, Health."""
        return msgspec.json.decode(
            self.engine.podman("inspect", "--format", "{{json .State}}", self.container(service))
        )

    def health(self, service: str) -> str:
        return str(self.state(service).get("Health", {}).get("Status"))

    def shell(self, commands: str, folder: Path) -> str:
        """Run commands as documented: in the checkout, where `docker compose` means this project."""
        program = folder / "docker"
        named = f'exec "{sys.executable}" -m podman_compose --project-name "{self._project}" "$@"'
        program.write_text(f"#!/bin/sh\nshift\n{named}\n")
        program.chmod(0o755)
        environment = self.engine.environment | self.settings | {"PATH": f"{folder}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["sh", "-euc", commands],
            cwd=self.checkout,
            env=environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            timeout=300,
        )
        return done.stdout

    def _clean(self) -> None:
        self.http.close()
        for kind in ("volume", "network"):
            names = self.engine.podman(kind, "ls", "--format", "{{.Name}}").split()
            for name in names:
                if name.startswith(self._project):
                    self.engine.podman(kind, "rm", "--force", name, check=False)
        for name in self._built() - self._images:
            self.engine.podman("rmi", "--force", name, check=False)

    def _built(self) -> set[str]:
        """Our own images."""
        names = self.engine.podman("images", "--format", "{{.Repository}}:{{.Tag}}").split()
        return {name for name in names if name.startswith("localhost/order-tracker:")}

    def is_ready(self) -> bool:
        with suppress(httpx.TransportError):
            return self.http.get("/readyz").status_code == 200
        return False

    def get(self, path: str) -> Any:
        answer = self.http.get(path)
        assert answer.is_success, answer.text
        return answer.json()

    def post(self, path: str, body: object, **headers: str) -> Any:
        answer = self.http.post(path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    def new_order(self, driver_id: str | None = None) -> Any:
        return self.post("/v1/orders", PLACES if driver_id is None else {**PLACES, "driver_id": driver_id})

    def snapshot(self, order: Any, address: str | None = None, **options: Any) -> Any:
        """The first message of the order's live view."""
        token = order["tracking_url"].rsplit("/", 1)[1]
        base = address or f"ws://127.0.0.1:{self.settings['PORT']}"
        with connect(f"{base}/v1/track/{token}/stream", compression=None, **options) as customer:
            return msgspec.json.decode(customer.recv(timeout=10))

    def drive(self, fixes: int) -> Any:
        """A new order whose driver then sends so many fixes, which are acknowledged."""
        driver = self.post("/v1/drivers", {"name": "Aino Korhonen", "vehicle": "car"})
        order = self.new_order(driver["id"])
        now = datetime.now(UTC)
        sent = [
            {
                "recorded_at": (now + timedelta(seconds=number / 20)).isoformat(),
                "lat": 60.1713 - number * 0.000_005,
                "lon": 24.9440,
                "accuracy": 5,
            }
            for number in range(fixes)
        ]
        ack = self.post("/v1/drivers/fixes", sent, Authorization=f"Bearer {driver['token']}")
        assert ack["rejected"] == []
        return order

    def track(self, order: Any) -> list[Any]:
        """The order's track, as it is stored."""
        return list(self.get(f"/v1/orders/{order['id']}/track.json?limit=500")["items"])
