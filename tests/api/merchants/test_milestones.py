"""What positions show of an order, by a program that drives real streets and knows the public interface."""

from collections.abc import Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection

from tests.service import Service, hear, running_service, say, token_of
from tests.waiting import until
from tracker.domain.geo import LonLat, distance, interpolate

MILESTONES = ["arrived_at_pickup", "departed_pickup", "approaching", "arrived_at_dropoff"]
START, PICKUP, DROPOFF = (60.1713, 24.9440), (60.1695, 24.9385), (60.1640, 24.9480)
ENDS = {kind: {"lat": lat, "lon": lon} for kind, (lat, lon) in (("pickup", PICKUP), ("dropoff", DROPOFF))}
WITHIN = 20.0  # seconds


class Courier:
    """One who sends a fix each 4 s of a clock of their own, which began some minutes ago."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.at = datetime.now(UTC) - timedelta(minutes=9, seconds=30)
        self.sent = 0

    async def send(self, places: Sequence[tuple[float, float]], **more: object) -> None:
        for lat, lon in places:
            self.at += timedelta(seconds=4)
            self.sent += 1
            fix = {"recorded_at": self.at.isoformat(), "lat": lat, "lon": lon, "accuracy": 6.0, **more}
            await say(self.socket, type="fixes", id=self.sent, fixes=[fix])
            assert (await hear(self.socket, "ack"))["stored"] == 1

    async def report(self, order: Any, status: str) -> None:
        self.sent += 1
        await say(self.socket, type="status", id=self.sent, order_id=order["id"], status=status)
        assert (await hear(self.socket, "ack", "error"))["type"] == "ack"


@asynccontextmanager
async def courier_of(service: Service, driver: Any) -> Any:
    async with service.drive(driver["token"]) as socket:
        await hear(socket, "welcome")
        yield Courier(socket)


def along(line: Sequence[LonLat], metres: float = 36.0) -> Iterator[tuple[float, float]]:
    """Places on the line, as far apart as fixes each 4 s at 9 m/s."""
    left = 0.0
    for a, b in pairwise(line):
        whole = distance(a, b)
        while left < whole:
            lon, lat = interpolate(a, b, left / whole)
            yield lat, lon
            left += metres
        left -= whole
    lon, lat = line[-1]
    yield lat, lon


async def route_of(service: Service, order: Any) -> list[LonLat]:
    """The way to the dropoff as the customer is shown it, once it is there."""

    async def route() -> Any:
        return (await service.get(f"/v1/track/{token_of(order)}"))["route"]

    return [LonLat(lon, lat) for lon, lat in (await until(route, WITHIN))["coordinates"]]


async def timeline(service: Service, order: Any) -> list[str]:
    return [entry["kind"] for entry in (await service.get(f"/v1/orders/{order['id']}/history"))["timeline"]]


async def milestones(service: Service, order: Any, *, last: str) -> list[str]:
    """Those in the timeline, as soon as this one is among them."""

    async def kinds() -> list[str]:
        found = await timeline(service, order)
        return [kind for kind in found if kind in MILESTONES] if last in found else []

    return await until(kinds, WITHIN)


async def everything_is_written(service: Service) -> None:
    """What one driver shows is written in the sequence in which it was seen, after that of others before."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"], **ENDS)
    async with courier_of(service, driver) as courier:
        await courier.send([PICKUP] * 4)
    await milestones(service, order, last="arrived_at_pickup")


async def fetch(service: Service, courier: Courier, order: Any) -> list[LonLat]:
    """Drives to the pickup, stops there, and picks up; the way that is left."""
    await courier.send([START])
    whole = await route_of(service, order)
    pickup = LonLat(PICKUP[1], PICKUP[0])
    there = min(range(len(whole)), key=lambda n: distance(whole[n], pickup))
    await courier.send(list(along(whole[: there + 1])))
    await courier.send([PICKUP] * 4)
    await courier.report(order, "picked_up")
    return whole[there:]


async def test_a_delivery_shows_each_milestone_once(service: Service) -> None:
    """Driven along the route, with a halt at both ends: all four, in sequence, and none again afterwards."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"], **ENDS)
    async with courier_of(service, driver) as courier:
        rest = await fetch(service, courier, order)
        assert await milestones(service, order, last="arrived_at_pickup") == MILESTONES[:1]
        await courier.send(list(along(rest)))
        await courier.send([DROPOFF] * 6)
        assert await milestones(service, order, last="arrived_at_dropoff") == MILESTONES
        away = list(along(rest[::-1]))[:8]
        await courier.send([*away, *away[::-1], *[DROPOFF] * 6])
        await courier.report(order, "delivered")
    await everything_is_written(service)
    kinds = await timeline(service, order)
    assert [kind for kind in kinds if kind in MILESTONES] == MILESTONES
    assert kinds[-1] == "delivered"
    metrics = (await service.http.get("/metrics")).text
    assert 'tracker_milestones_total{kind="arrived_at_dropoff"}' in metrics


async def test_a_single_false_fix_at_the_door_causes_nothing(service: Service) -> None:
    """The courier waits 200 m off; one fix claims 2 m of accuracy at the dropoff, and again later."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"], **ENDS)
    waiting = (DROPOFF[0] + 200 / 111_195, DROPOFF[1])
    async with courier_of(service, driver) as courier:
        await courier.report(order, "picked_up")
        for _ in range(3):
            await courier.send([waiting] * 6)
            await courier.send([DROPOFF], accuracy=2.0)
        await courier.send([waiting] * 3)
        await everything_is_written(service)
        assert "arrived_at_dropoff" not in await timeline(service, order)
        await courier.send([DROPOFF], accuracy=150.0)
        await courier.send([DROPOFF] * 5, accuracy=150.0)
        await everything_is_written(service)
        assert "arrived_at_dropoff" not in await timeline(service, order)
        await courier.send([DROPOFF] * 4)
        await milestones(service, order, last="arrived_at_dropoff")


async def test_delivered_at_the_door_is_arrived(service: Service) -> None:
    """One fix there and the driver's word are two witnesses; the milestones stand before the delivery."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"], **ENDS)
    async with courier_of(service, driver) as courier:
        await courier.report(order, "picked_up")
        courier.at = datetime.now(UTC) - timedelta(seconds=20)
        await courier.send([(DROPOFF[0] + 0.0015, DROPOFF[1]), DROPOFF])
        await courier.report(order, "delivered")
    await milestones(service, order, last="arrived_at_dropoff")
    kinds = await timeline(service, order)
    assert set(MILESTONES[2:]) <= set(kinds)


async def test_a_restart_in_the_middle_repeats_nothing(data_dir: Path, database_url: str) -> None:
    """The timeline is what is known: the node that comes after goes on from there."""
    async with running_service(data_dir, database_url) as service:
        driver = await service.new_driver()
        order = await service.new_order(driver["id"], **ENDS)
        async with courier_of(service, driver) as courier:
            rest = await fetch(service, courier, order)
            await courier.send(list(along(rest))[:8])
            await milestones(service, order, last="departed_pickup")
            at = courier.at
        assert await service.stop() == 0
    async with running_service(data_dir, database_url) as service, courier_of(service, driver) as courier:
        courier.at = at
        await courier.send([PICKUP] * 6)
        await courier.send([*along(rest), *[DROPOFF] * 6])
        assert await milestones(service, order, last="arrived_at_dropoff") == MILESTONES
