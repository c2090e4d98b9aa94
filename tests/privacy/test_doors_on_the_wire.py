"""Other customers' doors, on the wire: hidden until the driver has left them, after a restart, too."""

import signal
from pathlib import Path
from typing import Any, Final

from tests.service import Service, hear, running_service, say, token_of
from tests.test_end_to_end import fix
from tracker.domain.geo import LonLat, distance
from tracker.domain.privacy.other_dropoffs import HIDING_RADIUS

START: Final = LonLat(24.9440, 60.1713)
DOOR: Final = LonLat(24.9460, 60.1690)
OWN: Final = LonLat(24.9486, 60.1630)
AWAY: Final = LonLat(24.9490, 60.1680)  # 200 m from the door
ALWAYS: Final = {"position": "always", "route": "always"}


def place(at: LonLat) -> dict[str, float]:
    return {"lat": at.lat, "lon": at.lon}


async def ordered(service: Service, driver: Any, to: LonLat, **more: object) -> Any:
    return await service.new_order(
        driver["id"], pickup=place(START), dropoff=place(to), visibility=ALWAYS, **more
    )


async def is_at(courier: Any, at: LonLat, ago: float) -> None:
    """So many seconds ago, so that no way is faster than a car."""
    await say(courier, type="fixes", id=1, fixes=[fix(ago, at.lat, at.lon)])
    await hear(courier, "ack")


async def says(courier: Any, order: Any, *statuses: str) -> None:
    for status in statuses:
        await say(courier, type="status", id=2, order_id=order["id"], status=status)
        await hear(courier, "ack")


async def seen_by(service: Service, order: Any) -> Any:
    return await service.get(f"/v1/track/{token_of(order)}")


def is_hidden(snapshot: Any) -> bool:
    """Nothing of the driver's whereabouts, and no distance from which they could be computed."""
    fields = [snapshot[name] for name in ("position", "route", "trail")]
    return (
        snapshot["visibility"] == "hidden"
        and fields == [None, None, None]
        and (snapshot["eta"] is None or snapshot["eta"]["distance_m"] is None)
    )


def places(snapshot: Any) -> list[LonLat]:
    lines = [snapshot[name]["coordinates"] for name in ("route", "trail") if snapshot[name]]
    found = [LonLat(lon, lat) for line in lines for lon, lat in line]
    position = snapshot["position"]
    return found if position is None else [*found, LonLat(position["lon"], position["lat"])]


async def test_a_door_is_hidden_until_the_driver_has_left_it(data_dir: Path, database_url: str) -> None:
    """Delivered, restarted, another order assigned: as long as the driver stands there nobody sees where."""
    async with running_service(data_dir, database_url) as service:
        driver = await service.new_driver()
        delivered, taken, waits = [await ordered(service, driver, to) for to in (DOOR, DOOR, OWN)]
        async with service.drive(driver["token"]) as courier:
            await is_at(courier, START, 60.0)
            assert (await seen_by(service, waits))["position"] is not None
            await is_at(courier, DOOR, 40.0)
            assert is_hidden(await seen_by(service, waits))
            await says(courier, delivered, "picked_up", "delivered")
            await service.post(f"/v1/orders/{taken['id']}/status", {"status": "created"})
            snapshot = await seen_by(service, waits)
            assert is_hidden(snapshot)
            assert snapshot["eta"]["arrives_at"] is not None
            late = await ordered(service, driver, OWN)
            assert is_hidden(await seen_by(service, late))
        service.process.send_signal(signal.SIGKILL)
        await service.process.wait()
    async with running_service(data_dir, database_url) as service:
        assert is_hidden(await seen_by(service, waits))
        async with service.drive(driver["token"]) as courier:
            await is_at(courier, LonLat(DOOR.lon, DOOR.lat + 0.0004), 20.0)
            assert is_hidden(await seen_by(service, waits))
            await is_at(courier, AWAY, 0.0)
            for order in (waits, late):
                snapshot = await seen_by(service, order)
                assert snapshot["visibility"] == "live"
                assert snapshot["eta"]["distance_m"] > 0.0
                assert all(distance(one, DOOR) > HIDING_RADIUS for one in places(snapshot))


async def test_one_customers_orders_do_not_hide_the_driver_from_each_other(service: Service) -> None:
    """The same phone number, the same e-mail address, or doors of one house; anybody else sees nothing."""
    driver = await service.new_driver()
    first = await ordered(
        service, driver, DOOR, customer={"phone": "+358 40 123 4567", "email": "Aino@Shop.example"}
    )
    house = LonLat(DOOR.lon, DOOR.lat + 0.0002)
    same = [
        await ordered(service, driver, OWN, customer={"phone": "+358-401234567"}),
        await ordered(service, driver, OWN, customer={"email": "aino@shop.EXAMPLE"}),
        await ordered(service, driver, house, customer={"phone": "+358409999999"}),
    ]
    other = await ordered(service, driver, OWN, customer={"phone": "+358407654321"})
    async with service.drive(driver["token"]) as courier:
        await is_at(courier, LonLat(DOOR.lon, DOOR.lat - 0.0005), 60.0)
        for order in (first, same[2]):
            assert (await seen_by(service, order))["visibility"] == "live"
        for order in same[:2]:  # the house's other customer has a door there, too
            assert is_hidden(await seen_by(service, order))
        await service.post(f"/v1/orders/{same[2]['id']}/status", {"status": "cancelled"})
        await is_at(courier, AWAY, 40.0)
        await is_at(courier, LonLat(DOOR.lon, DOOR.lat - 0.0005), 20.0)
        for order in same[:2]:
            snapshot = await seen_by(service, order)
            assert snapshot["visibility"] == "live"
            assert snapshot["eta"]["distance_m"] is not None
        assert is_hidden(await seen_by(service, other))
