"""Dispatchers on one node, drivers on another: what crosses the bus, and what PostgreSQL heals."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tests.live.nodes.site import Node, fix, new_driver, new_order, nodes
from tests.waiting import until
from tracker.database import Database
from tracker.database.drivers import erase_driver
from tracker.domain.order import OrderStatus
from tracker.live.board import board as boards
from tracker.live.board.subscription import FleetSubscription
from tracker.live.nodes.messages import FleetFacts


class Dispatcher:
    """One dispatcher's stream, and all that it was sent."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.drivers: dict[str, Any] = {}
        self.orders: dict[str, Any] = {}
        self.subscription: FleetSubscription

    async def open(self) -> "Dispatcher":
        self.subscription = await self.node.fleet.board.subscribe("key_of_a_dispatcher")
        return self

    def look(self) -> None:
        """Take what has come."""
        for text in self.subscription.drain():
            message = msgspec.json.decode(text)
            for one in message["drivers"]:
                self.drivers.setdefault(one["id"], {}).update(one)
            self.orders.update({one["id"]: one for one in message["orders"]})
            for id_ in message.get("gone_drivers", ()):
                self.drivers.pop(id_, None)
            for id_ in message.get("gone_orders", ()):
                self.orders.pop(id_, None)

    async def sees(self, condition: Callable[[], object]) -> None:
        def is_true() -> bool:
            self.look()
            return bool(condition())

        await until(is_true)

    def lat(self, driver_id: str) -> float | None:
        position = self.drivers.get(driver_id, {}).get("position")
        return None if position is None else float(position["lat"])


async def test_a_dispatcher_elsewhere_sees_what_the_owner_knows(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Position, forecast and duty cross the bus; without a dispatcher nothing does."""
    monkeypatch.setattr(boards, "POLL_EVERY_S", 1e9)
    driver = await new_driver(database)
    async with nodes(database) as (a, b):
        facts: list[FleetFacts] = []
        take = b.fleet.board.take

        def note(message: FleetFacts) -> None:
            facts.append(message)
            take(message)

        monkeypatch.setattr(b.fleet.board, "take", note)
        order = await new_order(a, driver)
        await a.store(driver, fix(9))
        assert a.owns(driver)
        assert facts == []
        board = await Dispatcher(b).open()
        await board.sees(lambda: board.lat(driver.id) == fix(0).lat)
        await board.sees(lambda: board.orders[order.id]["eta"])
        await a.store(driver, fix(1, lat=60.1702))
        await board.sees(lambda: board.lat(driver.id) == 60.1702)
        await a.fleet.set_duty(driver.id, "off")
        await board.sees(lambda: board.drivers[driver.id]["position"] is None)
        await a.orders.set_status(order.id, OrderStatus.CANCELLED)
        await board.sees(lambda: order.id not in board.orders)
        assert facts
        assert b.fleet.board._watchers == {}


async def test_what_the_bus_loses_is_read_from_the_database(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Positions, new orders, duty and erasure, within a poll."""
    monkeypatch.setattr(boards, "POLL_EVERY_S", 0.2)
    driver, other = await new_driver(database), await new_driver(database, "Eino")
    async with nodes(database) as (a, b):
        board = await Dispatcher(b).open()
        board.look()
        assert board.drivers.keys() == {driver.id, other.id}
        b.bus.disconnect()
        order = await new_order(a, driver)
        await a.store(driver, fix(1, lat=60.1801))
        await board.sees(lambda: order.id in board.orders and board.lat(driver.id) == 60.1801)
        await a.fleet.set_duty(driver.id, "off")
        await board.sees(lambda: board.drivers[driver.id]["position"] is None)
        async with database.transaction() as connection:
            await erase_driver(connection, other.id)
        await board.sees(lambda: other.id not in board.drivers)
