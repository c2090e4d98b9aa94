"""A jam that other couriers are in: what a customer further behind is told, with no time but the argument."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec

from tests.privacy.simulation.memory import NoHindsight, Streets, leg
from tests.privacy.simulation.world import BEGIN, World
from tracker.domain.eta.live_traffic import LiveTraffic
from tracker.domain.eta.model import ORDINARY_KNOWN, ROUTER_RATIO, EtaModel
from tracker.domain.eta.ratio import Ratio
from tracker.domain.geo import LonLat
from tracker.domain.leg import Edge, Leg
from tracker.domain.order import Driver, Order, OrderStatus, Place
from tracker.domain.tracks.fix import Fix, JudgedFix
from tracker.domain.trip import Trip

LAT, LON = 60.17, 24.94
END = 14_000.0  # metres east
STEP = 10.0  # seconds between fixes
USUAL, CRAWL = 8.0, 0.5  # m/s


class NamedStreets(Streets):
    """A street to the east, in named pieces."""

    async def route(self, places: Sequence[LonLat], _vehicle: str, **_more: Any) -> tuple[Leg, ...]:
        return tuple(_with_streets(leg(begin, end)) for begin, end in pairwise(places))


def _with_streets(plain: Leg) -> Leg:
    share = 1.0 / (len(plain.line) - 1)
    edges = tuple(
        Edge(n, n + 1, share * plain.distance_m, share * plain.duration_s, "primary", False, f"{at.lon:.3f}")
        for n, at in enumerate(plain.line[:-1])
    )
    return msgspec.structs.replace(plain, edges=edges)


class SharedTraffic(NoHindsight):
    """All trips report to one live traffic, as those of a node do, which knows ordinary traffic."""

    def __init__(self) -> None:
        self.traffic = LiveTraffic()
        self.model = EtaModel(whole=Ratio(ROUTER_RATIO * ORDINARY_KNOWN, ORDINARY_KNOWN))

    async def new_trip(self, driver: Driver, known: Sequence[JudgedFix]) -> Trip:
        trip = await super().new_trip(driver, known)
        trip.route_progress.traffic = self.traffic
        trip.route_progress.model = self.model
        return trip


class Told(NamedTuple):
    """What a customer is told at one time: seconds to go, and the interval's width as a share of them."""

    to_go: float
    width: float


class Road:
    """A watched courier, and three more ahead of them on the same street."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.metres: dict[str, float] = {}
        self.drivers: list[Driver] = []

    async def begin(self) -> None:
        for n, metres in enumerate((0.0, 6_000.0, 6_200.0, 6_400.0)):
            driver = self.world.new_driver("Aino Korhonen")
            self.drivers.append(driver)
            self.metres[driver.id] = metres
            await self.world.new_order(_order(f"ord_{n}"), driver)
            await self.world.becomes(f"ord_{n}", OrderStatus.PICKED_UP)
        await self.world.watch(self.world.new_watcher("ord_0"))

    async def drive(self, seconds: float, ahead_m_s: float) -> Told:
        """All drive on, the couriers ahead at this speed; return what the customer is told then."""
        for _ in range(int(seconds / STEP)):
            self.world.wait(STEP)
            for n, driver in enumerate(self.drivers):
                speed = USUAL if n == 0 else ahead_m_s
                self.metres[driver.id] += speed * STEP
                at = _place(self.metres[driver.id])
                await self.world.moves(driver, Fix(self.world.now, at.lat, at.lon, 5.0, speed, 90.0))
        return self._told()

    def _told(self) -> Told:
        channel = self.world.fleet._hub.channel("ord_0")
        assert channel is not None
        eta = msgspec.to_builtins(channel.state["eta"])
        at = {name: datetime.fromisoformat(eta[name]) for name in ("earliest", "arrives_at", "latest")}
        to_go = (at["arrives_at"] - self.world.now).total_seconds()
        return Told(to_go, (at["latest"] - at["earliest"]).total_seconds() / to_go)


def _place(metres: float) -> LonLat:
    return LonLat(LON + metres / 55_400.0, LAT)


def _order(order_id: str) -> Order:
    end = _place(END)
    return Order(
        id=order_id,
        created_at=BEGIN,
        status=OrderStatus.CREATED,
        pickup=Place(LAT, LON),
        dropoff=Place(end.lat, end.lon),
        visibility={"position": "always"},
    )


@asynccontextmanager
async def road() -> AsyncIterator[Road]:
    world = World(NamedStreets(), SharedTraffic())
    await world.start()
    try:
        opened = Road(world)
        await opened.begin()
        yield opened
    finally:
        await world.stop()


async def test_an_interval_widens_while_others_crawl_ahead_and_narrows_when_they_flow() -> None:
    """The customer's own courier drives at the usual speed all the time, and has not reached the jam."""
    async with road() as each:
        free = await each.drive(60.0, USUAL)
        jam = await each.drive(300.0, CRAWL)
        flowing = await each.drive(600.0, USUAL)
    assert jam.width > 1.5 * free.width
    assert flowing.width < 0.8 * jam.width
    assert jam.to_go > 1.2 * (free.to_go - 300.0)
    assert flowing.to_go < jam.to_go - 600.0
