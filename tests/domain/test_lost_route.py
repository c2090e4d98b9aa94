"""A route that the driver has left is dropped if none replaces it, and not earlier."""

from datetime import timedelta

import pytest

from tests.domain.test_trip import NOW, STREET, at, fix, order, routed, trip_with
from tracker.domain.geo import distance
from tracker.domain.trip import OFF_ROUTE_FIXES, Trip

BESIDE = STREET + 0.0006  # 67 m from the street


def on_the_road() -> Trip:
    trip = trip_with(order("ord_1", 40.0, visibility={"route": "always"}))
    trip.receive_fix(fix(0.0, 0.0), NOW)
    return routed(trip)


def drive(trip: Trip, begin: float, count: int, *, lat: float) -> None:
    """One fix a second, from the second and step *begin*."""
    for n in range(count):
        seconds = begin + n
        trip.receive_fix(fix(seconds / 7.0, seconds, lat=lat), NOW + timedelta(seconds=seconds))


def basis(trip: Trip, seconds: float) -> str:
    return trip.eta("ord_1", NOW + timedelta(seconds=seconds)).basis


@pytest.mark.parametrize("unroutable", [True, False])
def test_a_route_that_cannot_be_renewed_is_dropped_in_that_moment(unroutable: bool) -> None:
    """Without a new route, the forecast is a straight line, and no line is visible."""
    trip = on_the_road()
    drive(trip, 1.0, OFF_ROUTE_FIXES, lat=BESIDE)
    assert basis(trip, 4.0) == "route"
    trip.note_route_request(NOW + timedelta(seconds=3))
    trip.handle_no_route(unroutable=unroutable)
    eta = trip.eta("ord_1", NOW + timedelta(seconds=4))
    assert (eta.basis, trip.route) == ("straight_line", None)
    newest = trip.track.newest
    assert newest is not None and eta.distance_m == pytest.approx(distance(newest.lonlat, at(40.0)))
    assert trip.view("ord_1", NOW + timedelta(seconds=4)).route == ()


def test_a_driver_who_is_on_the_route_keeps_it_though_the_router_fails() -> None:
    """Noise, two fixes on a parallel street, or a return before the answer keep the route."""
    trip = on_the_road()
    drive(trip, 1.0, OFF_ROUTE_FIXES - 1, lat=BESIDE)
    trip.handle_no_route(unroutable=True)
    assert basis(trip, 3.0) == "route"
    drive(trip, 3.0, OFF_ROUTE_FIXES, lat=BESIDE)
    drive(trip, 6.0, 1, lat=STREET)
    trip.handle_no_route(unroutable=False)
    assert basis(trip, 7.0) == "route"


def test_a_route_is_dropped_where_no_answer_comes() -> None:
    """The timer drops it, and so does the next fix."""
    for by_timer in (True, False):
        trip = on_the_road()
        drive(trip, 1.0, OFF_ROUTE_FIXES, lat=BESIDE)
        assert not trip.drop_outdated_route(NOW + timedelta(seconds=7))
        if by_timer:
            assert trip.drop_outdated_route(NOW + timedelta(seconds=8))
            assert not trip.drop_outdated_route(NOW + timedelta(seconds=9))
        else:
            drive(trip, 8.0, 1, lat=BESIDE)
        assert basis(trip, 9.0) == "straight_line"


def test_one_fix_far_away_is_enough() -> None:
    """After a fix kilometres away and silence, the old route is not used."""
    trip = on_the_road()
    trip.receive_fix(fix(1.0, 600.0, lat=STREET + 0.05), NOW + timedelta(seconds=600))
    assert basis(trip, 600.0) == "straight_line"
    assert trip.wants_route(NOW + timedelta(seconds=600))


def test_an_inaccurate_fix_far_away_is_not_enough() -> None:
    """The fix lies within twice its accuracy."""
    trip = on_the_road()
    rough = fix(1.0, 600.0, lat=STREET + 0.005)
    trip.receive_fix(type(rough)(rough.recorded_at, rough.lat, rough.lon, accuracy=150.0), NOW)
    assert basis(trip, 600.0) == "route"


def test_the_route_returns_when_the_router_has_one() -> None:
    """After NoRoute once the driver has moved; after no answer even without moving."""
    for unroutable in (True, False):
        trip = on_the_road()
        drive(trip, 1.0, OFF_ROUTE_FIXES, lat=BESIDE)
        trip.note_route_request(NOW + timedelta(seconds=4))
        trip.handle_no_route(unroutable=unroutable)
        assert not trip.wants_route(NOW + timedelta(seconds=13))
        assert trip.wants_route(NOW + timedelta(seconds=14)) is not unroutable
        drive(trip, 15.0, 1, lat=BESIDE)
        assert trip.wants_route(NOW + timedelta(seconds=15))
        routed(trip)
        assert basis(trip, 15.0) == "route"
