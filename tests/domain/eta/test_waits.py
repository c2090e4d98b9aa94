"""Forecasts of a driver who has to wait: for an order to be ready, for a window to begin."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.eta.estimate import Eta
from tracker.domain.eta.forecast import StopForecasts
from tracker.domain.eta.model import EtaModel
from tracker.domain.eta.progress import RouteProgress
from tracker.domain.geo import LonLat, Plane
from tracker.domain.route import Leg, Route, Stop
from tracker.domain.tracks.fix import Fix

NOW = datetime(2026, 11, 22, 16, 43, tzinfo=UTC)
PLANE = Plane(LonLat(24.9450, 60.1700))
HERE = PLANE.to_lonlat(0, 0)


def stop(name: str, metres: float, opens_s: float | None = None, service_s: float = 60.0) -> Stop:
    """A dropoff so far east that opens so many seconds from now."""
    opens_at = None if opens_s is None else NOW + timedelta(seconds=opens_s)
    return Stop(name, "dropoff", PLANE.to_lonlat(metres, 0), service_s, opens_at)


def foreseen(*stops: Stop, at: LonLat = HERE, since: datetime | None = None) -> list[Eta]:
    """By a driver who is heard just now."""
    opening = tuple(range(len(stops)))
    forecasts = StopForecasts(Fix(NOW, at.lat, at.lon), stops, with_opening=opening, since=since)
    return [
        forecasts.to(index).eta(now=NOW, last_fix_at=NOW, stops_before=index) for index in range(len(stops))
    ]


def seconds(eta: Eta) -> float:
    assert eta.arrives_at is not None
    return (eta.arrives_at - NOW).total_seconds()


openings = st.none() | st.floats(-3_600, 90_000)


@given(st.lists(st.tuples(st.floats(0, 5_000), openings, st.floats(0, 600)), min_size=1, max_size=6))
def test_every_forecast_is_what_driving_and_waiting_in_turn_comes_to(
    plan: list[tuple[float, float | None, float]],
) -> None:
    """Stop by stop: arrive, wait until it opens, serve, drive on."""
    stops = [stop(f"ord_{n}", *each) for n, each in enumerate(plan)]
    direct = [
        seconds(eta) for eta in foreseen(*(msgspec.structs.replace(one, opens_at=None) for one in stops))
    ]
    expected, served_at, last = [], 0.0, 0.0
    for unhindered, (_, opens_s, _) in zip(direct, plan, strict=True):
        served_at = max(served_at + unhindered - last, 0.0 if opens_s is None else opens_s)
        last = unhindered
        expected.append(served_at)
    etas = foreseen(*stops)
    assert [seconds(eta) for eta in etas] == pytest.approx(expected, abs=1e-3)
    for eta, one in zip(etas, stops, strict=True):
        assert eta.earliest is not None and eta.arrives_at is not None and eta.latest is not None
        assert (one.opens_at or NOW) <= eta.earliest or one.opens_at is None or one.opens_at <= NOW
        assert eta.earliest <= eta.arrives_at <= eta.latest


def test_a_window_of_tomorrow_is_no_arrival_today() -> None:
    """Two kilometres off: the driver waits, and so do those who are served afterwards."""
    first, second = foreseen(stop("ord_a", 2_000, 86_400), stop("ord_b", 3_000))
    assert seconds(first) == 86_400
    assert first.earliest == first.arrives_at
    assert 86_400 + 60 < seconds(second) < 86_400 + 60 + 600


def test_a_driver_who_is_at_the_door_already_serves_from_when_it_opens() -> None:
    """What was waited counts as no service: the whole of it is still to come."""
    plan = (stop("ord_a", 0, 300, 120.0), stop("ord_b", 0))
    _, waiting = foreseen(*plan, since=NOW - timedelta(seconds=600))
    assert seconds(waiting) == pytest.approx(300 + 120, abs=0.01)
    opened = (stop("ord_a", 0, -100, 120.0), stop("ord_b", 0))
    _, serving = foreseen(*opened, since=NOW - timedelta(seconds=600))
    assert seconds(serving) == pytest.approx(20, abs=0.01)


def fix(metres: float, at_s: float) -> Fix:
    place = PLANE.to_lonlat(metres, 0)
    return Fix(
        NOW + timedelta(seconds=at_s), place.lat, place.lon, accuracy=5.0, speed=0.0 if metres == 0 else 8.0
    )


@pytest.mark.parametrize(("opens_s", "served_s"), [(None, 400), (300, 100), (900, None)])
def test_waiting_teaches_nothing_of_how_long_a_stop_takes(
    opens_s: float | None, served_s: float | None
) -> None:
    """Ten minutes at a door that opened five minutes ago are five of service; before it opened, none."""
    route_progress = RouteProgress("car", EtaModel())
    route_progress.take_stops((stop("ord_a", 0, opens_s), stop("ord_b", 2_000)))
    before = None
    for one in [*(fix(0, at_s) for at_s in range(0, 401, 20)), fix(120, 410), fix(240, 430)]:
        route_progress.move(one, before)
        before = one
    dwell = route_progress.observations.dwell
    assert (dwell is None) == (served_s is None)
    if dwell is not None and served_s is not None:
        assert dwell.seconds == pytest.approx(served_s, abs=15)


def test_another_window_changes_neither_the_route_nor_the_halt() -> None:
    """Only when the stop opens: the driver stands where they stood, on the way that they are on."""
    route_progress = RouteProgress("car", EtaModel())
    plan = (stop("ord_a", 0), stop("ord_b", 2_000))
    route_progress.take_stops(plan)
    legs = [Leg((HERE, one.at), 1_000.0, 100.0) for one in plan]
    route_progress.take_route(Route(plan, tuple(legs)), fix(0, 0))
    route_progress.move(fix(0, 10), fix(0, 0))
    route, since = route_progress.route, route_progress.dwell.since
    assert route is not None
    assert since is not None
    route_progress.take_stops((stop("ord_a", 0, 900), plan[1]))
    assert route_progress.route is route
    assert route_progress.dwell.since == since
    assert route_progress.forecast(1, fix(0, 10)).waits[0].opens_at == NOW + timedelta(seconds=900)
    route_progress.take_stops((stop("ord_a", 50), plan[1]))
    assert route_progress.route is None
