"""The image by itself: its size, its health check, and that it runs the demo without a database of yours."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from tests.containers.composition import wait_until
from tests.containers.engine import Engine

pytestmark = pytest.mark.containers
SIZE_MB = 450
CHECKS = 20
CHECK_MS = 50  # of processor time
CHECK_KB = 8_000


@contextmanager
def running(engine: Engine, image: str, *options: str, command: tuple[str, ...] = ()) -> Iterator[str]:
    """A container; removed with its anonymous volume."""
    name = engine.podman(
        "run", "--detach", "--read-only", "--tmpfs", "/tmp", *options, image, *command
    ).strip()
    try:
        yield name
    finally:
        engine.podman("rm", "--force", "--volumes", "--time", "25", name)


def is_healthy(engine: Engine, name: str) -> bool:
    """Whether the image's health check, run in the container, says so."""
    try:
        engine.podman("exec", name, "healthcheck", timeout=20)
    except subprocess.CalledProcessError:
        return False
    return True


def test_the_image_is_small(engine: Engine, image: str) -> None:
    """All layers together, the base image's too."""
    size = int(engine.podman("inspect", "--type", "image", "--format", "{{.Size}}", image)) / 1e6
    print(f"image: {size:.0f} MB")
    assert size < SIZE_MB


def test_the_demo_runs_in_the_image(engine: Engine, image: str) -> None:
    """With its own PostgreSQL and simulated couriers, it prints links to open."""
    with running(engine, image, command=("tracker", "demo")) as name:
        wait_until(lambda: "/t/" in engine.podman("logs", name), within=240)


@pytest.mark.parametrize(
    ("bind", "tls"), [("0.0.0.0:9443", True), ("[::]:9443", True), ("[::1]:8081", False)]
)
def test_the_health_check_follows_the_settings(
    engine: Engine, image: str, tmp_path: Path, bind: str, tls: bool
) -> None:
    """On any address and port, with TLS and without: unhealthy until the service serves, then healthy."""
    options = ["--env", f"TRACKER_BIND={bind}"]
    if tls:
        issued = trustme.CA().issue_cert("track.example")
        issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
        issued.private_key_pem.write_to_path(tmp_path / "key.pem")
        tmp_path.chmod(0o755)
        (tmp_path / "key.pem").chmod(0o644)
        options += ["--volume", f"{tmp_path}:/tls:ro"]
        options += ["--env", "TRACKER_TLS_CERT=/tls/cert.pem", "--env", "TRACKER_TLS_KEY=/tls/key.pem"]
    with running(engine, image, *options) as name:
        assert not is_healthy(engine, name)
        wait_until(lambda: is_healthy(engine, name), within=240)


def test_the_health_check_is_cheap(engine: Engine, image: str) -> None:
    """Run every ten seconds, it may take little processor time and less memory than an interpreter."""
    with running(engine, image) as name:
        wait_until(lambda: is_healthy(engine, name), within=240)
        script = f"for i in $(seq {CHECKS}); do healthcheck; done; TIMEFORMAT=; times"
        times = engine.podman("exec", name, "bash", "-c", script)
        peak = engine.podman("exec", name, "bash", "-c", ". healthcheck; cat /proc/$$/status")
    children = times.splitlines()[1].split()
    spent = sum(float(part.partition("m")[2].rstrip("s")) for part in children) * 1_000 / CHECKS
    (kilobytes,) = [int(line.split()[1]) for line in peak.splitlines() if line.startswith("VmHWM")]
    print(f"health check: {spent:.1f} ms of processor time, {kilobytes} kB")
    assert spent < CHECK_MS
    assert kilobytes < CHECK_KB
