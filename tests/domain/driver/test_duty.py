"""Duty: what it is now and was at each earlier time."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.driver.duty import Duty, DutyInterval, DutyTimes, duty_of
from tracker.errors import InvalidFields

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


def hour(n: float) -> datetime:
    return NOW + timedelta(hours=n)


def test_a_driver_begins_on_duty() -> None:
    """Without any change they are on duty, always."""
    assert (DutyTimes().now, DutyTimes().since, DutyTimes().at(NOW)) == ("on", None, "on")


def test_each_moment_has_the_duty_of_its_time() -> None:
    """The beginning of an interval belongs to it, its end does not."""
    times = DutyTimes().change("off", hour(1)).change("on", hour(2)).change("on_break", hour(3))
    expected = {0: "on", 1: "off", 1.5: "off", 2: "on", 2.9: "on", 3: "on_break", 99: "on_break"}
    assert {n: times.at(hour(n)) for n in expected} == expected
    assert (times.now, times.since) == ("on_break", hour(3))
    assert times.at(hour(1) - INSTANT) == "on"


def test_off_duty_follows_a_break_without_a_gap() -> None:
    """The break ends where the time off duty begins."""
    times = DutyTimes().change("on_break", hour(0)).change("off", hour(1))
    assert times.intervals == (
        DutyInterval("on_break", hour(0), hour(1)),
        DutyInterval("off", hour(1)),
    )


def test_a_clock_that_steps_back_changes_no_earlier_duty() -> None:
    """A change counts from just after the one before, so no interval is empty or overlaps another."""
    times = DutyTimes().change("off", hour(1)).change("on", hour(0))
    assert times.intervals == (DutyInterval("off", hour(1), hour(1) + INSTANT),)
    assert times.at(hour(1) + INSTANT) == "on"


@given(st.lists(st.tuples(st.sampled_from(["on", "off", "on_break"]), st.integers(-5, 50))))
def test_intervals_are_disjoint_in_order_and_only_the_last_is_open(changes: list[tuple[Duty, int]]) -> None:
    """Whatever the changes and their times are."""
    times = DutyTimes()
    for duty, n in changes:
        times = times.change(duty, hour(n))
        assert times.now == duty
        assert times.at(hour(99)) == duty
    intervals = times.intervals
    assert all(one.ends is not None and one.begins < one.ends for one in intervals[:-1])
    assert all(
        one.ends is not None and one.ends <= following.begins for one, following in pairwise(intervals)
    )
    assert len({one.begins for one in intervals}) == len(intervals)


def test_a_break_is_on_duty() -> None:
    """Off duty and on a break at once is refused by name."""
    assert [duty_of(on=on, on_break=rest) for on, rest in ((True, False), (True, True), (False, False))] == [
        "on",
        "on_break",
        "off",
    ]
    with pytest.raises(InvalidFields, match="on_break"):
        duty_of(on=False, on_break=True)
