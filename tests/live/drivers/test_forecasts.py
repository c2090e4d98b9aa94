"""The watch for late orders and changed arrivals, on a real database, with forecasts that the test gives."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from tracker.database import Database
from tracker.database.events.feed import select_events
from tracker.domain.eta.estimate import Eta
from tracker.domain.events.event import Event
from tracker.domain.order import Order, OrderStatus, Place
from tracker.live.drivers.forecasts import ForecastWatch
from tracker.orders.changes import NewOrder, OrderChange
from tracker.orders.lifecycle import OrderLifecycle
from tracker.webhooks.feed import EventFeed

NOW = datetime.now(UTC).replace(microsecond=0)
MINUTE = timedelta(minutes=1)


class Forecasts:
    """The trips of a node that has one driver, whose arrival the test sets."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.now, self.arrives_at = NOW, NOW + 20 * MINUTE
        self.trip = self.driver = self
        self.id = "drv_a"

    def eta(self, order_id: str, now: datetime) -> Eta:
        assert order_id in self.orders
        return Eta(
            arrives_at=self.arrives_at,
            earliest=self.arrives_at - MINUTE,
            latest=self.arrives_at + MINUTE,
            distance_m=1200.0,
            stops_before=0,
            computed_at=now,
            basis="route",
        )


@pytest.fixture
def orders(database: Database) -> OrderLifecycle:
    async def ignore(change: OrderChange) -> None:
        del change

    return OrderLifecycle(database, ignore, lambda: datetime.now(UTC))


def watch_of(database: Database, forecasts: Forecasts) -> ForecastWatch:
    return ForecastWatch(database, cast("Any", [forecasts]), lambda _: True, lambda: forecasts.now)


async def check_for(watch: ForecastWatch, forecasts: Forecasts, seconds: int) -> None:
    """Check every five seconds."""
    for _ in range(seconds // 5):
        await watch.check()
        forecasts.now += timedelta(seconds=5)


async def reported(database: Database) -> list[Event]:
    """The events about forecasts."""
    await EventFeed(database).catch_up()
    found = await select_events(database, 0, 1000)
    return [event for event in found if event.type in {"order.delayed", "order.eta_changed"}]


async def test_a_late_order_is_reported_once_by_all_nodes(database: Database, orders: OrderLifecycle) -> None:
    """With the forecast that says so; a restart and a second node do not repeat it."""
    forecasts = Forecasts()
    new = NewOrder(pickup=Place(60.17, 24.94), dropoff=Place(60.18, 24.95), window_to=NOW + 22 * MINUTE)
    order = await orders.create(new)
    forecasts.orders = {order.id: order}
    watch = watch_of(database, forecasts)
    await check_for(watch, forecasts, 60)
    forecasts.arrives_at = NOW + 24 * MINUTE
    await check_for(watch, forecasts, 25)
    assert await reported(database) == []
    await check_for(watch, forecasts, 60)
    for _ in range(2):
        await check_for(watch_of(database, forecasts), forecasts, 60)
    [event] = await reported(database)
    assert event.type == "order.delayed"
    assert event.order is not None
    assert event.order.eta is not None
    assert event.order.eta.arrives_at == forecasts.arrives_at
    assert event.order.order.id == order.id


async def test_a_changed_arrival_names_the_one_before(database: Database, orders: OrderLifecycle) -> None:
    """What was reported last is kept through a restart; a further attempt begins anew."""
    forecasts = Forecasts()
    order = await orders.create(NewOrder(pickup=Place(60.17, 24.94), dropoff=Place(60.18, 24.95)))
    forecasts.orders = {order.id: order}
    await check_for(watch_of(database, forecasts), forecasts, 10)
    forecasts.arrives_at += 6 * MINUTE
    await check_for(watch_of(database, forecasts), forecasts, 60)
    [event] = await reported(database)
    assert event.type == "order.eta_changed"
    before = (NOW + 20 * MINUTE).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert event.detail == {"previous_arrives_at": before}
    await database.pool.execute("UPDATE orders SET attempt = 2 WHERE id = $1", order.id)
    forecasts.orders = {order.id: await orders.get(order.id)}
    forecasts.arrives_at += 60 * MINUTE
    await check_for(watch_of(database, forecasts), forecasts, 60)
    assert len(await reported(database)) == 1


async def test_an_order_that_is_over_is_not_late(database: Database, orders: OrderLifecycle) -> None:
    """The trip may still hold it for a moment."""
    forecasts = Forecasts()
    new = NewOrder(pickup=Place(60.17, 24.94), dropoff=Place(60.18, 24.95), window_to=NOW + MINUTE)
    order = await orders.create(new)
    forecasts.orders = {order.id: order}
    watch = watch_of(database, forecasts)
    await check_for(watch, forecasts, 10)
    await orders.set_status(order.id, OrderStatus.CANCELLED)
    await check_for(watch, forecasts, 60)
    assert await reported(database) == []
