"""What events have said about drivers and forecasts, so that none says it twice."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from tracker.database.pool import Connection, Database, Queries
from tracker.domain.driver.device_state import DeviceState
from tracker.domain.eta.estimate import Eta
from tracker.domain.events.event import EventType
from tracker.domain.events.forecast_watch import ForecastReport


async def report_silence(
    database: Database, driver_id: str, since: datetime, detail: Mapping[str, object], now: datetime
) -> bool:
    """Write `driver.silent` unless this silence was reported; return whether it was written."""
    async with database.transaction() as connection:
        is_new = await connection.fetchval("note_silence", driver_id, since) is not None
        if is_new:
            await insert_driver_event(connection, "driver.silent", driver_id, detail, now)
    return is_new


async def note_battery(connection: Connection, driver_id: str, *, low: bool) -> bool:
    """Note whether a driver's battery is low; return whether it has become so."""
    return bool(await connection.fetchval("note_battery", driver_id, low))


async def report_device(
    connection: Connection,
    driver_id: str,
    state: DeviceState,
    changed: Sequence[str],
    now: datetime,
    *,
    low: bool | None,
) -> None:
    """Write `driver.device` if fields changed or the battery became low; *low* as `battery_became_low`."""
    names = list(changed)
    if low is not None and await note_battery(connection, driver_id, low=low):
        names.append("battery")
    if names:
        device = msgspec.to_builtins(state.report)
        if "battery" in device:
            device["battery"] = round(device["battery"], 3)  # that of a fix is stored with 24 bits
        detail = {"device": device, "changed": names}
        await insert_driver_event(connection, "driver.device", driver_id, detail, now)


async def insert_driver_event(
    connection: Connection, type_: EventType, driver_id: str, detail: Mapping[str, object], now: datetime
) -> None:
    await connection.execute("insert_driver_event", type_, now, driver_id, dict(detail))


async def select_forecast_reports(queries: Queries, order_ids: Sequence[str]) -> dict[str, ForecastReport]:
    """Return what was reported about the forecasts of these orders."""
    rows = await queries.fetch("select_forecast_reports", list(order_ids))
    return {row["order_id"]: ForecastReport(*row[1:]) for row in rows}


async def report_forecast(
    database: Database,
    order_id: str,
    before: ForecastReport,
    after: ForecastReport,
    *,
    events: Mapping[EventType, Mapping[str, object]],
    eta: Eta,
) -> bool:
    """Store what is reported from now on, and write the events. Return False if another node came first."""
    kept = before.reported_at, before.promised_at, before.is_delayed
    async with database.transaction() as connection:
        if not await connection.fetchval(
            "replace_forecast_report", order_id, *msgspec.structs.astuple(after), *kept
        ):
            return False
        for type_, detail in events.items():
            row = type_, eta.computed_at, order_id, after.attempt, msgspec.to_builtins(eta), dict(detail)
            await connection.execute("insert_forecast_event", *row)
    return True
