"""What a phone's own navigation says, beside our forecasts."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.eta.device_eta import HOLDS, DeviceEta, DeviceEtaAccuracy, EtaPair
from tracker.domain.eta.model import ArrivalSample, EtaModel, ForecastSample
from tracker.domain.geo import LonLat
from tracker.domain.order import Driver, Order, OrderStatus, Place
from tracker.domain.route import Stop
from tracker.domain.tracks.fix import Fix
from tracker.domain.trip import Trip

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
AGREEING = EtaPair(400.0, 300.0)


def after(arrivals: int, *, ours: float, said: float, real: float = 300.0) -> DeviceEtaAccuracy:
    trust = DeviceEtaAccuracy()
    for _ in range(arrivals):
        trust.learn([(EtaPair(ours, said), real)])
    return trust


def trip_to(*places: tuple[str, float]) -> Trip:
    """A driver at 24.94, and stops so many degrees east of there; no route."""
    trip = Trip(Driver(id="drv", number=1, name="Aino", vehicle="car", created_at=NOW))
    orders = [
        Order(
            id=name,
            created_at=NOW,
            status=OrderStatus.PICKED_UP,
            driver_id="drv",
            pickup=Place(60.17, 24.94),
            dropoff=Place(60.17, 24.94 + east),
        )
        for name, east in places
    ]
    trip.replan(orders, [Stop(each.id, "dropoff", each.dropoff.lonlat, 0.0) for each in orders])
    trip.receive_fix(Fix(NOW, 60.17, 24.94, 5.0), NOW)
    return trip


def to_go(trip: Trip, name: str) -> float:
    trip = trip_again(trip)
    arrives_at = trip.eta(name, NOW).arrives_at
    assert arrives_at is not None
    return (arrives_at - NOW).total_seconds()


def trip_again(trip: Trip) -> Trip:
    """What was shown before does not smooth what is shown now."""
    trip.take_route(None)
    return trip


def test_a_word_counts_for_a_minute() -> None:
    """Time passes in it, and what is over says nothing."""
    saying = DeviceEta(NOW, NOW + timedelta(seconds=50))
    assert saying.seconds(NOW + timedelta(seconds=20)) == 30.0
    assert saying.seconds(NOW + timedelta(seconds=51)) is None
    assert DeviceEta(NOW, NOW + timedelta(hours=1)).seconds(NOW + timedelta(seconds=HOLDS + 1)) is None


def test_unknown_navigation_counts_as_much_as_we_do() -> None:
    """Until something came true the answer lies between both."""
    assert 300.0 < DeviceEtaAccuracy().combine(AGREEING) < 400.0


def test_who_was_right_is_believed() -> None:
    """After many arrivals the answer is that of the one that errs less."""
    assert after(200, ours=500.0, said=300.0).combine(AGREEING) == pytest.approx(300.0, rel=0.05)
    erratic = DeviceEtaAccuracy()
    for said in (150.0, 600.0) * 100:
        erratic.learn([(EtaPair(300.0, said), 300.0)])
    assert erratic.combine(AGREEING) > 380.0


def test_navigation_that_is_always_too_early_is_corrected() -> None:
    """What it says is taken for what it has meant: here half as long again."""
    trust = after(300, ours=600.0, said=200.0)
    assert trust.combine(EtaPair(300.0, 200.0)) == pytest.approx(300.0, rel=0.1)


def test_words_about_another_place_change_nothing() -> None:
    """Three times longer or shorter than our own answer: the driver is guided elsewhere."""
    assert DeviceEtaAccuracy().combine(EtaPair(100.0, 600.0)) == 100.0
    assert after(50, ours=100.0, said=900.0).combine(AGREEING) == DeviceEtaAccuracy().combine(AGREEING)


@given(st.floats(0.0, 1e5), st.floats(0.0, 1e5), st.integers(0, 30), st.floats(0.0, 1e4))
def test_the_answer_is_never_negative_nor_further_than_both(
    ours: float, said: float, arrivals: int, real: float
) -> None:
    """Whatever was learned; a fresh one stays between both."""
    assert after(arrivals, ours=ours, said=said, real=real).combine(EtaPair(ours, said)) >= 0.0
    joined = DeviceEtaAccuracy().combine(EtaPair(ours, said))
    assert min(ours, said) - 1e-6 <= joined <= max(ours, said) + 1e-6


def test_all_stops_are_as_much_later_as_the_next_one() -> None:
    """Forecasts move with what the phone says of the next stop, and back when it guides no longer."""
    trip = trip_to(("a", 0.02), ("b", 0.03))
    first, second = to_go(trip, "a"), to_go(trip, "b")
    trip.set_device_arrival(NOW + timedelta(seconds=1.5 * first), NOW)
    later = to_go(trip, "a") - first
    assert 0.0 < later < 0.5 * first
    assert to_go(trip, "b") - second == pytest.approx(later, abs=0.01)
    trip.set_device_arrival(None, NOW)
    assert to_go(trip, "a") == first


def test_what_was_said_of_a_stop_goes_with_it() -> None:
    """Another next stop: nothing was said of that one."""
    trip = trip_to(("a", 0.02), ("b", 0.03))
    second = trip.stops[1:]
    trip.set_device_arrival(NOW + timedelta(seconds=300), NOW)
    trip.replan([trip.orders["b"]], second)
    assert trip.route_progress.device_eta is None


def test_arrivals_teach_what_navigation_is_worth() -> None:
    """What both said is kept with each forecast, and held against what came true."""
    knowledge = EtaModel()
    told = ForecastSample(NOW, 380.0, (), EtaPair(400.0, 300.0))
    for _ in range(100):
        arrived_at = NOW + timedelta(seconds=300)
        knowledge.learn(
            ArrivalSample(vehicle="car", at=LonLat(24.94, 60.17), arrived_at=arrived_at, told=(told,))
        )
    assert knowledge.navigator.combine(AGREEING) == pytest.approx(300.0, rel=0.05)
