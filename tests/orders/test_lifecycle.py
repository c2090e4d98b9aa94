"""Orders: what may happen to an order, what it does to stops and timeline, and who hears of it."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tracker.database import Database
from tracker.database import drivers as driver_rows
from tracker.database import orders as rows
from tracker.database.eta.forecasts import select_arrival
from tracker.database.events import timeline
from tracker.database.events.milestones import select_milestones
from tracker.database.plans import select_plan
from tracker.database.pool import Row
from tracker.domain.order import Driver, OrderStatus, Place
from tracker.errors import Conflict, ForbiddenTransition, InvalidFields, NotFound
from tracker.orders.attempts import NewAttempt
from tracker.orders.changes import NewOrder, OrderChange
from tracker.orders.lifecycle import NOTES, OrderLifecycle
from tracker.tokens import new_id

NOW = datetime(2026, 11, 22, 16, 43, tzinfo=UTC)
PICKUP, DROPOFF = Place(60.17, 24.94), Place(60.18, 24.95, "Street 5", 60.0)


class Clock:
    """A clock that goes one second at every look."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def notices() -> list[OrderChange]:
    """What the rest of the service hears."""
    return []


@pytest.fixture
def orders(database: Database, notices: list[OrderChange]) -> OrderLifecycle:
    """Orders on a real database."""

    async def notice(change: OrderChange) -> None:
        await database.fetchval("select_order", change.order_id)  # committed: others see it
        notices.append(change)

    return OrderLifecycle(database, notice, Clock())


async def add_driver(database: Database, name: str = "Aino Aalto") -> Driver:
    driver = Driver(id=new_id("drv"), number=0, name=name, vehicle="car", created_at=NOW)
    return await driver_rows.insert_driver(database, driver)


async def add_order(orders: OrderLifecycle, driver_id: str | None = None) -> str:
    return (await orders.create(NewOrder(pickup=PICKUP, dropoff=DROPOFF, driver_id=driver_id))).id


async def kinds(database: Database, order_id: str) -> list[str]:
    return [entry.kind for entry in await timeline.select_timeline(database, order_id)]


async def stops(database: Database, driver_id: str) -> list[tuple[str, str]]:
    return [(stop.order_id, stop.kind) for stop in await rows.select_stops(database, driver_id)]


async def test_an_order_reads_back_as_it_was_made(orders: OrderLifecycle) -> None:
    """Every field survives the database."""
    new = NewOrder(
        pickup=PICKUP,
        dropoff=DROPOFF,
        reference="A-1",
        window_from=NOW,
        window_to=NOW + timedelta(hours=1),
        visibility={"eta": "never", "position": [{"stops": 1}]},
    )
    order = await orders.create(new)
    assert await orders.get(order.id) == order
    assert (order.reference, order.dropoff, order.visibility) == ("A-1", DROPOFF, new.visibility)
    assert (order.status, order.version, order.driver_id) == (OrderStatus.CREATED, 1, None)


async def test_an_order_made_with_a_driver_is_assigned_at_once(
    orders: OrderLifecycle, database: Database, notices: list[OrderChange]
) -> None:
    """Its stops are appended, the timeline says so, and the driver's side hears of it once."""
    driver = await add_driver(database)
    order_id = await add_order(orders, driver.id)
    assert (await orders.get(order_id)).status is OrderStatus.ASSIGNED
    assert await stops(database, driver.id) == [(order_id, "pickup"), (order_id, "dropoff")]
    assert await kinds(database, order_id) == ["created", "assigned"]
    assert notices == [OrderChange(order_id, (driver.id,))]


async def test_an_order_for_an_unknown_driver_is_not_made(orders: OrderLifecycle, database: Database) -> None:
    """The field is named and nothing is left behind."""
    with pytest.raises(InvalidFields) as refused:
        await add_order(orders, "drv_nobody")
    assert [error.field for error in refused.value.errors] == ["driver_id"]
    assert await rows.select_orders(database, rows.OrderFilter(), 10) == []


async def test_the_whole_way_of_an_order(orders: OrderLifecycle, database: Database) -> None:
    """Fetched: the pickup is no stop any more; delivered: the dropoff neither; each with its time."""
    driver = await add_driver(database)
    order_id = await add_order(orders, driver.id)
    picked_up = await orders.set_status(order_id, OrderStatus.PICKED_UP, by_driver=driver.id)
    assert await stops(database, driver.id) == [(order_id, "dropoff")]
    delivered = await orders.set_status(order_id, OrderStatus.DELIVERED, by_driver=driver.id)
    assert await stops(database, driver.id) == []
    assert await kinds(database, order_id) == ["created", "assigned", "picked_up", "delivered"]
    assert (delivered.picked_up_at, delivered.ended_at) == (picked_up.picked_up_at, delivered.delivered_at)
    [assignment] = await rows.select_assignments(database, order_id)
    assert assignment.ended_at == delivered.delivered_at
    assert delivered.version == 4


async def test_a_driver_may_report_again_what_is_known(
    orders: OrderLifecycle, database: Database, notices: list[OrderChange]
) -> None:
    """A report resent after a lost acknowledgement changes nothing, even once a later one came through."""
    driver = await add_driver(database)
    order_id = await add_order(orders, driver.id)
    await orders.set_status(order_id, OrderStatus.PICKED_UP, by_driver=driver.id)
    delivered = await orders.set_status(order_id, OrderStatus.DELIVERED, by_driver=driver.id)
    heard = len(notices)
    for status in (OrderStatus.PICKED_UP, OrderStatus.DELIVERED):
        assert await orders.set_status(order_id, status, by_driver=driver.id) == delivered
    assert len(notices) == heard


async def test_a_merchant_is_told_of_a_forbidden_transition(
    orders: OrderLifecycle, database: Database
) -> None:
    """With the ones that are allowed, and the status it has already is none of them."""
    driver = await add_driver(database)
    order_id = await add_order(orders, driver.id)
    with pytest.raises(ForbiddenTransition) as refused:
        await orders.set_status(order_id, OrderStatus.DELIVERED)
    assert refused.value.allowed == ("picked_up", "created", "failed", "cancelled")
    with pytest.raises(ForbiddenTransition):
        await orders.set_status(order_id, OrderStatus.ASSIGNED)


async def test_only_a_driver_makes_an_order_assigned(orders: OrderLifecycle) -> None:
    """The status alone cannot say who it would be."""
    order_id = await add_order(orders)
    with pytest.raises(Conflict, match="needs a driver"):
        await orders.set_status(order_id, OrderStatus.ASSIGNED)


async def test_another_drivers_order_is_a_missing_one(orders: OrderLifecycle, database: Database) -> None:
    """Nobody learns whether an order exists that is not theirs."""
    driver, other = await add_driver(database), await add_driver(database)
    order_id = await add_order(orders, driver.id)
    messages = []
    for asked in (order_id, "ord_nothing"):
        with pytest.raises(NotFound) as refused:
            await orders.set_status(asked, OrderStatus.PICKED_UP, by_driver=other.id)
        messages.append(str(refused.value))
    assert messages[0] == messages[1]


async def test_reassigning_ends_the_former_drivers_part(
    orders: OrderLifecycle, database: Database, notices: list[OrderChange]
) -> None:
    """Stops move over, the assignments do not overlap, and both drivers hear of it."""
    first, second = await add_driver(database), await add_driver(database)
    order_id = await add_order(orders, first.id)
    order = await orders.assign(order_id, second.id)
    assert (order.driver_id, order.status) == (second.id, OrderStatus.ASSIGNED)
    assert await stops(database, first.id) == []
    assert await stops(database, second.id) == [(order_id, "pickup"), (order_id, "dropoff")]
    former, present = await rows.select_assignments(database, order_id)
    assert (former.driver, present.driver, present.ended_at) == (first.number, second.number, None)
    assert former.ended_at is not None
    assert former.ended_at <= present.begun_at
    assert await kinds(database, order_id) == ["created", "assigned", "unassigned", "assigned"]
    assert notices[-1].driver_ids == (first.id, second.id)


async def test_handing_over_what_was_fetched_moves_only_the_dropoff(
    orders: OrderLifecycle, database: Database
) -> None:
    """The order stays picked up, and nobody is sent to the pickup again."""
    first, second = await add_driver(database), await add_driver(database)
    order_id = await add_order(orders, first.id)
    await orders.set_status(order_id, OrderStatus.PICKED_UP)
    order = await orders.assign(order_id, second.id)
    assert order.status is OrderStatus.PICKED_UP
    assert await stops(database, second.id) == [(order_id, "dropoff")]


async def test_reassigning_to_the_same_driver_changes_nothing(
    orders: OrderLifecycle, database: Database, notices: list[OrderChange]
) -> None:
    """No new version, no entry in the timeline, no notice."""
    driver = await add_driver(database)
    order_id = await add_order(orders, driver.id)
    before = await orders.get(order_id)
    assert await orders.assign(order_id, driver.id) == before
    assert await kinds(database, order_id) == ["created", "assigned"]
    assert len(notices) == 1


async def test_unassigning_goes_back_to_created(orders: OrderLifecycle, database: Database) -> None:
    """Driver, stops and time of assignment are gone; the timeline keeps that it was so."""
    driver = await add_driver(database)
    order_id = await add_order(orders, driver.id)
    order = await orders.unassign(order_id)
    assert (order.status, order.driver_id, order.assigned_at) == (OrderStatus.CREATED, None, None)
    assert await stops(database, driver.id) == []
    assert await kinds(database, order_id) == ["created", "assigned", "unassigned"]
    again = await orders.assign(order_id, driver.id)
    assert again.assigned_at is not None


async def test_nothing_leaves_the_end(orders: OrderLifecycle) -> None:
    """A cancelled order takes no driver, no change, no words and no other status."""
    order_id = await add_order(orders)
    await orders.set_status(order_id, OrderStatus.CANCELLED)
    refused: list[Callable[[], object]] = [
        lambda: orders.assign(order_id, "drv_any"),
        lambda: orders.patch(order_id, lambda order: order),
        lambda: orders.add_note(order_id, "customer", "hello"),
        lambda: orders.set_status(order_id, OrderStatus.CREATED),
    ]
    for attempt in refused:
        with pytest.raises(Conflict):
            await attempt()  # type: ignore[misc]


@pytest.mark.parametrize("by", [timedelta(minutes=5), -timedelta(minutes=5)], ids=["future", "past"])
async def test_a_merchant_s_status_has_a_time_that_can_be(
    orders: OrderLifecycle, database: Database, by: timedelta
) -> None:
    """After now, or before the order's previous status, is refused by the field's name."""
    driver = await add_driver(database)
    order = await orders.get(await add_order(orders, driver.id))
    assert order.assigned_at is not None
    with pytest.raises(InvalidFields) as refused:
        await orders.set_status(order.id, OrderStatus.CANCELLED, at=order.assigned_at + by)
    assert [error.field for error in refused.value.errors] == ["at"]


async def test_a_status_after_an_unassignment_is_not_before_it(
    orders: OrderLifecycle, database: Database
) -> None:
    """Being free again is a status, too, though the order keeps no time of it; so is another driver."""
    driver, other = await add_driver(database), await add_driver(database)
    order_id = await add_order(orders, driver.id)
    await orders.unassign(order_id)
    with pytest.raises(InvalidFields):
        await orders.set_status(order_id, OrderStatus.CANCELLED, at=NOW + timedelta(seconds=1))
    await orders.assign(order_id, driver.id)
    picked_up = await orders.set_status(order_id, OrderStatus.PICKED_UP, by_driver=driver.id)
    reassigned = await orders.assign(order_id, other.id)
    delivered = await orders.set_status(
        order_id, OrderStatus.DELIVERED, at=picked_up.picked_up_at, by_driver=other.id
    )
    assert delivered.delivered_at == reassigned.assigned_at


async def test_a_late_report_counts_when_it_happened(orders: OrderLifecycle, database: Database) -> None:
    """A phone that was offline says when it delivered, and that is when the order ended, with its track."""
    driver = await add_driver(database)
    order_id = await add_order(orders, driver.id)
    assigned_at = (await orders.get(order_id)).assigned_at
    assert assigned_at is not None
    for _ in range(60):
        orders._now()
    fetched, brought = assigned_at + timedelta(seconds=20), assigned_at + timedelta(seconds=40)
    await orders.set_status(
        order_id, OrderStatus.PICKED_UP, at=fetched, by_driver=driver.id, reason="at the back"
    )
    order = await orders.set_status(order_id, OrderStatus.DELIVERED, at=brought, by_driver=driver.id)
    assert (order.picked_up_at, order.delivered_at) == (fetched, brought)
    entry = (await timeline.select_timeline(database, order_id))[-2]
    assert (entry.at, entry.detail) == (fetched, {"reason": "at the back", "driver_id": driver.id})
    [assignment] = await rows.select_assignments(database, order_id)
    assert assignment.ended_at == brought
    assert order.closed_at is not None
    assert order.closed_at > brought + timedelta(seconds=15)


@pytest.mark.parametrize("years", [-2_000, -25, 7_000])
async def test_a_driver_s_impossible_time_is_clamped(
    orders: OrderLifecycle, database: Database, years: int
) -> None:
    """Between the previous status and now; the track then ends where the server heard of it."""
    driver = await add_driver(database)
    order_id = await add_order(orders, driver.id)
    at = NOW.replace(year=NOW.year + years) if years > -2_000 else datetime.min.replace(tzinfo=UTC)
    picked_up = await orders.set_status(order_id, OrderStatus.PICKED_UP, at=at, by_driver=driver.id)
    order = await orders.set_status(order_id, OrderStatus.DELIVERED, at=at, by_driver=driver.id)
    assert order.closed_at is not None
    if years < 0:
        assert (order.picked_up_at, order.delivered_at) == (order.assigned_at, order.assigned_at)
    else:
        assert order.delivered_at == order.closed_at
        assert order.picked_up_at is not None
        assert order.picked_up_at > picked_up.created_at
    [assignment] = await rows.select_assignments(database, order_id)
    assert assignment.ended_at == order.closed_at
    times = [entry.at for entry in await timeline.select_timeline(database, order_id)]
    assert times == sorted(times)


async def test_an_order_takes_a_hundred_notes_from_each_side(
    orders: OrderLifecycle, database: Database
) -> None:
    """More of one side are a conflict; the other side may still write."""
    driver = await add_driver(database)
    order_id = await add_order(orders, driver.id)
    for _ in range(NOTES):
        await orders.add_note(order_id, "driver", "x", by_driver=driver.id)
    with pytest.raises(Conflict, match="at most 100 notes"):
        await orders.add_note(order_id, "driver", "x", by_driver=driver.id)
    await orders.add_note(order_id, "customer", "x")
    assert (await kinds(database, order_id)).count("message") == NOTES + 1


async def test_a_plan_has_the_newest_notes_of_the_customers(
    orders: OrderLifecycle, database: Database
) -> None:
    """Of each order those with at most 16,384 bytes together, oldest first; none of the driver's."""
    driver = await add_driver(database)
    long, short = await add_order(orders, driver.id), await add_order(orders, driver.id)
    for letter in "abcde":
        await orders.add_note(long, "customer", letter * 4_096)
    await orders.add_note(short, "customer", "ä")
    await orders.add_note(short, "driver", "on my way", by_driver=driver.id)
    notes = (await select_plan(database, driver.id)).notes
    assert [note.text[0] for note in notes[long]] == ["b", "c", "d", "e"]
    assert [note.text for note in notes[short]] == ["ä"]


async def test_a_plan_read_during_a_change_fits_together(
    orders: OrderLifecycle, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order that is given to somebody else between two statements is not in it at all."""
    driver, other = await add_driver(database), await add_driver(database, "drv_other")
    kept, moved = await add_order(orders, driver.id), await add_order(orders, driver.id)
    fetch = database.fetch

    async def fetch_after_a_change(name: str, *args: object) -> list[Row]:
        if name == "select_stops":
            monkeypatch.undo()
            await orders.assign(moved, other.id)
        return await fetch(name, *args)

    monkeypatch.setattr(database, "fetch", fetch_after_a_change)
    plan = await select_plan(database, driver.id)
    assert [order.id for order in plan.orders] == [kept]
    assert {stop.order_id for stop in plan.stops} == {kept}


async def test_a_wrong_time_of_an_end_hides_nothing_that_positions_showed(
    orders: OrderLifecycle, database: Database
) -> None:
    """What was seen before the server heard of the end counts, however early the end is said to be."""
    driver = await add_driver(database)
    order_id = await add_order(orders, driver.id)
    await orders.set_status(order_id, OrderStatus.PICKED_UP, by_driver=driver.id)
    seen = orders._now()
    long_ago = NOW - timedelta(days=9_000)
    order = await orders.set_status(order_id, OrderStatus.DELIVERED, at=long_ago, by_driver=driver.id)
    assert order.delivered_at is not None
    assert order.closed_at is not None
    assert order.delivered_at < seen
    assert await orders.note_milestone(order_id, "arrived_at_dropoff", seen)
    after = order.closed_at + timedelta(seconds=1)
    assert not await orders.note_milestone(order_id, "approaching", after)


async def test_two_drivers_wanted_at_once_leave_one(orders: OrderLifecycle, database: Database) -> None:
    """However two assignments race, stops, order and the open assignment name the same driver."""
    first, second = await add_driver(database), await add_driver(database)
    order_ids = [await add_order(orders) for _ in range(4)]
    await asyncio.gather(
        *(orders.assign(order_id, driver.id) for order_id in order_ids for driver in (first, second))
    )
    numbers = {first.id: first.number, second.id: second.number}
    for order_id in order_ids:
        order = await orders.get(order_id)
        assert order.driver_id is not None
        assert (order_id, "dropoff") in await stops(database, order.driver_id)
        still = [a.driver for a in await rows.select_assignments(database, order_id) if a.ended_at is None]
        assert still == [numbers[order.driver_id]]
    assert len(await stops(database, first.id)) + len(await stops(database, second.id)) == 8


async def test_stops_are_put_into_another_sequence(orders: OrderLifecycle, database: Database) -> None:
    """The whole sequence, each stop once, and a pickup before its dropoff."""
    driver = await add_driver(database)
    a, b = await add_order(orders, driver.id), await add_order(orders, driver.id)
    await orders.set_stops(driver.id, [(b, "pickup"), (a, "pickup"), (b, "dropoff"), (a, "dropoff")])
    assert await stops(database, driver.id) == [(b, "pickup"), (a, "pickup"), (b, "dropoff"), (a, "dropoff")]
    assert [order.id for order in await orders.of_driver(driver.id)] == [b, a]


async def test_a_wrong_sequence_is_refused_place_by_place(orders: OrderLifecycle, database: Database) -> None:
    """Missing, foreign and doubled stops and a dropoff before its pickup are each named."""
    driver, other = await add_driver(database), await add_driver(database)
    a, b = await add_order(orders, driver.id), await add_order(orders, other.id)
    with pytest.raises(InvalidFields) as refused:
        await orders.set_stops(driver.id, [(a, "dropoff"), (b, "pickup"), (a, "dropoff")])
    assert [error.field for error in refused.value.errors] == ["stops[0]", "stops[1]", "stops[2]", "stops"]
    with pytest.raises(NotFound):
        await orders.set_stops("drv_nobody", [])


async def test_words_go_to_the_other_side(
    orders: OrderLifecycle, database: Database, notices: list[OrderChange]
) -> None:
    """They stand in the timeline with their sender, and the notice carries them."""
    driver = await add_driver(database)
    order_id = await add_order(orders, driver.id)
    await orders.add_note(order_id, "customer", " at the back door ")
    notice = notices[-1]
    assert (notice.order_id, notice.driver_ids) == (order_id, (driver.id,))
    assert notice.note is not None
    assert (notice.note.sender, notice.note.text) == ("customer", "at the back door")
    entry = (await timeline.select_timeline(database, order_id))[-1]
    assert (entry.kind, entry.detail) == ("message", {"from": "customer", "text": "at the back door"})
    for text in ("  ", "x" * 4_097, "nul \0"):
        with pytest.raises(InvalidFields):
            await orders.add_note(order_id, "customer", text)


async def test_an_erased_drivers_orders_are_released(orders: OrderLifecycle, database: Database) -> None:
    """What was only assigned is free again; what was fetched already has failed, with the reason."""
    driver = await add_driver(database)
    waiting, fetched = await add_order(orders, driver.id), await add_order(orders, driver.id)
    await orders.set_status(fetched, OrderStatus.PICKED_UP)
    await orders.release_driver(driver.id)
    assert (await orders.get(waiting)).status is OrderStatus.CREATED
    assert (await orders.get(fetched)).status is OrderStatus.FAILED
    assert (await timeline.select_timeline(database, fetched))[-1].detail == {"reason": "driver_erased"}


async def test_milestones_occur_once_in_each_attempt(orders: OrderLifecycle, database: Database) -> None:
    """One of an earlier attempt that is written late is dropped; the arrival is the last attempt's."""
    driver = await add_driver(database)
    order_id = await add_order(orders, driver.id)
    first = (await orders.set_status(order_id, OrderStatus.PICKED_UP)).picked_up_at
    assert first is not None
    assert await orders.note_milestone(order_id, "arrived_at_dropoff", first)
    await orders.set_status(order_id, OrderStatus.FAILED)
    async with database.transaction() as connection:
        order = await orders.start_attempt(connection, order_id, NewAttempt(driver.id))
    assert (order.status, order.attempt) == (OrderStatus.ASSIGNED, 2)
    assert await select_milestones(database, [order_id]) == {}
    assert not await orders.note_milestone(order_id, "arrived_at_dropoff", first)
    assert order.assigned_at is not None
    assert await orders.note_milestone(order_id, "arrived_at_dropoff", order.assigned_at)
    assert not await orders.note_milestone(order_id, "arrived_at_dropoff", order.assigned_at)
    assert await select_arrival(database, order_id) == order.assigned_at
    assert (await kinds(database, order_id)).count("arrived_at_dropoff") == 2
