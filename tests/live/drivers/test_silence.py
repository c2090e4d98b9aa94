"""The watch for silent drivers, on a real database and without live trips, as after a restart."""

from collections.abc import Collection
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest

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
    elsewhere: ClassVar[set[str]] = set()  # drivers whose trips another node owns


class NoTrips:
    """None is live; each that is read has fixes so many seconds apart."""

    interval_s: ClassVar[float] = 5.0

    def get(self, _: str) -> None:
        return None

    async def of(self, _: str) -> object:
        track = SimpleNamespace(median_interval=self.interval_s)
        return SimpleNamespace(trip=SimpleNamespace(track=track))


def watch_of(database: Database, metrics: Metrics) -> SilenceWatch:
    async def owned_elsewhere(driver_ids: Collection[str]) -> set[str]:
        return Clock.elsewhere & set(driver_ids)

    trips, connections = cast("LiveTrips", NoTrips()), DriverConnections(metrics)
    return SilenceWatch(database, trips, connections, metrics, owned_elsewhere, lambda: Clock.now)


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


async def test_a_device_that_sends_rarely_is_silent_later(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a node where its trip is not live: its stored fixes tell how often it sends."""
    watch = watch_of(database, Metrics())
    monkeypatch.setattr(NoTrips, "interval_s", 60.0)
    number = await add_driver(database, "drv_rare")
    await hears(database, number, NOW - 2 * MINUTE)
    activity = (await drivers.select_driver_activity(database, ["drv_rare"]))["drv_rare"]
    assert watch.of("drv_rare", activity) is None
    assert await watch.check() == []
    monkeypatch.setattr(Clock, "now", NOW + MINUTE)
    assert [change.driver_id for change in await watch.check()] == ["drv_rare"]
    assert watch.of("drv_rare", activity) is not None


async def test_the_owner_of_the_trip_reports_the_silence(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others do so once nobody owns it; they show it before."""
    watch = watch_of(database, Metrics())
    monkeypatch.setattr(Clock, "elsewhere", {"drv_a"})
    await hears(database, await add_driver(database, "drv_a"), NOW - 2 * MINUTE)
    activity = (await drivers.select_driver_activity(database, ["drv_a"]))["drv_a"]
    assert await watch.check() == []
    assert watch.of("drv_a", activity) is not None
    monkeypatch.setattr(Clock, "elsewhere", set())
    assert [change.driver_id for change in await watch.check()] == ["drv_a"]


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
