"""Score: the errors of each method, overall and by actual time to go."""

from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise
from statistics import fmean
from typing import Final

import msgspec

from tracker.eta.evaluation.replay import METHODS, Moment

BUCKETS: Final = (("0-2", 120.0), ("2-5", 300.0), ("5-10", 600.0), ("10-20", 1200.0), ("20+", float("inf")))


class Row(msgspec.Struct, frozen=True):
    """One method's errors; None without forecasts or without an interval."""

    forecasts: int
    mae_s: float | None
    mape: float | None  # a fraction, like the coverage
    bias_s: float | None  # positive: forecast too late
    coverage: float | None
    width_s: float | None
    shown_changes_per_trip: float  # changes of the displayed minute
    shown_later_per_trip: float


class Method(msgspec.Struct, frozen=True):
    overall: Row
    buckets: dict[str, Row]  # by actual minutes to go


class Report(msgspec.Struct, frozen=True):
    trips: int
    methods: dict[str, Method]


def report_on(moments: Sequence[Moment], trips: int) -> Report:
    """Return the report that `tracker eta evaluate` prints."""
    return Report(trips, {name: _method(moments, name, trips) for name in METHODS})


def _method(moments: Sequence[Moment], name: str, trips: int) -> Method:
    changes = list(_changes(moments, name))
    rows, least = {}, 0.0
    for label, most in BUCKETS:
        inside = [each for each in moments if least <= each.real < most]
        rows[label] = _row(inside, name, trips, [later for real, later in changes if least <= real < most])
        least = most
    return Method(_row(moments, name, trips, [later for _, later in changes]), rows)


def _row(moments: Sequence[Moment], name: str, trips: int, changes: Sequence[bool]) -> Row:
    """Return one row. *changes* has an item per change of the displayed minute: whether it moved later."""
    forecasts = [(each.forecasts[name], each.real) for each in moments]
    ranges = [
        (one.low, one.high, real) for one, real in forecasts if one.low is not None and one.high is not None
    ]
    return Row(
        forecasts=len(forecasts),
        mae_s=_mean(abs(one.seconds - real) for one, real in forecasts),
        mape=_mean(abs(one.seconds - real) / real for one, real in forecasts),
        bias_s=_mean(one.seconds - real for one, real in forecasts),
        coverage=_mean(float(low <= real <= high) for low, high, real in ranges),
        width_s=_mean(high - low for low, high, _ in ranges),
        shown_changes_per_trip=len(changes) / trips if trips else 0.0,
        shown_later_per_trip=sum(changes) / trips if trips else 0.0,
    )


def _mean(values: Iterable[float]) -> float | None:
    listed = list(values)
    return fmean(listed) if listed else None


def _changes(moments: Sequence[Moment], name: str) -> Iterable[tuple[float, bool]]:
    """Yield the actual seconds to go at each change of the displayed minute, and whether it moved later."""
    by_stop = sorted(moments, key=lambda each: (each.trip, each.stop, each.at))
    for _, forecasts in groupby(by_stop, key=lambda each: (each.trip, each.stop)):
        shown = [(_minute(each, name), each.real) for each in forecasts]
        for (before, _), (now, real) in pairwise(shown):
            if now != before:
                yield real, now > before


def _minute(moment: Moment, name: str) -> int:
    """Return the arrival as minutes since the epoch, rounded."""
    return int((moment.at.timestamp() + moment.forecasts[name].seconds + 30.0) // 60)
