"""One driver working through one route."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from tracker.domain.eta.model import EtaModels
from tracker.domain.eta.speed_factor import SpeedFactor
from tracker.domain.geo import LonLat, distance
from tracker.domain.order import Driver, Order, OrderStatus, Place
from tracker.domain.privacy.other_dropoffs import HIDING_RADIUS
from tracker.domain.route import Leg, Route, Stop
from tracker.domain.tracks.fix import Fix
from tracker.domain.trip import OFF_ROUTE_FIXES, Trip
from tracker.domain.view import TRAIL_LENGTH, Arrival, Ending, Trail, view_without_trip

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
STREET = 60.17  # degrees north; all of these tests happen on it, going east
STEP = 0.001  # degrees of longitude, about 55 m


def at(steps: float) -> LonLat:
    return LonLat(24.94 + steps * STEP, STREET)


def fix(steps: float, seconds: float, *, lat: float = STREET) -> Fix:
    return Fix(NOW + timedelta(seconds=seconds), lat, at(steps).lon, accuracy=5.0, speed=8.0)


def order(name: str, steps: float, **more: object) -> Order:
    place = at(steps)
    dropoff = Place(place.lat, place.lon)
    fields = {"status": OrderStatus.PICKED_UP, "driver_id": "drv_1", **more}
    return Order(id=name, created_at=NOW, pickup=Place(STREET, 24.93), dropoff=dropoff, **fields)  # type: ignore[arg-type]


def trip_with(*orders: Order) -> Trip:
    trip = Trip(Driver(id="drv_1", number=1, name="Aino Korhonen", vehicle="car", created_at=NOW))
    trip.replan(orders, [Stop(one.id, "dropoff", one.dropoff.lonlat, 60.0) for one in orders])
    return trip


def routed(trip: Trip, start: float = 0.0) -> Trip:
    places = [at(start), *(stop.at for stop in trip.stops)]
    legs = tuple(Leg((a, b), distance(a, b), distance(a, b) / 8.0) for a, b in pairwise(places))
    trip.take_route(Route(trip.stops, legs))
    return trip


def test_a_fix_moves_the_driver_along_the_route() -> None:
    """Position, distance and arrival follow the newest fix."""
    trip = trip_with(order("ord_1", 40.0))
    trip.receive_fix(fix(0.0, 0.0), NOW)
    routed(trip)
    before = trip.view("ord_1", NOW)
    later = NOW + timedelta(seconds=30)
    trip.receive_fix(fix(5.0, 30.0), later)
    after = trip.view("ord_1", later)
    assert after.position == fix(5.0, 30.0)
    assert after.eta is not None and before.eta is not None
    assert after.eta.basis == "route"
    assert after.eta.distance_m == pytest.approx((before.eta.distance_m or 0.0) - 5 * 55.3, abs=5.0)


def test_without_a_route_the_forecast_says_that_it_is_a_straight_line() -> None:
    """The ETA states its basis, and a view needs no fix."""
    trip = trip_with(order("ord_1", 40.0))
    nothing = trip.view("ord_1", NOW)
    assert nothing.eta is not None and (nothing.eta.basis, nothing.eta.arrives_at) == ("none", None)
    assert (nothing.position, nothing.freshness) == (None, "none")
    trip.receive_fix(fix(0.0, 0.0), NOW)
    eta = trip.view("ord_1", NOW).eta
    assert eta is not None and eta.basis == "straight_line"


def test_three_fixes_off_the_route_ask_for_a_new_one() -> None:
    """One stray fix changes nothing, and requests are at least ten seconds apart."""
    trip = trip_with(order("ord_1", 40.0))
    trip.receive_fix(fix(0.0, 0.0), NOW)
    assert trip.wants_route(NOW)
    trip.note_route_request(NOW)
    routed(trip)
    for n in range(1, OFF_ROUTE_FIXES + 1):
        moment = NOW + timedelta(seconds=20 + n)
        assert not trip.wants_route(moment)
        trip.receive_fix(fix(float(n), 20.0 + n, lat=STREET + 0.0006), moment)
    assert trip.wants_route(NOW + timedelta(seconds=30))
    trip.note_route_request(NOW + timedelta(seconds=30))
    assert not trip.wants_route(NOW + timedelta(seconds=31))


def test_stops_of_others_come_first_and_are_not_shown() -> None:
    """The second customer sees one stop before, and a route that begins after the first door."""
    trip = trip_with(order("ord_1", 20.0), order("ord_2", 40.0))
    trip.receive_fix(fix(0.0, 0.0), NOW)
    routed(trip)
    second = trip.view("ord_2", NOW)
    assert second.stops_before == 1
    assert second.route
    assert all(distance(place, at(20.0)) >= HIDING_RADIUS - 1.0 for place in second.route)
    assert second.route[0].lon > at(20.0).lon
    first = trip.view("ord_1", NOW)
    assert first.stops_before == 0
    assert distance(first.route[0], at(0.0)) < 0.01


def test_only_stops_of_other_orders_are_counted() -> None:
    """An order's own pickup does not count as a stop before its dropoff."""
    orders = order("ord_1", 20.0), order("ord_2", 40.0)
    trip = trip_with(*orders)
    here = at(20.0)
    own = Stop("ord_1", "pickup", here), Stop("ord_1", "dropoff", here)
    trip.replan(orders, (own[0], Stop("ord_2", "dropoff", here), own[1]))
    assert [trip.route_progress.stops_before(index) for index in range(3)] == [0, 1, 1]
    assert trip.view("ord_1", NOW).stops_before == 1


def test_near_another_customers_door_nothing_is_shown_then_or_later() -> None:
    """The trail of the second customer never goes through the first one's street."""
    trip = routed(trip_with(order("ord_1", 20.0), order("ord_2", 40.0)))
    for n in range(30):
        moment = NOW + timedelta(seconds=5 * n)
        trip.receive_fix(fix(float(n), 5.0 * n), moment)
        view = trip.view("ord_2", moment)
        near = distance(at(float(n)), at(20.0)) <= HIDING_RADIUS
        assert (view.position is None, view.visibility) == ((True, "hidden") if near else (False, "live"))
        if near:
            assert (view.route, view.trail, view.freshness) == ((), None, "none")
    assert all(distance(place, at(20.0)) > HIDING_RADIUS for place in trip.visible["ord_2"].trail.places)
    assert trip.visible["ord_2"].trail.places[0].lon > at(20.0).lon


@pytest.mark.parametrize(
    ("age", "freshness"), [(0.0, "live"), (15.0, "live"), (16.0, "stale"), (120.0, "stale"), (121.0, "lost")]
)
def test_freshness_is_told_by_age_alone(age: float, freshness: str) -> None:
    """Freshness becomes live, stale and lost without a new fix."""
    trip = trip_with(order("ord_1", 40.0, visibility={"position": "always"}))
    trip.receive_fix(fix(0.0, 0.0), NOW)
    assert trip.view("ord_1", NOW + timedelta(seconds=age)).freshness == freshness


def test_a_driver_who_reports_seldom_stays_live_longer() -> None:
    """Live lasts three median intervals if that exceeds 15 seconds."""
    trip = trip_with(order("ord_1", 40.0, visibility={"position": "always"}))
    for n in range(5):
        trip.receive_fix(fix(float(n), 20.0 * n), NOW + timedelta(seconds=20 * n))
    assert trip.view("ord_1", NOW + timedelta(seconds=80 + 59)).freshness == "live"
    assert trip.view("ord_1", NOW + timedelta(seconds=80 + 61)).freshness == "stale"


def test_an_order_that_nobody_carries_shows_nobody() -> None:
    """The view is hidden before the trip and ended after it."""
    assert view_without_trip(order("ord_1", 1.0, status=OrderStatus.CREATED)).visibility == "hidden"
    over = order("ord_1", 1.0, status=OrderStatus.DELIVERED, delivered_at=NOW)
    assert view_without_trip(over).visibility == "ended"
    assert view_without_trip(over).driver is None


def test_a_delivered_order_keeps_its_courier_and_a_failed_one_its_outcome() -> None:
    """Who delivered it, or why it failed, without a position."""
    aino = Driver(id="drv_1", number=1, name="Aino Korhonen", vehicle="car", created_at=NOW)
    over = order("ord_1", 1.0, status=OrderStatus.DELIVERED, delivered_at=NOW)
    delivered = view_without_trip(over, Ending(driver=aino))
    assert (delivered.driver, delivered.position, delivered.visibility) == (aino, None, "ended")
    assert view_without_trip(over, Ending(outcome="not_home")).outcome == "not_home"


def test_the_first_forecast_after_the_pickup_stays_and_so_does_the_arrival() -> None:
    """Both begin with the pickup, are hidden with the ETA, and end with another status."""
    trip = trip_with(order("ord_1", 40.0, status=OrderStatus.ASSIGNED))
    trip.receive_fix(fix(0.0, 0.0), NOW)
    trip.note_arrivals({"ord_1": NOW})
    assert trip.view("ord_1", NOW).arrival == Arrival()
    carried = order("ord_1", 40.0)
    trip.replan([carried], trip.stops)
    first = trip.view("ord_1", NOW).eta
    later = NOW + timedelta(minutes=10)
    trip.receive_fix(fix(1.0, 600.0), later)
    trip.note_arrivals({"ord_1": later})
    assert first is not None and first.arrives_at is not None
    assert trip.view("ord_1", later).arrival == Arrival(first.arrives_at, later)
    hidden = order("ord_1", 40.0, visibility={"eta": "never"})
    trip.replan([hidden], trip.stops)
    assert trip.view("ord_1", later).arrival is None
    trip.replan([order("ord_1", 40.0, status=OrderStatus.ASSIGNED)], trip.stops)
    assert trip.view("ord_1", later).arrival == Arrival()


def test_new_stops_drop_the_route_and_keep_the_trail() -> None:
    """A second order changes the route, but the first customer's trail stays."""
    trip = trip_with(order("ord_1", 40.0))
    trip.receive_fix(fix(0.0, 0.0), NOW)
    routed(trip)
    trip.receive_fix(fix(1.0, 5.0), NOW + timedelta(seconds=5))
    trip.replan(
        [order("ord_1", 40.0), order("ord_2", 50.0)],
        [Stop("ord_1", "dropoff", at(40.0)), Stop("ord_2", "dropoff", at(50.0))],
    )
    assert trip.route is None
    assert trip.wants_route(NOW + timedelta(seconds=6))
    assert len(trip.visible["ord_1"].trail.places) == 2
    assert trip.visible["ord_2"].trail.places == []


def test_a_trail_is_bounded_and_says_when_it_was_thinned() -> None:
    """A day's trail holds at most a thousand places and ends at the newest."""
    trail = Trail()
    for n in range(3 * TRAIL_LENGTH):
        trail.grow(at(float(n)))
    assert len(trail.places) <= TRAIL_LENGTH
    assert trail.places[-1] == at(3.0 * TRAIL_LENGTH - 1)
    assert trail.version > 0


@pytest.mark.parametrize("seconds", [-7_200.0, -5.0, 0.0, 86_400.0])
def test_a_clock_that_steps_makes_no_forecast_negative(seconds: float) -> None:
    """The arrival is never before the server's time, and lies within the interval."""
    trip = routed(trip_with(order("ord_1", 40.0)))
    trip.receive_fix(fix(0.0, 0.0), NOW)
    for step in (0.0, seconds):
        now = NOW + timedelta(seconds=step)
        eta = trip.eta("ord_1", now)
        assert eta.earliest is not None and eta.arrives_at is not None and eta.latest is not None
        assert now <= eta.earliest <= eta.arrives_at <= eta.latest


def test_a_driver_who_goes_home_instead_is_forecast_all_the_same() -> None:
    """Off the route, forecasts are never negative, and a new route is requested."""
    trip = trip_with(order("ord_1", 40.0))
    trip.receive_fix(fix(0.0, 0.0), NOW)
    routed(trip)
    for n in range(1, 40):
        moment = NOW + timedelta(seconds=20 * n)
        trip.receive_fix(fix(-2.0 * n, 20.0 * n), moment)
        eta = trip.eta("ord_1", moment)
        assert eta.arrives_at is not None
        assert eta.arrives_at >= moment
    assert trip.wants_route(moment)


def test_stops_in_one_place_and_in_the_sea_are_forecast() -> None:
    """A leg without length, and one without a street."""
    trip = trip_with(order("ord_1", 0.0), order("ord_2", 0.0), order("ord_3", 4_000.0))
    trip.receive_fix(fix(0.0, 0.0), NOW)
    assert trip.eta("ord_3", NOW).basis == "straight_line"
    routed(trip)
    etas = [trip.eta(name, NOW) for name in ("ord_1", "ord_2", "ord_3")]
    assert [eta.basis for eta in etas] == ["route"] * 3
    arrivals = [eta.arrives_at for eta in etas if eta.arrives_at is not None]
    assert NOW <= arrivals[0] <= arrivals[1] <= arrivals[2]


def test_a_stop_that_was_served_is_not_driven_back_to() -> None:
    """A driver who stood at the door and drove on has left it, before any change of status."""
    trip = routed(trip_with(order("ord_1", 10.0), order("ord_2", 40.0)))
    seconds = 0.0
    for steps in (*range(11), *[10] * 8, *range(11, 16)):
        seconds += 7.0
        reading = Fix(NOW + timedelta(seconds=seconds), STREET, at(float(steps)).lon, 5.0, 8.0, 90.0)
        if steps == 10:
            reading = Fix(reading.recorded_at, reading.lat, reading.lon, 5.0, 0.0)
        trip.receive_fix(reading, reading.recorded_at)
    assert [stop.order_id for stop in trip.ahead] == ["ord_2"]
    lesson = trip.arrived("ord_2", "dropoff", NOW + timedelta(seconds=seconds + 300))
    assert lesson is not None and lesson.dwell is not None
    assert 45.0 <= lesson.dwell.seconds <= 65.0


def test_one_fix_has_one_forecast_until_something_else_is_known() -> None:
    """A forecast is cached until the model, speed factor, route, fix or stops change."""
    trip = routed(trip_with(order("ord_1", 40.0)))
    first = fix(1.0, 5.0)
    trip.receive_fix(first, NOW)
    seen = trip.route_progress.forecast(0, first)
    assert trip.route_progress.forecast(0, first) is seen
    trip.set_model(EtaModels())
    again = trip.route_progress.forecast(0, first)
    assert again is not seen and again == seen
    trip.route_progress.speed_factor = SpeedFactor(900.0, 450.0)
    slower = trip.route_progress.forecast(0, first)
    assert slower.seconds > seen.seconds
    trip.route_progress.usual = {}
    assert trip.route_progress.forecast(0, first) is not slower
    routed(trip, 10.0)
    assert trip.route_progress.forecast(0, first) != slower
    second = fix(2.0, 10.0)
    trip.receive_fix(second, NOW)
    assert trip.route_progress.forecast(0, second).metres < seen.metres
    trip.replan(list(trip.orders.values()), (*trip.stops, Stop("ord_2", "dropoff", at(80.0))))
    assert trip.route_progress.forecast(0, second).basis == "straight_line"


def test_progress_never_runs_backwards_on_a_clean_track() -> None:
    """Nor does the forecast jump to a later leg where the route passes the same place again."""
    there_and_back = [order("ord_1", 30.0), order("ord_2", 0.0)]
    trip = routed(trip_with(*there_and_back))
    along = []
    for n in range(28):
        reading = Fix(NOW + timedelta(seconds=7 * n), STREET, at(float(n)).lon, 5.0, 8.0, 90.0)
        trip.receive_fix(reading, reading.recorded_at)
        assert trip.progress is not None
        along.append(trip.progress.along_m)
    assert all(a <= b for a, b in pairwise(along))
    assert along[-1] == pytest.approx(27 * 55.3, abs=5.0)
