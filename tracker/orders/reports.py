"""Status reports of merchants and drivers: their time, and what the order's timeline says about them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from tracker.database import Connection
from tracker.database.events import timeline
from tracker.domain.order import Order, OrderStatus, Outcome, StopKind
from tracker.domain.order_rules import (
    StatusTime,
    check_change,
    driver_status_time,
    has_been,
    is_of_earlier_attempt,
    merchant_status_time,
    require_text,
)
from tracker.errors import Conflict, FieldError, InvalidFields, ProofMissing
from tracker.orders import steps
from tracker.orders.proofs import EARLIER_ATTEMPT, metres_from

REASON_BYTES: Final = 2_000
AT_THE_DOOR: Final = 200.0  # metres; a failed delivery claimed further away is not verified
STOPS: Final[Mapping[OrderStatus, StopKind]] = {
    OrderStatus.PICKED_UP: "pickup",
    OrderStatus.DELIVERED: "dropoff",
}


class ReportedStatus(NamedTuple):
    """A status that a merchant or (*by_driver*) the order's own driver reports."""

    status: OrderStatus
    outcome: Outcome | None
    reason: str | None
    at: datetime | None  # None: now
    by_driver: str | None
    clock_ahead: timedelta  # of the driver's device


async def apply_report(connection: Connection, order: Order, report: ReportedStatus, now: datetime) -> Order:
    """Set the reported status of an order that the caller has locked, and return the order.

    Return it unchanged if its driver repeats a report. Raises InvalidFields, ForbiddenTransition, Conflict,
    ProofMissing if a driver has not proved what the stop needs.
    """
    detail = _detail(report)
    if report.by_driver is not None and is_of_earlier_attempt(order, report.at, report.clock_ahead):
        raise Conflict(EARLIER_ATTEMPT)
    if report.by_driver is not None and has_been(order, report.status):
        return order
    check_change(order.status, report.status)
    if report.status in STOPS and (missing := order.missing(stop := STOPS[report.status])):
        if report.by_driver is not None:
            raise ProofMissing(stop, missing)
        detail["override"] = True
    time = await _time(connection, order, report, now)
    if report.by_driver is not None and report.status is OrderStatus.FAILED:
        metres = await metres_from(connection, order, order.dropoff, time.at)
        detail |= {} if metres is None else {"verified": metres <= AT_THE_DOOR}
    return await steps.set_status(connection, order, report.status, time, detail)


def _detail(report: ReportedStatus) -> dict[str, object]:
    """Return what the timeline says besides the status. Raises InvalidFields."""
    detail: dict[str, object] = {}
    if report.reason is not None:
        detail["reason"] = require_text("reason", report.reason, REASON_BYTES)
    if report.outcome is not None:
        if report.status is not OrderStatus.FAILED:
            raise InvalidFields([FieldError("outcome", "is allowed only with status failed")])
        detail["outcome"] = report.outcome
    if report.by_driver is not None:
        detail["driver_id"] = report.by_driver  # so that erasing the driver also erases the reason
    return detail


async def _time(connection: Connection, order: Order, report: ReportedStatus, now: datetime) -> StatusTime:
    previous, seen_at = await timeline.select_last_entry_times(connection, order.id)
    if report.by_driver is None:
        return merchant_status_time(report.at, previous=previous, now=now)
    return driver_status_time(
        report.at, clock_ahead=report.clock_ahead, previous=previous, now=now, seen_at=seen_at
    )
