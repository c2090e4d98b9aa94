"""A stop without a route: a straight line for its customer, and a good forecast for others."""

from datetime import timedelta
from itertools import pairwise

import pytest

from tests.domain.test_trip import NOW, at, fix, order, trip_with
from tracker.domain.area import Area
from tracker.domain.eta.model import STRAIGHT_SPEED
from tracker.domain.geo import LonLat, distance
from tracker.domain.route import Leg, Route, Stop
from tracker.domain.route_requests import REROUTE_PAUSE
from tracker.domain.trip import Trip

SPEED = 8.0  # m/s on the streets
CAR = STRAIGHT_SPEED["car"]
MAP = Area(24.9, 60.1, 25.1, 60.2)


def routed(trip: Trip, *straight: int) -> Trip:
    """Return a route through the stops whose legs with these indices are straight lines."""
    newest = trip.track.newest
    assert newest is not None
    places = [newest.lonlat, *(stop.at for stop in trip.ahead)]
    legs = tuple(
        Leg(
            (a, b), distance(a, b), distance(a, b) / (CAR if n in straight else SPEED), straight=n in straight
        )
        for n, (a, b) in enumerate(pairwise(places))
    )
    trip.take_route(Route(trip.ahead, legs))
    return trip


def on_the_road(*steps: float) -> Trip:
    shown = {"position": "always", "route": "always"}
    trip = trip_with(*(order(f"ord_{n}", at, visibility=shown) for n, at in enumerate(steps)))
    trip.receive_fix(fix(0.0, 0.0), NOW)
    return trip


def seconds(trip: Trip, name: str) -> float:
    eta = trip.eta(name, NOW)
    assert eta.arrives_at is not None
    return (eta.arrives_at - NOW).total_seconds()


def test_each_leg_counts_as_it_can_be_driven() -> None:
    """By street, straight to an island and back, and by street again."""
    trip = routed(on_the_road(20.0, 30.0, 40.0, 60.0), 1, 2)
    assert [trip.eta(f"ord_{n}", NOW).basis for n in range(4)] == ["route", *["straight_line"] * 3]
    metres = [trip.eta(f"ord_{n}", NOW).distance_m for n in range(4)]
    assert metres == pytest.approx([distance(at(0.0), at(far)) for far in (20.0, 30.0, 40.0, 60.0)], rel=0.01)
    island = seconds(trip, "ord_1") - seconds(trip, "ord_0")
    assert island == pytest.approx(distance(at(20.0), at(30.0)) / CAR + 60.0, rel=0.2)
    assert [bool(trip.view(f"ord_{n}", NOW).route) for n in range(4)] == [True, False, False, False]


def test_on_the_way_to_it_the_straight_line_is_from_where_the_driver_is() -> None:
    """A driver beside the straight line has not left the route."""
    trip = routed(on_the_road(40.0, 60.0), 0)
    assert trip.eta("ord_0", NOW).basis == trip.eta("ord_1", NOW).basis == "straight_line"
    for n in range(1, 6):
        moment = NOW + timedelta(seconds=30 * n)
        trip.receive_fix(fix(2.0 * n, 30.0 * n, lat=60.178), moment)
        eta = trip.eta("ord_0", moment)
        assert eta.distance_m == pytest.approx(distance(LonLat(at(2.0 * n).lon, 60.178), at(40.0)), rel=1e-6)
        assert trip.route is not None
        assert trip.position is not None and trip.position.lat == 60.178


def test_the_router_is_asked_again_once_the_driver_has_moved() -> None:
    """Until then the answer would be the same."""
    trip = on_the_road(40.0)
    trip.note_route_request(NOW)
    routed(trip, 0)
    later = NOW + REROUTE_PAUSE
    assert not trip.wants_route(later)
    trip.receive_fix(fix(1.0, 10.0), later)
    assert trip.wants_route(later)


def test_a_stop_far_off_the_map_is_served_last() -> None:
    """Later stops of its order follow it, so that other forecasts do not wait."""
    far = LonLat(0.0, 0.0)
    stops = [
        Stop("ord_1", "pickup", far),
        Stop("ord_2", "pickup", at(1.0)),
        Stop("ord_1", "dropoff", at(2.0)),
        Stop("ord_3", "dropoff", far),
        Stop("ord_2", "dropoff", at(3.0)),
    ]
    keys = [(stop.order_id, stop.kind) for stop in MAP.far_last(stops)]
    assert keys == [
        ("ord_2", "pickup"),
        ("ord_2", "dropoff"),
        ("ord_1", "pickup"),
        ("ord_1", "dropoff"),
        ("ord_3", "dropoff"),
    ]
    assert MAP.far_last(stops[1:3]) == stops[1:3]
