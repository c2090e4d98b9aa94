"""Detection and correction of a device's wrong clock."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.order import Driver
from tracker.domain.tracks.device_clock import NONE, STEADY_WITHIN, DeviceClock, claimed_ahead
from tracker.domain.tracks.fix import Fix
from tracker.domain.trip import Trip
from tracker.live.drivers.trip import JudgedBatch, LiveTrip

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MONTH = timedelta(days=30)
HOURS = timedelta(hours=1)


def second(n: float) -> timedelta:
    return timedelta(seconds=n)


def heard(ahead: timedelta, count: int, *, late: tuple[float, ...] = (0.1, 0.7, 0.3)) -> DeviceClock:
    """Return a clock after *count* messages, one a second, with the delays *late* in turn."""
    clock = DeviceClock()
    for n in range(count):
        clock.add_message(NOW + second(n) + ahead, NOW + second(n + late[n % len(late)]))
    return clock


def live_trip() -> LiveTrip:
    return LiveTrip(
        Trip(Driver(id="drv_a", number=1, name="A", vehicle="car", reference=None, created_at=NOW))
    )


def receive(live: LiveTrip, now: datetime, *times: datetime, lat: float = 60.17) -> JudgedBatch:
    return live.receive_fixes([Fix(at, lat, 24.94) for at in times], now=now, retention=MONTH)


@pytest.mark.parametrize("ahead", [second(30), 3 * HOURS, 26 * HOURS, -24 * HOURS, -3 * HOURS, -second(300)])
def test_a_steady_clock_is_corrected_to_within_the_network_s_delay(ahead: timedelta) -> None:
    """The remaining error is the delay of the quickest message."""
    assert abs(heard(ahead, 10).ahead - ahead) <= second(0.2)


def test_one_that_is_ahead_is_found_out_with_the_third_message() -> None:
    """Only a fast clock is ahead of the server; two messages may be a coincidence."""
    assert heard(3 * HOURS, 2).ahead == NONE
    assert heard(3 * HOURS, 3).ahead > 2 * HOURS


@pytest.mark.parametrize("ahead", [NONE, -second(1), -second(100)])
def test_a_slow_network_is_no_slow_clock(ahead: timedelta) -> None:
    """Fixes up to two minutes old keep their time, so that no age is understated."""
    assert heard(ahead, 60).ahead == NONE


def test_a_clock_further_off_than_two_days_is_not_corrected() -> None:
    """Its fixes are rejected with a reason, or count as late."""
    assert heard(timedelta(days=365), 20).ahead == NONE
    assert heard(-timedelta(days=5), 20).ahead == NONE


def test_a_backlog_behind_a_live_fix_is_no_slow_clock() -> None:
    """Even if it arrives as fast as it was recorded."""
    clock = DeviceClock()
    clock.add_message(NOW, NOW)
    for n in range(50):
        clock.add_message(NOW - 2 * HOURS + second(n), NOW + second(n))
    assert clock.ahead == NONE


def test_a_backlog_that_comes_in_a_hurry_is_no_slow_clock() -> None:
    """Its times advance faster than the server's."""
    clock = DeviceClock()
    for n in range(50):
        clock.add_message(NOW - 20 * HOURS + second(500 * n), NOW + second(n))
    assert clock.ahead == NONE


def test_a_clock_that_is_set_right_is_believed_again() -> None:
    """Three messages on time reset the offset."""
    clock = heard(3 * HOURS, 10)
    for n in range(3):
        clock.add_message(NOW + second(20 + n), NOW + second(20.2 + n))
    assert clock.ahead == NONE


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0.0, 100.0)), max_size=60))
def test_nothing_is_ever_shown_as_of_the_future(said: list[tuple[float, float]]) -> None:
    """A corrected time is never later than the server's."""
    clock, now = DeviceClock(), NOW
    for ahead, pause in said:
        now += second(pause)
        newest = now + second(ahead)
        clock.add_message(newest, now)
        assert newest - clock.correction(newest, now) <= now


@given(st.lists(st.floats(0.0, 1.9), min_size=20, max_size=60), st.sampled_from([3 * HOURS, -24 * HOURS]))
def test_delays_never_make_a_steady_clock_unsteady(delays: list[float], ahead: timedelta) -> None:
    """Delays of up to two seconds leave the correction steady and close to the offset."""
    clock, settled = DeviceClock(), []
    for n, delay in enumerate(delays):
        clock.add_message(NOW + second(3 * n) + ahead, NOW + second(3 * n + delay))
        settled.append(clock.ahead)
    assert all(abs(each - ahead) <= STEADY_WITHIN for each in settled[8:])


def test_a_minute_ahead_is_judged_after_the_correction() -> None:
    """On a device three hours ahead, a fix a minute ahead of its own clock is in the future."""
    live = live_trip()
    for n in range(5):
        judged = receive(live, NOW + second(n), NOW + second(n) + 3 * HOURS)
        assert [one.reason for one in judged.rejected] == (["in_the_future"] if n < 2 else [])
    judged = receive(live, NOW + second(6), NOW + second(6) + 3 * HOURS, NOW + second(70) + 3 * HOURS)
    assert [one.reason for one in judged.rejected] == ["in_the_future"]


@pytest.mark.parametrize("ahead", [second(61), second(300), 3 * HOURS, 47 * HOURS])
def test_an_app_with_a_fast_clock_loses_no_fix(ahead: timedelta) -> None:
    """It deletes what was answered: so its first fixes are set back by what their times show."""
    live = live_trip()
    for n in range(6):
        now = NOW + second(10 * n)
        batch = live.receive_fixes(
            [Fix(now + ahead - second(0.2), 60.17, 24.94)], now=now, retention=MONTH, by_app=True
        )
        assert batch.rejected == []
        assert now - second(0.5) <= batch.fixes[0].at <= now
        assert batch.fixes[0].sent_at == now + ahead - second(0.2)


@pytest.mark.parametrize(
    ("times", "ahead"),
    [
        ([300], 300),
        ([61, 100, 300], 300),
        ([-300, -100, 50, 200], 200),  # a backlog up to now, by a clock that is 200 s fast
        ([60], 0),
        ([-10, -5, 0, 3_600], 0),  # one wrong time among right ones
        ([290, 300, 7_200], 300),
        ([49 * 3_600], 0),
        ([], 0),
    ],
)
def test_what_a_message_shows_about_the_clock(times: list[float], ahead: float) -> None:
    """As much as sets its newest fix to now; a time far from the others shows nothing."""
    assert claimed_ahead([NOW + second(n) for n in times], NOW) == second(ahead)


def test_a_wrong_time_among_right_ones_is_rejected() -> None:
    """The others keep their times, from any sender."""
    readings = [Fix(NOW + second(n), 60.17, 24.94) for n in (-4, 3_600, 0)]
    batch = live_trip().receive_fixes(readings, now=NOW, retention=MONTH, by_app=True)
    assert [(one.index, one.reason) for one in batch.rejected] == [(1, "in_the_future")]
    assert [judged.at for judged in batch.fixes] == [NOW - second(4), NOW]


@pytest.mark.parametrize(
    ("corrections", "ahead"),
    [
        ([0, 300, 300.5, 301], 301),
        ([300, 301], 0),  # too few
        ([300, 100, 301], 0),  # not steady
        ([59, 59, 59], 0),  # not stored as a correction
        ([-300, -300, -300], 0),  # a slow clock has to be on time never
    ],
)
def test_a_settled_offset_is_found_in_the_stored_fixes(corrections: list[float], ahead: float) -> None:
    """So a node that has just started rejects nothing that it would have corrected before."""
    clock = DeviceClock()
    clock.restore([second(one) for one in corrections])
    assert clock.ahead == second(ahead)


def test_the_key_stays_as_it_was_sent() -> None:
    """Fixes are stored under the device's time and shown with the server's."""
    live = live_trip()
    for n in range(5):
        judged = receive(live, NOW + second(n), NOW + second(n) - 24 * HOURS)
    assert judged.fixes[-1].sent_at == NOW + second(4) - 24 * HOURS
    for n in range(5, 9):
        judged = receive(live, NOW + second(n), NOW + second(n) - 24 * HOURS)
    assert judged.fixes[-1].sent_at == NOW + second(8) - 24 * HOURS
    assert live.trip.position is not None
    assert live.trip.position.recorded_at == NOW + second(8)
    assert live.trip.freshness(live.trip.position, NOW + second(8)) == "live"


def test_a_fix_of_the_future_does_not_hold_the_marker() -> None:
    """A stray fix a minute ahead gets the present time, and the next true one moves the marker."""
    live = live_trip()
    receive(live, NOW, NOW + second(59), lat=60.1700)
    receive(live, NOW + second(1), NOW + second(1), lat=60.1701)
    assert live.trip.position is not None
    assert (live.trip.position.lat, live.trip.position.recorded_at) == (60.1701, NOW + second(1))


def test_a_fix_of_the_future_sent_again_is_no_newer() -> None:
    """A repeated fix does not keep the position live."""
    live = live_trip()
    for n in range(0, 40, 10):
        receive(live, NOW + second(n), NOW + second(59))
    assert live.trip.position is not None
    assert live.trip.position.recorded_at <= NOW


@pytest.mark.parametrize("step", [3 * HOURS, -3 * HOURS, -second(600), second(45), -second(45)])
def test_a_clock_that_steps_in_the_middle_of_a_trip_never_moves_the_marker_back(step: timedelta) -> None:
    """The shown time only grows, is never newer than the truth, and is soon right again.

    Less than two minutes behind is left as it is: the shown age is then too great by as much.
    """
    live, shown = live_trip(), []
    for n in range(120):
        now = NOW + second(n)
        receive(live, now, now + (step if n >= 20 else NONE), lat=60.17 + n * 1e-5)
        assert live.trip.position is not None
        shown.append(live.trip.position)
        assert live.trip.position.recorded_at <= now
        made = round((live.trip.position.lat - 60.17) / 1e-5)
        assert live.trip.position.recorded_at <= NOW + second(made + 0.01)
    assert [one.recorded_at for one in shown] == sorted(one.recorded_at for one in shown)
    assert [one.lat for one in shown] == sorted(one.lat for one in shown)
    assert shown[-1].recorded_at == NOW + second(119) + (step if step == -second(45) else NONE)
