"""`/v1/orders/…/eta/history` and `/v1/reports/eta`: past forecasts and their errors."""

from datetime import datetime, timedelta
from typing import Any, Final, Literal

import msgspec
from quart import Blueprint, Response

from tracker.api.answers.drivers import rounded
from tracker.api.auth import require_scope
from tracker.api.describe import endpoint
from tracker.api.json_bodies import answer, query
from tracker.api.pagination import PageQuery, decode_cursor, encode_cursor
from tracker.database.eta.forecasts import (
    Errors,
    count_judged_orders,
    select_arrival,
    select_errors,
    select_forecasts,
)
from tracker.domain.eta.forecast_error import BUCKETS, ForecastRecord
from tracker.errors import FieldError, InvalidFields
from tracker.messages import AwareTime, Time, rfc3339, rfc3339_or_none
from tracker.node import current_node

LONGEST: Final = timedelta(days=92)
USUAL: Final = timedelta(days=7)  # the default of `from`
DRIVERS: Final = 500  # limit of a report; those with the most forecasts
Basis = Literal["route", "straight_line", "none"]
NO_ERRORS: Final = Errors(0, None, None, None, None, None)

blueprint = Blueprint("forecasts", __name__)


class ForecastAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A forecast as customers saw it, with its inputs: the newest fix, and the metres along the route.

    `error_s` is the forecast minus the real arrival, above zero if the order came earlier. `held`
    tells whether the interval holds the arrival. Both are null until the order has arrived.
    """

    computed_at: Time
    """When the forecast was made."""
    arrives_at: Time
    """Forecast arrival: the median."""
    earliest: Time
    """Start of the interval."""
    latest: Time
    """End of the interval."""
    distance_m: float | None
    """Metres still to drive. Null if unknown."""
    stops_before: int
    """Stops of other orders before this dropoff."""
    basis: Basis
    """What the forecast rests on."""
    stale: bool
    """Whether the positions behind it were too old to trust."""
    last_fix_at: Time | None
    """When the newest fix behind it was recorded. Null without one."""
    progress_m: float | None
    """Metres driven along the route. Null without a route."""
    error_s: float | None
    """Forecast minus real arrival in seconds; above zero if the order came earlier. Null until it has
    arrived."""
    held: bool | None
    """Whether the interval holds the arrival. Null until it has arrived."""


class ForecastsAnswer(msgspec.Struct, frozen=True):
    """A page of an order's forecasts, and the arrival that they are compared with."""

    items: list[ForecastAnswer]
    """Forecasts of this page, oldest first."""
    next: str | None
    """Cursor of the next page. Null on the last one."""
    arrived_at: Time | None
    """When the order arrived. Null until then."""


class ErrorRow(msgspec.Struct, frozen=True, kw_only=True):
    """Errors of forecasts made at least 30 s before arrival. `mape` and `coverage` are fractions."""

    forecasts: int
    """Number of forecasts."""
    mae_s: float | None
    """Mean absolute error in seconds. Null without forecasts."""
    mape: float | None
    """Mean absolute error as a fraction of the time to go. Null without forecasts."""
    bias_s: float | None
    """Mean error in seconds; above zero if orders came earlier. Null without forecasts."""
    coverage: float | None
    """Fraction of intervals that held the arrival. Null without forecasts."""
    width_s: float | None
    """Mean width of the intervals in seconds. Null without forecasts."""


class HourRow(ErrorRow, frozen=True, kw_only=True):
    """Errors of the forecasts made in this hour of the day, UTC."""

    hour: int
    """Hour of the day in UTC, 0 to 23."""


class DriverRow(ErrorRow, frozen=True, kw_only=True):
    """Errors for this driver's orders."""

    driver_id: str | None
    """Id of the driver. Null for drivers who were erased."""


class EtaReport(msgspec.Struct, frozen=True, kw_only=True):
    """Forecast errors for the orders that arrived in the window."""

    from_: Time = msgspec.field(name="from")
    """Start of the window."""
    to: Time
    """End of the window."""
    orders: int
    """Number of orders that arrived in the window."""
    overall: ErrorRow
    """All forecasts."""
    buckets: dict[str, ErrorRow]
    """By true minutes to go: `0-2`, `2-5`, `5-10`, `10-20`, `20+`."""
    hours: list[HourRow]
    """By hour of the day."""
    drivers: list[DriverRow]
    """By driver: the 500 with the most forecasts."""


class ReportQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Time of arrival: at most 92 days, by default the last seven."""

    from_: AwareTime | None = msgspec.field(name="from", default=None)
    """Orders that arrived from this time on. Default: seven days before `to`."""
    to: AwareTime | None = None
    """Orders that arrived before this time. Default: now."""

    def window(self, now: datetime) -> tuple[datetime, datetime]:
        """Return begin and end. Raises InvalidFields if the window is empty or too long."""
        ends = self.to or (now if self.from_ is None else max(now, self.from_ + timedelta(seconds=1)))
        begins = self.from_ or ends - USUAL
        if begins >= ends:
            raise InvalidFields([FieldError("to", "must be after `from`")])
        if ends - begins > LONGEST:
            raise InvalidFields([FieldError("from", f"must be at most {LONGEST.days} days before `to`")])
        return begins, ends


@blueprint.get("/v1/orders/<order_id>/eta/history")
@require_scope("read")
@endpoint(query=PageQuery, answer=ForecastsAnswer)
async def get_eta_history(order_id: str) -> Response:
    """List the forecasts of an order, oldest first, with their errors once it has arrived.

    While an order is watched, one forecast is kept every 15 s, and each that differs from the last one.
    """
    node, wanted = current_node(), query(PageQuery)
    order = await node.orders.get(order_id)
    key = decode_cursor(wanted.cursor)
    await node.forecast_log.flush()
    reads = await node.history.reads()
    arrived_at = await select_arrival(reads, order_id)
    found = await select_forecasts(reads, order_id, wanted.limit + 1, key and key[0])
    page_forecasts = found[: wanted.limit]
    following = encode_cursor(page_forecasts[-1].made_at) if len(found) > len(page_forecasts) else None
    begun_at = order.attempt_at or order.created_at  # earlier forecasts are of an attempt that failed
    items = [_forecast(kept, arrived_at if kept.made_at >= begun_at else None) for kept in page_forecasts]
    return answer(ForecastsAnswer(items, following, rfc3339_or_none(arrived_at)))


@blueprint.get("/v1/reports/eta")
@require_scope("read")
@endpoint(query=ReportQuery, answer=EtaReport)
async def get_eta_report() -> Response:
    """Report the errors of forecasts and the coverage of their intervals.

    By true time to go, hour of the day, and driver. Counts the forecasts that were shown for orders that
    arrived in the window. The arrival is what positions showed, or else the delivery.
    """
    node = current_node()
    begins, ends = query(ReportQuery).window(node.now())
    await node.forecast_log.flush()
    reads = await node.history.reads()
    found = await select_errors(reads, begins, ends)
    by_bucket = {group.key: group.errors for group in found["bucket"]}
    drivers = sorted(found["driver"], key=lambda group: -group.errors.forecasts)[:DRIVERS]
    report = EtaReport(
        from_=rfc3339(begins),
        to=rfc3339(ends),
        orders=await count_judged_orders(reads, begins, ends),
        overall=ErrorRow(**_row(found["overall"][0].errors if found["overall"] else NO_ERRORS)),
        buckets={
            label: ErrorRow(**_row(by_bucket.get(bucket, NO_ERRORS))) for bucket, label in _labels().items()
        },
        hours=[HourRow(hour=group.key, **_row(group.errors)) for group in found["hour"]],
        drivers=[DriverRow(driver_id=group.key, **_row(group.errors)) for group in drivers],
    )
    return answer(report)


def _forecast(kept: ForecastRecord, arrived_at: datetime | None) -> ForecastAnswer:
    error = None if arrived_at is None else kept.error_s(arrived_at)
    return ForecastAnswer(
        computed_at=rfc3339(kept.made_at),
        arrives_at=rfc3339(kept.arrives_at),
        earliest=rfc3339(kept.earliest),
        latest=rfc3339(kept.latest),
        distance_m=rounded(kept.distance_m),
        stops_before=kept.stops_before,
        basis=kept.basis,
        stale=kept.stale,
        last_fix_at=rfc3339_or_none(kept.last_fix_at),
        progress_m=rounded(kept.progress_m),
        error_s=rounded(error),
        held=None if arrived_at is None or error is None else kept.covers(arrived_at),
    )


def _labels() -> dict[int, str]:
    """Return the labels `0-2` … `20+` by the first minute of each bucket."""
    ends = (*BUCKETS[1:], None)
    return {
        begin: f"{begin}+" if end is None else f"{begin}-{end}"
        for begin, end in zip(BUCKETS, ends, strict=True)
    }


def _row(errors: Errors) -> dict[str, Any]:
    fields = msgspec.structs.asdict(errors)
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in fields.items()}
