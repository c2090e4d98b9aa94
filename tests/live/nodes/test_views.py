"""Customers on one node, the driver on another: what crosses the bus, and what PostgreSQL heals."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.live.nodes.site import LAT, Device, Node, fix, new_driver, new_order, nodes
from tests.waiting import until
from tracker.database import Database
from tracker.database.links import select_links
from tracker.domain.order import OrderStatus
from tracker.domain.reporting_policy import QUICK, PolicyState
from tracker.live.delivery.subscription import Outgoing, Subscription
from tracker.live.nodes import view_receiver
from tracker.messages import (
    DutyChange,
    End,
    NoteToCustomer,
    NoteToDriver,
    Orders,
    PolicyChange,
    Snapshot,
    Update,
)


class Customer:
    """One customer's live view, and all that it was sent."""

    def __init__(self, node: Node, order_id: str, link_id: str = "lnk") -> None:
        self.node, self.order_id, self.link_id = node, order_id, link_id
        self.state: dict[str, Any] = {}
        self.notes: list[str] = []
        self.end = ""
        self.subscription: Subscription

    async def open(self) -> "Customer":
        self.subscription, first = await self.node.fleet.views.subscribe(self.order_id, self.link_id)
        for outgoing in first:
            self._hear(outgoing)
        return self

    def look(self) -> dict[str, Any]:
        """Take what has come, and return the state."""
        while not self.end and (outgoing := self.subscription.take()) is not None:
            self._hear(outgoing)
        return self.state

    def _hear(self, outgoing: Outgoing) -> None:
        match outgoing.message:
            case Snapshot() | Update() as message:
                fields = {name: getattr(message, name) for name in message.__struct_fields__}
                self.state |= {
                    name: value for name, value in fields.items() if type(value).__name__ != "UnsetType"
                }
            case NoteToCustomer(text=text):
                self.notes.append(text)
            case End(reason=reason):
                self.end = reason

    async def sees(self, condition: Callable[[dict[str, Any]], object]) -> None:
        await until(lambda: condition(self.look()))

    async def sees_lat(self, lat: float) -> None:
        await self.sees(lambda state: state["position"] is not None and state["position"].lat == lat)


async def test_a_customer_elsewhere_sees_what_the_owner_sees(database: Database) -> None:
    """Position, ETA, route and trail are the same on both nodes, with every fix; one computes them."""
    driver = await new_driver(database)
    async with nodes(database) as (a, b):
        order = await new_order(a, driver)
        await a.store(driver, fix(9))
        near, far = await Customer(a, order.id).open(), await Customer(b, order.id).open()
        for second in range(8, 0, -1):
            await a.store(driver, fix(second, lat=60.17 + (9 - second) * 2e-4))
        await far.sees_lat(near.look()["position"].lat)

        def is_equal(state: dict[str, Any]) -> bool:
            own = near.look()
            names = ("order", "driver", "position", "eta", "route", "trail", "visibility", "freshness")
            return all(state[name] == own[name] for name in names)

        await far.sees(is_equal)
        assert far.state["trail"] is not None
        assert b.fleet._trips.get(driver.id) is None
        assert a.fleet._hub.is_watched([order.id])


async def test_customers_follow_a_trip_that_moves(database: Database) -> None:
    """The driver connects to the customer's node, and then to a third one: the view goes on."""
    driver = await new_driver(database)
    async with nodes(database, 3) as (a, b, c):
        order = await new_order(a, driver)
        await a.store(driver, fix(9))
        customer = await Customer(b, order.id).open()
        for seconds, node, lat in ((8, b, 60.1702), (7, c, 60.1704), (6, c, 60.1706)):
            node.fleet.connect(driver.id, Device())
            await node.store(driver, fix(seconds, lat=lat))
            assert node.owns(driver)
            await customer.sees_lat(lat)


async def test_a_dead_owners_customers_get_the_state_from_postgresql(database: Database) -> None:
    """The poll finds that the lease has run out, and the trip is read where the customer is."""
    driver = await new_driver(database)
    async with nodes(database) as (a, b):
        order = await new_order(a, driver)
        await a.store(driver, fix(9))
        customer = await Customer(b, order.id).open()
        a.bus.disconnect()
        await a.store(driver, fix(8, lat=60.1701))
        await a.dies()
        await b.fleet._healing.heal()
        await customer.sees_lat(60.1701)


async def test_without_a_bus_customers_see_each_poll_what_is_stored(database: Database) -> None:
    """Two nodes on one database, each alone on its bus."""
    driver = await new_driver(database)
    async with nodes(database, bus=False) as (a, b):
        order = await new_order(a, driver)
        await a.store(driver, fix(9))
        customer = await Customer(b, order.id).open()
        await a.store(driver, fix(8, lat=60.1701))
        await b.fleet._healing.heal()
        await customer.sees_lat(60.1701)


async def test_a_lost_state_is_asked_for_again(database: Database) -> None:
    """Every three seconds the node says what it knows, and the owner sends what is newer."""
    driver = await new_driver(database)
    async with nodes(database) as (a, b):
        order = await new_order(a, driver)
        await a.store(driver, fix(9))
        customer = await Customer(b, order.id).open()
        b.bus.disconnect()
        for second in range(8, 2, -1):
            await a.store(driver, fix(second, lat=60.17 + (9 - second) * 2e-4))
        b.bus.reconnect()
        await b.fleet._healing.heal()
        await customer.sees_lat(60.17 + 6 * 2e-4)
        await customer.sees(lambda state: len(state["trail"].coordinates) > 1)


async def test_an_owner_that_stood_still_shows_nothing_stale(database: Database) -> None:
    """Neither its own customers nor those of the new owner see what it had in memory."""
    driver = await new_driver(database)
    async with nodes(database) as (a, b):
        order = await new_order(a, driver)
        await a.store(driver, fix(9))
        near, far = await Customer(a, order.id).open(), await Customer(b, order.id).open()
        a.freeze()
        await a.expire()
        await b.store(driver, fix(4, lat=60.1705))
        await far.sees_lat(60.1705)
        await a.wake()
        await near.sees_lat(60.1705)
        await a.store(driver, fix(5, lat=60.1701))  # late, and forwarded
        await b.store(driver, fix(3, lat=60.1706))
        await near.sees_lat(60.1706)
        await far.sees_lat(60.1706)


async def test_a_change_reaches_drivers_and_customers_of_other_nodes(database: Database) -> None:
    """The merchant's request is served by a third node."""
    driver, other = await new_driver(database), await new_driver(database, "Eero")
    async with nodes(database, 3) as (a, b, c):
        order = await new_order(c, driver)
        device, new_device = Device(), Device()
        a.fleet.connect(driver.id, device)
        a.fleet.connect(other.id, new_device)
        await a.store(driver, fix(9))
        await a.store(other, fix(9, lat=60.18))
        customer = await Customer(b, order.id).open()
        await customer.sees_lat(60.17)
        await c.orders.assign(order.id, other.id)
        await until(lambda: any(isinstance(one, Orders) and one.orders for one in new_device.heard))
        await until(lambda: any(isinstance(one, Orders) and not one.orders for one in device.heard))
        await customer.sees_lat(60.18)
        await c.orders.add_note(order.id, "customer", "The door is open.")
        await until(lambda: any(isinstance(one, NoteToDriver) for one in new_device.heard))
        await c.orders.add_note(order.id, "driver", "On my way.")
        await until(lambda: customer.look() and customer.notes == ["On my way."])
        await c.orders.set_status(order.id, OrderStatus.PICKED_UP)
        await c.orders.set_status(order.id, OrderStatus.DELIVERED)
        await until(lambda: customer.look() and customer.end == "delivered")
        assert (customer.state["position"], customer.state["visibility"]) == (None, "ended")


async def test_revocations_reach_every_node(database: Database) -> None:
    """Of a link, of one token, of a driver; and a newer connection replaces the one of another node."""
    driver = await new_driver(database)
    async with nodes(database) as (a, b):
        order = await new_order(a, driver)
        link = (await select_links(database, order.id))[0].id
        customer = await Customer(b, order.id, link).open()
        a.fleet.views.link_revoked(order.id, link)
        await until(lambda: customer.look() and customer.end == "revoked")
        first, second, screen = Device(), Device(), Device("screen")
        a.fleet.connect(driver.id, first)
        a.fleet.connect(driver.id, screen)
        b.fleet.connect(driver.id, second)
        await until(lambda: first.end == "replaced")
        assert (screen.end, second.end) == ("", "")
        await b.fleet.driver_revoked(driver.id, screen.token_hash)
        await until(lambda: screen.end == "revoked")


async def test_duty_is_changed_by_the_owner(database: Database) -> None:
    """Whichever node the request reaches; fixes from off duty are stored nowhere."""
    driver = await new_driver(database)
    async with nodes(database) as (a, b):
        await a.store(driver, fix(9))
        await b.fleet.set_duty(driver.id, "off")
        live = a.fleet._trips.get(driver.id)
        assert live is not None
        assert live.trip.duty.now == "off"
        assert (await a.store(driver, fix(0))).discarded == 1
        assert (await b.store(driver, fix(0))).discarded == 1


async def test_what_the_bus_loses_the_poll_heals(database: Database) -> None:
    """An assignment, a note, an end and revocations, with a bus that carries nothing."""
    driver = await new_driver(database)
    async with nodes(database, bus=False) as (a, b):
        first, order = await new_order(a, driver), await new_order(a, None)
        device = Device()
        b.fleet.connect(driver.id, device)
        link = (await select_links(database, first.id))[0].id
        watching, revoked = await Customer(b, order.id).open(), await Customer(b, first.id, link).open()
        await b.fleet._healing.heal()
        await a.orders.assign(order.id, driver.id)
        await a.orders.add_note(order.id, "driver", "On my way.")
        assert await a.orders.revoke_link(first.id, link)
        await database.pool.execute("DELETE FROM driver_tokens")
        device.heard.clear()
        await b.fleet._healing.heal()
        assert device.end == "revoked"
        await until(lambda: revoked.look() and revoked.end == "revoked")
        await until(lambda: watching.look() and watching.notes == ["On my way."])
        assert watching.state["order"].status == "assigned"
        await a.orders.set_status(order.id, OrderStatus.CANCELLED)
        await b.fleet._healing.heal()
        await b.fleet._healing.heal()
        await until(lambda: watching.look() and watching.end == "cancelled")
        assert watching.notes == ["On my way."]


@pytest.fixture(autouse=True)
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """An owner that does not answer is given up sooner than in a service."""
    monkeypatch.setattr(view_receiver, "ANSWER_WITHIN_S", 0.3)


async def test_forecasts_come_from_the_owner(database: Database) -> None:
    """Merchants get the same ETA from every node; none of a node that is gone."""
    driver = await new_driver(database)
    async with nodes(database) as (a, b):
        order = await new_order(a, driver)
        await a.store(driver, fix(9))
        own, others = await a.fleet.etas.of([order]), await b.fleet.etas.of([order])
        assert own[order.id].arrives_at is not None
        assert others[order.id].distance_m == own[order.id].distance_m
        a.bus.disconnect()
        assert await b.fleet.etas.of([order]) == {}


async def test_a_driver_of_another_node_is_online(database: Database) -> None:
    """Each node says so of a driver who is connected to any of them."""
    driver, away = await new_driver(database), await new_driver(database, "Eero")
    async with nodes(database) as (a, b):
        await a.store(driver, fix(9))
        assert await b.fleet.online([driver.id, away.id]) == {driver.id}


async def test_a_trip_that_comes_back_at_once_is_shown_on(database: Database) -> None:
    """To customers of the other node, while the owner still knows of them from before."""
    driver = await new_driver(database)
    async with nodes(database) as (a, b):
        order = await new_order(a, driver)
        await a.store(driver, fix(9))
        near, far = await Customer(a, order.id).open(), await Customer(b, order.id).open()
        for seconds, node, lat in ((8, b, 60.1702), (7, a, 60.1704), (6, b, 60.1706), (5, a, 60.1708)):
            node.fleet.connect(driver.id, Device())
            await node.store(driver, fix(seconds, lat=lat))
            await near.sees_lat(lat)
            await far.sees_lat(lat)


async def test_an_owner_that_does_not_answer_is_noticed_by_the_next_poll(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then customers see what is stored."""
    monkeypatch.setattr(view_receiver, "SILENT_AFTER_S", 0.0)
    driver = await new_driver(database)
    async with nodes(database) as (a, b):
        order = await new_order(a, driver)
        await a.store(driver, fix(9))
        customer = await Customer(b, order.id).open()
        a.bus.disconnect()
        await a.store(driver, fix(8, lat=60.1701))
        await b.fleet._healing.heal()
        await b.fleet._healing.heal()
        await customer.sees_lat(60.1701)


async def test_lost_duties_and_policies_reach_devices_by_the_poll(database: Database) -> None:
    """Of drivers whose trips another node owns; each once."""
    driver = await new_driver(database)
    async with nodes(database) as (a, b):
        await a.store(driver, fix(9))
        b.fleet.connect(driver.id, screen := Device("screen"))
        b.bus.disconnect()
        await a.fleet.set_duty(driver.id, "on_break")
        live = a.fleet._trips.get(driver.id)
        assert live is not None
        live.policy_state = PolicyState(QUICK)
        b.bus.reconnect()
        for _ in range(2):
            await b.fleet._healing.heal()
        changes = [one for one in screen.heard if isinstance(one, DutyChange | PolicyChange)]
        assert changes == [DutyChange(on=True, on_break=True), PolicyChange(QUICK)]


async def test_a_break_hides_the_driver_without_a_bus(database: Database) -> None:
    """On another node than the one that changed the duty, with the next poll."""
    driver = await new_driver(database)
    async with nodes(database, bus=False) as (a, b):
        order = await new_order(a, driver)
        await a.store(driver, fix(9))
        customer = await Customer(b, order.id).open()
        await customer.sees_lat(LAT)
        await a.fleet.set_duty(driver.id, "on_break")
        await b.fleet._healing.heal()
        await customer.sees(lambda state: state["position"] is None)
