"""Drivers, their newest fixes, and the orders they carry."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from tracker.database.pool import Queries, Row
from tracker.domain.driver.device_state import DeviceReport, DeviceState
from tracker.domain.driver.duty import Duty, DutyInterval, DutyTimes
from tracker.domain.order import Driver
from tracker.domain.tracks.fix import Fix


class Activity(msgspec.Struct, frozen=True):
    """A driver's newest fix and current orders."""

    last_fix: Fix | None = None  # the newest believed one
    received_at: datetime | None = None
    orders: tuple[str, ...] = ()  # ids in stop sequence
    duty: Duty = "on"
    duty_since: datetime | None = None  # None: on duty since the driver was created
    device: DeviceState = DeviceState()  # as reported; see `device_now`
    busy_since: datetime | None = None  # when the oldest open order was assigned; None: there is none

    @property
    def device_now(self) -> DeviceState:
        """The state of the device, with the battery of the newest fix if that is newer."""
        fix, at = self.last_fix, self.received_at
        if fix is None or at is None or fix.battery is None:
            return self.device
        return self.device.merge(DeviceReport(battery=fix.battery), at)

    @property
    def expected_since(self) -> datetime | None:
        """Since when the driver is to send positions: on duty with an open order. None: not now."""
        if self.duty == "off" or self.busy_since is None:
            return None
        return max(self.busy_since, self.duty_since or self.busy_since)


async def insert_driver(queries: Queries, driver: Driver) -> Driver:
    """Insert a driver and return it with the `number` that the database assigned."""
    row = await queries.fetchrow(
        "insert_driver",
        driver.id,
        driver.name,
        driver.vehicle,
        driver.reference,
        driver.created_at,
        driver.display_name,
    )
    assert row is not None  # RETURNING after an INSERT without a conflict clause
    return driver_of(row)


async def select_driver(queries: Queries, driver_id: str) -> Driver | None:
    return _driver_or_none(await queries.fetchrow("select_driver", driver_id))


async def select_driver_to_load(queries: Queries, driver_id: str) -> tuple[Driver, int] | None:
    """Return a driver and the generation of the lease of their trip, 0 if it never had one."""
    row = await queries.fetchrow("select_driver_to_load", driver_id)
    return None if row is None else (driver_of(row), row["generation"])


async def select_drivers(
    queries: Queries,
    limit: int,
    before: tuple[datetime, str] | None = None,
    *,
    reference: str | None = None,
) -> list[Driver]:
    """Return drivers, newest first, below *before* (created_at, id); all, or those with *reference*."""
    at, id_ = before or (None, None)
    if reference is None:
        rows = await queries.fetch("select_drivers", at, id_, limit)
    else:
        rows = await queries.fetch("select_drivers_by_reference", at, id_, limit, reference)
    return [driver_of(row) for row in rows]


async def update_driver(queries: Queries, driver: Driver) -> None:
    """Write the name, display name, vehicle and reference of a driver that the caller has locked."""
    await queries.execute(
        "update_driver", driver.id, driver.name, driver.display_name, driver.vehicle, driver.reference
    )


async def lock_drivers(queries: Queries, driver_ids: Sequence[str]) -> dict[str, Driver]:
    """Lock drivers until the transaction ends; return those that exist, by id."""
    rows = await queries.fetch("lock_drivers", list(driver_ids))
    return {row["id"]: driver_of(row) for row in rows}


async def select_driver_activity(queries: Queries, driver_ids: Sequence[str]) -> dict[str, Activity]:
    """Return activities by driver id. Drivers that do not exist are absent."""
    rows = await queries.fetch("select_driver_activity", list(driver_ids))
    return {row["id"]: _activity(row) for row in rows}


def _activity(row: Row) -> Activity:
    return Activity(
        _fix(row),
        row["received_at"],
        tuple(row["orders"]),
        "on" if row["duty"] is None or row["ended_at"] is not None else row["duty"],
        row["ended_at"] or row["begun_at"],
        device_state(row["state"]),
        row["busy_since"],
    )


async def select_busy_driver_ids(queries: Queries) -> list[str]:
    """Return the ids of the drivers with open orders."""
    return [row["driver_id"] for row in await queries.fetch("select_busy_driver_ids")]


async def select_duty_times(queries: Queries, number: int) -> DutyTimes:
    rows = await queries.fetch("select_duty_intervals", number)
    return DutyTimes(DutyInterval(row["duty"], row["begun_at"], row["ended_at"]) for row in rows)


async def change_duty(queries: Queries, number: int, duty: Duty, at: datetime) -> None:
    """End the current interval and begin another one, in a transaction that has locked the driver."""
    await queries.execute("end_duty_interval", number, at)
    if duty != "on":
        await queries.execute("insert_duty_interval", number, duty, at)


async def delete_old_duty_intervals(queries: Queries, before: datetime) -> None:
    """Delete the intervals that ended before *before*: no fix of that time is accepted any more."""
    await queries.execute("delete_old_duty_intervals", before)


async def select_device_state(queries: Queries, number: int) -> DeviceState:
    return device_state(await queries.fetchval("select_device_state", number))


async def upsert_device_state(queries: Queries, number: int, state: DeviceState) -> None:
    await queries.execute("upsert_device_state", number, msgspec.to_builtins(state))


def device_state(stored: object) -> DeviceState:
    """Return the state of a JSON column; an empty one for None."""
    return DeviceState() if stored is None else msgspec.convert(stored, DeviceState)


class DriverRecord(msgspec.Struct, frozen=True):
    """How much is stored about a driver."""

    first_fix_at: datetime | None
    last_fix_at: datetime | None
    assignments: int  # of orders


async def select_driver_record(queries: Queries, number: int) -> DriverRecord:
    row = await queries.fetchrow("select_driver_record", number)
    assert row is not None  # a SELECT without FROM
    return DriverRecord(row["first_fix_at"], row["last_fix_at"], row["assignments"])


class ErasedDriver(msgspec.Struct, frozen=True):
    """What the caller has to clean up after a driver's row was deleted."""

    number: int  # drivers.number, for fixes that were in flight
    orders: list[str]  # ids of the orders that the driver had carried


async def erase_driver(queries: Queries, driver_id: str) -> ErasedDriver | None:
    """Delete all data of a driver without orders: row, states, fixes, notes, stored responses.

    Return None if the driver carries an order or does not exist; the caller then rolls back.
    """
    orders = [row["id"] for row in await queries.fetch("renew_orders_of_driver", driver_id)]
    await queries.execute("erase_driver_from_timelines", driver_id)
    await queries.execute("delete_events_of_driver", driver_id)
    await queries.execute("erase_driver_from_audit", driver_id)
    number: int | None = await queries.fetchval("delete_driver", driver_id)
    if number is None:
        return None
    await delete_fixes_of_driver(queries, number)
    await queries.execute("erase_answers_about", driver_id)
    return ErasedDriver(number, orders)


async def delete_fixes_of_driver(queries: Queries, number: int) -> None:
    await queries.execute("delete_fixes_of_driver", number)


def _driver_or_none(row: Row | None) -> Driver | None:
    return None if row is None else driver_of(row)


def driver_of(row: Row) -> Driver:
    """Return the driver of a row with all columns of `drivers`."""
    return Driver(
        id=row["id"],
        number=row["number"],
        name=row["name"],
        vehicle=row["vehicle"],
        reference=row["reference"],
        display_name=row["display_name"],
        created_at=row["created_at"],
    )


def _fix(row: Row) -> Fix | None:
    if row["recorded_at"] is None:
        return None
    return Fix(
        row["recorded_at"],
        row["lat"],
        row["lon"],
        row["accuracy"],
        row["speed"],
        row["heading"],
        row["altitude"],
        row["battery"],
    )
