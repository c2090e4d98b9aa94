"""What is learned lives in the database: a node that starts anew goes on, and several nodes share it."""

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from structlog.testing import capture_logs

from tracker.database import Database
from tracker.database.drivers import insert_driver
from tracker.database.eta.model import StoredModel, select_models, upsert_model
from tracker.domain.eta.ensemble import terms_of
from tracker.domain.eta.model import ArrivalSample, EtaModel, EtaModels, ForecastSample, Passage
from tracker.domain.eta.speed_factor import SpeedFactor
from tracker.domain.geo import LonLat
from tracker.domain.order import Driver, Vehicle
from tracker.eta.driver_speeds import VALID_FOR, DriverSpeeds
from tracker.eta.trainer import QUEUE_SIZE, ModelTrainer
from tracker.metrics import Metrics

WAIT_S = 20.0
NOW = datetime(2026, 11, 22, 16, 43, tzinfo=UTC)
PLACE = LonLat(24.94, 60.17)


def forecast_terms(router: float, crow: float) -> tuple[float, ...]:
    return terms_of(router, router, crow, crow, service=0.0, speed=None)


def arrival(vehicle: Vehicle = "car", ratio: float = 2.0, edge: str = "a.1") -> ArrivalSample:
    """A way that took `ratio` of the router's time, foretold as the router had it."""
    told = tuple(
        ForecastSample(NOW - timedelta(seconds=to_go), to_go / ratio, forecast_terms(to_go / ratio, to_go))
        for to_go in (600.0, 300.0, 100.0)
    )
    return ArrivalSample(
        vehicle=vehicle,
        at=PLACE,
        arrived_at=NOW,
        told=told,
        passages=(Passage(edge, "primary", 60.0 * ratio, 60.0),),
        straight_m=1_000.0,
        drove_m=1_400.0,
        drove_s=300.0,
    )


def trainer(database: Database, metrics: Metrics | None = None) -> ModelTrainer:
    return ModelTrainer(database, metrics or Metrics(), lambda: NOW)


def known(one: ModelTrainer, vehicle: Vehicle = "car") -> bytes:
    return msgspec.json.encode(one.learned.of(vehicle), order="deterministic")


async def test_a_fresh_installation_knows_what_anybody_knows(database: Database) -> None:
    """Nothing in the database: the cold knowledge, and no error."""
    async with trainer(database) as fresh:
        assert fresh.learned.arrivals == 0
        assert known(fresh) == msgspec.json.encode(EtaModel(), order="deterministic")


async def test_a_node_that_starts_anew_goes_on(database: Database) -> None:
    """What one life has learned is what the next one begins with, to the last digit; then it learns more."""
    async with trainer(database) as first:
        for number in range(30):
            first.add_sample(arrival(edge=f"a.{number}"))
        await first.flush(WAIT_S)
        slow = first.learned.of("car").rates("car").router
        assert slow > EtaModel().rates("car").router
    async with trainer(database) as second:
        assert known(second) == known(first)
        assert second.learned.arrivals == 30
        second.add_sample(arrival())
        await second.flush(WAIT_S)
        assert second.learned.arrivals == 31
        assert second.learned.of("car").rates("car").router > slow


async def test_what_was_not_learned_before_the_end_is_learned_after_it(database: Database) -> None:
    """Samples outlive the node that queued them."""
    async with trainer(database) as first:
        first.add_sample(arrival())
    assert first.learned.arrivals == 0
    async with trainer(database) as second:
        await second.flush(WAIT_S)
        assert second.learned.arrivals == 1


async def test_two_nodes_train_on_each_sample_once_and_hold_the_same_models(database: Database) -> None:
    """Taught and learning at the same time, both know in the end what one alone would."""
    async with trainer(database) as one, trainer(database) as two:
        for number in range(120):
            (one if number % 2 else two).add_sample(arrival(edge=f"a.{number % 7}"))
        for _ in range(5):
            await asyncio.gather(one.flush(WAIT_S), two.flush(WAIT_S))
        assert one.learned.arrivals == two.learned.arrivals == 120
        assert known(one) == known(two)
        assert one.learned.of("car").whole.observed == pytest.approx(120 * 120.0)


async def test_each_vehicle_learns_for_itself(database: Database) -> None:
    """What a car is taught says nothing of bicycles."""
    async with trainer(database) as one:
        one.add_sample(arrival("car"))
        one.add_sample(arrival("bicycle", ratio=0.5))
        await one.flush(WAIT_S)
        assert one.learned.of("car").rates("car").router > one.learned.of("bicycle").rates("bicycle").router
        assert len(await select_models(database, {})) == 2


async def test_what_is_in_use_is_replaced_and_never_changed(database: Database) -> None:
    """Forecasts read one whole value; who wants to know of the next is told."""
    heard: list[EtaModels] = []
    async with trainer(database) as one:
        one.on_change = heard.append
        before = one.learned
        as_it_was = msgspec.json.encode(before)
        one.add_sample(arrival())
        await one.flush(WAIT_S)
        assert one.learned is not before
        assert msgspec.json.encode(before) == as_it_was
        assert heard == [one.learned]


async def test_an_invalid_sample_costs_only_itself(database: Database) -> None:
    """A forecast of another make, and one that cannot be read at all: the others are learned."""
    odd = msgspec.structs.replace(
        arrival(), told=(ForecastSample(NOW - timedelta(minutes=5), 100.0, (1.0,)),)
    )
    async with trainer(database) as one:
        one.add_sample(odd)
        one.add_sample(arrival())
        await database.pool.execute("INSERT INTO eta_lessons (lesson) VALUES ($1)", {"vehicle": "ship"})
        await one.flush(WAIT_S)
        assert one.learned.of("car").whole.observed >= 120.0
        assert await database.pool.fetchval("SELECT count(*) FROM eta_lessons") == 0


async def test_a_model_that_cannot_be_decoded_is_reset(database: Database) -> None:
    """Another version's form stops no start."""
    await upsert_model(database, StoredModel("car", 7, 500, b'{"whole": "?"}'), NOW)
    async with trainer(database) as one:
        assert known(one) == msgspec.json.encode(EtaModel(), order="deterministic")
        one.add_sample(arrival())
        await one.flush(WAIT_S)
    async with trainer(database) as two:
        assert known(two) == known(one)


async def test_samples_wait_for_the_database_within_bounds(database_url: str) -> None:
    """While it is away the newest are kept and the others counted; what is in use stays in use."""
    metrics = Metrics()
    async with Database.open(database_url) as database, trainer(database, metrics) as one:
        one.add_sample(arrival())
        for _ in range(2):  # the second round finds nothing
            await one.flush(WAIT_S)
        used = one.learned
        assert used.arrivals == 1
        await database.pool.close()
        for _ in range(QUEUE_SIZE + 5):
            one.add_sample(arrival())
        with capture_logs() as logs:
            await one.flush(WAIT_S)
        assert one.learned is used
        assert [(each["event"], each["waiting"]) for each in logs] == [("training_delayed", QUEUE_SIZE)]
        assert b'tracker_eta_lessons_total{result="dropped"} 5.0' in metrics.text()


# --- the drivers' speed factors


async def new_driver(database: Database, name: str = "a") -> Driver:
    driver = Driver(id=f"drv_{name}", number=0, name=name, vehicle="car", created_at=NOW)
    return await insert_driver(database, driver)


async def test_a_speed_factor_outlives_its_node(database: Database) -> None:
    """Another node goes on with it, and is not changed by what the first does afterwards."""
    number = (await new_driver(database)).number
    factor = SpeedFactor(300.0, 200.0)
    first = DriverSpeeds(database, lambda: NOW)
    await first.keep({number: factor})
    factor.add(60.0, 60.0)
    second = await DriverSpeeds(database, lambda: NOW + timedelta(minutes=5)).of(number)
    assert second == SpeedFactor(300.0, 200.0)
    await first.keep({number: factor})
    assert await DriverSpeeds(database, lambda: NOW).of(number) == factor


async def test_an_old_speed_factor_is_ignored(database: Database) -> None:
    """After half an hour the driver is like anybody; so is one who was never heard of."""
    number = (await new_driver(database)).number
    await DriverSpeeds(database, lambda: NOW).keep({number: SpeedFactor(300.0, 200.0)})
    later = DriverSpeeds(database, lambda: NOW + VALID_FOR + timedelta(seconds=1))
    assert await later.of(number) == SpeedFactor()
    assert await later.of(number + 1) == SpeedFactor()


async def test_who_stands_still_costs_nothing(database: Database) -> None:
    """Only what has changed is written; a driver who was erased meanwhile hinders nobody."""
    one, two = [(await new_driver(database, name)).number for name in "ab"]
    now = NOW
    speeds = DriverSpeeds(database, lambda: now)
    await speeds.keep({one: SpeedFactor(1.0, 1.0), two: SpeedFactor(1.0, 1.0), 10**9: SpeedFactor(1.0, 1.0)})
    now += timedelta(minutes=1)
    await speeds.keep({one: SpeedFactor(2.0, 1.0), two: SpeedFactor(1.0, 1.0)})
    rows = await database.pool.fetch("SELECT driver, updated_at FROM driver_paces ORDER BY driver")
    assert {row["driver"]: row["updated_at"] for row in rows} == {one: now, two: NOW}
