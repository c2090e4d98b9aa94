"""A random trip: two couriers, up to six orders, and whatever may happen; the same for one seed."""

from datetime import timedelta
from math import cos, radians
from random import Random
from typing import Any, Final

import msgspec

from tests.privacy.simulation.memory import street
from tests.privacy.simulation.world import World
from tracker.domain.driver.duty import Duty
from tracker.domain.geo import LonLat, distance
from tracker.domain.order import Customer, Driver, Order, OrderStatus, Place, StopKind
from tracker.domain.tracks.fix import Fix

METRES: Final = 111_195.0  # in a degree of latitude
TOWN: Final = 1_200.0  # metres from its middle
CUSTOMERS: Final = (
    None,
    Customer(name="Somebody"),
    Customer(phone="+358 40 1234567"),
    Customer(phone="0035840-1234567", email="aino@shop.example"),
    Customer(email="Aino@Shop.example "),
    Customer(phone="000000"),
    Customer(phone="+358 50 7654321"),
)
LIMITS: Final[tuple[Any, ...]] = (
    *("always", "always", "always", "never"),
    *({"stops": 0}, {"stops": 2}, {"eta_s": 300}, {"distance_m": 600}, [{"stops": 1}, {"eta_s": 1200}]),
)
MOMENTS: Final = 140  # at most
CHANGES: Final = 20  # of duty, at most: the service allows no more at once
Sequence = list[tuple[str, StopKind]]


class Courier:
    """Drives from stop to stop, and stands at each for a while."""

    def __init__(self, chance: Random, driver: Driver, at: LonLat) -> None:
        self.chance, self.driver, self.at = chance, driver, at
        self.way: list[LonLat] = []
        self.stands = 0  # moments
        self.held: list[Fix] = []  # without a network
        self.is_offline = False

    def drive(self, target: LonLat, seconds: float) -> None:
        if self.stands > 0:
            self.stands -= 1
            return
        if not self.way or self.way[-1] != target:
            self.way = street(self.at, target)
        metres = self.chance.uniform(2.0, 18.0) * seconds
        while self.way and (step := distance(self.at, self.way[0])) <= metres:
            metres -= step
            self.at = self.way.pop(0)
        if self.way:
            share = metres / distance(self.at, self.way[0])
            to = self.way[0]
            self.at = LonLat(
                self.at.lon + share * (to.lon - self.at.lon), self.at.lat + share * (to.lat - self.at.lat)
            )

    def fix(self, world: World) -> Fix:
        """With noise; seldom so bad, or so far off, that it must be doubted."""
        accuracy = self.chance.choice((3.0, 6.0, 12.0, 40.0))
        place = near(self.chance, self.at, accuracy / 2.0)
        fate = self.chance.random()
        if fate < 0.02:
            accuracy, place = 400.0, near(self.chance, self.at, 300.0)
        elif fate < 0.04:
            place = near(self.chance, self.at, 30_000.0)
        late = timedelta(seconds=self.chance.choice((0.0, 0.0, 0.3, 1.5)))
        return Fix(world.now - late, place.lat, place.lon, accuracy, self.chance.choice((None, 0.5, 9.0)))


def near(chance: Random, at: LonLat, metres: float) -> LonLat:
    east, north = chance.uniform(-metres, metres), chance.uniform(-metres, metres)
    return LonLat(at.lon + east / (METRES * cos(radians(at.lat))), at.lat + north / METRES)


class RandomTrip:
    """One seed's story."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.shifts = Random(f"shifts {seed}")  # of their own, so that they change nothing else
        self.changes = 0
        self.world = World()
        self.middle = LonLat(self.chance.uniform(-170.0, 170.0), self.chance.uniform(-60.0, 68.0))
        self.doors: list[LonLat] = []
        self.couriers: list[Courier] = []
        self.count = 0

    async def run(self) -> World:
        world, chance = self.world, self.chance
        await world.start()
        for name in ("Aino Korhonen", "Eero Virtanen"):
            start = near(chance, self.middle, TOWN)
            self.couriers.append(Courier(chance, world.new_driver(name), start))
        for _ in range(chance.randint(2, 5)):
            await self.order(self.couriers[0].driver)
        for moment in range(chance.randint(40, MOMENTS)):
            await self.moment(moment)
        await world.stop()
        return world

    async def moment(self, number: int) -> None:
        world, chance = self.world, self.chance
        seconds = chance.uniform(1.5, 8.0)
        world.wait(seconds)
        for courier in self.couriers:
            if courier is self.couriers[0] or chance.random() < 0.5:
                await self.change_duty(courier)
                await self.advance(courier, seconds)
        if chance.random() < 0.3:
            await world.look()
        if chance.random() < 0.25:
            await chance.choice((self.customer_acts, self.merchant_acts, self.customer_acts))()
        if chance.random() < 0.1:
            world.drain(slow=True)
        if number > 20 and chance.random() < 0.006:
            await world.restart()
        if number > 20 and chance.random() < 0.003:
            world.wait(chance.choice((3_000.0, 5 * 3_600.0, 25 * 3_600.0)))

    # --- couriers

    async def change_duty(self, courier: Courier) -> None:
        """Off duty the phone goes on sending, and the courier's orders stay with them."""
        if self.shifts.random() < 0.05 and self.changes < CHANGES:
            self.changes += 1
            duty: Duty = self.shifts.choice(("on", "on", "on_break", "off"))
            await self.world.change_duty(courier.driver, duty)

    async def advance(self, courier: Courier, seconds: float) -> None:
        stops = self.world.memory.stops.get(courier.driver.id, [])
        target = self.place(stops[0]) if stops else near(self.chance, courier.at, 300.0)
        courier.drive(target, seconds)
        await self.report(courier)
        if stops and distance(courier.at, target) < self.chance.choice((1.0, 30.0, 80.0, 160.0)):
            if courier.stands == 0 and distance(courier.at, target) < 5.0 and self.chance.random() < 0.7:
                courier.stands = self.chance.randint(1, 7)
            if self.chance.random() < 0.3:
                await self.serve(*stops[0])

    async def report(self, courier: Courier) -> None:
        """Sometimes without a network: then the newest first, and the backlog after it."""
        fix, chance = courier.fix(self.world), self.chance
        if courier.is_offline:
            courier.held.append(fix)
            if chance.random() < 0.2:
                courier.is_offline, held = False, courier.held
                courier.held = []
                await self.world.moves(courier.driver, held[-1])
                if held[:-1]:
                    await self.world.moves(courier.driver, *held[:-1])
            return
        courier.is_offline = chance.random() < 0.03
        await self.world.moves(courier.driver, fix)

    async def serve(self, order_id: str, kind: StopKind) -> None:
        if kind == "pickup":
            await self.world.becomes(order_id, OrderStatus.PICKED_UP)
        else:
            ends = (OrderStatus.DELIVERED, OrderStatus.DELIVERED, OrderStatus.FAILED)
            await self.world.becomes(order_id, self.chance.choice(ends))
            if self.chance.random() < 0.15:
                await self.world.restart()

    def place(self, stop: tuple[str, StopKind]) -> LonLat:
        order = self.world.memory.orders[stop[0]]
        return (order.pickup if stop[1] == "pickup" else order.dropoff).lonlat

    # --- merchants

    async def merchant_acts(self) -> None:
        world, chance = self.world, self.chance
        driver = chance.choice(self.couriers).driver
        orders = [one for one in world.memory.orders.values() if one.ended_at is None]
        act = chance.choice(("order", "assign", "cancel", "unassign", "patch", "resequence", "at_the_door"))
        if act == "order" and self.count < 6:
            await self.order(chance.choice((driver, None)))
        elif act == "at_the_door" and self.count < 6:
            await self.order(self.couriers[0].driver)
        elif act == "resequence":
            await world.resequence(driver, self.shuffled(world.memory.stops.get(driver.id, [])))
        elif orders:
            await self.change(act, chance.choice(orders), driver)

    async def change(self, act: str, order: Order, driver: Driver) -> None:
        world, chance = self.world, self.chance
        if act == "assign" and order.driver_id != driver.id:
            await world.assign(order.id, driver)
        elif act == "cancel" and chance.random() < 0.4:
            await world.becomes(order.id, OrderStatus.CANCELLED)
        elif act == "unassign" and order.status is OrderStatus.ASSIGNED:
            await world.becomes(order.id, OrderStatus.CREATED)
        elif act == "patch" and chance.random() < 0.5:
            await world.patch(order.id, customer=chance.choice(CUSTOMERS))
        elif act == "patch":
            at = self.door()
            await world.patch(
                order.id, dropoff=msgspec.structs.replace(order.dropoff, lat=at.lat, lon=at.lon)
            )

    async def order(self, driver: Driver | None) -> None:
        chance, now = self.chance, self.world.now
        self.count += 1
        at, fetched = self.door(), near(chance, self.middle, 500.0)
        begins = now + timedelta(minutes=chance.choice((10, 61, 63, 240)))
        window = (begins, begins + timedelta(hours=1)) if chance.random() < 0.25 else (None, None)
        order = Order(
            id=f"ord_{self.count}",
            reference=f"Number {self.count}",
            created_at=now,
            pickup=Place(fetched.lat, fetched.lon),
            dropoff=Place(at.lat, at.lon, f"Door {self.count} of the street"),
            customer=chance.choice(CUSTOMERS),
            window_from=window[0],
            window_to=window[1],
            visibility={field: chance.choice(LIMITS) for field in ("position", "route", "eta")}
            if chance.random() < 0.4
            else {"position": "always", "route": "always"},
        )
        await self.world.new_order(order, driver)
        for _ in range(chance.randint(1, 2)):
            watcher = self.world.new_watcher(
                order.id, binary=chance.random() < 0.3, slow=chance.random() < 0.2
            )
            await self.world.watch(watcher)

    def door(self) -> LonLat:
        """Often near another one, and sometimes where a courier stands."""
        chance = self.chance
        fate = chance.random()
        if self.doors and fate < 0.45:
            at = near(chance, chance.choice(self.doors), chance.choice((15.0, 80.0, 200.0)))
        elif self.couriers and fate < 0.55:
            at = near(chance, self.couriers[0].at, 60.0)
        else:
            at = near(chance, self.middle, TOWN)
        self.doors.append(at)
        return at

    def shuffled(self, stops: Sequence) -> Sequence:
        """A pickup before its dropoff."""
        mixed = self.chance.sample(stops, len(stops))
        first = {order_id: index for index, (order_id, kind) in enumerate(mixed) if kind == "pickup"}
        return [stop for stop in mixed if stop[1] == "pickup" or stop[0] not in first] + [
            stop for stop in mixed if stop[1] == "dropoff" and stop[0] in first
        ]

    # --- customers

    async def customer_acts(self) -> None:
        world, chance = self.world, self.chance
        if not world.watchers:
            return
        watcher = chance.choice(world.watchers)
        act = chance.random()
        if act < 0.3:
            await world.looks(watcher.order_id)
        elif watcher.subscription is None:
            await world.watch(watcher)
        else:
            world.leave(watcher)
            if act < 0.7:
                await world.watch(watcher)
