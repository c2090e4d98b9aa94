"""A further attempt of a failed order: what starts anew, what stays, and what the customer sees."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from tests.api.merchant import DROPOFF, ORDER, problem, rfc3339, send_fixes, wrong_fields
from tests.service import Service, hear, say, token_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

REQUIRED: dict[str, Any] = {"dropoff": {"pin": True}}


async def failed(service: Service, **more: Any) -> tuple[Any, Any]:
    """A driver, and an order that they picked up and could not deliver."""
    driver = await service.new_driver()
    order = await service.post("/v1/orders", ORDER | {"driver_id": driver["id"]} | more)
    path = f"/v1/orders/{order['id']}/status"
    await service.post(path, {"status": "picked_up"})
    return driver, await service.post(path, {"status": "failed", "outcome": "not_home"})


async def again(service: Service, order: Any, key: str = "", **body: object) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await service.http.post(f"/v1/orders/{order['id']}/attempts", json=body, headers=headers)


async def watched(service: Service, token: str) -> httpx.Response:
    async with httpx.AsyncClient() as anybody:
        return await anybody.get(f"{service.url}/v1/track/{token}")


async def kinds(service: Service, order: Any) -> list[str]:
    history = await service.get(f"/v1/orders/{order['id']}/history")
    return [entry["kind"] for entry in history["timeline"]]


async def test_a_failed_order_starts_again(service: Service) -> None:
    """Same id and link, the next attempt, nobody assigned, and no window of the last time."""
    now = datetime.now(UTC)
    window = {"from": rfc3339(now), "to": rfc3339(now + timedelta(hours=1))}
    _, order = await failed(service, window=window)
    answer = await again(service, order)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/v1/orders/{order['id']}"
    fresh = answer.json()
    assert fresh == await service.get(f"/v1/orders/{order['id']}")
    assert (fresh["status"], fresh["attempt"], fresh["driver_id"]) == ("created", 2, None)
    assert (fresh["window"], fresh["tracking_url"]) == (None, order["tracking_url"])
    assert fresh["timestamps"] == {"created": order["timestamps"]["created"]}
    expected = ["created", "assigned", "picked_up", "failed", "attempt"]
    assert await kinds(service, order) == expected
    history = await service.get(f"/v1/orders/{order['id']}/history")
    assert history["timeline"][-1]["attempt"] == 2


async def test_it_can_be_assigned_at_once(service: Service) -> None:
    """With a driver and a window, and all the way to the end."""
    driver, order = await failed(service)
    now = datetime.now(UTC)
    window = {"from": rfc3339(now), "to": rfc3339(now + timedelta(hours=2))}
    async with service.drive(driver["token"]) as courier:
        assert (await hear(courier, "welcome"))["orders"] == []
        fresh = (await again(service, order, driver_id=driver["id"], window=window)).json()
        assert (fresh["status"], fresh["driver_id"], fresh["window"]) == ("assigned", driver["id"], window)
        assert [one["id"] for one in (await hear(courier, "orders"))["orders"]] == [order["id"]]
        for number, status in enumerate(("picked_up", "delivered")):
            await say(courier, type="status", id=number, order_id=order["id"], status=status)
            assert (await hear(courier, "ack", "error"))["type"] == "ack"
    assert (await service.get(f"/v1/orders/{order['id']}"))["status"] == "delivered"


async def test_only_a_failed_order_takes_one(service: Service) -> None:
    """409 in any other status; an unknown driver and a wrong window are named and change nothing."""
    driver, order = await failed(service)
    window = {"from": "2026-11-22T17:00:00Z", "to": "2026-11-22T16:00:00Z"}
    assert wrong_fields(await again(service, order, driver_id="drv_none")) == ["driver_id"]
    assert wrong_fields(await again(service, order, window=window)) == ["window.to"]
    assert wrong_fields(await again(service, order, more=1)) == ["more"]
    assert (await service.get(f"/v1/orders/{order['id']}"))["version"] == order["version"]
    assert (await again(service, order, driver_id=driver["id"])).status_code == 201
    for status in (None, "picked_up", "delivered"):
        if status is not None:
            await service.post(f"/v1/orders/{order['id']}/status", {"status": status})
        problem(await again(service, order), 409, "conflict")
    problem(await again(service, await service.new_order()), 409, "conflict")
    problem(await again(service, {"id": "ord_none"}), 404, "not-found")


async def test_a_repeated_request_starts_one_attempt(service: Service) -> None:
    """With its key."""
    _, order = await failed(service)
    first, second = [await again(service, order, "try-2") for _ in range(2)]
    assert first.json() == second.json()
    assert second.headers["idempotent-replayed"] == "true"
    assert (await service.get(f"/v1/orders/{order['id']}"))["attempt"] == 2


async def test_links_live_again_unless_they_were_revoked(service: Service, service_database: str) -> None:
    """Also those that had expired with the order; a page that is loaded again is live."""
    driver, order = await failed(service)
    path, token = f"/v1/orders/{order['id']}", token_of(order)
    second = await service.post(f"{path}/links", {})
    assert (await service.http.delete(f"{path}/links/{second['id']}")).status_code == 204
    async with service.watch(order) as customer:
        assert (await hear(customer, "snapshot"))["visibility"] == "ended"
        assert (await hear(customer, "end"))["reason"] == "failed"
    statement = "UPDATE orders SET closed_at = closed_at - interval '1 day' WHERE id = $1"
    await execute(service_database, statement, order["id"])
    await again(service, order, driver_id=driver["id"])
    snapshot = (await watched(service, token)).json()
    assert (snapshot["order"]["status"], snapshot["visibility"]) == ("assigned", "live")
    async with service.watch(order) as customer:
        assert (await hear(customer, "snapshot"))["order"]["status"] == "assigned"
        await service.post(f"{path}/status", {"status": "picked_up"})
        while (await hear(customer, "update")).get("order", {}).get("status") != "picked_up":
            pass
    assert (await watched(service, second["url"].rsplit("/", 1)[1])).status_code == 404


async def execute(url: str, statement: str, *values: object) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement, *values)
    finally:
        await connection.close()


async def test_proofs_and_pin_start_anew(service: Service) -> None:
    """The former proof does not count, wrong PINs neither; the merchant keeps what was sent."""
    driver, order = await failed(service, requirements=REQUIRED | {"pickup": {"barcode": "7"}})
    assert "pin" not in (await watched(service, token_of(order))).json()
    await again(service, order, driver_id=driver["id"])
    assert len((await watched(service, token_of(order))).json()["pin"]) == 4
    async with service.drive(driver["token"]) as courier:
        missing = (await hear(courier, "welcome"))["orders"][0]["missing_proofs"]
        assert missing == {"pickup": {"barcode": True}, "dropoff": {"pin": True}}


async def test_a_report_of_an_earlier_attempt_changes_nothing(service: Service) -> None:
    """As from a phone that comes out of a dead zone: an error, whereas a wrong clock is corrected."""
    driver, order = await failed(service)
    before = (await service.get(f"/v1/orders/{order['id']}"))["timestamps"]["picked_up"]
    await again(service, order, driver_id=driver["id"])
    async with service.drive(driver["token"]) as courier:
        await say(courier, type="status", id=1, order_id=order["id"], status="picked_up", at=before)
        assert (await hear(courier, "ack", "error"))["code"] == "conflict"
        await say(
            courier, type="status", id=2, order_id=order["id"], status="picked_up", at="2001-01-01T00:00:00Z"
        )
        assert (await hear(courier, "ack", "error"))["type"] == "ack"


async def test_each_attempt_is_a_segment_of_the_track(service: Service) -> None:
    """Even of one driver without a pause; and each attempt has arrivals of its own."""
    driver, order = await failed(service)

    async def stand(count: int) -> None:
        for _ in range(count):
            fix = {"recorded_at": rfc3339(datetime.now(UTC)), **DROPOFF, "accuracy": 5, "speed": 0}
            await send_fixes(service, driver["token"], fix)

    order = (await again(service, order, driver_id=driver["id"])).json()
    await stand(3)
    await service.post(f"/v1/orders/{order['id']}/status", {"status": "failed"})
    await again(service, order, driver_id=driver["id"])
    await stand(3)
    track = await service.get(f"/v1/orders/{order['id']}/track")
    assert track["geometry"]["type"] == "MultiLineString"
    assert [len(line) for line in track["geometry"]["coordinates"]] == [3, 3]
    assert (await service.http.get(f"/v1/orders/{order['id']}/track.gpx")).text.count("<trkseg>") == 2
