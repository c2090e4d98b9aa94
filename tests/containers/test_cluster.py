"""Profile `cluster`: two nodes, three NATS servers, HAProxy and Prometheus go on while parts are killed."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.containers.composition import Composition, free_port, wait_until
from tests.containers.engine import Engine
from tests.containers.test_image import running

pytestmark = pytest.mark.containers

COURIERS = 8
ORDERS = 10
GOES_ON = 150  # fixes acknowledged after a fault
NATS = ("nats-1", "nats-2", "nats-3")


class Cluster(Composition):
    """The composition as clients see it: through HAProxy."""

    @property
    def balancer(self) -> str:
        return f"http://127.0.0.1:{self.settings['CLUSTER_PORT']}"

    def is_balanced(self) -> bool:
        """Whether HAProxy has a node that is ready."""
        try:
            return httpx.get(f"{self.balancer}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def prometheus(self, query: str) -> dict[str, float]:
        """The value by node."""
        url = f"http://127.0.0.1:{self.settings['PROMETHEUS_PORT']}/api/v1/query"
        found = httpx.get(url, params={"query": query}, timeout=10).json()["data"]["result"]
        return {one["metric"]["instance"]: float(one["value"][1]) for one in found}

    def kill(self, service: str) -> None:
        """-9 to the first process, as the kernel does when memory ends. The engine starts it again."""
        os.kill(int(self.state(service)["Pid"]), signal.SIGKILL)

    def answer_of(self, service: str, url: str) -> Any:
        """What a program in the node's container gets from there, as JSON."""
        script = f"import urllib.request as r; print(r.urlopen('{url}', timeout=5).read().decode())"
        said = self.engine.podman("exec", self.container(service), "python", "-c", script, check=False)
        return msgspec.json.decode(said) if said.strip() else {}

    def is_whole(self) -> bool:
        """Whether both nodes are ready and on the bus, which three servers make."""
        ready = [self.answer_of(node, "http://127.0.0.1:8080/readyz") for node in ("tracker", "tracker-2")]
        if not all(one.get("status") == "ready" and not one.get("degraded") for one in ready):
            return False
        routes = [self.answer_of("tracker", f"http://{one}:8222/varz").get("routes", 0) for one in NATS]
        return bool(min(routes) > 0)

    def stored(self) -> int:
        """How many fixes PostgreSQL has."""
        ask = ("psql", "--username=tracker", "--tuples-only", "--command=SELECT count(*) FROM fixes")
        return int(self.engine.podman("exec", self.container("postgres"), *ask))


@pytest.fixture(scope="module")
def cluster(engine: Engine, checkout: Path, image: str) -> Iterator[Cluster]:
    """The cluster as docs/scaling.md starts it."""
    settings = {name: str(free_port()) for name in ("PORT", "CLUSTER_PORT", "PROMETHEUS_PORT")}
    settings["NATS_URL"] = ",".join(f"nats://{name}" for name in NATS)
    up = Cluster(engine, checkout, f"tracker-cluster-{os.getpid()}", settings, ("cluster",))
    with engine.health_checks():
        try:
            up.up()
            wait_until(up.is_balanced, within=300)
            wait_until(up.is_whole, within=300)
            yield up
        finally:
            up.down()


def test_parts_are_killed_and_nothing_is_lost(cluster: Cluster, engine: Engine, image: str) -> None:
    """A node, a NATS server, then the other node: couriers go on, deliver, and what they count is stored."""
    key = cluster.checkout / "secrets/admin_key"
    options = ["--network", cluster.network, "--tmpfs", "/data", "--volume", f"{key}:/key:ro"]
    options += ["--env", "DRIVER_SIM_URL=http://haproxy:8080"]
    run = f"exec driver-sim run --drivers {COURIERS} --orders {ORDERS} --speed-up 4"
    drive = f"DRIVER_SIM_API_KEY=$(cat /key) {run}"
    with running(engine, image, *options, command=("sh", "-c", drive)) as simulator:

        def said() -> str:
            return engine.podman("logs", simulator)

        def acknowledged() -> int:
            return int((re.findall(r"(\d+) acknowledged", said()) or ["0"])[-1])

        def goes_on() -> None:
            wanted = acknowledged() + GOES_ON
            wait_until(lambda: acknowledged() >= wanted or is_over(engine, simulator), within=180)

        goes_on()
        for service in ("tracker-2", "nats-1", "tracker"):
            assert not is_over(engine, simulator), "the couriers were done too early"
            cluster.kill(service)
            goes_on()
            wait_until(cluster.is_whole, within=180)
        wait_until(lambda: is_over(engine, simulator), within=600)
        state = msgspec.json.decode(engine.podman("inspect", "--format", "{{json .State}}", simulator))
        print(said()[-600:])
        assert state["ExitCode"] == 0, said()[-2000:]
        assert f"{ORDERS} delivered" in said()
        totals = re.findall(r"(\d+) sent, (\d+) acknowledged, (\d+) waiting, (\d+) rejected", said())[-1]
        assert totals[0] == totals[1], totals  # each fix counts once, however often it was sent
        assert totals[2:] == ("0", "0")
        assert cluster.stored() >= acknowledged() > 0


def is_over(engine: Engine, container: str) -> bool:
    return engine.podman("inspect", "--format", "{{.State.Status}}", container).strip() == "exited"


def test_prometheus_asks_both_nodes(cluster: Cluster) -> None:
    """And clients do not: metrics are not for them."""
    wait_until(lambda: cluster.prometheus("up") == {"tracker:8080": 1, "tracker-2:8080": 1}, within=60)
    assert httpx.get(f"{cluster.balancer}/metrics").status_code == 404


def test_only_the_nodes_reach_the_bus(cluster: Cluster) -> None:
    """HAProxy, PostgreSQL and Prometheus are in another network."""
    for service in ("haproxy", "postgres", "prometheus"):
        found = cluster.engine.podman(
            "exec", cluster.container(service), "getent", "hosts", "nats-1", check=False
        )
        assert not found.strip(), service
