"""Whatever is sent to any endpoint up to its limit: no 5xx, no crash, and no memory that stays."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.merchant import ORDER
from tests.hostile import Target, Targets, attack
from tests.service import ADMIN_KEY, Service, running_service, token_of
from tracker.api.requests import ORDER_BYTES, STOPS_BYTES
from tracker.messages import FRAME_BYTES

WARM = 600  # requests, before memory is compared
GROWTH = 10.0  # MB
SMALL = 16_384


async def targets_of(service: Service) -> Targets:
    drivers = [await service.new_driver() for _ in range(20)]
    driver = drivers[0]
    orders = [await service.new_order(driver["id"]) for _ in range(10)]
    token, of_order = driver["token"], f"/v1/orders/{orders[0]['id']}"
    stop = {"order_id": orders[0]["id"], "kind": "dropoff"}
    customer = {"name": "Ann", "phone": "+358 40 1", "email": "a@example.org"}
    order = {**ORDER, "customer": customer, "visibility": {"position": [{"stops": 1}]}}
    fix = {"recorded_at": "2026-11-22T10:00:00Z", "lat": 60.17, "lon": 24.94}
    bodies = [
        *(Target("POST", f"/v1/track/{token_of(one)}/messages", SMALL, "", {"text": "Hi"}) for one in orders),
        Target("POST", "/v1/drivers/fixes", FRAME_BYTES, token, {"type": "fixes", "id": 1, "fixes": [fix]}),
        Target("POST", "/v1/drivers/fixes", FRAME_BYTES, "", {"type": "fixes", "id": 1, "fixes": [fix]}),
        Target("POST", "/v1/drivers", SMALL, ADMIN_KEY, {"name": "", "vehicle": "car"}),
        Target("PUT", f"/v1/drivers/{driver['id']}/stops", STOPS_BYTES, ADMIN_KEY, {"stops": [stop]}),
        Target("POST", "/v1/orders", ORDER_BYTES, ADMIN_KEY, order | {"reference": 0}),
        Target("PATCH", of_order, ORDER_BYTES, ADMIN_KEY, order | {"reference": 0}),
        Target("POST", f"{of_order}/assign", SMALL, ADMIN_KEY, {"driver_id": "drv_nobody"}),
        Target("POST", f"{of_order}/status", SMALL, ADMIN_KEY, {"status": "no", "reason": "x", "at": "no"}),
        Target("POST", f"{of_order}/links", SMALL, ADMIN_KEY, {"expires_at": "1999-01-01T00:00:00Z"}),
        Target("POST", "/v1/routes", SMALL, ADMIN_KEY, {"places": [ORDER["pickup"]], "vehicle": "car"}),
    ]
    gets = [
        Target("GET", path, 0, ADMIN_KEY if path.startswith("/v1/orders") else "")
        for path in (
            *("/livez", "/docs", "/openapi.json", "/v1/nothing", "/tiles/5/1/1", "/static/x", "/"),
            *(f"/t/{token_of(orders[1])}", f"/v1/track/{token_of(orders[1])}"),
            *(f"/v1/track/{token_of(orders[1])}/poll", f"/v1/track/{token_of(orders[1])}/events"),
            *("/v1/orders", of_order, f"{of_order}/track", f"{of_order}/history", f"{of_order}/links"),
        )
    ]
    tokens, links = [one["token"] for one in drivers], [token_of(one) for one in orders]
    return Targets(int(service.address.rpartition(":")[2]), bodies, gets, tokens, links)


async def hostile_to(service: Service, count: int, seed: str) -> tuple[dict[str, int], float]:
    """How *count* requests were answered, and by how many MB the service has grown."""
    targets = await targets_of(service)
    await attack(targets, "warm", lambda sent: sent >= WARM)
    before, logged = resident_mb(service), len(service.log.read_text(errors="replace"))
    seen = await attack(targets, seed, lambda sent: sent >= count)
    said = service.log.read_text(errors="replace")[logged:]
    assert "crash" not in said
    assert "Traceback" not in said
    assert "exception" not in said.lower(), said[-2_000:]
    assert (await service.http.get("/readyz")).is_success
    return dict(seen), resident_mb(service) - before


def resident_mb(service: Service) -> float:
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


@pytest.fixture
async def own(data_dir: Path, database_url: str) -> AsyncIterator[Service]:
    """A node of this test's own, whose log and memory are compared."""
    async with running_service(data_dir, database_url, unrecorded=True) as running:
        yield running


async def test_hundreds_of_hostile_bodies_are_refused(own: Service) -> None:
    """Each gets an answer that blames its sender, and the log holds no error."""
    seen, grown = await hostile_to(own, 600, "short")
    print(seen, f"{grown:.1f} MB")
    assert {status for status in seen if status.startswith("5")} <= {"505"}
    assert "nothing" not in seen
    assert grown < GROWTH


@pytest.mark.long
async def test_ten_thousand_hostile_bodies_are_refused(own: Service) -> None:
    """The same with many."""
    seen, grown = await hostile_to(own, 10_000, "long")
    print(seen, f"{grown:.1f} MB")
    assert {status for status in seen if status.startswith("5")} <= {"505"}
    assert "nothing" not in seen
    assert grown < GROWTH
    await asyncio.sleep(0)
