"""Random trips through a real service: its HTTP, its sockets, its database and its routes.

What customers are sent goes through the relay before the service, and is judged after each test.
"""

import asyncio
from random import Random
from typing import Any, Final

import pytest

from tests.privacy.recording import JUDGE, verdict
from tests.service import Service, hear, say, token_of
from tests.test_end_to_end import fix
from tests.watchers import WAYS, Watcher
from tracker.domain.geo import LonLat, distance, interpolate

WEST, EAST, SOUTH, NORTH = 24.9370, 24.9500, 60.1640, 60.1720  # streets of the demo map
STEP: Final = 35.0  # metres, and no more: at such a pace a longer way is doubted
ACCURACY: Final = 20.0
PAUSE, LONG_PAUSE = 0.05, 0.2  # seconds between two fixes; customers are told twice a second
CUSTOMERS: Final = (None, {"phone": "+358 40 1234567"}, {"phone": "0401234567"}, {"email": "a@b.example"})
ALWAYS: Final = {"position": "always", "route": "always"}


class Trip:
    """One courier, their orders, and a customer for each."""

    def __init__(self, service: Service, seed: int, pause: float) -> None:
        self.service, self.chance, self.pause = service, Random(seed), pause
        self.at = self.place()
        self.watchers: list[Watcher] = []
        self.watching: list[asyncio.Task[None]] = []
        self.driver: Any
        self.doors: list[LonLat] = []

    def place(self) -> LonLat:
        return LonLat(self.chance.uniform(WEST, EAST), self.chance.uniform(SOUTH, NORTH))

    async def run(self) -> None:
        self.driver = await self.service.new_driver()
        orders = [await self.order(self.door()) for _ in range(self.chance.randint(2, 3))]
        try:
            async with self.service.drive(self.driver["token"]) as courier:
                for order in orders:
                    await self.bring(courier, order)
        finally:
            for task in self.watching:
                task.cancel()
            await asyncio.gather(*self.watching, return_exceptions=True)

    async def order(self, door: LonLat) -> Any:
        order = await self.service.new_order(
            self.driver["id"],
            pickup={"lat": 60.1713, "lon": 24.9440},
            dropoff={"lat": door.lat, "lon": door.lon},
            customer=self.chance.choice(CUSTOMERS),
            visibility=ALWAYS,
        )
        watcher = Watcher()
        way = WAYS[self.chance.choice(list(WAYS))]
        self.watching.append(asyncio.create_task(self.watch(watcher, way, token_of(order))))
        self.watchers.append(watcher)
        return order

    async def watch(self, watcher: Watcher, way: Any, token: str) -> None:
        """Cut off now and then, and back with the cursor."""
        while watcher.ended is None:
            try:
                async with asyncio.timeout(self.chance.uniform(1.0, 5.0)):
                    await watcher.watch(way(self.service, token, watcher.cursor))
            except TimeoutError:
                continue

    def door(self) -> LonLat:
        """Often not far from another one."""
        if self.doors and self.chance.random() < 0.5:
            near = self.chance.choice(self.doors)
            at = LonLat(
                near.lon + self.chance.uniform(-0.003, 0.003), near.lat + self.chance.uniform(-0.001, 0.001)
            )
        else:
            at = self.place()
        self.doors.append(at)
        return at

    async def bring(self, courier: Any, order: Any) -> None:
        """To the door; it is over there, a little before or a little later, and sometimes taken away."""
        dropoff = LonLat(order["dropoff"]["lon"], order["dropoff"]["lat"])
        over_at = self.chance.choice((0.0, 0.0, 60.0, 140.0))
        is_open = True
        await self.report(courier, order, "picked_up")
        while distance(self.at, dropoff) > 1.0:
            await self.move(courier, dropoff)
            if is_open and distance(self.at, dropoff) < over_at:
                is_open = await self.end(courier, order)
        for _ in range(self.chance.randint(1, 5)):
            await self.move(courier, dropoff)
        if is_open:
            await self.end(courier, order)
        if self.chance.random() < 0.4:
            await self.order(self.door())
        for _ in range(self.chance.randint(1, 5)):
            await self.move(courier, dropoff)

    async def move(self, courier: Any, target: LonLat) -> None:
        metres = distance(self.at, target)
        self.at = target if metres <= STEP else interpolate(self.at, target, STEP / metres)
        await say(courier, type="fixes", id=1, fixes=[fix(0.0, self.at.lat, self.at.lon, accuracy=ACCURACY)])
        await hear(courier, "ack")
        await asyncio.sleep(self.pause)  # simulates the interval between fixes

    async def end(self, courier: Any, order: Any) -> bool:
        if self.chance.random() < 0.2:
            await self.service.post(f"/v1/orders/{order['id']}/status", {"status": "cancelled"})
        else:
            await self.report(courier, order, self.chance.choice(("delivered", "delivered", "failed")))
        return False

    async def report(self, courier: Any, order: Any, status: str) -> None:
        await say(courier, type="status", id=2, order_id=order["id"], status=status)
        assert (await hear(courier, "ack", "error"))["type"] == "ack"


async def drive(service: Service, seeds: range, pause: float = PAUSE) -> None:
    trips = [Trip(service, seed, pause) for seed in seeds]
    judged = JUDGE.judged
    async with asyncio.TaskGroup() as group:
        for trip in trips:
            group.create_task(trip.run())
    assert verdict() == []
    assert JUDGE.judged - judged > len(seeds)
    told = [message for trip in trips for watcher in trip.watchers for _, message in watcher.told]
    assert {message.get("visibility") for message in told} >= {"live", "hidden"}


async def test_random_trips_through_a_real_service(service: Service) -> None:
    """A few at a time; a thousand more are judged on a virtual clock."""
    await drive(service, range(2))


@pytest.mark.long
async def test_twenty_random_trips_through_a_real_service(service: Service) -> None:
    """Five at a time."""
    for first in range(100, 120, 5):
        await drive(service, range(first, first + 5), LONG_PAUSE)
