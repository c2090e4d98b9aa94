"""The composition as a user runs it: a copy of the checkout, its secrets, the built image, everything up."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import yaml

from tests.containers.base_images import CannotProvide, provide
from tests.containers.composition import Composition, free_port, wait_until
from tests.containers.engine import Engine, missing

ROOT: Final = Path(__file__).parent.parent.parent
PASSWORD: Final = (
    "p@ss:/w%rd #?[\\\"$x' é+&="  # each sign means something in a URL, a shell, or a file of settings
)


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Podman, or the sentence that says why there is none."""
    if (why := missing()) is not None:
        pytest.skip(why)
    return Engine(tmp_path_factory.mktemp("engine"))


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, with secrets."""
    copy = tmp_path_factory.mktemp("checkout")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split(
        "\0"
    ):
        if name and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    (copy / "secrets").mkdir()
    (copy / "secrets/postgres_password").write_text(PASSWORD + "\n")
    subprocess.run(["sh", "deploy/make-secrets.sh"], cwd=copy, check=True)
    return copy


@pytest.fixture(scope="session")
def image(engine: Engine, checkout: Path) -> Iterator[str]:
    """The name of the built image."""
    services = yaml.safe_load((checkout / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    froms = [
        line.split()[1]
        for line in (checkout / "Dockerfile").read_text().splitlines()
        if line.startswith("FROM")
    ]
    run = [service for service in services.values() if "grafana" not in service.get("profiles", [])]
    others = [service["image"] for service in run if service["image"].startswith("docker.io/")]
    try:
        provide(sorted({*froms, *others}), engine.podman)
    except CannotProvide as why:
        pytest.skip(str(why))
    before = set(dangling(engine))
    built = services["tracker"]["image"]
    engine.podman("build", *engine.build_options(), "--tag", built, str(checkout), timeout=1800)
    yield built
    engine.podman("rmi", "--force", built, check=False)
    while made := set(dangling(engine)) - before:  # the stages of the builds, each of which holds the next
        engine.podman("rmi", "--force", *made, check=False)
        if set(dangling(engine)) - before == made:
            break


def dangling(engine: Engine) -> list[str]:
    """Images without a name."""
    return engine.podman("images", "--quiet", "--filter", "dangling=true").split()


@pytest.fixture(scope="session")
def composition(engine: Engine, checkout: Path, image: str) -> Iterator[Composition]:
    """PostgreSQL, the service in 256 MB, three couriers and Caddy, up and ready."""
    settings = {name: str(free_port()) for name in ("PORT", "HTTP_PORT", "HTTPS_PORT")}
    settings |= {"TRACKER_MEMORY": "256m", "PUBLIC_HOST": "localhost"}
    up = Composition(engine, checkout, f"tracker-test-{os.getpid()}", settings)
    with engine.health_checks():
        try:
            began = time.monotonic()
            up.up()
            wait_until(up.is_ready, within=300)
            up.ready_after = time.monotonic() - began
            yield up
        finally:
            up.down()
