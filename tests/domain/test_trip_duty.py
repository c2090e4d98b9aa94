"""What customers see while their driver is off duty or on a break, and afterwards."""

from datetime import timedelta

from tests.domain.test_trip import NOW, fix, order, routed, trip_with
from tracker.domain.driver.duty import DutyTimes
from tracker.domain.trip import Trip
from tracker.domain.view import CustomerView

BREAK = DutyTimes().change("on_break", NOW + timedelta(seconds=10))
WORKING = BREAK.change("on", NOW + timedelta(seconds=20))


def view(trip: Trip, seconds: float) -> CustomerView:
    return trip.view("ord_1", NOW + timedelta(seconds=seconds))


def drive(trip: Trip, steps: float, seconds: float) -> None:
    trip.receive_fix(fix(steps, seconds), NOW + timedelta(seconds=seconds))


def trip_before_the_break() -> Trip:
    trip = trip_with(order("ord_1", 40.0))
    drive(trip, 0.0, 0.0)
    routed(trip)
    drive(trip, 1.0, 5.0)
    return trip


def places(found: CustomerView) -> list[float]:
    """The longitudes of all that the customer sees of where the driver is or was, in steps from the begin."""
    shown = [] if found.trail is None else list(found.trail.places)
    shown += [] if found.position is None else [found.position.lonlat]
    return [round((place.lon - 24.94) / 0.001, 1) for place in (*shown, *found.route[:1])]


def test_a_break_hides_the_position_and_keeps_the_forecast() -> None:
    """The forecast follows the driver, without metres and in whole minutes."""
    trip = trip_before_the_break()
    assert view(trip, 9).visibility == "live"
    trip.change_duty(BREAK)
    drive(trip, 2.0, 12.0)
    found = view(trip, 13)
    assert (found.visibility, found.position, found.trail, found.route) == ("hidden", None, None, ())
    assert found.eta is not None
    assert found.eta.arrives_at is not None
    assert (found.eta.distance_m, found.eta.arrives_at.second) == (None, 0)


def test_nothing_of_a_break_is_shown_later() -> None:
    """The place of the break stays hidden until there is a newer fix, and is in no trail and no route."""
    trip = trip_before_the_break()
    trip.change_duty(BREAK)
    drive(trip, 3.0, 12.0)
    drive(trip, 4.0, 15.0)
    trip.change_duty(WORKING)
    assert view(trip, 21).visibility == "hidden"
    drive(trip, 10.0, 25.0)
    drive(trip, 11.0, 30.0)
    found = view(trip, 31)
    assert found.visibility == "live"
    assert min(places(found)) >= 10.0


def test_a_backlog_of_a_break_is_not_shown() -> None:
    """Fixes of the break that come after it, oldest first, each the newest so far."""
    trip = trip_before_the_break()
    trip.change_duty(WORKING)
    for steps, seconds in ((3.0, 12.0), (4.0, 19.0)):
        trip.receive_fix(fix(steps, seconds), NOW + timedelta(seconds=25))
        assert view(trip, 25).position is None
    trip.receive_fix(fix(5.0, 21.0), NOW + timedelta(seconds=25))
    assert min(places(view(trip, 25))) >= 5.0


def test_off_duty_hides_the_last_position_at_once() -> None:
    """Without any fix; and the way that was driven off duty is in no trail and no route afterwards."""
    trip = trip_before_the_break()
    off = DutyTimes().change("off", NOW + timedelta(seconds=10))
    trip.change_duty(off)
    assert (view(trip, 10).position, view(trip, 10).freshness) == (None, "none")
    trip.change_duty(off.change("on", NOW + timedelta(seconds=60)))
    drive(trip, 10.0, 61.0)
    drive(trip, 11.0, 65.0)
    assert min(places(view(trip, 66))) >= 10.0
