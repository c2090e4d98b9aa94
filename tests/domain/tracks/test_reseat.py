"""Views and forecasts after the marker was at a place where the driver never was."""

from datetime import timedelta

import pytest

from tests.domain.test_trip import NOW, STREET, fix, order, routed, trip_with
from tracker.domain.tracks.fix import Fix, JudgedFix
from tracker.domain.trip import Trip

FAR = 0.126  # degrees of latitude: 14 km


def receive(trip: Trip, *fixes: Fix) -> None:
    for one in fixes:
        trip.receive_fix(one, one.recorded_at)


def test_nothing_of_a_false_first_fix_is_shown_any_longer() -> None:
    """The trail and the route are dropped, and the next route is requested without a pause."""
    trip = trip_with(order("ord_1", 40.0))
    receive(trip, fix(0.0, 0.0, lat=STREET + FAR))
    routed(trip, start=-300.0)
    trip.note_route_request(NOW)
    receive(trip, *(fix(n, 5.0 * n) for n in (1, 2, 3)))
    view = trip.view("ord_1", NOW + timedelta(seconds=15))
    assert view.position == fix(3, 15.0)
    assert view.trail is not None and view.trail.places == [fix(3, 15.0).lonlat]
    assert view.eta is not None and view.eta.distance_m == pytest.approx(37 * 55.3, rel=0.02)


def test_a_route_that_does_not_pass_where_the_driver_is_goes_at_once() -> None:
    """The route began at the false place; until the next one, distances are straight lines."""
    trip = trip_with(order("ord_1", 40.0))
    receive(trip, fix(0.0, 0.0))
    routed(trip)
    trip.note_route_request(NOW)
    receive(trip, *(fix(n, n, lat=STREET + FAR) for n in (1, 2, 3)))
    view = trip.view("ord_1", NOW + timedelta(seconds=3))
    assert (trip.route, view.route) == (None, ())
    assert view.eta is not None and view.eta.basis == "straight_line"
    assert trip.wants_route(NOW + timedelta(seconds=3))


def test_a_jump_teaches_no_speed_factor_and_no_path() -> None:
    """The speed factor stays as before the false cluster, and driving counts from its end."""
    trip = _begun()
    before = _slowness(trip)
    receive(trip, *(fix(n, 7.0 * n, lat=STREET + FAR) for n in range(20, 24)))
    receive(trip, *(fix(n, 7.0 * n) for n in range(24, 30)))
    assert trip.position == fix(29, 7.0 * 29)
    routed(trip, start=25.0)
    receive(trip, *(fix(n, 7.0 * n) for n in range(30, 35)))
    assert _slowness(trip) == pytest.approx(before, rel=0.02)
    arrival = trip.arrived("ord_1", "dropoff", NOW + timedelta(seconds=300))
    assert arrival is not None and arrival.drove_m <= 10 * 56.0


def _slowness(trip: Trip) -> float:
    return trip.route_progress.speed_factor.observed / trip.route_progress.speed_factor.expected


def _begun() -> Trip:
    trip = trip_with(order("ord_1", 40.0))
    receive(trip, fix(0.0, 0.0))
    routed(trip)
    receive(trip, *(fix(n, 7.0 * n) for n in range(1, 20)))
    return trip


def test_late_fixes_that_refute_the_newest_leave_the_marker_until_the_next() -> None:
    """The marker never goes back in time; it follows the next true fix at once."""
    trip = trip_with(order("ord_1", 40.0))
    false = fix(10.0, 50.0, lat=STREET + FAR)
    receive(trip, false, *(fix(n, 5.0 * n) for n in range(10)))
    assert trip.position == false
    last = trip.track.last_believed
    assert last is not None and last.fix == fix(9, 45.0)
    receive(trip, fix(11, 55.0))
    assert trip.position == fix(11, 55.0)
    assert trip.visible["ord_1"].trail.places == [fix(11, 55.0).lonlat]


def test_a_trip_goes_on_from_what_is_known() -> None:
    """After a restart the marker is at the same fix."""
    known = [JudgedFix(fix(n, n), fix(n, n).recorded_at, NOW, judged=True) for n in range(3)]
    trip = Trip(_begun().driver, known)
    assert trip.position == trip.track.newest == fix(2, 2)
