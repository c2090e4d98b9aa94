"""Forecast log: bounded, off the hot path, and right whichever node keeps it."""

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.database import Database
from tracker.database.drivers import insert_driver
from tracker.database.eta.forecasts import (
    delete_old_forecasts,
    insert_errors,
    select_errors,
    select_forecasts,
)
from tracker.database.events.timeline import insert_timeline
from tracker.database.orders import insert_orders
from tracker.domain.eta.estimate import Basis, Eta
from tracker.domain.eta.forecast_error import KEPT_EVERY, MOVED, ForecastRecord, is_worth_recording
from tracker.domain.order import Driver, Order, OrderStatus, Place
from tracker.eta.forecast_log import QUEUE_SIZE, ForecastBasis, ForecastLog
from tracker.metrics import Metrics

NOW = datetime(2026, 11, 22, 16, 43, tzinfo=UTC)


def eta(after_s: float = 0.0, to_go_s: float = 300.0, basis: Basis = "route", *, stale: bool = False) -> Eta:
    """Made so long after NOW, for an arrival so long after NOW."""
    arrives = NOW + timedelta(seconds=to_go_s)
    return Eta(
        arrives_at=arrives,
        earliest=arrives - timedelta(minutes=1),
        latest=arrives + timedelta(minutes=2),
        distance_m=900.0,
        stops_before=1,
        computed_at=NOW + timedelta(seconds=after_s),
        basis=basis,
        stale=stale,
    )


NOTHING = Eta(
    arrives_at=None,
    earliest=None,
    latest=None,
    distance_m=None,
    stops_before=0,
    computed_at=NOW,
    basis="none",
)


def knew() -> ForecastBasis:
    return NOW, 120.0


def kept(of: Eta) -> ForecastRecord:
    one = ForecastRecord.of("ord_a", 1, of, None, None)
    assert one is not None
    return one


# --- which are kept


@pytest.mark.parametrize(
    ("after", "worth"),
    [
        (eta(1.0), False),
        (eta(14.9, 319.0), False),
        (eta(15.0), True),
        (eta(1.0, 321.0), True),
        (eta(1.0, 279.0), True),
        (eta(1.0, basis="straight_line"), True),
        (eta(1.0, stale=True), True),
        (msgspec.structs.replace(eta(1.0), stops_before=0), True),
        (eta(0.0, 900.0), False),  # made at the same instant
        (NOTHING, False),
    ],
)
def test_one_is_kept_when_it_says_more(after: Eta, worth: bool) -> None:
    """After a while, after a move, and with another basis; nothing that foretells nothing."""
    assert is_worth_recording(kept(eta()), after) == worth


@given(st.lists(st.tuples(st.floats(0.05, 30.0), st.floats(-15.0, 15.0)), max_size=300))
def test_what_is_kept_is_bounded_by_time_and_movement(steps: list[tuple[float, float]]) -> None:
    """However often it is shown: not more than one in 15 s and one for each 20 s that the arrival moved."""
    last, count, after, to_go, moved = kept(eta()), 1, 0.0, 300.0, 0.0
    for passed, move in steps:
        after, to_go, moved = after + passed, to_go + move, moved + abs(move)
        if is_worth_recording(last, shown := eta(after, to_go)):
            last, count = kept(shown), count + 1
    assert count <= 1 + after / KEPT_EVERY.total_seconds() + moved / MOVED.total_seconds()


# --- into the database


async def new_order(database: Database, id_: str = "ord_a", **more: object) -> Order:
    place = Place(60.17, 24.94)
    order = Order(id=id_, created_at=NOW, pickup=place, dropoff=place, **more)  # type: ignore[arg-type]
    await insert_orders(database, [order])
    return order


async def test_what_is_shown_is_written_within_seconds(database: Database) -> None:
    """With what it knew; of several that say the same the first."""
    await new_order(database)
    async with ForecastLog(database, Metrics()) as forecast_log:
        for after in (0.0, 1.0, 2.0, 16.0):
            forecast_log.add("ord_a", 1, eta(after), knew)
        forecast_log.add("ord_a", 1, NOTHING, knew)
        await forecast_log.flush()
        found = await select_forecasts(database, "ord_a", 10)
    assert [each.made_at for each in found] == [NOW, NOW + timedelta(seconds=16)]
    assert found[0] == ForecastRecord.of("ord_a", 1, eta(), *knew())


async def test_the_last_ones_are_written_at_the_end(database: Database) -> None:
    """A node that is stopped leaves nothing behind in its memory."""
    await new_order(database)
    async with ForecastLog(database, Metrics()) as forecast_log:
        forecast_log.add("ord_a", 1, eta(), knew)
    assert len(await select_forecasts(database, "ord_a", 10)) == 1


async def test_with_the_database_away_the_newest_wait(database_url: str) -> None:
    """Showing never waits; beyond the bound the oldest are dropped and counted; the rest is written later."""
    metrics = Metrics()
    async with Database.open(database_url) as database:
        for number in range(3):
            await new_order(database, f"ord_{number}")
        async with ForecastLog(database, metrics) as forecast_log:
            async with database.pool.acquire() as holder, holder.transaction():
                await holder.execute("LOCK TABLE eta_forecasts")  # nobody writes while this is held
                for number in range(QUEUE_SIZE + 10):
                    forecast_log.add(f"ord_{number % 3}", 1, eta(20.0 * (number // 3)), knew)
                await forecast_log.flush()
                assert await database.pool.fetchval("SELECT count(*) FROM orders") == 3  # others go on
                assert b'tracker_eta_forecasts_total{result="dropped"} 10.0' in metrics.text()
            async with asyncio.timeout(20.0):
                while await database.pool.fetchval("SELECT count(*) FROM eta_forecasts") < QUEUE_SIZE:
                    await forecast_log.flush()


async def test_what_the_database_refuses_hinders_nobody(database: Database) -> None:
    """A forecast for an order that does not exist is dropped and counted; the next ones are written."""
    metrics = Metrics()
    await new_order(database)
    async with ForecastLog(database, metrics) as forecast_log:
        forecast_log.add("ord_nobody", 1, eta(), knew)
        await forecast_log.flush()
        forecast_log.add("ord_a", 1, eta(), knew)
        await forecast_log.flush()
    assert len(await select_forecasts(database, "ord_a", 10)) == 1
    assert b'tracker_eta_forecasts_total{result="dropped"} 1.0' in metrics.text()


# --- judged


async def ended(database: Database, status: OrderStatus, **more: object) -> None:
    await database.pool.execute("UPDATE orders SET status = $1 WHERE id = 'ord_a'", status.value)
    for name, value in more.items():
        await database.pool.execute(f"UPDATE orders SET {name} = $1 WHERE id = 'ord_a'", value)


async def overall(database: Database) -> tuple[int, float | None]:
    [group] = (await select_errors(database, NOW - timedelta(days=1), NOW + timedelta(days=1)))["overall"]
    return group.errors.forecasts, group.errors.mae_s


async def test_the_arrival_that_positions_showed_counts(database: Database) -> None:
    """Rather than the moment when somebody said that it was delivered."""
    await new_order(database)
    async with ForecastLog(database, Metrics()) as forecast_log:
        forecast_log.add("ord_a", 1, eta(0.0, 300.0), knew)
        await insert_timeline(database, "ord_a", NOW + timedelta(seconds=290), "arrived_at_dropoff", {})
        await ended(database, OrderStatus.DELIVERED, delivered_at=NOW + timedelta(seconds=900))
        forecast_log.order_ended("ord_a")
        await forecast_log.flush()
    assert await overall(database) == pytest.approx((1, 10.0))


async def test_an_order_that_never_arrived_has_no_errors(database: Database) -> None:
    """Its forecasts stay in its history, and count for nothing."""
    await new_order(database)
    async with ForecastLog(database, Metrics()) as forecast_log:
        forecast_log.add("ord_a", 1, eta(), knew)
        await ended(database, OrderStatus.CANCELLED, cancelled_at=NOW + timedelta(seconds=100))
        forecast_log.order_ended("ord_a")
        await forecast_log.flush()
    assert await overall(database) == (0, None)
    assert await database.pool.fetchval("SELECT count(*) FROM eta_open_accounts") == 0


async def test_another_node_computes_the_errors_that_a_dead_one_left(database: Database) -> None:
    """And each order once, though two nodes look at the same time."""
    await new_order(database)
    async with ForecastLog(database, Metrics()) as dead:
        dead.add("ord_a", 1, eta(0.0, 330.0), knew)
    await ended(database, OrderStatus.DELIVERED, delivered_at=NOW + timedelta(seconds=300))

    async def compute() -> None:
        async with database.transaction() as connection:
            await insert_errors(connection, 10)

    await asyncio.gather(*(compute() for _ in range(4)))
    assert await overall(database) == pytest.approx((1, 30.0))


async def test_a_forecast_that_comes_late_is_added_up_too(database: Database) -> None:
    """Another node wrote it after the errors were computed: nothing counts twice."""
    await new_order(database)
    metrics = Metrics()
    async with ForecastLog(database, metrics) as one, ForecastLog(database, metrics) as two:
        one.add("ord_a", 1, eta(0.0, 310.0), knew)
        await one.flush()
        await ended(database, OrderStatus.DELIVERED, delivered_at=NOW + timedelta(seconds=300))
        one.order_ended("ord_a")
        await one.flush()
        two.add("ord_a", 1, eta(1.0, 330.0), knew)
        await two.flush()
        two.order_ended("ord_a")
        await two.flush()
    assert await overall(database) == pytest.approx((2, 20.0))


async def test_the_metric_takes_the_first_forecast_after_the_pickup(database: Database) -> None:
    """One observation for each order."""
    await new_order(database, picked_up_at=NOW + timedelta(seconds=10))
    metrics = Metrics()
    async with ForecastLog(database, metrics) as forecast_log:
        for after, to_go in ((0.0, 900.0), (20.0, 345.0), (40.0, 300.0)):
            forecast_log.add("ord_a", 1, eta(after, to_go), knew)
        await ended(database, OrderStatus.DELIVERED, delivered_at=NOW + timedelta(seconds=300))
        forecast_log.order_ended("ord_a")
        await forecast_log.flush()
    assert b"tracker_eta_error_seconds_count 1.0" in metrics.text()
    assert b"tracker_eta_error_seconds_sum 45.0" in metrics.text()


async def test_forecasts_go_with_the_fixes_of_their_day(database: Database) -> None:
    """What was added up about them stays."""
    driver = Driver(id="drv_a", number=0, name="a", vehicle="car", created_at=NOW)
    number = (await insert_driver(database, driver)).number
    await new_order(database)
    async with ForecastLog(database, Metrics()) as forecast_log:
        forecast_log.add("ord_a", number, eta(0.0, 310.0), knew)
        forecast_log.add("ord_a", number, eta(20.0, 310.0), knew)
        await ended(database, OrderStatus.DELIVERED, delivered_at=NOW + timedelta(seconds=300))
        forecast_log.order_ended("ord_a")
        await forecast_log.flush()
    await delete_old_forecasts(database, NOW + timedelta(seconds=10))
    assert [each.made_at for each in await select_forecasts(database, "ord_a", 10)] == [
        NOW + timedelta(seconds=20)
    ]
    assert await overall(database) == pytest.approx((2, 10.0))
