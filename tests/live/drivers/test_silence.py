"""The watch for silent drivers, on a real database and without live trips, as after a restart."""

from datetime import timedelta
from typing import Any, cast

from tests.domain.driver.test_silence import NOW
from tracker.database import Database, drivers
from tracker.database.events.feed import select_events
from tracker.domain.driver.device_state import DeviceReport, DeviceState
from tracker.domain.driver.silence import Silence
from tracker.live.drivers.connections import DriverConnections
from tracker.live.drivers.silence import SilenceChange, SilenceWatch
from tracker.live.drivers.trips import LiveTrips
from tracker.messages import rfc3339
from tracker.metrics import Metrics
from tracker.webhooks.feed import EventFeed

MINUTE = timedelta(minutes=1)
ASSIGNED = NOW - 10 * MINUTE


class Clock:
    now = NOW


class NoTrips:
    def get(self, _: str) -> None:
        return None


def watch_of(database: Database, metrics: Metrics) -> SilenceWatch:
    trips = cast("LiveTrips", NoTrips())
    return SilenceWatch(database, trips, DriverConnections(metrics), metrics, lambda: Clock.now)


async def add_driver(database: Database, name: str, *, status: str = "assigned") -> int:
    """A driver with one order; the driver's number."""
    number = await database.pool.fetchval(
        "INSERT INTO drivers (id, name, vehicle) VALUES ($1, $1, 'car') RETURNING number", name
    )
    await database.pool.execute(
        "INSERT INTO orders "
        "(id, status, driver_id, pickup_lat, pickup_lon, dropoff_lat, dropoff_lon, assigned_at) "
        "VALUES ('ord_' || $1, $2, $1, 60, 25, 60, 25, $3)",
        *(name, status, ASSIGNED),
    )
    return int(number)


async def hears(database: Database, number: int, at: Any, battery: float = 0.5) -> None:
    await database.pool.execute(
        "INSERT INTO driver_states (driver, recorded_at, received_at, lat, lon, battery) "
        "VALUES ($1, $2, $2, 60, 25, $3) ON CONFLICT (driver) DO UPDATE SET received_at = $2",
        *(number, at, battery),
    )


async def test_the_watch_reports_each_silence_and_its_end_once(database: Database) -> None:
    """With the reason that the device reported; drivers without an open order or off duty are no concern."""
    metrics = Metrics()
    watch = watch_of(database, metrics)
    silent = await add_driver(database, "drv_silent")
    active = await add_driver(database, "drv_active")
    off = await add_driver(database, "drv_off")
    await add_driver(database, "drv_done", status="delivered")
    await drivers.change_duty(database, off, "off", ASSIGNED)
    state = DeviceState().merge(DeviceReport(permission="denied", battery=0.1), ASSIGNED)
    await drivers.upsert_device_state(database, silent, state)
    await hears(database, active, NOW)
    expected = Silence(ASSIGNED, "no_permission", "reported")
    assert await watch.check() == [SilenceChange("drv_silent", expected)]
    assert await watch.check() == []
    assert value(metrics, "tracker_drivers_silent", reason="no_permission") == 1
    assert value(metrics, "tracker_drivers_battery_low") == 1
    await hears(database, silent, NOW)
    assert await watch.check() == [SilenceChange("drv_silent", None)]
    assert value(metrics, "tracker_drivers_silent", reason="no_permission") == 0
    assert value(metrics, "tracker_drivers_battery_low") == 0  # the fix is newer than the report


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


async def test_a_shift_that_begins_again_gives_time_for_the_first_fix(database: Database) -> None:
    """The silence counts from the return to duty, and from the begin of a break on it goes on."""
    watch = watch_of(database, Metrics())
    number = await add_driver(database, "drv_a")
    await drivers.change_duty(database, number, "off", ASSIGNED)
    assert await watch.check() == []
    await drivers.change_duty(database, number, "on", NOW - MINUTE / 2)
    assert await watch.check() == []
    await drivers.change_duty(database, number, "on_break", NOW - MINUTE / 4)
    Clock.now = NOW + 2 * MINUTE
    try:
        [change] = await watch.check()
    finally:
        Clock.now = NOW
    assert change.silence == Silence(NOW - MINUTE / 4, "unknown", "none")


async def test_a_silence_and_a_low_battery_are_events_once(database: Database) -> None:
    """A restarted node, and a second one, do not repeat them. The next silence is a new one."""
    metrics = Metrics()
    number = await add_driver(database, "drv_a")
    await hears(database, number, NOW - 5 * MINUTE, battery=0.1)
    for _ in range(2):
        watch = watch_of(database, metrics)
        await watch.check()
        await watch.check()
    await hears(database, number, NOW - 2 * MINUTE)
    await watch_of(database, metrics).check()
    await EventFeed(database).catch_up()
    events = await select_events(database, 0, 100)
    assert [(event.type, event.driver_id) for event in events] == [
        ("driver.silent", "drv_a"),
        ("driver.device", "drv_a"),
        ("driver.silent", "drv_a"),
    ]
    assert events[0].detail == {
        "since": rfc3339(NOW - 5 * MINUTE),
        "reason": "unknown",
        "reason_basis": "none",
    }
    assert events[1].detail == {"device": {"battery": 0.1}, "changed": ["battery"]}
