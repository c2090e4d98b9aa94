"""What a customer gets who opens a live view, leaves it and comes back. Database and router are in memory."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import msgspec
import pytest

from tests.live.drivers.test_trips import LAT, LON, new_order
from tests.privacy.simulation.memory import NoHindsight
from tests.privacy.simulation.world import World
from tracker.domain.order import Driver, Note, OrderStatus
from tracker.domain.tracks.fix import Fix
from tracker.domain.trip import Trip
from tracker.domain.view import CustomerView
from tracker.errors import NotFound
from tracker.live.delivery.subscription import Outgoing, Subscription
from tracker.messages import CustomerState, End, NoteToCustomer, Snapshot, Update
from tracker.orders.changes import OrderChange

WIRE = ("cursor", "now")


class Customer:
    """A client: it merges what it gets into a state, and reconnects with its cursor."""

    def __init__(self, world: World, order_id: str = "ord_0") -> None:
        self.world, self.order_id = world, order_id
        self.state: dict[str, Any] = {}
        self.kinds: list[type] = []
        self.notes: list[str] = []
        self._subscription: Subscription | None = None

    async def connect(self) -> None:
        subscribing = self.world.fleet.views.subscribe(self.order_id, "lnk", cursor=self.cursor)
        self._subscription, first = await subscribing
        self._take(first)

    def disconnect(self) -> None:
        if self._subscription is not None:
            self.world.fleet.views.unsubscribe(self.order_id, self._subscription)
            self._subscription = None

    def read(self) -> None:
        while self._subscription is not None and (outgoing := self._subscription.take()) is not None:
            self._take([outgoing])
            if isinstance(outgoing.message, End):
                break

    @property
    def cursor(self) -> str:
        return str(self.state.get("cursor", ""))

    @property
    def shown(self) -> CustomerState:
        return {name: value for name, value in self.state.items() if name not in WIRE}

    def _take(self, messages: Iterable[Outgoing]) -> None:
        for outgoing in messages:
            message = outgoing.message
            self.kinds.append(type(message))
            if isinstance(message, NoteToCustomer):
                self.notes.append(message.text)
            if isinstance(message, Snapshot | Update):
                fields = ((name, getattr(message, name)) for name in message.__struct_fields__)
                self.state |= {name: value for name, value in fields if value is not msgspec.UNSET}


@asynccontextmanager
async def running(feedback: NoHindsight | None = None) -> AsyncIterator[tuple[World, Driver]]:
    """A node with one order on its driver's trip."""
    world = World(feedback=feedback)
    await world.start()
    try:
        driver = world.new_driver("Aino Korhonen")
        await world.new_order(new_order(0), driver)
        yield world, driver
    finally:
        await world.stop()


async def move(world: World, driver: Driver, metres: float) -> None:
    world.wait(1.0)
    await world.moves(driver, Fix(world.now, LAT, LON + metres / 55_600, 5.0))


async def test_a_new_customer_gets_a_snapshot_and_a_returning_one_what_changed() -> None:
    """Nothing at all, if nothing changed; a cursor that was not issued for the order counts as none."""
    async with running() as (world, driver):
        await move(world, driver, 0.0)
        customer = Customer(world)
        await customer.connect()
        assert (customer.kinds, customer.shown["position"].lat) == ([Snapshot], LAT)
        customer.disconnect()
        await customer.connect()
        assert customer.kinds == [Snapshot]
        customer.disconnect()
        await move(world, driver, 8.0)
        await customer.connect()
        assert customer.kinds == [Snapshot, Update]
        customer.disconnect()
        customer.state["cursor"] = "0123456789abcdef-3"
        await customer.connect()
        assert customer.kinds == [Snapshot, Update, Snapshot]


@pytest.mark.parametrize("seed", range(5))
async def test_whoever_reconnects_ends_with_the_state_of_those_who_stayed(seed: int) -> None:
    """Three clients that come and go at random, one that stays, and one that looks once at the end."""
    random = Random(seed)
    async with running() as (world, driver):
        stays, others = Customer(world), [Customer(world) for _ in range(3)]
        await stays.connect()
        metres = 0.0
        for n in range(60):
            metres += random.choice([0.0, 4.0, 9.0])
            await move(world, driver, metres)
            if n == 30:
                await world.becomes("ord_0", OrderStatus.PICKED_UP)
            for customer in [*others, stays]:
                customer.read()
            one = random.choice(others)
            one.disconnect()
            if random.random() < 0.6:
                await one.connect()
        for customer in others:
            customer.disconnect()
            await customer.connect()
        stays.read()
        await stays.world.look()
        late = await world.fleet.views.snapshot("ord_0")
        for customer in [*others, stays]:
            customer.read()
            assert customer.shown == {name: getattr(late, name) for name in stays.shown}
        assert len(stays.shown["trail"].coordinates) > 10


async def test_a_note_reaches_those_who_are_there_and_those_who_come_back() -> None:
    """Once each, and not those who open the view for the first time."""
    async with running() as (world, driver):
        await move(world, driver, 0.0)
        here, away = Customer(world), Customer(world)
        await here.connect()
        await away.connect()
        away.disconnect()
        change = OrderChange("ord_0", (driver.id,), Note("driver", "At the door", world.now))
        await world.fleet.order_changed(change)
        here.read()
        await away.connect()
        away.read()
        new = Customer(world)
        await new.connect()
        new.read()
        assert (here.notes, away.notes, new.notes) == (["At the door"], ["At the door"], [])


@pytest.mark.parametrize("status", [OrderStatus.DELIVERED, OrderStatus.FAILED, OrderStatus.CANCELLED])
async def test_the_end_of_an_order_comes_after_its_last_state(status: OrderStatus) -> None:
    """And a client that comes back gets a snapshot, even with the newest cursor."""
    async with running() as (world, driver):
        await move(world, driver, 0.0)
        customer = Customer(world)
        await customer.connect()
        await world.becomes("ord_0", status)
        customer.read()
        assert customer.kinds[-2:] == [Update, End]
        assert (customer.shown["visibility"], customer.shown["position"]) == ("ended", None)
        customer.disconnect()
        await customer.connect()
        assert customer.kinds[-1] is Snapshot


async def test_an_order_without_a_driver_is_shown_and_followed() -> None:
    """Nothing is known but the order; once it is assigned, its trip becomes live and is shown."""
    async with running() as (world, driver):
        await world.new_order(new_order(1), None)
        customer = Customer(world, "ord_1")
        await customer.connect()
        assert (customer.shown["visibility"], customer.shown["driver"]) == ("hidden", None)
        await world.assign("ord_1", driver)
        await move(world, driver, 0.0)
        customer.read()
        assert (customer.shown["driver"].name, customer.shown["position"].lat) == ("Aino", LAT)


async def test_an_unknown_order_leaves_no_subscription() -> None:
    """The limits count only open views."""
    async with running() as (world, _):
        with pytest.raises(NotFound):
            await world.fleet.views.subscribe("ord_9", "lnk")
        assert len(world.fleet._hub) == 0


class Recording(NoHindsight):
    """Counts the views whose forecasts are recorded."""

    def __init__(self) -> None:
        self.views: list[CustomerView] = []

    def record_views(self, trip: Trip, views: Iterable[CustomerView]) -> None:
        self.views += [view for view in views if trip.orders[view.order.id] is view.order]


async def test_the_forecasts_that_customers_see_are_recorded_and_no_others() -> None:
    """Of snapshots, fixes and reviews alike: the log gets the views that the publisher sent."""
    feedback = Recording()
    async with running(feedback) as (world, driver):
        await move(world, driver, 0.0)
        assert feedback.views == []
        customer = Customer(world)
        await customer.connect()
        assert len(feedback.views) == 1
        await move(world, driver, 8.0)
        assert len(feedback.views) == 2
        customer.disconnect()
        await customer.connect()
        assert len(feedback.views) == 2  # nothing new to show
        channel = world.fleet._hub.channel("ord_0")
        assert channel is not None and channel.view is feedback.views[-1]
