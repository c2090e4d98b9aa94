"""Which doors hide a trip's driver, from whom, and until when."""

from datetime import timedelta

import msgspec
import pytest

from tests.domain.test_trip import NOW, at, fix, order, routed, trip_with
from tracker.domain.geo import LonLat, distance
from tracker.domain.order import Customer, Order, OrderStatus
from tracker.domain.privacy.other_dropoffs import HIDING_RADIUS, Door, Doors, EndedDoor, contacts
from tracker.domain.route import Stop
from tracker.domain.tracks.fix import JudgedFix
from tracker.domain.trip import Trip
from tracker.domain.view import CustomerView

SHOWN = {"visibility": {"position": "always", "route": "always"}}
A, B = 20.0, 60.0  # steps along the street: two doors, 2.2 km apart


def two_orders(**more: object) -> Trip:
    """Return a trip that serves A, then B, whose customer may see everything not hidden."""
    trip = trip_with(order("ord_a", A, **SHOWN), order("ord_b", B, **SHOWN, **more))
    trip.receive_fix(fix(0.0, 0.0), NOW)
    return routed(trip)


def drive(trip: Trip, steps: float, seconds: float) -> CustomerView:
    """Move the driver and return the view of B's customer."""
    now = NOW + timedelta(seconds=seconds)
    trip.receive_fix(fix(steps, seconds), now)
    return trip.view("ord_b", now)


def finish(trip: Trip, order_id: str) -> None:
    """Remove the order from the trip, as a final status or a reassignment does."""
    trip.release(order_id)
    left = [one for one in trip.orders.values() if one.id != order_id]
    trip.replan(left, [stop for stop in trip.stops if stop.order_id != order_id])


def everything(view: CustomerView) -> list[LonLat]:
    """Return every place of the driver in a customer's view."""
    trail = [] if view.trail is None else view.trail.places
    return [*view.route, *trail, *([] if view.position is None else [view.position.lonlat])]


def is_hidden(view: CustomerView) -> bool:
    return (view.visibility, view.position, view.route, view.trail) == ("hidden", None, (), None)


def test_a_door_hides_the_driver_until_they_have_left_it() -> None:
    """A driver who stands there after the delivery would disclose the door."""
    trip = two_orders()
    assert is_hidden(drive(trip, A, 60.0))
    finish(trip, "ord_a")
    assert is_hidden(trip.view("ord_b", NOW + timedelta(seconds=61)))
    assert is_hidden(drive(trip, A + 1.0, 70.0))
    assert drive(trip, A + 2.5, 80.0).visibility == "live"
    assert drive(trip, A + 1.0, 90.0).visibility == "live"  # a closed door that was left may be driven past


def test_a_new_order_does_not_show_the_former_door() -> None:
    """Position, trail and route stay away from the door just served."""
    trip = two_orders()
    drive(trip, A, 60.0)
    finish(trip, "ord_a")
    late = order("ord_c", 80.0, **SHOWN)
    trip.replan([*trip.orders.values(), late], [*trip.stops, Stop("ord_c", "dropoff", late.dropoff.lonlat)])
    routed(trip, A)
    assert is_hidden(trip.view("ord_c", NOW + timedelta(seconds=61)))
    for n in range(1, 12):
        drive(trip, A + n * 0.5, 60.0 + 10.0 * n)
        view = trip.view("ord_c", NOW + timedelta(seconds=60.0 + 10.0 * n))
        assert all(distance(place, at(A)) > HIDING_RADIUS for place in everything(view))
    assert everything(view)


def test_a_route_taken_at_the_former_door_begins_beyond_it() -> None:
    """The route was requested while the driver stood at the door."""
    trip = two_orders()
    drive(trip, A, 60.0)
    finish(trip, "ord_a")
    drive(trip, A + 4.0, 80.0)
    routed(trip, A)
    view = trip.view("ord_b", NOW + timedelta(seconds=81))
    assert view.route
    assert all(distance(place, at(A)) > HIDING_RADIUS for place in view.route)


def test_noise_at_the_edge_is_not_leaving() -> None:
    """A fix that may lie outside only by its error does not count as leaving."""
    trip = two_orders()
    drive(trip, A, 60.0)
    finish(trip, "ord_a")
    noisy = msgspec.structs.replace(fix(A + 2.2, 70.0), accuracy=60.0)
    trip.receive_fix(noisy, NOW + timedelta(seconds=70))
    assert is_hidden(drive(trip, A + 1.7, 80.0))


def test_an_order_taken_away_far_off_hides_nothing_after_the_next_fix() -> None:
    """If the order is cancelled or reassigned, one fix elsewhere ends its door."""
    trip = two_orders()
    drive(trip, 5.0, 30.0)
    finish(trip, "ord_a")
    drive(trip, 6.0, 35.0)
    assert drive(trip, A, 120.0).visibility == "live"


def test_a_door_that_moves_stays_hidden_until_it_is_left() -> None:
    """After a correction of the address, the old door still hides a driver who is there."""
    trip = two_orders()
    drive(trip, A, 60.0)
    moved = order("ord_a", A + 10.0, **SHOWN)
    stops = [Stop("ord_a", "dropoff", moved.dropoff.lonlat), trip.stops[1]]
    trip.replan([moved, trip.orders["ord_b"]], stops)
    assert is_hidden(trip.view("ord_b", NOW + timedelta(seconds=61)))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Customer(phone="+358 40 1234567"), Customer(phone="0035840-123 45 67")),
        (Customer(phone="+358 (0)40 123 4567"), Customer(name="Other", phone="+358401234567")),
        (Customer(phone="+49 170 1234567"), Customer(phone="0170/123 45 67")),
        (Customer(phone="+1 555 123 4567"), Customer(phone="(555) 123-4567")),
        (Customer(phone="\uff10\uff14\uff10 1234567"), Customer(phone="040/1234567")),
        (Customer(email="Aino.Korhonen@Example.com"), Customer(email=" aino.korhonen@example.COM ")),
        (Customer(phone="040 1", email="a@b.example"), Customer(phone="050 7654321", email="A@b.example")),
    ],
)
def test_one_customer_sees_the_driver_at_both_of_their_doors(first: Customer, second: Customer) -> None:
    """A phone number or an e-mail address in any spelling is enough."""
    trip = trip_with(order("ord_a", A, customer=first, **SHOWN), order("ord_b", B, customer=second, **SHOWN))
    trip.receive_fix(fix(0.0, 0.0), NOW)
    routed(trip)
    view = drive(trip, A, 60.0)
    assert view.visibility == "live"
    assert view.route and view.trail is not None and len(view.trail.places) == 2
    assert view.eta is not None and view.eta.distance_m is not None
    finish(trip, "ord_a")
    assert trip.view("ord_b", NOW + timedelta(seconds=61)).visibility == "live"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (None, None),
        (Customer(), Customer()),
        (Customer(name="Aino"), Customer(name="Aino")),
        (Customer(phone=""), Customer(phone="")),
        (Customer(phone="-", email="-"), Customer(phone="-", email="-")),
        (Customer(phone="0000000000"), Customer(phone="0000000000")),
        (Customer(phone="n/a", email="@"), Customer(phone="n/a", email="@")),
        (Customer(phone="+358401234567"), Customer(phone="+358401234568")),
    ],
)
def test_what_identifies_nobody_makes_nobody_one_customer(
    first: Customer | None, second: Customer | None
) -> None:
    """No contact, only a name, or a placeholder."""
    assert contacts(first).isdisjoint(contacts(second))


@pytest.mark.parametrize(
    ("metres", "shown"), [(5.0, "live"), (29.0, "live"), (31.0, "hidden"), (90.0, "hidden")]
)
def test_doors_of_one_house_do_not_hide_the_driver_from_each_other(metres: float, shown: str) -> None:
    """Up to 30 m apart."""
    near = A + metres / 55.33
    trip = trip_with(order("ord_a", A, **SHOWN), order("ord_b", near, **SHOWN))
    trip.receive_fix(fix(0.0, 0.0), NOW)
    assert drive(trip, A, 60.0).visibility == shown


def test_a_changed_phone_number_counts_at_once() -> None:
    """Two orders become one customer's, and stop being so."""
    trip = two_orders(customer=Customer(phone="+358401234567"))
    drive(trip, A, 60.0)
    same = order("ord_a", A, customer=Customer(phone="+358401234567"), **SHOWN)
    trip.replan([same, trip.orders["ord_b"]], trip.stops)
    assert trip.view("ord_b", NOW + timedelta(seconds=61)).visibility == "live"
    trip.replan([order("ord_a", A, **SHOWN), trip.orders["ord_b"]], trip.stops)
    assert is_hidden(trip.view("ord_b", NOW + timedelta(seconds=62)))


def test_near_a_door_the_forecast_does_not_tell_how_far_the_driver_is() -> None:
    """No distance, and whole minutes: exact values would disclose the door."""
    trip = two_orders()
    before = drive(trip, A - 3.0, 40.0)
    assert before.eta is not None and before.eta.distance_m is not None
    exact, told = trip.eta("ord_b", NOW), drive(trip, A - 1.0, 50.0).eta
    assert exact.distance_m is not None
    assert told is not None and told.distance_m is None and told.basis == exact.basis
    times = (told.earliest, told.arrives_at, told.latest)
    assert all(time is not None and (time.second, time.microsecond) == (0, 0) for time in times)
    assert sorted(times, key=str) == list(times)
    finish(trip, "ord_a")
    still = trip.view("ord_b", NOW + timedelta(seconds=51)).eta
    assert still is not None and still.distance_m is None


def test_no_straight_piece_of_a_trail_leads_past_a_door() -> None:
    """With the door between two places outside its radius, the trail restarts at the second."""
    trip = two_orders()
    drive(trip, A - 2.5, 40.0)
    view = drive(trip, A + 2.5, 70.0)
    assert view.trail is not None and view.trail.places == [at(A + 2.5)]


def ended(steps: float, seconds: float) -> EndedDoor:
    return EndedDoor(Door("ord_a", at(steps)), NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("driver_at", "heard", "hidden"),
    [
        (A, 100.0, True),  # still there
        (A + 10.0, 100.0, False),  # seen elsewhere since
        (A + 10.0, -100.0, True),  # heard last on the way there
    ],
)
def test_after_a_restart_the_newest_fix_says_whether_a_door_was_left(
    driver_at: float, heard: float, *, hidden: bool
) -> None:
    """The ended doors come from the database."""
    newest, trip = fix(driver_at, heard), two_orders()
    finish(trip, "ord_a")
    trip = Trip(trip.driver, [JudgedFix(newest, newest.recorded_at, NOW, judged=True)])
    trip.replan([order("ord_b", B, **SHOWN)], [Stop("ord_b", "dropoff", at(B))])
    trip.doors.restore([ended(A, 0.0)], newest)
    assert trip.doors.hide("ord_b", at(A)) is (hidden and driver_at == A)
    assert (at(A) in trip.doors.others("ord_b")) is hidden
    drive(trip, A + 12.0, 200.0)
    assert drive(trip, A, 400.0).visibility == "live"


def test_a_stop_whose_order_is_not_known_yet_hides_the_driver() -> None:
    """Orders and stops are loaded one after the other."""
    doors = Doors(at(A))
    doors.take([order("ord_b", B)], [Stop("ord_x", "dropoff", at(A)), Stop("ord_b", "dropoff", at(B))])
    assert doors.hide("ord_b", at(A))
    assert doors.others("ord_x") == (at(B),)


def test_ended_doors_are_bounded() -> None:
    """The oldest are evicted first."""
    doors = Doors(at(A))
    doors.restore([EndedDoor(Door(f"ord_{n}", at(n / 10.0)), NOW) for n in range(500)], None)
    assert len(doors.others("ord_b")) == 100
    assert at(49.9) in doors.others("ord_b")


def waiting(**more: object) -> Order:
    return order("ord_b", B, window_from=NOW + timedelta(hours=3), **SHOWN, **more)


def test_before_its_window_an_order_shows_nothing_of_the_driver() -> None:
    """Until an hour before, unless the order is picked up and comes next."""
    trip = trip_with(order("ord_a", A, **SHOWN), waiting())
    trip.receive_fix(fix(0.0, 0.0), NOW)
    routed(trip)
    view = drive(trip, 2.0, 20.0)
    assert is_hidden(view) and view.eta is None and view.stops_before == 1
    opens = NOW + timedelta(hours=2)
    assert is_hidden(trip.view("ord_b", opens - timedelta(seconds=1)))
    view = trip.view("ord_b", opens)
    assert view.visibility == "live" and view.eta is not None
    assert view.route[0] == pytest.approx(at(2.0), abs=1e-6) or view.route[0].lon > at(A).lon
    finish(trip, "ord_a")
    assert drive(trip, 3.0, 30.0).visibility == "live"
    trip.replan([waiting(status=OrderStatus.ASSIGNED)], trip.stops)
    assert is_hidden(drive(trip, 4.0, 40.0))


def test_an_order_that_nobody_closes_is_hidden_in_time() -> None:
    """Four hours after the arrival, or a day after the last status change."""
    trip = two_orders(assigned_at=NOW)
    day = timedelta(hours=24)
    assert trip.view("ord_b", NOW + day - timedelta(seconds=1)).visibility == "live"
    view = trip.view("ord_b", NOW + day)
    assert is_hidden(view) and view.eta is not None and view.eta.distance_m is None
    trip.note_arrivals({"ord_b": NOW + timedelta(hours=1)})
    hours = timedelta(hours=5)
    assert trip.view("ord_b", NOW + hours - timedelta(seconds=1)).visibility == "live"
    assert is_hidden(trip.view("ord_b", NOW + hours))
