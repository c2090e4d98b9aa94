"""When a live trip computes its customers' views, and when it is routed; database and router in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.privacy.simulation.memory import Streets
from tests.privacy.simulation.world import BEGIN, World
from tracker.domain.geo import LonLat
from tracker.domain.leg import Leg
from tracker.domain.order import Driver, Order, OrderStatus, Place
from tracker.domain.tracks.fix import Fix
from tracker.domain.trip import Trip
from tracker.domain.view import CustomerView
from tracker.errors import RouterUnavailable
from tracker.messages import CustomerState

ORDERS = 4
LAT, LON = 60.17, 24.94


class Outage(Streets):
    """A router that is down until it is told otherwise."""

    is_up = False
    requests = 0

    async def route(self, places: Sequence[LonLat], _vehicle: str, **_more: Any) -> tuple[Leg, ...]:
        self.requests += 1
        if not self.is_up:
            raise RouterUnavailable("down")
        return await super().route(places, _vehicle, **_more)


class SlowRouter(Streets):
    """A router that answers while `answers` is set."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()

    async def route(self, places: Sequence[LonLat], _vehicle: str, **_more: Any) -> tuple[Leg, ...]:
        await self.answers.wait()
        return await super().route(places, _vehicle, **_more)


class Round:
    """One driver with four orders, two of them watched, and the views that were computed."""

    def __init__(self, world: World, driver: Driver) -> None:
        self.world, self.driver = world, driver
        self.views: list[str] = []

    async def moves(self, *metres: float, late: float = 0.0) -> None:
        """Report fixes that far to the east, a second apart, with the last one now."""
        self.world.wait(1.0)
        times = [self.world.now - timedelta(seconds=late + n) for n in reversed(range(len(metres)))]
        fixes = [Fix(at, LAT, LON + m / 55_600, 5.0) for at, m in zip(times, metres, strict=True)]
        await self.world.moves(self.driver, *fixes)

    def state(self, order_id: str) -> CustomerState:
        """What the order's watchers know."""
        channel = self.world.fleet._hub.channel(order_id)
        assert channel is not None
        return channel.state

    def computed(self) -> list[str]:
        """The orders whose views were computed since the last call."""
        views, self.views = self.views, []
        return sorted(views)


type Start = Callable[..., Any]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Start:
    @asynccontextmanager
    async def started(router: Streets | None = None) -> AsyncIterator[Round]:
        world = World(router)
        await world.start()
        one = Round(world, world.new_driver("Aino Korhonen"))
        view = Trip.view

        def counted(self: Trip, order_id: str, now: datetime) -> CustomerView:
            one.views.append(order_id)
            return view(self, order_id, now)

        monkeypatch.setattr(Trip, "view", counted)
        for n in range(ORDERS):
            await world.new_order(new_order(n), one.driver)
        for n in range(2):
            await world.watch(world.new_watcher(f"ord_{n}"))
        await world.watch(world.new_watcher("ord_1"))
        one.computed()
        try:
            yield one
        finally:
            await world.stop()

    return started


def new_order(n: int) -> Order:
    dropoff = Place(LAT + 0.03, LON + 0.05 + 0.01 * n)
    return Order(
        id=f"ord_{n}",
        created_at=BEGIN,
        status=OrderStatus.CREATED,
        pickup=Place(LAT + 0.01, LON),
        dropoff=dropoff,
        visibility={"position": "always", "route": "always"},
    )


BOTH = ["ord_0", "ord_1"]


async def test_a_message_costs_one_view_for_each_watched_order(start: Start) -> None:
    """However many fixes it has and however many customers watch; one that moves nobody costs none."""
    async with start() as trip:
        await trip.moves(0.0)
        trip.computed()
        await trip.moves(8.0)
        assert trip.computed() == BOTH
        await trip.moves(*(8.0 + n for n in range(50)))
        assert trip.computed() == BOTH
        await trip.moves(0.0, late=40.0)
        assert trip.computed() == []


async def test_a_message_that_brings_a_route_costs_a_second_view(start: Start) -> None:
    """Customers see the driver move before the router answers, and the route once it has."""
    async with start() as trip:
        await trip.moves(0.0)
        assert trip.computed() == sorted(BOTH + BOTH)
        assert trip.state("ord_0")["route"] is not None


async def test_a_router_that_fails_costs_no_view(start: Start) -> None:
    """Nothing has changed. The route is requested again without a fix, and shown once it is there."""
    router = Outage()
    async with start(router) as trip:
        await trip.moves(0.0)
        assert (router.requests, trip.computed()) == (1, BOTH)
        router.is_up = True
        trip.world.wait(11.0)
        await trip.world.look()
        trip.computed()
        await trip.world.settle()
        assert (router.requests, trip.computed()) == (2, BOTH)
        assert trip.state("ord_1")["route"] is not None


async def test_a_changed_order_costs_one_view_for_each_watched_order(start: Start) -> None:
    """Its own as well: it is published with its driver's trip."""
    async with start() as trip:
        await trip.moves(0.0)
        trip.computed()
        await trip.world.patch("ord_0", reference="A-17")
        assert trip.computed() == BOTH
        assert trip.state("ord_0")["order"].reference == "A-17"
        await trip.world.patch("ord_3", reference="A-18")
        assert trip.computed() == BOTH


async def test_an_order_that_leaves_its_trip_is_shown_without_it(start: Start) -> None:
    """The trip goes on for the other one, on what is left of the route."""
    async with start() as trip:
        await trip.moves(0.0)
        trip.computed()
        await trip.world.becomes("ord_0", OrderStatus.CREATED)
        assert trip.state("ord_0")["position"] is None
        assert trip.state("ord_0")["visibility"] == "hidden"
        assert trip.computed() == ["ord_1"]
        assert trip.state("ord_1")["route"] is not None


async def test_an_order_is_shown_with_the_trip_of_its_next_driver(start: Start) -> None:
    """Whether or not that trip was live before."""
    async with start() as trip:
        await trip.moves(0.0)
        other = trip.world.new_driver("Eero Aalto")
        await trip.world.assign("ord_0", other)
        assert trip.state("ord_0")["driver"].name == "Eero"
        await trip.world.moves(other, Fix(trip.world.now, LAT, LON))
        assert trip.state("ord_0")["position"] is not None
        await trip.world.assign("ord_1", other)
        assert trip.state("ord_1")["driver"].name == "Eero"


async def test_time_alone_costs_a_view_every_five_seconds(start: Start) -> None:
    """And one at the moment at which the position becomes stale."""
    async with start() as trip:
        await trip.moves(0.0)
        trip.computed()
        costs = []
        for _ in range(18):
            trip.world.wait(1.0)
            await trip.world.look()
            costs.append(trip.computed())
        assert [n for n, views in enumerate(costs, 1) if views] == [5, 10, 15, 16]
        assert all(views in ([], BOTH) for views in costs)
        assert trip.state("ord_0")["freshness"] == "stale"


async def test_a_route_that_the_driver_left_is_dropped_once(start: Start) -> None:
    """While the router does not answer, the review that drops the route computes the only views."""
    router = SlowRouter()
    router.answers.set()
    async with start(router) as trip:
        await trip.moves(0.0)
        router.answers.clear()
        for n in range(1, 7):
            await trip.moves(-30.0 * n)
        trip.computed()
        assert trip.state("ord_0")["route"] is not None
        costs = []
        for _ in range(4):
            trip.world.wait(1.0)
            await trip.world.look()
            costs.append(trip.computed())
        assert [views for views in costs if views] == [BOTH]
        assert trip.state("ord_0")["route"] is None
        router.answers.set()
        await trip.world.settle()
        assert trip.state("ord_0")["route"] is not None
