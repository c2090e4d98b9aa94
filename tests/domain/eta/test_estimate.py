"""Forecasts: what holds for every one of them."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.eta.estimate import STALE_AFTER, Eta, Forecast
from tracker.domain.eta.forecast import StopForecasts
from tracker.domain.eta.interval import WIDEST
from tracker.domain.eta.model import DWELL, ROUTER_RATIO, STRAIGHT_SPEED, EtaModel
from tracker.domain.eta.travel_time import TravelTime
from tracker.domain.geo import LonLat, Plane, distance
from tracker.domain.order import Vehicle
from tracker.domain.route import Leg, Progress, Route, Stop
from tracker.domain.tracks.fix import Fix

NOW = datetime(2026, 11, 22, 16, 43, tzinfo=UTC)
PLANE = Plane(LonLat(24.9450, 60.1700))
START = PLANE.to_lonlat(0, 0)

places = st.builds(PLANE.to_lonlat, st.floats(-9_000, 9_000), st.floats(-9_000, 9_000))
stops = st.builds(
    Stop,
    st.sampled_from(["ord_a", "ord_b", "ord_c"]),
    st.sampled_from(["pickup", "dropoff"]),
    places,
    st.none() | st.floats(0, 600),
)
stop_lists = st.lists(stops, min_size=1, max_size=6).map(tuple)
ages = st.floats(-30, 4_000)  # seconds; a device's clock may be ahead of ours
vehicles = st.sampled_from(["car", "bicycle", "scooter", "foot"])


def straight_route(to: tuple[Stop, ...], speed: float = 5.0) -> Route:
    """Straight from stop to stop, from START."""
    ways = list(pairwise((START, *(stop.at for stop in to))))
    return Route(to, tuple(Leg(way, distance(*way), distance(*way) / speed) for way in ways))


def told(
    to: tuple[Stop, ...],
    index: int,
    *,
    route: Route | None = None,
    progress: Progress | None = None,
    at: LonLat = START,
    age: float = 0.0,
    vehicle: Vehicle = "car",
) -> Eta:
    """By a fresh installation, of a driver whose last fix is so many seconds old."""
    fix = Fix(NOW - timedelta(seconds=age), at.lat, at.lon)
    expected = None if route is None else TravelTime(route, EtaModel().ratio)
    forecasts = StopForecasts(fix, to, travel_time=expected, progress=progress, vehicle=vehicle)
    return forecasts.to(index).eta(now=NOW, last_fix_at=fix.recorded_at, stops_before=0)


def times(eta: Eta) -> tuple[datetime, datetime, datetime]:
    assert eta.earliest is not None
    assert eta.arrives_at is not None
    assert eta.latest is not None
    return eta.earliest, eta.arrives_at, eta.latest


@given(stop_lists, st.data(), st.booleans(), ages, vehicles)
def test_no_forecast_is_in_the_past_and_the_interval_holds_the_median(
    to: tuple[Stop, ...], data: st.DataObject, routed: bool, age: float, vehicle: Vehicle
) -> None:
    """now <= earliest <= arrives_at <= latest, on whatever the forecast is based."""
    index = data.draw(st.integers(0, len(to) - 1))
    eta = told(to, index, route=straight_route(to) if routed else None, age=age, vehicle=vehicle)
    earliest, arrives_at, latest = times(eta)
    assert NOW <= earliest <= arrives_at <= latest
    assert eta.basis == ("route" if routed else "straight_line")
    assert eta.stale == (age > STALE_AFTER)
    assert eta.distance_m is not None
    assert eta.distance_m >= 0


@given(stop_lists, st.booleans())
def test_later_stops_are_later_and_less_certain(to: tuple[Stop, ...], routed: bool) -> None:
    """Along a trip neither the arrival nor the width of its interval falls."""
    route = straight_route(to) if routed else None
    etas = [told(to, index, route=route) for index in range(len(to))]
    for sooner, later in pairwise(etas):
        (low, median, high), (later_low, later_median, later_high) = times(sooner), times(later)
        assert median <= later_median
        assert high - low <= later_high - later_low


@given(stop_lists, st.booleans(), st.floats(0, 1_000), st.floats(0, 1_000))
def test_silence_never_makes_a_forecast_more_certain(
    to: tuple[Stop, ...], routed: bool, age: float, older: float
) -> None:
    """The end of the interval does not come nearer while nothing is heard."""
    route = straight_route(to) if routed else None
    first, second = (times(told(to, 0, route=route, age=each)) for each in sorted((age, older)))
    assert second[2] >= first[2]
    assert second[2] - second[0] >= first[2] - first[0]
    assert second[1] <= first[1]


@given(st.floats(0, 90_000), st.floats(0, 3_000))
def test_times_are_right_to_the_microsecond(driving: float, serving: float) -> None:
    """They are computed in whole microseconds."""
    eta = Forecast(driving, serving, 0.0, "route", WIDEST, ()).eta(now=NOW, last_fix_at=NOW, stops_before=0)
    low, high = WIDEST.around(driving + serving)
    for time, seconds in zip(times(eta), (max(low, 0.0), driving + serving, high), strict=True):
        assert abs(time - NOW - timedelta(seconds=seconds)) <= timedelta(microseconds=1)


def test_a_route_is_driven_slower_than_the_router_says() -> None:
    """Between ROUTER_RATIO times its seconds and the straight line's, and the way is that of the route."""
    to = (Stop("ord_a", "dropoff", PLANE.to_lonlat(1_000, 0)),)
    eta = told(to, 0, route=straight_route(to, speed=5.0))
    assert eta.distance_m == pytest.approx(1_000, abs=2)
    seconds = (times(eta)[1] - NOW).total_seconds()
    assert 200.0 * ROUTER_RATIO - 1.0 <= seconds <= 1_000.0 / STRAIGHT_SPEED["car"] + 1.0


def test_service_at_earlier_stops_counts_and_at_this_one_does_not() -> None:
    """Unknown service times count as the usual ones; a known zero is zero."""
    here = PLANE.to_lonlat(0, 0)
    to = (
        Stop("ord_a", "pickup", here, None),
        Stop("ord_b", "dropoff", here, 20.0),
        Stop("ord_c", "dropoff", here, 0.0),
        Stop("ord_a", "dropoff", here, 900.0),
    )
    left = [(times(told(to, index))[1] - NOW).total_seconds() for index in range(4)]
    assert left == pytest.approx([0.0, DWELL, DWELL + 20, DWELL + 20], abs=0.01)


def test_a_driver_is_not_believed_to_drive_on_unheard_for_ever() -> None:
    """The forecast of a silent driver stands still for two minutes, then slides with the clock."""
    to = (Stop("ord_a", "dropoff", PLANE.to_lonlat(5_000, 0)),)
    heard = times(told(to, 0))[1]
    assert times(told(to, 0, age=60))[1] == heard - timedelta(seconds=60)
    assert times(told(to, 0, age=600))[1] == heard - timedelta(seconds=STALE_AFTER)


def test_without_a_route_walkers_are_slower_than_cars() -> None:
    """The straight line is driven at the speed of the vehicle."""
    to = (Stop("ord_a", "dropoff", PLANE.to_lonlat(2_000, 0)),)
    assert times(told(to, 0, vehicle="foot"))[1] > times(told(to, 0, vehicle="bicycle"))[1]
    assert times(told(to, 0, vehicle="bicycle"))[1] > times(told(to, 0, vehicle="car"))[1]


def test_progress_counts_from_where_the_driver_is() -> None:
    """Half of the route is half of the time, and the given progress is believed."""
    to = (Stop("ord_a", "dropoff", PLANE.to_lonlat(300, 0)),)
    route = straight_route(to)
    middle = PLANE.to_lonlat(150, 0)
    half = route.locate(middle)
    eta = told(to, 0, route=route, progress=half, at=middle)
    assert eta.distance_m == pytest.approx(150, abs=1)
    assert times(eta)[1] - NOW == pytest.approx(
        (times(told(to, 0, route=route))[1] - NOW) / 2, abs=timedelta(seconds=1)
    )
