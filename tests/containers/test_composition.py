"""docker-compose.yml, really run: from the build to the upgrade, the dump and the restore."""

import re
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.containers.composition import GROUPS, PLACES, Composition, wait_until

pytestmark = pytest.mark.containers
FIXES = 20
READY_WITHIN = 60  # seconds of processor time: other work on the machine is no fault of the start


def processor_seconds(composition: Composition, service: str) -> float:
    """What the service's container has used."""
    name = composition.engine.podman("inspect", "--format", "{{.Id}}", composition.container(service)).strip()
    for path, unit in (("cpuacct", 1e9), ("", 1e6)):
        for group in (GROUPS / path).glob(f"**/*{name}*"):
            if (group / "cpuacct.usage").is_file():
                return int((group / "cpuacct.usage").read_text()) / unit
            if (group / "cpu.stat").is_file():
                return int(re.findall(r"usage_usec (\d+)", (group / "cpu.stat").read_text())[0]) / unit
    raise AssertionError("no control group")


def restarted(composition: Composition, act: Callable[[], object]) -> None:
    """Do something that ends with the service up again, and wait until it is ready."""
    act()
    wait_until(composition.is_ready, within=180)


def test_it_is_ready_soon_and_found_healthy(composition: Composition) -> None:
    """From nothing, the demo map is made within a minute; the composition's own check finds it healthy."""
    seconds = processor_seconds(composition, "tracker")
    print(f"ready after {composition.ready_after:.0f} s, with {seconds:.1f} s of processor time")
    assert seconds < READY_WITHIN
    wait_until(
        lambda: composition.health("postgres") == composition.health("tracker") == "healthy", within=60
    )


def test_a_link_opens(composition: Composition) -> None:
    """The tracking page answers 200, and its WebSocket begins with a snapshot."""
    order = composition.new_order()
    token = order["tracking_url"].rsplit("/", 1)[1]
    page = composition.http.get(f"/t/{token}")
    assert (page.status_code, page.headers["content-type"].split(";")[0]) == (200, "text/html")
    assert composition.snapshot(order)["type"] == "snapshot"


def test_caddy_ends_tls(composition: Composition) -> None:
    """Over https and wss; metrics are for the operator only."""
    root = composition.engine.podman(
        "exec", composition.container("caddy"), "cat", "/data/caddy/pki/authorities/local/root.crt"
    )
    trusting = ssl.create_default_context(cadata=root)
    base = f"https://localhost:{composition.settings['HTTPS_PORT']}"
    with httpx.Client(base_url=base, headers=composition.http.headers, verify=trusting) as http:
        wait_until(lambda: http.get("/readyz").status_code == 200, within=30)
        assert http.get("/metrics").status_code == 404
    order = composition.new_order()
    assert composition.snapshot(order, base.replace("https", "wss"), ssl=trusting)["type"] == "snapshot"


def test_the_simulator_drives(composition: Composition) -> None:
    """Its couriers' fixes are stored: a delivery has a track."""

    def driven() -> bool:
        orders = composition.get("/v1/orders?limit=100")["items"]
        return any(order.get("driver_id") and composition.track(order) for order in orders)

    wait_until(driven, within=120)


def test_what_is_written_is_written_to_the_volumes(composition: Composition) -> None:
    """The containers' own file systems are read-only, and no secret is in an environment."""
    for service in ("postgres", "tracker", "simulator", "caddy"):
        name = composition.container(service)
        assert (
            composition.engine.podman("inspect", "--format", "{{.HostConfig.ReadonlyRootfs}}", name).strip()
            == "true"
        )
        environment = composition.engine.podman("inspect", "--format", "{{.Config.Env}}", name)
        for secret in (composition.checkout / "secrets").iterdir():
            assert secret.read_text().strip() not in environment, f"{secret.name} of {service}"


def test_a_restart_keeps_what_was_acknowledged(composition: Composition) -> None:
    """The order, its link and each of its fixes are there afterwards."""
    order = composition.drive(FIXES)
    before = composition.track(order)
    assert len(before) == FIXES
    restarted(composition, lambda: composition.run("restart", "postgres", "tracker"))
    assert composition.track(order) == before
    assert composition.snapshot(order)["type"] == "snapshot"


def test_a_stop_drains(composition: Composition) -> None:
    """The service ends by itself with status 0: nobody had to kill it."""
    began = time.monotonic()
    composition.run("stop", "tracker")
    took = time.monotonic() - began
    state = composition.state("tracker")
    restarted(composition, lambda: composition.run("start", "tracker"))
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
    assert took < 25


def test_an_upgrade_keeps_the_data(composition: Composition) -> None:
    """`up --build` in a newer checkout runs the newer version on the same data."""
    order = composition.drive(FIXES)
    before = composition.track(order)
    old = composition.get("/openapi.json")["info"]["version"]
    new = f"{old}.post1"
    for name in ("pyproject.toml", "docker-compose.yml"):
        path = composition.checkout / name
        changed = re.sub(rf'(version = "|order-tracker:){re.escape(old)}', rf"\g<1>{new}", path.read_text())
        assert changed != path.read_text()
        path.write_text(changed)
    restarted(composition, lambda: composition.up("--build"))
    wait_until(lambda: bool(composition.get("/openapi.json")["info"]["version"] == new), within=60)
    assert composition.track(order) == before


def documented(composition: Composition, title: str) -> str:
    """The commands below this comment in docs/deployment.md."""
    page = (composition.checkout / "docs/deployment.md").read_text(encoding="utf-8")
    (commands,) = re.findall(rf"```sh\n# {title}\n(.*?)```", page, re.DOTALL)
    return str(commands)


def test_a_dump_is_restored(composition: Composition, tmp_path: Path) -> None:
    """The documented commands bring back the state of the dump, and nothing later."""
    order = composition.drive(FIXES)
    before = composition.track(order)
    composition.shell(documented(composition, "dump"), tmp_path)
    lost = composition.drive(FIXES)
    composition.shell(documented(composition, "restore"), tmp_path)
    wait_until(composition.is_ready, within=180)
    assert composition.track(order) == before
    assert composition.http.get(f"/v1/orders/{lost['id']}").status_code == 404


def test_a_map_is_copied_into_the_volume(composition: Composition, tmp_path: Path) -> None:
    """The documented command puts an extract where the service reads it, in a read-only container."""
    (composition.checkout / "city.osm.pbf").write_bytes(b"an extract")
    composition.shell(documented(composition, "map"), tmp_path)
    assert (
        composition.shell("docker compose exec -T tracker cat /data/city.osm.pbf", tmp_path) == "an extract"
    )


def test_a_key_is_made(composition: Composition, tmp_path: Path) -> None:
    """The documented command prints a key that the service then takes."""
    page = (composition.checkout / "docs/deployment.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^docker compose exec .* keys create .*$", page, re.MULTILINE)
    (key,) = re.findall(r"tak_\S+", composition.shell(command, tmp_path))
    answer = composition.http.post("/v1/orders", json=PLACES, headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 201, answer.text
