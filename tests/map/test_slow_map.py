"""A map that takes longer than a start waits: the service serves without it until it is ready."""

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.service import ADMIN_KEY, url_in
from tests.system.test_stopping import START_WITHIN, processes_of, starting
from tests.waiting import until
from tracker.config import Config
from tracker.map.extract import find_map
from tracker.map_resources import MAP_TIMEOUT_S

pytestmark = pytest.mark.long

NEARBY: Final = {"lat": 60.1713, "lon": 24.9440}
DOOR: Final = {"lat": 60.1666, "lon": 24.9486}


@contextmanager
def held(*locks: Path) -> Iterator[None]:
    """As by another process that is making the map, and takes its time."""
    with ExitStack() as files:
        for lock in locks:
            lock.parent.mkdir(parents=True, exist_ok=True)
            fcntl.flock(files.enter_context(lock.open("w")), fcntl.LOCK_EX)
        yield


def locks_of(data_dir: Path) -> tuple[Path, Path]:
    folder = find_map(Config(data_dir=data_dir)).folder
    return folder / "basemap.lock", folder / "valhalla" / "lock"


async def until_ready(http: httpx.AsyncClient, wanted: dict[str, Any]) -> None:
    async def is_ready() -> bool:
        return bool((await http.get("/readyz")).json() == wanted)

    await until(is_ready, START_WITHIN)


async def basis(http: httpx.AsyncClient, order: Any, token: str) -> str:
    """What the arrival rests on after one more fix."""
    fix = {"recorded_at": datetime.now(UTC).isoformat(), **NEARBY}
    sent = await http.post("/v1/drivers/fixes", json=[fix], headers={"Authorization": f"Bearer {token}"})
    assert sent.status_code == 200, sent.text
    return str((await http.get(f"/v1/orders/{order['id']}/eta")).json()["basis"])


async def test_the_service_serves_before_its_map_is_made(tmp_path: Path) -> None:
    """After a minute, with a sketch and straight lines; then with the map and routes, without a restart."""
    async with starting(tmp_path, TRACKER_ADMIN_KEY=ADMIN_KEY) as service:
        with held(*locks_of(tmp_path)):
            url = url_in(await service.until("service_started"))
            headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
            http = httpx.AsyncClient(trust_env=False, base_url=url, headers=headers, timeout=30.0)
            missing = ["router", "basemap"]
            await until_ready(http, {"status": "ready", "degraded": missing, "preparing": missing})
            driver = (await http.post("/v1/drivers", json={"name": "Aino K", "vehicle": "car"})).json()
            wanted = {"driver_id": driver["id"], "pickup": NEARBY, "dropoff": DOOR}
            order = (await http.post("/v1/orders", json=wanted)).json()
            assert await basis(http, order, driver["token"]) == "straight_line"
            assert (await http.get("/map/style.json")).status_code == 503
        await until_ready(http, {"status": "ready"})
        assert (await http.get("/map/style.json")).status_code == 200

        async def is_routed() -> bool:
            return await basis(http, order, driver["token"]) == "route"

        await until(is_routed, START_WITHIN, every=1.0)
        await http.aclose()
        assert await service.end() == 0
    assert processes_of(tmp_path) == []


async def test_a_signal_ends_what_is_made_while_serving(tmp_path: Path) -> None:
    """The builders end with the service."""
    async with starting(tmp_path) as service:
        with held(*locks_of(tmp_path)):
            await service.until("The map takes longer")
            await service.until("service_started")
            assert await service.end() == 0
    assert processes_of(tmp_path) == []
    assert MAP_TIMEOUT_S < START_WITHIN
