"""When a forecast is an event: the order is late, or arrives at another time than was last reported.

Both must have held for half a minute, so that a forecast that jumps and comes back says nothing.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from tracker.domain.events.event import EventType

HELD_FOR: Final = timedelta(seconds=30)
CHANGED_BY: Final = timedelta(minutes=5)
LATE_BY: Final = timedelta(minutes=10)  # after the first forecast given after the pickup; without a window


class ForecastReport(msgspec.Struct, frozen=True):
    """What was reported about the forecasts of an order's attempt."""

    attempt: int
    reported_at: datetime | None = None  # the arrival last reported; None: there was no forecast yet
    promised_at: datetime | None = None  # the first arrival forecast after the pickup
    is_delayed: bool = False


class Doubts(msgspec.Struct, frozen=True):
    """Since when forecasts have differed from what was reported; None: they do not."""

    late_since: datetime | None = None
    changed_since: datetime | None = None


class ForecastJudgement(NamedTuple):
    """What follows from one forecast."""

    report: ForecastReport
    doubts: Doubts
    events: tuple[EventType, ...]


def judge_forecast(
    report: ForecastReport,
    doubts: Doubts,
    arrives_at: datetime,
    *,
    window_to: datetime | None,
    is_picked_up: bool,
    now: datetime,
) -> ForecastJudgement:
    """Compare a forecast with what was reported."""
    promised_at = report.promised_at or (arrives_at if is_picked_up else None)
    due = window_to or (None if promised_at is None else promised_at + LATE_BY)
    is_late = not report.is_delayed and due is not None and arrives_at > due
    reported_at = report.reported_at or arrives_at
    is_changed = abs(arrives_at - reported_at) > CHANGED_BY
    late_since = (doubts.late_since or now) if is_late else None
    changed_since = (doubts.changed_since or now) if is_changed else None
    events: list[EventType] = []
    if late_since is not None and now - late_since >= HELD_FOR:
        events.append("order.delayed")
        late_since = None
    if changed_since is not None and now - changed_since >= HELD_FOR:
        events.append("order.eta_changed")
        reported_at, changed_since = arrives_at, None
    is_delayed = report.is_delayed or "order.delayed" in events
    return ForecastJudgement(
        ForecastReport(report.attempt, reported_at, promised_at, is_delayed),
        Doubts(late_since, changed_since),
        tuple(events),
    )
