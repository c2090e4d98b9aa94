"""The state of a driver's device, from its messages to the merchant."""

from typing import Any

import pytest

from tests.api.driver.test_stream import fix
from tests.service import Service, hear, say


async def device_of(service: Service, driver: Any) -> Any:
    return (await service.get(f"/v1/drivers/{driver['id']}"))["device"]


async def test_partial_reports_become_one_state(service: Service) -> None:
    """Acknowledged once stored; impossible values and unknown fields cost nothing."""
    driver = await service.new_driver()
    assert await device_of(service, driver) is None
    async with service.drive(driver["token"]) as courier:
        await say(
            courier, type="device", id=1, battery=0.5, charging=False, permission="always", colour="red"
        )
        assert await hear(courier, "ack") == {"type": "ack", "id": 1}
        await say(courier, type="device", battery=-1, network="mobile", location_services=True)
        assert await hear(courier, "ack") == {"type": "ack", "id": None}
        await say(courier, type="device", id=3, app="x" * 50_000, power_saving=None)
        await hear(courier, "ack")
        state = await device_of(service, driver)
        assert state.pop("reported_at")
        assert state == {
            "battery": 0.5,
            "battery_low": False,
            "charging": False,
            "permission": "always",
            "location_services": True,
            "power_saving": None,
            "network": "mobile",
            "app": "x" * 100,
        }
        await say(courier, type="fixes", id=4, fixes=[fix(battery=0.14)])
        await hear(courier, "ack")
    state = await device_of(service, driver)
    assert (state["battery"], state["battery_low"]) == (pytest.approx(0.14), True)


async def test_wrong_types_are_an_error_that_names_the_field(service: Service) -> None:
    """Nothing of such a message is kept, and the connection stays."""
    driver = await service.new_driver()
    wrong = {
        "battery": "full",
        "charging": 1,
        "permission": "sometimes",
        "location_services": "on",
        "power_saving": [],
        "network": 4,
        "app": {"name": "A"},
        "id": "one",
    }
    async with service.drive(driver["token"]) as courier:
        for field, value in wrong.items():
            await say(courier, **{"type": "device", field: value})
            error = await hear(courier, "error")
            assert error["code"] == "bad_message"
            assert error["detail"].startswith(f"{field}: ")
    assert await device_of(service, driver) is None


async def test_a_flood_of_reports_is_limited_and_fixes_go_on(service: Service) -> None:
    """20 that change something at once; equal ones cost nothing."""
    driver = await service.new_driver()
    async with service.drive(driver["token"]) as courier:
        for number in range(200):
            await say(courier, type="device", id=number, network=f"wifi {number}")
        answers = [await hear(courier, "ack", "error") for _ in range(200)]
        assert {one["code"] for one in answers if one["type"] == "error"} == {"rate_limited"}
        assert sum(one["type"] == "ack" for one in answers) >= 20
        kept = (await device_of(service, driver))["network"]
        for number in range(100):
            await say(courier, type="device", id=number, network=kept)
            assert (await hear(courier, "ack", "error"))["type"] == "ack"
        await say(courier, type="fixes", id=1, fixes=[fix()])
        assert (await hear(courier, "ack"))["stored"] == 1


async def test_off_duty_nothing_is_kept_of_the_device(service: Service) -> None:
    """Its battery at home is nobody's business; the answer is the usual one."""
    driver = await service.new_driver()
    await service.post(f"/v1/drivers/{driver['id']}/duty", {"on": False})
    async with service.drive(driver["token"]) as courier:
        await say(courier, type="device", id=1, battery=0.5)
        assert (await hear(courier, "ack"))["id"] == 1
    assert await device_of(service, driver) is None


async def test_silence_is_null_while_no_position_is_expected(service: Service) -> None:
    """Also with an order that has just been assigned."""
    driver = await service.new_driver()
    await service.new_order(driver["id"])
    assert (await service.get(f"/v1/drivers/{driver['id']}"))["silence"] is None
