"""Forecasts sent to customers, their errors, and reports about them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from tracker.database.pool import Connection, Queries, Reads, Row
from tracker.domain.eta.forecast_error import BUCKETS, COUNTED_FROM, ForecastRecord
from tracker.domain.order import StopKind

DELETED_AT_ONCE: Final = 20_000  # rows, so that a statement stays within its timeout
_COLUMNS: Final = ForecastRecord.__struct_fields__


class Errors(msgspec.Struct, frozen=True):
    """Errors of a number of forecasts, in seconds and shares; None if there are no forecasts."""

    forecasts: int
    mae_s: float | None
    bias_s: float | None  # positive: arrivals were forecast too late
    mape: float | None
    coverage: float | None  # of arrivals within their interval
    width_s: float | None


class ErrorsOf(msgspec.Struct, frozen=True):
    """The errors of one group. `key` is a bucket, an hour or a driver's id; None for all forecasts."""

    key: Any
    errors: Errors


async def insert_forecasts(connection: Connection, forecasts: Sequence[ForecastRecord]) -> None:
    """Insert forecasts, and open their orders for the computation of errors. Keeps existing rows."""
    columns = [[getattr(each, name) for each in forecasts] for name in _COLUMNS]
    await connection.execute("insert_eta_forecasts", *columns)
    await connection.execute("insert_open_orders", sorted({each.order_id for each in forecasts}))


async def select_forecasts(
    queries: Reads, order_id: str, limit: int, after: datetime | None = None
) -> list[ForecastRecord]:
    """Return forecasts, earliest first, beginning after the one made at *after*."""
    return [_forecast(row) for row in await queries.fetch("select_eta_forecasts", order_id, after, limit)]


async def select_arrival(queries: Reads, order_id: str) -> datetime | None:
    """Return when the order arrived according to positions, or else when it was delivered."""
    at: datetime | None = await queries.fetchval("select_arrival", order_id)
    return at


async def select_milestone(queries: Queries, order_id: str, kind: StopKind) -> datetime | None:
    """Return when positions showed the driver at that stop; None if they did not."""
    at: datetime | None = await queries.fetchval("select_milestone", order_id, f"arrived_at_{kind}")
    return at


async def insert_errors(
    connection: Connection, limit: int, order_ids: Sequence[str] | None = None
) -> list[float]:
    """Compute the errors of ended orders, of *order_ids* or of any. Return those of the first forecasts.

    Returns the seconds by which the first forecast after each pickup was off. Safe on several nodes at once:
    each takes other orders. An order that never arrived is closed without errors.
    """
    wanted = None if order_ids is None else list(order_ids)
    rows = await connection.fetch("lock_ended_orders", wanted, limit)
    if not (ended := [row["order_id"] for row in rows]):
        return []
    await connection.execute("delete_eta_errors", ended)
    await connection.execute("insert_eta_errors", ended, list(BUCKETS), COUNTED_FROM)
    await connection.execute("delete_open_orders", ended)
    return [row["off_s"] for row in await connection.fetch("select_first_errors", ended)]


async def select_errors(queries: Reads, begins: datetime, ends: datetime) -> dict[str, list[ErrorsOf]]:
    """Return errors of orders that arrived in [begins, ends), by `overall`, `bucket`, `hour`, `driver`."""
    found: dict[str, list[ErrorsOf]] = {"overall": [], "bucket": [], "hour": [], "driver": []}
    for row in await queries.fetch("select_eta_errors", begins, ends):
        key = row[row["grouped_by"]] if row["grouped_by"] != "overall" else None
        found[row["grouped_by"]].append(ErrorsOf(key, _errors(row)))
    return found


async def count_judged_orders(queries: Reads, begins: datetime, ends: datetime) -> int:
    """Return the number of orders that `select_errors` covers."""
    return int(await queries.fetchval("count_judged_orders", begins, ends))


async def delete_old_forecasts(queries: Queries, before: datetime) -> None:
    """Delete forecasts made before then. Their computed errors are kept."""
    while await queries.execute("delete_old_forecasts", before, DELETED_AT_ONCE) != "DELETE 0":
        pass


def _errors(row: Row) -> Errors:
    return Errors(*(row[name] for name in Errors.__struct_fields__))


def _forecast(row: Row) -> ForecastRecord:
    return ForecastRecord(**{name: row[name] for name in _COLUMNS})
