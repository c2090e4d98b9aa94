"""On duty, off duty, on a break: as drivers and merchants set it, and what customers see."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.api.driver.test_stream import fix
from tests.api.merchant import problem, send_fixes, wrong_fields
from tests.service import Service, hear, running_service, say
from tests.waiting import until


async def set_duty(service: Service, driver: Any, **duty: bool) -> Any:
    return (await service.post(f"/v1/drivers/{driver['id']}/duty", duty))["duty"]


async def duty_of(service: Service, driver: Any) -> tuple[bool, bool]:
    duty = (await service.get(f"/v1/drivers/{driver['id']}"))["duty"]
    return duty["on"], duty["on_break"]


async def test_a_driver_sets_the_duty_on_the_socket(service: Service) -> None:
    """Each change is acknowledged with its id, or without one, and is what the merchant reads."""
    driver = await service.new_driver()
    assert await duty_of(service, driver) == (True, False)
    async with service.drive(driver["token"]) as courier:
        assert (await hear(courier, "welcome"))["duty"] == {"on": True, "on_break": False}
        for number, (on, on_break) in enumerate([(True, True), (False, False), (True, False)]):
            await say(courier, type="duty", id=number, on=on, on_break=on_break)
            assert (await hear(courier, "ack"))["id"] == number
            assert await duty_of(service, driver) == (on, on_break)
        await say(courier, type="duty", on=True)
        assert await hear(courier, "ack") == {"type": "ack", "id": None}


async def test_a_wrong_duty_is_an_error_and_changes_nothing(service: Service) -> None:
    """By name, on the socket and to an API key. Unknown drivers are 404, a key that may only read is 403."""
    driver = await service.new_driver()
    path = f"/v1/drivers/{driver['id']}/duty"
    async with service.drive(driver["token"]) as courier:
        for wrong in ({}, {"on": "yes"}, {"on": None}, {"on": 1}, {"on": True, "on_break": "x" * 10_000}):
            await say(courier, type="duty", id=1, **wrong)
            assert (await hear(courier, "error"))["code"] == "bad_message"
        await say(courier, type="duty", id=2, on=False, on_break=True)
        error = await hear(courier, "error")
        assert (error["id"], error["code"]) == (2, "invalid_fields")
    for body, field in (
        ({}, "on"),
        ({"on": "yes"}, "on"),
        ({"on": True, "on_break": 1}, "on_break"),
        ({"on": False, "on_break": True}, "on_break"),
        ({"on": True, "off": True}, "off"),
    ):
        assert wrong_fields(await service.http.post(path, json=body)) == [field]
    problem(await service.http.post("/v1/drivers/drv_none/duty", json={"on": True}), 404, "not-found")
    bearer = {"Authorization": f"Bearer {driver['token']}"}
    answer = await service.http.post(path, json={"on": False}, headers=bearer)
    problem(answer, 401, "unauthenticated")
    assert await duty_of(service, driver) == (True, False)


async def test_a_merchant_sets_the_duty_and_every_device_hears_it(service: Service) -> None:
    """The answer is the driver; the same again is no change."""
    driver = await service.new_driver()
    async with service.drive(driver["token"]) as courier:
        await hear(courier, "welcome")
        first = await set_duty(service, driver, on=True, on_break=True)
        assert (first["on"], first["on_break"]) == (True, True)
        assert await hear(courier, "duty") == {"type": "duty", "on": True, "on_break": True}
        assert await set_duty(service, driver, on=True, on_break=True) == first
        await set_duty(service, driver, on=False)
        assert await hear(courier, "duty") == {"type": "duty", "on": False, "on_break": False}


async def test_a_flood_of_changes_is_limited(service: Service) -> None:
    """20 at once, then an error by name; fixes go on."""
    driver = await service.new_driver()
    async with service.drive(driver["token"]) as courier:
        for number in range(24):
            await say(courier, type="duty", id=number, on=True, on_break=number % 2 == 0)
        answers = [await hear(courier, "ack", "error") for _ in range(24)]
        codes = [one.get("code") for one in answers[18:]]
        assert codes == [
            None,
            None,
            "rate_limited",
            None,
            "rate_limited",
            None,
        ]  # every other one is no change
        await say(courier, type="fixes", id=99, fixes=[fix()])
        assert (await hear(courier, "ack"))["stored"] == 1


async def test_fixes_are_judged_by_the_duty_of_their_own_time(service: Service) -> None:
    """A backlog that comes on duty loses what was recorded off duty, and only that."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    await set_duty(service, driver, on=False)
    off = datetime.now(UTC)
    await set_duty(service, driver, on=True)
    on = datetime.now(UTC)
    times = [off - timedelta(seconds=5), off - timedelta(seconds=4), off, on]
    fixes = [{"recorded_at": at.isoformat(), "lat": 60.17, "lon": 24.94} for at in times]
    async with service.drive(driver["token"]) as courier:
        await say(courier, type="fixes", id=1, fixes=[*fixes, {"lat": 1}])
        ack = await hear(courier, "ack")
        assert (ack["stored"], ack["duplicates"], ack["discarded"]) == (3, 0, 1)
        assert ack["rejected"] == [{"index": 4, "reason": "malformed"}]
        await say(courier, type="fixes", id=2, fixes=fixes)
        ack = await hear(courier, "ack")
        assert (ack["stored"], ack["duplicates"], ack["discarded"]) == (0, 3, 1)
        await say(courier, type="fixes", id=3, fixes=[fix(-1)])
        assert "discarded" not in await hear(courier, "ack")
    track = await service.get(
        f"/v1/orders/{order['id']}/track.json?include=rejected&from={off.isoformat()[:19]}Z"
    )
    assert len(track["items"]) <= 4


@pytest.mark.parametrize("duty", [{"on": False}, {"on": True, "on_break": True}], ids=["off", "break"])
async def test_customers_do_not_see_a_driver_who_does_not_work(service: Service, duty: Any) -> None:
    """The position goes at once, the forecast stays, and both come back with the next fix."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"], visibility={"position": "always", "route": "always"})
    async with service.watch(order) as customer:
        await hear(customer, "snapshot")
        await send_fixes(service, driver["token"], fix())
        while (await hear(customer, "update")).get("position") is None:
            pass
        await set_duty(service, driver, **duty)
        while (hidden := await hear(customer, "update")).get("visibility") != "hidden":
            pass
        assert hidden["position"] is None
        await send_fixes(service, driver["token"], fix(-0.1, lat=60.1702))
        snapshot = await service.get(f"/v1/track/{order['tracking_url'].rsplit('/', 1)[1]}")
        assert (snapshot["position"], snapshot["trail"], snapshot["route"]) == (None, None, None)
        assert snapshot["eta"]["arrives_at"] is not None
        assert snapshot["eta"]["distance_m"] is None
        await set_duty(service, driver, on=True)
        await send_fixes(service, driver["token"], fix(lat=60.1704))
        while (shown := await hear(customer, "update")).get("position") is None:
            pass
        assert shown["position"]["lat"] == pytest.approx(60.1704, abs=1e-4)


async def test_the_duty_survives_a_restart(data_dir: Path, database_url: str) -> None:
    """PostgreSQL holds it: the next process discards as the one before, and the driver is still hidden."""
    async with running_service(data_dir, database_url) as node:
        driver = await node.new_driver()
        await set_duty(node, driver, on=False)
    async with running_service(data_dir, database_url) as node:
        assert await duty_of(node, driver) == (False, False)
        async with node.drive(driver["token"]) as courier:
            assert (await hear(courier, "welcome"))["duty"] == {"on": False, "on_break": False}
            await say(courier, type="fixes", id=1, fixes=[fix()])
            assert (await hear(courier, "ack"))["discarded"] == 1


async def test_no_fix_slips_through_a_change_of_duty(service: Service) -> None:
    """A driver who sends all the time: after each change, the counts follow the times of the fixes."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    async with service.drive(driver["token"]) as courier:
        changing = asyncio.create_task(set_duty(service, driver, on=False))
        sent = 0
        while not changing.done():
            await say(courier, type="fixes", id=sent, fixes=[fix()])
            await hear(courier, "ack")
            sent += 1
        since = (await changing)["since"]

    async def is_read() -> bool:
        return bool((await service.get(f"/v1/drivers/{driver['id']}"))["duty"]["since"])

    await until(is_read)
    track = await service.get(f"/v1/orders/{order['id']}/track.json?include=rejected&limit=500")
    assert all(one["recorded_at"] <= since for one in track["items"])
