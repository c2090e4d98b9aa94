"""The outcome of a failed delivery, and whether the driver was within 200 m of the dropoff."""

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from websockets.asyncio.client import ClientConnection

from tests.api.merchant import DROPOFF, ORDER, rfc3339, send_fixes, wrong_fields
from tests.service import Service, hear, say
from tracker.domain.order import Outcome

pytestmark = pytest.mark.asyncio(loop_scope="session")

METRE = 1 / 111_195  # degrees of latitude


async def failure_of(service: Service, order: Any) -> Any:
    history = await service.get(f"/v1/orders/{order['id']}/history")
    [entry] = [entry for entry in history["timeline"] if entry["kind"] == "failed"]
    return entry


async def report(courier: ClientConnection, order: Any, **more: object) -> Any:
    await say(courier, type="status", id=7, order_id=order["id"], **more)
    return await hear(courier, "ack", "error")


@pytest.mark.parametrize("outcome", get_args(Outcome))
async def test_a_driver_and_a_merchant_say_why_it_failed(service: Service, outcome: str) -> None:
    """Each outcome, in the timeline as it was given."""
    driver = await service.new_driver()
    first, second = [await service.new_order(driver["id"]) for _ in range(2)]
    async with service.drive(driver["token"]) as courier:
        answer = await report(courier, first, status="failed", outcome=outcome, reason="dark house")
        assert answer["type"] == "ack"
    await service.post(f"/v1/orders/{second['id']}/status", {"status": "failed", "outcome": outcome})
    for order in (first, second):
        assert (await failure_of(service, order))["outcome"] == outcome
    assert "verified" not in await failure_of(service, second)


async def test_an_outcome_belongs_to_failed(service: Service) -> None:
    """With another status, or unknown, it is refused by name and the order stays as it is."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    path = f"/v1/orders/{order['id']}"
    for wrong in ({"status": "picked_up", "outcome": "other"}, {"status": "failed", "outcome": "lost"}):
        assert wrong_fields(await service.http.post(f"{path}/status", json=wrong)) == ["outcome"]
    async with service.drive(driver["token"]) as courier:
        answer = await report(courier, order, status="picked_up", outcome="other")
        assert (answer["code"], answer["id"]) == ("invalid_fields", 7)
        answer = await report(courier, order, status="failed", outcome="lost")
        assert answer["code"] == "bad_message"
    assert (await service.get(path))["version"] == order["version"]


@pytest.mark.parametrize(
    ("metres", "seconds", "verified"),
    [(190.0, 10.0, True), (210.0, 10.0, False), (0.0, 130.0, None), (5_000.0, 130.0, None)],
)
async def test_a_claim_far_from_the_door_is_not_verified(
    service: Service, metres: float, seconds: float, verified: bool | None
) -> None:
    """200 m count; without a position of the last two minutes nothing is said."""
    driver = await service.new_driver()
    order = await service.post("/v1/orders", ORDER | {"driver_id": driver["id"]})
    at = datetime.now(UTC) - timedelta(seconds=seconds)
    place = {"lat": DROPOFF["lat"] + metres * METRE, "lon": DROPOFF["lon"]}
    await send_fixes(service, driver["token"], {"recorded_at": rfc3339(at), **place})
    async with service.drive(driver["token"]) as courier:
        assert (await report(courier, order, status="failed", outcome="not_home"))["type"] == "ack"
    assert (await failure_of(service, order)).get("verified") is verified
