"""DriverStates: changes of drivers' duty and reports of their devices, in the database and on live trips."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from tracker.database import Connection, Database, drivers
from tracker.database.events.reported import report_device
from tracker.domain.driver.device_state import DeviceReport, battery_became_low
from tracker.domain.driver.duty import Duty
from tracker.domain.driver.silence import Departure
from tracker.domain.order import Driver
from tracker.errors import NotFound, RateLimited
from tracker.live.drivers.connections import DriverConnections
from tracker.live.drivers.trip import LiveTrip
from tracker.live.drivers.trips import LiveTrips
from tracker.messages import DutyChange
from tracker.rate_limits import RateLimit

DUTY_AT_ONCE: Final = 20  # changes of one driver's duty
DUTY_PER_S: Final = 1 / 60
DEVICE_AT_ONCE: Final = 20  # reports of one driver's device that change something
DEVICE_PER_S: Final = 1.0


class DriverStates:
    """The duty and the devices of the drivers. PostgreSQL holds the truth, a live trip a copy of the duty."""

    def __init__(  # noqa: PLR0917 - all of them are different types
        self,
        database: Database,
        trips: LiveTrips,
        connections: DriverConnections,
        now: Callable[[], datetime],
        outdate: Callable[[Connection, Driver], Awaitable[None]],
        push: Callable[[str, DutyChange], None],
    ) -> None:
        """Create the states.

        *outdate* makes other nodes read a changed driver again, in its transaction. *push* sends a message
        to all devices of a driver.
        """
        self._outdate, self._push = outdate, push
        self._database, self._trips, self._connections, self._now = database, trips, connections, now
        self._duty_rates = RateLimit(DUTY_AT_ONCE, DUTY_PER_S)
        self._device_rates = RateLimit(DEVICE_AT_ONCE, DEVICE_PER_S)

    async def duty(self, driver_id: str) -> Duty:
        """Return the driver's duty now. Raises NotFound, StorageUnavailable."""
        return (await self._trips.of(driver_id)).trip.duty.now

    async def set_duty(self, driver_id: str, duty: Duty) -> None:
        """Change the driver's duty from now on; return after the commit. Idempotent.

        Fixes that arrive meanwhile wait, so that none recorded off duty is stored.
        Raises NotFound, RateLimited, StorageUnavailable.
        """
        async with self._trips.held(driver_id) as live:
            if duty == live.trip.duty.now:
                return
            _take(self._duty_rates, driver_id, "Too many changes of duty; retry in a minute.")
            await self._change_duty(live, duty)
        self._trips.publish(live)
        self._push(driver_id, DutyChange.of(duty))

    async def _change_duty(self, live: LiveTrip, duty: Duty) -> None:
        driver = live.trip.driver
        times = live.trip.duty.change(duty, self._now())
        assert times.since is not None  # it has a change now
        try:
            async with self._database.transaction() as connection:
                if driver.id not in await drivers.lock_drivers(connection, [driver.id]):
                    raise NotFound("driver")
                await drivers.change_duty(connection, driver.number, duty, times.since)
                await self._outdate(connection, driver)
        except BaseException:
            self._trips.reload(driver.id)  # the commit may have succeeded
            raise
        live.trip.change_duty(times)

    def source_left(self, driver_id: str, departure: Departure | None) -> None:
        """Record how the driver's position source ended, or (None) that it sends, over MQTT."""
        self._connections.note_departure(driver_id, departure)

    async def device_reported(
        self, driver: Driver, report: DeviceReport, *, at: datetime | None = None
    ) -> None:
        """Merge a report of *at* (default: now) into the device's state; return after the commit.

        Off duty nothing is kept, nor is what a device reports later of that time. A report that changes
        nothing costs no write.
        Raises NotFound, RateLimited, StorageUnavailable.
        """
        live, now = await self._trips.of(driver.id), self._now()
        at = now if at is None else min(at, now)
        if "off" in {live.trip.duty.now, live.trip.duty.at(at)}:
            return
        if live.device is None:
            live.device = await drivers.select_device_state(self._database, driver.number)
        stored = live.device
        state = stored.merge(report, at)
        if state is not stored and state.differs(stored):
            _take(self._device_rates, driver.id, "Too many changes of the device's state; retry later.")
            live.device = state
            changed = state.changes_since(stored)
            low = battery_became_low(stored.report.battery, state.report.battery)
            try:
                async with self._database.transaction() as connection:
                    await drivers.upsert_device_state(connection, driver.number, state)
                    await report_device(connection, driver.id, state, changed, now, low=low)
            except BaseException:
                live.device = None  # read what is stored before the next report
                raise


def _take(rates: RateLimit, driver_id: str, why: str) -> None:
    """Take one token of the driver. Raises RateLimited."""
    now = asyncio.get_running_loop().time()
    if not rates.try_take(driver_id, 1.0, now):
        raise RateLimited(why)
