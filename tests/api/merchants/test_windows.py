"""Windows and `ready_at` as merchants see them: how late an order is, and whom the driver waits for."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.api.merchant import backdate, parse, rfc3339, send_fixes
from tests.service import Service

pytestmark = pytest.mark.asyncio(loop_scope="session")


def window(begin: float, end: float) -> dict[str, str]:
    """From and to, in minutes from now."""
    now = datetime.now(UTC)
    return {
        "from": rfc3339(now + timedelta(minutes=begin)),
        "to": rfc3339(now + timedelta(minutes=end)),
    }


async def delivered(service: Service, database_url: str, minutes_ago: float, **more: object) -> Any:
    """An order of an hour ago, after it was delivered."""
    order = await service.new_order((await service.new_driver())["id"], **more)
    await backdate(database_url, order, timedelta(hours=1))
    path = f"/v1/orders/{order['id']}/status"
    begin = parse(order["timestamps"]["assigned"]) - timedelta(hours=1)
    await service.post(path, {"status": "picked_up", "at": rfc3339(begin)})
    at = rfc3339(datetime.now(UTC) - timedelta(minutes=minutes_ago))
    await service.post(path, {"status": "delivered", "at": at})
    return await service.get(f"/v1/orders/{order['id']}")


async def test_a_delivered_order_says_how_late_it_was(service: Service, service_database: str) -> None:
    """In whole seconds after the end of its window: 0 in time and too early, null without a window."""
    late = await delivered(service, service_database, 20, window=window(-50, -30))
    assert late["late_s"] == pytest.approx(600, abs=2)
    assert isinstance(late["late_s"], int)
    for begin, end in ((-50, -10), (5, 15)):
        assert (await delivered(service, service_database, 20, window=window(begin, end)))["late_s"] == 0
    assert (await delivered(service, service_database, 20))["late_s"] is None


async def test_an_order_on_its_way_is_as_late_as_its_forecast(service: Service) -> None:
    """Null as long as nothing is foreseen; the list says the same as the order."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"], window=window(-90, -30))
    assert order["late_s"] is None
    fix = {"recorded_at": rfc3339(datetime.now(UTC)), "lat": 60.1713, "lon": 24.9440}
    await send_fixes(service, driver["token"], fix)
    alone = await service.get(f"/v1/orders/{order['id']}")
    [listed] = (await service.get(f"/v1/orders?driver_id={driver['id']}"))["items"]
    for shown in (alone, listed):
        late = parse(shown["eta"]["arrives_at"]) - parse(shown["window"]["to"])
        assert shown["late_s"] == pytest.approx(late.total_seconds(), abs=1)
    cancelled = await service.post(f"/v1/orders/{order['id']}/status", {"status": "cancelled"})
    assert cancelled["late_s"] is None


async def test_forecasts_wait_for_the_order_and_its_window(service: Service) -> None:
    """A courier who waits at the pickup reaches no dropoff before its window, nor the one after it."""
    driver = await service.new_driver()
    tomorrow = window(24 * 60, 26 * 60)
    order = await service.new_order(driver["id"], window=tomorrow)
    later = await service.new_order(driver["id"])
    fix = {"recorded_at": rfc3339(datetime.now(UTC)), "lat": 60.1713, "lon": 24.9440}
    await send_fixes(service, driver["token"], fix)
    stops = [
        {"order_id": one["id"], "kind": kind} for one in (order, later) for kind in ("pickup", "dropoff")
    ]
    await service.http.put(f"/v1/drivers/{driver['id']}/stops", json={"stops": stops})
    eta = await service.get(f"/v1/orders/{order['id']}/eta")
    assert eta["arrives_at"] == eta["earliest"] == tomorrow["from"]
    behind = await service.get(f"/v1/orders/{later['id']}/eta")
    assert behind["arrives_at"] > tomorrow["from"]
    ready_at = rfc3339(datetime.now(UTC) + timedelta(hours=30))
    answer = await service.http.patch(f"/v1/orders/{order['id']}", json={"pickup": {"ready_at": ready_at}})
    assert answer.json()["late_s"] > 4 * 3_600
    assert (await service.get(f"/v1/orders/{order['id']}/eta"))["earliest"] > ready_at


async def stops_of(service: Service, driver: Any) -> list[tuple[str, str]]:
    answer = await service.post(f"/v1/drivers/{driver['id']}/stops/optimize", None)
    return [(stop["order_id"], stop["kind"]) for stop in answer["stops"]]


async def test_tomorrow_s_order_is_served_last(service: Service) -> None:
    """Though the courier stands at its pickup: when sequenced, and when the order of today comes in later."""
    driver = await service.new_driver()
    fix = {"recorded_at": rfc3339(datetime.now(UTC)), "lat": 60.1713, "lon": 24.9440}
    await send_fixes(service, driver["token"], fix)
    tomorrow = await service.new_order(driver["id"], window=window(24 * 60, 26 * 60))
    await service.post(f"/v1/orders/{tomorrow['id']}/status", {"status": "picked_up"})
    elsewhere = {"pickup": {"lat": 60.1650, "lon": 24.9450}, "dropoff": {"lat": 60.1676, "lon": 24.9445}}
    today = await service.new_order(driver["id"], **elsewhere)
    shown = (await service.get(f"/v1/drivers/{driver['id']}"))["orders"]
    assert shown == [today["id"], tomorrow["id"]]
    wanted = [(today["id"], "pickup"), (today["id"], "dropoff"), (tomorrow["id"], "dropoff")]
    back = [{"order_id": order_id, "kind": kind} for order_id, kind in (wanted[2], *wanted[:2])]
    await service.http.put(f"/v1/drivers/{driver['id']}/stops", json={"stops": back})
    assert await stops_of(service, driver) == wanted


async def test_an_order_that_is_not_ready_lets_another_go_first(service: Service) -> None:
    """The nearest pickup is ready in two hours: what can be brought meanwhile is brought."""
    driver = await service.new_driver()
    fix = {"recorded_at": rfc3339(datetime.now(UTC)), "lat": 60.1713, "lon": 24.9440}
    await send_fixes(service, driver["token"], fix)
    ready_at = rfc3339(datetime.now(UTC) + timedelta(hours=2))
    slow = await service.new_order(
        driver["id"], pickup={"lat": 60.1713, "lon": 24.9440, "ready_at": ready_at}
    )
    elsewhere = {"pickup": {"lat": 60.1650, "lon": 24.9450}, "dropoff": {"lat": 60.1676, "lon": 24.9445}}
    quick = await service.new_order(driver["id"], **elsewhere)
    assert [order_id for order_id, _ in await stops_of(service, driver)] == [quick["id"]] * 2 + [
        slow["id"]
    ] * 2
