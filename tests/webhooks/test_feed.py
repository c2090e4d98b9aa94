"""The list of events: written with each change, numbered after the commit, without gaps for any reader."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.database.pooler import PgBouncer, needs_pgbouncer
from tests.waiting import until
from tracker.database import Database
from tracker.database import drivers as driver_rows
from tracker.database.events.feed import delete_old_events, select_event_feed, select_events
from tracker.database.events.timeline import insert_timeline
from tracker.domain.events.event import Event
from tracker.domain.order import Driver, OrderStatus, Place
from tracker.orders.attempts import NewAttempt
from tracker.orders.changes import NewOrder, OrderChange
from tracker.orders.lifecycle import OrderLifecycle
from tracker.tokens import new_id
from tracker.webhooks.feed import EventFeed

NOW = datetime(2026, 11, 22, 16, 43, tzinfo=UTC)
PICKUP, DROPOFF = Place(60.17, 24.94), Place(60.18, 24.95, "Street 5", 60.0)
ALL = 10_000


class Clock:
    """A clock that goes one second at every look."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def orders(database: Database) -> OrderLifecycle:
    async def ignore(change: OrderChange) -> None:
        del change

    return OrderLifecycle(database, ignore, Clock())


@pytest.fixture
async def feed(database: Database) -> AsyncIterator[EventFeed]:
    async with EventFeed.open(database) as feed:
        yield feed


async def add_driver(database: Database) -> Driver:
    driver = Driver(id=new_id("drv"), number=0, name="Aino Aalto", vehicle="car", created_at=NOW)
    return await driver_rows.insert_driver(database, driver)


async def listed(database: Database, count: int, after: int = 0) -> list[Event]:
    """The list, once it has so many events."""

    async def enough() -> list[Event]:
        found = await select_events(database, after, ALL)
        return found if len(found) >= count else []

    return await until(enough)


async def test_each_change_is_an_event(database: Database, orders: OrderLifecycle, feed: EventFeed) -> None:
    """In the sequence of the changes, with the order's state of that time and what the timeline adds."""
    driver = await add_driver(database)
    order = await orders.create(NewOrder(pickup=PICKUP, dropoff=DROPOFF, reference="1042"))
    await orders.assign(order.id, driver.id)
    await orders.set_status(order.id, OrderStatus.PICKED_UP)
    assert await orders.note_milestone(order.id, "approaching", NOW + timedelta(seconds=5))
    assert await orders.note_milestone(order.id, "arrived_at_dropoff", NOW + timedelta(seconds=6))
    assert not await orders.note_milestone(order.id, "approaching", NOW + timedelta(seconds=7))
    await orders.set_status(order.id, OrderStatus.FAILED, outcome="not_home", reason="Nobody there")
    async with database.transaction() as connection:
        await orders.start_attempt(connection, order.id, NewAttempt())
    await orders.set_status(order.id, OrderStatus.CANCELLED)
    events = await listed(database, 8)
    assert [event.type.removeprefix("order.") for event in events] == [
        *("created", "assigned", "picked_up", "approaching", "arrived", "failed", "attempt", "cancelled")
    ]
    then = [event.order for event in events if event.order is not None]
    assert [one.order.status for one in then] == [
        *("created", "assigned", "picked_up", "picked_up", "picked_up", "failed", "created", "cancelled")
    ]
    assert [one.order.driver_id for one in then] == [None, *[driver.id] * 5, None, None]
    assert [one.order.version for one in then] == [1, 2, 3, 3, 3, 4, 5, 6]
    assert [one.is_current for one in then] == [False] * 7 + [True]
    assert [one.order.attempt for one in then] == [1] * 6 + [2] * 2
    assert [one.arrived_at for one in then] == [*[None] * 4, *[NOW + timedelta(seconds=6)] * 2, None, None]
    assert events[5].detail == {"outcome": "not_home", "reason": "Nobody there"}
    assert {one.order.reference for one in then} == {"1042"}
    assert feed.last == events[-1].position


async def test_no_event_survives_a_rolled_back_change(database: Database, orders: OrderLifecycle) -> None:
    """The event stands or falls with its change."""
    order = await orders.create(NewOrder(pickup=PICKUP, dropoff=DROPOFF))
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as connection:
            await insert_timeline(connection, order.id, NOW, "cancelled", {})
            raise ZeroDivisionError
    await EventFeed(database).catch_up()
    assert [event.type for event in await select_events(database, 0, ALL)] == ["order.created"]


async def test_a_reader_misses_no_event_that_commits_later(
    database: Database, orders: OrderLifecycle
) -> None:
    """The first transaction to write commits last: its event comes after those that a reader has seen."""
    first, second = [await orders.create(NewOrder(pickup=PICKUP, dropoff=DROPOFF)) for _ in range(2)]
    feed = EventFeed(database)
    seen = (await feed.catch_up()).last
    async with database.transaction() as slow:
        await insert_timeline(slow, first.id, NOW, "stuck", {})
        async with database.transaction() as quick:
            await insert_timeline(quick, second.id, NOW, "stuck", {})
        await feed.catch_up()
        [read] = await select_events(database, seen, ALL)
        assert read.order is not None
        assert read.order.order.id == second.id
    await feed.catch_up()
    [late] = await select_events(database, read.position, ALL)
    assert late.order is not None
    assert late.order.order.id == first.id


async def test_many_writers_and_nodes_number_each_event_once(database: Database) -> None:
    """Concurrent changes and three nodes that number: each event has one position."""

    async def ignore(change: OrderChange) -> None:
        del change

    orders = OrderLifecycle(database, ignore, Clock())
    driver = await add_driver(database)

    async def deliver() -> str:
        order = await orders.create(NewOrder(pickup=PICKUP, dropoff=DROPOFF, driver_id=driver.id))
        await orders.set_status(order.id, OrderStatus.PICKED_UP)
        await orders.set_status(order.id, OrderStatus.DELIVERED)
        return order.id

    seen: list[Event] = []

    async def read() -> None:
        while len(seen) < 80:
            seen.extend(await select_events(database, seen[-1].position if seen else 0, 7))
            await asyncio.sleep(0)  # yields to the writers

    async with EventFeed.open(database), EventFeed.open(database), EventFeed.open(database):
        async with asyncio.timeout(30):
            done = asyncio.gather(*(deliver() for _ in range(20)))
            await read()
            order_ids = await done
    assert len({event.id for event in seen}) == len(seen) == 80
    for order_id in order_ids:
        own = [event.type for event in seen if event.order is not None and event.order.order.id == order_id]
        assert own == ["order.created", "order.assigned", "order.picked_up", "order.delivered"]


async def test_an_approach_after_the_end_is_no_event(database: Database, orders: OrderLifecycle) -> None:
    """Late fixes may show it, for the history; nobody should hear that a delivered order approaches."""
    driver = await add_driver(database)
    order = await orders.create(NewOrder(pickup=PICKUP, dropoff=DROPOFF, driver_id=driver.id))
    await orders.set_status(order.id, OrderStatus.PICKED_UP)
    await orders.set_status(order.id, OrderStatus.DELIVERED)
    assert await orders.note_milestone(order.id, "approaching", NOW + timedelta(seconds=2))
    assert await orders.note_milestone(order.id, "arrived_at_dropoff", NOW + timedelta(seconds=3))
    await EventFeed(database).catch_up()
    kinds = [event.type.removeprefix("order.") for event in await select_events(database, 0, ALL)]
    assert kinds == ["created", "assigned", "picked_up", "delivered", "arrived"]


async def test_old_events_go_and_are_remembered_as_gone(database: Database, orders: OrderLifecycle) -> None:
    """A reader that stayed away for longer can see that it missed some. Positions are never given twice."""
    await orders.create(NewOrder(pickup=PICKUP, dropoff=DROPOFF))
    feed = EventFeed(database)
    assert await feed.catch_up() == (1, 0, False)
    assert await delete_old_events(database, datetime.now(UTC) + timedelta(minutes=1), 10) == 1
    assert await delete_old_events(database, datetime.now(UTC) + timedelta(minutes=1), 10) == 0
    assert await select_event_feed(database) == (1, 1, False)
    await orders.create(NewOrder(pickup=PICKUP, dropoff=DROPOFF))
    assert await feed.catch_up() == (2, 1, False)
    assert [event.position for event in await select_events(database, 0, ALL)] == [2]


async def test_events_keep_no_copy_of_the_customer(
    database: Database, database_url: str, orders: OrderLifecycle
) -> None:
    """What is read about the customer is what the order holds: a correction counts for earlier events too."""
    order = await orders.create(NewOrder(pickup=PICKUP, dropoff=Place(60.18, 24.95, "kanarialintu 5")))
    await EventFeed(database).catch_up()
    connection = await asyncpg.connect(database_url)
    rows: list[Any] = await connection.fetch("SELECT events::text FROM events")
    await connection.close()
    assert len(rows) == 1
    assert "kanarialintu" not in rows[0][0]
    [event] = await select_events(database, 0, ALL)
    assert event.order is not None
    assert event.order.order == order


@needs_pgbouncer
async def test_it_works_behind_a_pooler(postgres: str, database_url: str) -> None:
    """A pooler in transaction mode has no LISTEN; a commit of the process wakes the feed all the same."""
    async with (
        PgBouncer.open(postgres) as pooler,
        Database.open(pooler.url(database_url)) as database,
        EventFeed.open(database) as feed,
    ):

        async def ignore(change: OrderChange) -> None:
            del change

        await OrderLifecycle(database, ignore, Clock()).create(NewOrder(pickup=PICKUP, dropoff=DROPOFF))
        assert await feed.wait(0, 30)
        assert [event.type for event in await select_events(database, 0, ALL)] == ["order.created"]
