"""Duty of one driver: on, off or on a break, now and at earlier times.

A backlog may arrive long after it was recorded, so each fix is judged by the duty at its own time.
"""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from tracker.errors import FieldError, InvalidFields

Duty = Literal["on", "on_break", "off"]

INSTANT: Final = timedelta(microseconds=1)  # resolution of the database


class DutyInterval(NamedTuple):
    """A time off duty or on a break, the beginning included. Without an end it lasts until now."""

    duty: Duty
    begins: datetime
    ends: datetime | None = None


class DutyTimes:
    """When one driver was off duty or on a break. At all other times they were on duty. Immutable."""

    __slots__ = ("_begins", "intervals")

    def __init__(self, intervals: Iterable[DutyInterval] = ()) -> None:
        self.intervals = tuple(sorted(intervals, key=lambda one: one.begins))
        self._begins = [one.begins for one in self.intervals]

    @property
    def now(self) -> Duty:
        """The duty since the last change."""
        last = self.intervals[-1] if self.intervals else None
        return "on" if last is None or last.ends is not None else last.duty

    @property
    def since(self) -> datetime | None:
        """The time of the last change; None without one."""
        last = self.intervals[-1] if self.intervals else None
        return None if last is None else last.ends or last.begins

    def at(self, at: datetime) -> Duty:
        """Return the duty at a time, by the server's clock."""
        index = bisect_right(self._begins, at) - 1
        if index < 0:
            return "on"
        found = self.intervals[index]
        return found.duty if found.ends is None or at < found.ends else "on"

    def change(self, duty: Duty, at: datetime) -> "DutyTimes":
        """Return the times with a change at *at*, or just after the last change if that is later."""
        kept = list(self.intervals)
        if (since := self.since) is not None:
            at = max(at, since + INSTANT)
        if kept and kept[-1].ends is None:
            kept[-1] = kept[-1]._replace(ends=at)
        if duty != "on":
            kept.append(DutyInterval(duty, at))
        return DutyTimes(kept)


def duty_of(*, on: bool, on_break: bool) -> Duty:
    """Return the duty that the two fields of a request mean. Raises InvalidFields."""
    if on_break and not on:
        raise InvalidFields([FieldError("on_break", "must be false while `on` is false; a break is on duty")])
    return "off" if not on else "on_break" if on_break else "on"
