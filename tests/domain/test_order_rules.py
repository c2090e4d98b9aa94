"""Times of a change of status, as sent by merchants and by drivers' devices."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.order_rules import driver_status_time, merchant_status_time
from tracker.errors import InvalidFields

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PREVIOUS = NOW - timedelta(minutes=40)
NONE = timedelta(0)
HOURS = timedelta(hours=1)
EVER = st.datetimes(timezones=st.sampled_from([UTC, *(timezone(n * HOURS) for n in (-12, 14))]))
SKEWS = st.timedeltas(-timedelta(hours=48), timedelta(hours=48))


@given(EVER, SKEWS, st.timedeltas(NONE, timedelta(days=90)))
def test_no_driver_s_time_leaves_the_order_s_course(at: datetime, ahead: timedelta, age: timedelta) -> None:
    """From year 1 to 9999, by any clock: between the previous status and now, and never an empty track."""
    time = driver_status_time(at, clock_ahead=ahead, previous=NOW - age, now=NOW)
    assert NOW - age - timedelta(milliseconds=1) < time.at <= NOW == time.known_at
    assert time.track_ends_at == (time.at if time.at > NOW - age else NOW)


@given(st.timedeltas(timedelta(seconds=1), timedelta(minutes=39)), SKEWS)
def test_a_driver_s_true_time_is_kept(ago: timedelta, ahead: timedelta) -> None:
    """With a known clock offset, the time is exact to the millisecond."""
    time = driver_status_time(NOW - ago + ahead, clock_ahead=ahead, previous=PREVIOUS, now=NOW)
    assert abs(time.at - (NOW - ago)) < timedelta(milliseconds=1)
    assert time.at == time.track_ends_at


@pytest.mark.parametrize(
    ("off", "at", "track_ends_at"),
    [
        (3 * HOURS, NOW, NOW),
        (timedelta(milliseconds=5), NOW, NOW),
        (-timedelta(minutes=10), NOW - timedelta(minutes=10), NOW - timedelta(minutes=10)),
        (-3 * HOURS, PREVIOUS, NOW),
        (PREVIOUS - NOW, PREVIOUS, NOW),
    ],
)
def test_an_unknown_clock_is_only_clamped(off: timedelta, at: datetime, track_ends_at: datetime) -> None:
    """A time not after the previous status does not determine where the track ends."""
    time = driver_status_time(NOW + off, clock_ahead=NONE, previous=PREVIOUS, now=NOW)
    assert (time.at, time.track_ends_at, time.known_at) == (at, track_ends_at, NOW)


def test_a_time_that_cannot_be_comes_after_what_positions_showed() -> None:
    """A delivery is not before the arrival; a plausible time is kept regardless of positions."""
    seen = NOW - timedelta(minutes=3)
    for at, shown in ((NOW - 3 * HOURS, seen), (NOW - timedelta(minutes=9), NOW - timedelta(minutes=9))):
        time = driver_status_time(at, clock_ahead=NONE, previous=PREVIOUS, seen_at=seen, now=NOW)
        assert time.at == shown
    later = driver_status_time(NOW - HOURS, clock_ahead=NONE, previous=PREVIOUS, seen_at=NOW + HOURS, now=NOW)
    assert later.at == NOW


@pytest.mark.parametrize(
    "off",
    [timedelta(seconds=2), 3 * HOURS, PREVIOUS - NOW - timedelta(milliseconds=1), -timedelta(days=9_000)],
)
def test_a_merchant_s_time_outside_the_order_s_course_is_refused(off: timedelta) -> None:
    """After now, or before the previous status, if only by a millisecond."""
    with pytest.raises(InvalidFields) as refused:
        merchant_status_time(NOW + off, previous=PREVIOUS, now=NOW)
    assert [error.field for error in refused.value.errors] == ["at"]


@pytest.mark.parametrize("off", [NONE, timedelta(seconds=1), PREVIOUS - NOW, -timedelta(minutes=3)])
def test_a_merchant_s_time_within_it_is_taken(off: timedelta) -> None:
    """The previous status's own time, too; a clock that is a second ahead means now."""
    time = merchant_status_time(NOW + off, previous=PREVIOUS, now=NOW)
    assert time.at == min(NOW + off, NOW)


def test_a_time_that_was_shown_may_be_sent_back() -> None:
    """Times are shown in milliseconds: what is cut off makes no status too early."""
    previous = PREVIOUS + timedelta(microseconds=700)
    shown = PREVIOUS
    assert merchant_status_time(shown, previous=previous, now=NOW).at == PREVIOUS


def test_our_own_clock_may_step_back() -> None:
    """No status precedes the previous one, with or without a time."""
    later = NOW + timedelta(seconds=30)
    assert merchant_status_time(None, previous=later, now=NOW).at == later
    assert driver_status_time(None, clock_ahead=NONE, previous=later, now=NOW).at == later
    assert driver_status_time(NOW, clock_ahead=NONE, previous=later, now=NOW).at == later
