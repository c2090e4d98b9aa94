"""A driver's clock that is wrong: its statuses are corrected like its fixes, and nothing ends early."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection

from tests.api.merchant import backdate, fixes_from, parse, rfc3339, send_fixes
from tests.service import Service, hear, say, token_of

HOUR = timedelta(hours=1)

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def report(
    courier: ClientConnection, order: Any, status: str, at: datetime | str, number: int = 9
) -> Any:
    """What the service answers to a status with this time."""
    at = at if isinstance(at, str) else rfc3339(at)
    await say(courier, type="status", id=number, order_id=order["id"], status=status, at=at)
    return await hear(courier, "ack", "error")


async def teach(courier: ClientConnection, ahead: timedelta, *, count: int, apart: float) -> None:
    """Fixes by a clock that is so far ahead, as many and as far apart as it takes to be believed."""
    begin = datetime.now(UTC)
    for number in range(count):
        while datetime.now(UTC) < begin + timedelta(seconds=apart * number):
            await hear_nothing(courier)
        fix = {"recorded_at": rfc3339(datetime.now(UTC) + ahead), "lat": 60.17 + number * 1e-5, "lon": 24.94}
        await say(courier, type="fixes", id=number, fixes=[fix])
        await hear(courier, "ack")


async def hear_nothing(courier: ClientConnection) -> None:
    """Let time pass as a phone does: ask the server for its clock."""
    await say(courier, type="ping", n=1)
    await hear(courier, "pong")


async def is_open(service: Service, order: Any) -> bool:
    async with httpx.AsyncClient() as anybody:
        answer = await anybody.get(f"{service.url}/v1/track/{token_of(order)}")
    return answer.status_code == 200


@pytest.mark.parametrize(
    ("ahead", "count", "apart"),
    [(3 * HOUR, 4, 0.25), (-3 * HOUR, 7, 0.75), (-HOUR / 6, 7, 0.75)],
    ids=["3 h ahead", "3 h behind", "10 min behind"],
)
async def test_a_status_is_corrected_as_fixes_are(
    service: Service, service_database: str, ahead: timedelta, count: int, apart: float
) -> None:
    """Acknowledged, with the times at which it happened; the link still opens and the track is whole."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    await backdate(service_database, order, HOUR)
    async with service.drive(driver["token"]) as courier:
        await teach(courier, ahead, count=count, apart=apart)
        fetched, brought = (datetime.now(UTC) - timedelta(minutes=minutes) for minutes in (20, 1))
        assert (await report(courier, order, "picked_up", fetched + ahead))["type"] == "ack"
        assert (await report(courier, order, "delivered", brought + ahead))["type"] == "ack"
    times = (await service.get(f"/v1/orders/{order['id']}"))["timestamps"]
    assert abs(parse(times["picked_up"]) - fetched) < timedelta(seconds=1)
    assert abs(parse(times["delivered"]) - brought) < timedelta(seconds=1)
    assert await is_open(service, order)


@pytest.mark.parametrize("at", ["2001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z"])
async def test_no_time_ends_a_link_or_empties_a_track(
    service: Service, service_database: str, at: str
) -> None:
    """Without any fix that taught the clock: clamped, acknowledged, in the order of time, and all is kept."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    order = await backdate(service_database, order, 3 * HOUR)
    assigned = parse(order["timestamps"]["assigned"])
    places = [(60.17 + number * 1e-5, 24.94) for number in range(10)]
    async with service.drive(driver["token"]) as courier:
        assert (await report(courier, order, "picked_up", assigned + timedelta(minutes=5)))["type"] == "ack"
        await send_fixes(service, driver["token"], *fixes_from(assigned + 2 * HOUR, places))
        assert (await report(courier, order, "delivered", at))["type"] == "ack"
    history = await service.get(f"/v1/orders/{order['id']}/history")
    times = [entry["at"] for entry in history["timeline"]]
    assert times == sorted(times)
    assert history["timeline"][-1]["kind"] == "delivered"
    assert parse(history["order"]["timestamps"]["picked_up"]) < parse(times[-1]) <= datetime.now(UTC)
    assert history["summary"]["fixes"] == len(places)
    assert await is_open(service, order)


async def test_a_dead_zone_s_reports_keep_their_times(service: Service, service_database: str) -> None:
    """Sent together afterwards, fixes behind them: when it happened counts, and the track is of that time."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    order = await backdate(service_database, order, 5 * HOUR)
    begin = parse(order["timestamps"]["assigned"])
    fetched, brought = begin + HOUR, begin + 2 * HOUR
    async with service.drive(driver["token"]) as courier:
        for number, (status, at) in enumerate([("picked_up", fetched), ("delivered", brought)]):
            assert (await report(courier, order, status, at, number))["type"] == "ack"
    places = [(60.17 + number * 1e-5, 24.94) for number in range(10)]
    for late in (brought - timedelta(minutes=1), brought + timedelta(minutes=1)):
        await send_fixes(service, driver["token"], *fixes_from(late, places))
    history = await service.get(f"/v1/orders/{order['id']}/history")
    times = history["order"]["timestamps"]
    assert (parse(times["picked_up"]), parse(times["delivered"])) == (fetched, brought)
    assert history["summary"]["fixes"] == len(places)
    assert await is_open(service, order), "the order was over three hours ago, but nobody could know"


@pytest.mark.parametrize("off", [timedelta(seconds=-1), timedelta(seconds=5)], ids=["before", "after now"])
async def test_an_api_key_s_time_must_be_possible(service: Service, off: timedelta) -> None:
    """Before the order's previous status, and after now: 422 for `at`, and the order stays as it is."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    base = parse(order["timestamps"]["assigned"]) if off < timedelta(0) else datetime.now(UTC)
    path = f"/v1/orders/{order['id']}"
    for status in ("picked_up", "failed", "cancelled", "created"):
        answer = await service.http.post(f"{path}/status", json={"status": status, "at": rfc3339(base + off)})
        assert answer.status_code == 422, answer.text
        assert [error["field"] for error in answer.json()["errors"]] == ["at"]
    assert (await service.get(path))["version"] == order["version"]
