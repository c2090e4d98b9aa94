"""Recordings are played at their pace and under the right times, with their orders."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from driver_sim.replay.schedule import (
    StatusChange,
    Timing,
    places,
    recorded_orders,
    scheduled_fixes,
    status_changes,
    stop_sequence,
)
from driver_sim.tracks.recording import RecordedStop, Recording
from tracker.domain.tracks.fix import Fix

START = datetime(2024, 5, 1, 8, tzinfo=UTC)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


DRIVE = Recording("d", tuple(Fix(after(at), 60.0, 24.0, speed=2.0) for at in (0, 10, 40)))
TRIP = Recording(
    "t",
    DRIVE.fixes,
    "car",
    (
        RecordedStop(60, 24, 5, "a"),
        RecordedStop(60.1, 24, 5, "b"),
        RecordedStop(60.2, 24, 90, "a"),
        RecordedStop(1, 2),
    ),
    (after(4), after(8), after(20), after(30)),
)


def test_real_time_is_shifted_to_now() -> None:
    """Played in real time, each fix is sent at its moment and claims that moment."""
    assert [(wait, fix.recorded_at) for wait, fix in scheduled_fixes(DRIVE, Timing(), NOW)] == [
        (wait, NOW + timedelta(seconds=wait)) for wait in (0.0, 10.0, 40.0)
    ]


def test_faster_time_is_squeezed_and_speeds_grow() -> None:
    """Twice as fast, the same way takes half the time at twice the speed."""
    played = list(scheduled_fixes(DRIVE, Timing(2.0), NOW))
    assert [wait for wait, _ in played] == [0.0, 5.0, 20.0]
    assert played[-1][1].recorded_at == NOW + timedelta(seconds=20)
    assert played[-1][1].speed == 4.0


def test_as_fast_as_possible_ends_now() -> None:
    """Nothing waits, nothing lies in the future, and distances in time stay."""
    played = list(scheduled_fixes(DRIVE, Timing(None), NOW))
    assert [wait for wait, _ in played] == [0.0, 0.0, 0.0]
    assert [fix.recorded_at for _, fix in played] == [NOW - timedelta(seconds=ago) for ago in (40, 30, 0)]


def test_original_times_are_kept() -> None:
    """Asked to, nothing of a fix is changed."""
    assert tuple(fix for _, fix in scheduled_fixes(DRIVE, Timing(4.0, True), NOW)) == DRIVE.fixes


@given(st.lists(st.floats(0, 86_400), min_size=1, max_size=50), st.floats(0.1, 1000))
def test_the_sequence_survives_every_speed(seconds: list[float], speed: float) -> None:
    """However fast, fixes stay in their order and no time lies after its sending."""
    recording = Recording("r", tuple(Fix(after(at), 60.0, 24.0) for at in sorted(seconds)))
    played = list(scheduled_fixes(recording, Timing(speed), NOW))
    waits = [wait for wait, _ in played]
    assert waits == sorted(waits)
    assert all(fix.recorded_at <= NOW + timedelta(seconds=wait) for wait, fix in played)


def test_stops_of_one_order_are_its_two_ends() -> None:
    """`a` is fetched and brought; `b` and the unnamed stop were aboard from the start."""
    a, b, unnamed = recorded_orders(TRIP)
    assert (a.pickup, a.dropoff) == (0, 2)
    assert (b.pickup, b.dropoff) == (None, 1)
    assert (unnamed.pickup, unnamed.dropoff) == (None, 3)
    assert places(TRIP, b)[0].lonlat == TRIP.fixes[0].lonlat
    assert list(stop_sequence(TRIP)) == [(0, "pickup"), (1, "dropoff"), (0, "dropoff"), (2, "dropoff")]


def test_orders_change_after_the_service_and_before_the_next_stop() -> None:
    """A pickup is over after its service time, which the arrival at the next stop cuts short."""
    assert sorted(status_changes(TRIP, Timing()), key=lambda one: one[0]) == [
        (0.0, StatusChange(1, "picked_up")),
        (0.0, StatusChange(2, "picked_up")),
        (8.0, StatusChange(0, "picked_up")),
        (13.0, StatusChange(1, "delivered")),
        (30.0, StatusChange(0, "delivered")),
        (30.0, StatusChange(2, "delivered")),
    ]
