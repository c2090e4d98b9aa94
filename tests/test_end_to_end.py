"""From an order's creation to its history, by a program that knows nothing but the public interface."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed

from tests.service import Service, hear, say, token_of


def fix(seconds_ago: float, lat: float, lon: float, **more: object) -> dict[str, Any]:
    at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    return {"recorded_at": at.isoformat(), "lat": lat, "lon": lon, "accuracy": 6.0, "speed": 7.5, **more}


def on_the_way(share: float) -> tuple[float, float]:
    """A place between the pickup and the dropoff of `Service.new_order`."""
    return 60.1713 + share * (60.1666 - 60.1713), 24.9440 + share * (24.9486 - 24.9440)


async def test_an_order_from_creation_to_its_history(service: Service) -> None:
    """Create, stream, watch, deliver, and read back: the main job in one go."""
    driver = await service.new_driver("Aino Maria Korhonen", "bicycle")
    order = await service.new_order(
        driver["id"], reference="4711", customer={"name": "Ville", "phone": "+358"}
    )
    assert (order["status"], order["driver_id"]) == ("assigned", driver["id"])

    async with service.drive(driver["token"]) as courier, service.watch(order) as customer:
        welcome = await hear(courier, "welcome")
        assert [one["id"] for one in welcome["orders"]] == [order["id"]]
        assert welcome["driver"]["id"] == driver["id"]

        snapshot = await hear(customer, "snapshot")
        assert snapshot["order"]["status"] == "assigned"
        assert snapshot["driver"] == {"name": "Aino", "vehicle": "bicycle"}
        assert (snapshot["position"], snapshot["freshness"]) == (None, "none")

        for n in range(5):
            await say(courier, type="fixes", id=n, fixes=[fix(-0.01 * n, *on_the_way(n / 1000))])
            ack = await hear(courier, "ack")
            assert ack == {"type": "ack", "id": n, "stored": 1, "duplicates": 0, "rejected": []}
            update = await hear(customer, "update")
            while not update.get("position"):
                update = await hear(customer, "update")
            assert update["position"]["lat"] == pytest.approx(on_the_way(n / 1000)[0])
            assert update["eta"]["earliest"] <= update["eta"]["arrives_at"] <= update["eta"]["latest"]

        await say(courier, type="status", id=100, order_id=order["id"], status="picked_up")
        assert (await hear(courier, "ack"))["id"] == 100
        while (await hear(customer, "update")).get("order", {}).get("status") != "picked_up":
            pass
        await say(courier, type="status", id=101, order_id=order["id"], status="delivered")
        assert (await hear(courier, "ack"))["id"] == 101
        last = await hear(customer, "update", "end")
        while last["type"] == "update" and last.get("order", {}).get("status") != "delivered":
            last = await hear(customer, "update", "end")
        assert (last["visibility"], last["position"], last["route"]) == ("ended", None, None)
        assert await hear(customer, "end") == {"type": "end", "reason": "delivered"}
        with pytest.raises(ConnectionClosed):
            await customer.recv()
        assert customer.close_code == 1000

    history = await service.get(f"/v1/orders/{order['id']}/history")
    kinds = [entry["kind"] for entry in history["timeline"]]
    assert [kind for kind in kinds if kind in ("created", "assigned", "picked_up", "delivered")] == [
        "created",
        "assigned",
        "picked_up",
        "delivered",
    ]
    assert history["summary"]["fixes"] == 5
    track = await service.get(f"/v1/orders/{order['id']}/track.geojson")
    assert len(track["geometry"]["coordinates"]) == 5


async def test_the_ended_order_shows_a_last_snapshot(service: Service) -> None:
    """A stream opened afterwards says snapshot, end, and closes with 1000."""
    order = await service.new_order()
    await service.post(f"/v1/orders/{order['id']}/status", {"status": "cancelled"})
    async with service.watch(order) as customer:
        snapshot = await hear(customer, "snapshot")
        assert (snapshot["visibility"], snapshot["driver"], snapshot["position"]) == ("ended", None, None)
        assert await hear(customer, "end") == {"type": "end", "reason": "cancelled"}
        with pytest.raises(ConnectionClosed):
            await customer.recv()
        assert customer.close_code == 1000


async def test_reassigning_ends_the_old_drivers_visibility_and_keeps_the_link(service: Service) -> None:
    """After it nothing of the former driver reaches the customer, though he goes on sending."""
    first, second = await service.new_driver("Eero Laine"), await service.new_driver("Linnea Maki")
    order = await service.new_order(first["id"])
    async with (
        service.drive(first["token"]) as old,
        service.drive(second["token"]) as new,
        service.watch(order) as customer,
    ):
        state = await hear(customer, "snapshot")
        await say(old, type="fixes", id=1, fixes=[fix(0.0, *on_the_way(0.1))])
        state |= await hear(customer, "update")
        assert state["position"]
        reassigned = await service.post(f"/v1/orders/{order['id']}/assign", {"driver_id": second["id"]})
        assert reassigned["tracking_url"] == order["tracking_url"]
        while state["driver"]["name"] != "Linnea":
            state |= await hear(customer, "update")
        assert (state["position"], state["trail"]) == (None, None)
        assert (await hear(old, "orders"))["orders"] == []
        assert [one["id"] for one in (await hear(new, "orders"))["orders"]] == [order["id"]]
        await say(old, type="fixes", id=2, fixes=[fix(0.0, *on_the_way(0.2))])
        await hear(old, "ack")
        await say(new, type="fixes", id=1, fixes=[fix(0.0, *on_the_way(0.9))])
        await hear(new, "ack")
        state = await hear(customer, "update")
        assert state["position"]["lat"] == pytest.approx(on_the_way(0.9)[0])


async def test_the_same_fix_by_two_ways_is_stored_once(service: Service) -> None:
    """Known by driver and time, whatever way it came; the first one stands."""
    driver = await service.new_driver()
    one, two = fix(20.0, 60.17, 24.94), fix(10.0, 60.171, 24.941)
    async with service.drive(driver["token"]) as courier:
        await say(courier, type="fixes", id=1, fixes=[one, two, one])
        ack = await hear(courier, "ack")
        assert (ack["stored"], ack["duplicates"]) == (2, 1)
    headers = {"Authorization": f"Bearer {driver['token']}"}
    again = await service.post("/v1/drivers/fixes", {"fixes": [two, one]}, **headers)
    assert (again["stored"], again["duplicates"], again["rejected"]) == (0, 2, [])
    as_list = await service.post("/v1/drivers/fixes", [{**one, "lat": 61.0}], **headers)
    assert (as_list["type"], as_list["stored"], as_list["duplicates"]) == ("ack", 0, 1)


async def test_a_late_fix_never_moves_the_marker_back(service: Service) -> None:
    """It fills the history only."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    async with service.drive(driver["token"]) as courier:
        await say(courier, type="fixes", id=1, fixes=[fix(0.0, *on_the_way(0.5))])
        await hear(courier, "ack")
        await say(courier, type="fixes", id=2, fixes=[fix(0.001, *on_the_way(0.1))])
        assert (await hear(courier, "ack"))["stored"] == 1
    snapshot = await service.get(f"/v1/track/{token_of(order)}")
    assert snapshot["position"]["lat"] == pytest.approx(on_the_way(0.5)[0])


async def test_words_go_both_ways(service: Service) -> None:
    """The customer's note reaches the driver, the driver's the customer, and both the timeline."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    async with service.drive(driver["token"]) as courier, service.watch(order) as customer:
        await hear(courier, "welcome")
        await hear(customer, "snapshot")
        await say(customer, type="message", text="At the back door, please")
        note = await hear(courier, "message")
        assert (note["order_id"], note["text"]) == (order["id"], "At the back door, please")
        await say(courier, type="message", id=5, order_id=order["id"], text="Two minutes")
        assert (await hear(courier, "ack"))["id"] == 5
        back = await hear(customer, "message")
        assert (back["from"], back["text"]) == ("driver", "Two minutes")
        answer = await service.http.post(f"/v1/track/{token_of(order)}/messages", json={"text": "Thank you"})
        assert answer.is_success
        assert (await hear(courier, "message"))["text"] == "Thank you"
    history = await service.get(f"/v1/orders/{order['id']}/history")
    assert sum(entry["kind"] == "message" for entry in history["timeline"]) == 3


async def test_a_revoked_link_is_closed_and_gone(service: Service) -> None:
    """Its live view ends with 4011, and it opens nothing any more; others do."""
    order = await service.new_order()
    (link,) = (await service.get(f"/v1/orders/{order['id']}/links"))["items"]
    async with service.watch(order) as customer:
        await hear(customer, "snapshot")
        gone = await service.http.delete(f"/v1/orders/{order['id']}/links/{link['id']}")
        assert gone.is_success
        async with asyncio.timeout(1.0):
            assert await hear(customer, "end") == {"type": "end", "reason": "revoked"}
            with pytest.raises(ConnectionClosed):
                await customer.recv()
        assert customer.close_code == 4011
    missing = await service.http.get(f"/v1/track/{token_of(order)}")
    unknown = await service.http.get("/v1/track/" + "A" * 44)
    assert (missing.status_code, missing.json()) == (404, unknown.json())
    another = await service.post(f"/v1/orders/{order['id']}/links", {})
    assert (await service.http.get(f"/v1/track/{another['url'].rsplit('/', 1)[1]}")).is_success


async def test_messages_hold_milliseconds_and_utc(service: Service) -> None:
    """Times are RFC 3339 in UTC with three decimals, everywhere."""
    order = await service.new_order()
    snapshot = await service.get(f"/v1/track/{token_of(order)}")
    for text in (order["created_at"], snapshot["now"], snapshot["order"]["timestamps"]["created"]):
        assert len(text) == len("2026-11-22T16:43:00.250Z") and text[-5] == "." and text.endswith("Z")
        assert msgspec.convert(text, datetime).tzinfo is not None
