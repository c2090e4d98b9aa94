"""Live traffic: what drivers on the road say about the streets, and how it fades."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.test_trip import NOW as BEGIN
from tests.domain.test_trip import STREET, fix, order, routed, trip_with
from tests.domain.test_trip import at as place
from tracker.domain.eta.live_traffic import MEMORY, STREETS_KEPT, LiveTraffic
from tracker.domain.eta.model import ORDINARY_KNOWN, ROUTER_RATIO, EtaModel
from tracker.domain.eta.ratio import Ratio
from tracker.domain.leg import Edge
from tracker.domain.tracks.fix import Fix
from tracker.domain.trip import Trip

NOW = datetime(2026, 11, 22, 16, 43, tzinfo=UTC)


def street(key: str, road_class: str = "residential") -> Edge:
    return Edge(0, 1, 100.0, 20.0, road_class, False, key)


QUEUE, ALIKE, OTHER = street("a"), street("b"), street("c", "primary")


def second(n: float) -> datetime:
    return NOW + timedelta(seconds=n)


def ratios(traffic: LiveTraffic, at: datetime) -> list[float]:
    return list(traffic.ratios((QUEUE, ALIKE, OTHER), at))


def queue(seconds: float = 120.0) -> LiveTraffic:
    """A driver stands for so long on QUEUE, until NOW."""
    traffic = LiveTraffic()
    for n in range(int(seconds / 5.0)):
        traffic.add(QUEUE, 5.0, 0.0, second(5.0 * n - seconds))
    return traffic


def test_without_drivers_traffic_is_as_learned() -> None:
    assert ratios(LiveTraffic(), NOW) == [1.0, 1.0, 1.0]
    assert LiveTraffic().network(NOW) == 1.0


def test_a_queue_shows_before_anybody_leaves_it() -> None:
    """Most on its own street, less on streets of its kind, least on all others."""
    traffic = queue()
    own, alike, other = ratios(traffic, NOW)
    assert own > 2.0 * alike
    assert alike > other > 1.0
    assert other == traffic.network(NOW)


def test_a_queue_that_flows_again_is_believed() -> None:
    """Drivers at the learned speed bring the ratios back, long before the queue is forgotten."""
    traffic = queue()
    before = ratios(traffic, NOW)
    for n in range(60):
        traffic.add(QUEUE, 10.0, 10.0, second(5.0 * n))
    after = ratios(traffic, second(300.0))
    assert all(1.0 < later < earlier for later, earlier in zip(after, before, strict=True))
    assert after[0] < 1.3


def test_traffic_is_forgotten_within_hours() -> None:
    """Also after days without a fix."""
    traffic = queue()
    fading = [ratios(traffic, second(n * MEMORY))[0] for n in (0, 1, 3, 9)]
    assert fading == sorted(fading, reverse=True)
    assert fading[-1] < 1.01
    assert ratios(traffic, NOW + timedelta(days=400)) == [1.0, 1.0, 1.0]
    traffic.add(OTHER, 10.0, 10.0, NOW + timedelta(days=400))
    assert ratios(traffic, NOW + timedelta(days=400)) == [1.0, 1.0, 1.0]


def test_late_fixes_count_by_their_own_time() -> None:
    """The order in which fixes come changes nothing; one of last month neither."""
    seen = [(QUEUE, 30.0, 0.0, 0.0), (QUEUE, 5.0, 8.0, 400.0), (OTHER, 9.0, 5.0, 4 * MEMORY)]
    found = []
    for shuffled in permutations(seen):
        traffic = LiveTraffic()
        for edge, driven, expected, at in shuffled:
            traffic.add(edge, driven, expected, second(at))
        traffic.add(QUEUE, 500.0, 0.0, NOW - timedelta(days=30))
        found.append(ratios(traffic, second(4 * MEMORY)))
    for each in found:
        assert each == pytest.approx(found[0])


@given(
    st.lists(
        st.tuples(
            st.sampled_from([QUEUE, ALIKE, OTHER]),
            st.floats(0, 120),
            st.floats(-60, 60),
            st.floats(-1e6, 1e6),
        ),
        max_size=60,
    )
)
def test_every_ratio_is_a_positive_number(seen: list[tuple[Edge, float, float, float]]) -> None:
    """Whatever drivers do: also those who go back on their route."""
    traffic = LiveTraffic()
    for edge, driven, expected, at in seen:
        traffic.add(edge, driven, expected, second(at))
    for at in (-1e6, 0.0, 1e6):  # seconds; forecasts of a silent driver are from the newest fix
        for ratio in (*ratios(traffic, second(at)), traffic.network(second(at))):
            assert 0.0 < ratio < 1e6


def test_memory_is_bounded() -> None:
    """The streets with the most seconds stay; those of hours ago go."""
    traffic = queue(300.0)
    for n in range(STREETS_KEPT + STREETS_KEPT // 5):
        traffic.add(street(f"x{n}"), 2.0, 2.0, NOW)
    assert traffic.street_count <= 1.1 * STREETS_KEPT + 1
    assert ratios(traffic, NOW)[0] > 3.0
    traffic.add(OTHER, 5.0, 5.0, NOW + timedelta(hours=3))
    assert traffic.street_count == 1


def model_with(share: float) -> EtaModel:
    """A model that has this share of what it takes to know ordinary traffic."""
    return EtaModel(whole=Ratio(share * ROUTER_RATIO * ORDINARY_KNOWN, share * ORDINARY_KNOWN))


def on_the_road(traffic: LiveTraffic, experience: float = 1.0) -> Trip:
    trip = trip_with(order("ord_1", 40.0))
    trip.route_progress.model = model_with(experience)
    trip.route_progress.traffic = traffic
    trip.receive_fix(fix(0.0, 0.0), BEGIN)
    return trip


@pytest.mark.parametrize("has_route", [True, False])
def test_every_forecast_is_later_in_a_jam(has_route: bool) -> None:
    """By the streets or by the straight line, for a driver who is not in it."""
    jam, none = LiveTraffic(), LiveTraffic()
    for n in range(100):
        jam.add(QUEUE, 10.0, 2.0, BEGIN - timedelta(seconds=n))
    late, usual = (on_the_road(each) for each in (jam, none))
    if has_route:
        routed(late), routed(usual)
    arrivals = [trip.eta("ord_1", BEGIN).arrives_at for trip in (late, usual)]
    assert arrivals[0] is not None and arrivals[1] is not None
    assert arrivals[0] - BEGIN > 1.3 * (arrivals[1] - BEGIN)


@pytest.mark.parametrize("has_route", [True, False])
def test_live_traffic_counts_as_far_as_ordinary_traffic_is_known(has_route: bool) -> None:
    """Where all drivers are slower than a fresh model expects, the model may be wrong."""
    jam, seconds, widths = LiveTraffic(), list[float](), list[float]()
    for n in range(100):
        jam.add(QUEUE, 10.0, 2.0, BEGIN - timedelta(seconds=n))
    for traffic, experience in ((LiveTraffic(), 0.0), (jam, 0.0), (jam, 0.4), (jam, 1.0), (jam, 5.0)):
        trip = on_the_road(traffic, experience)
        if has_route:
            routed(trip)
        eta = trip.eta("ord_1", BEGIN)
        assert eta.arrives_at is not None and eta.earliest is not None and eta.latest is not None
        seconds.append((eta.arrives_at - BEGIN).total_seconds())
        widths.append((eta.latest - eta.earliest).total_seconds())
    for found in (seconds, widths):
        assert found[0] == found[1] < found[2] < found[3] == found[4]


def test_a_parked_driver_is_no_jam() -> None:
    """Three minutes at one place are a queue; the rest of an hour there makes nobody later."""
    traffic = LiveTraffic()
    trip = routed(on_the_road(traffic))
    found = {}
    for seconds in range(5, 3_601, 5):
        at = BEGIN + timedelta(seconds=seconds)
        trip.receive_fix(Fix(at, STREET, place(1.0).lon, 5.0, 0.0), at)
        found[seconds] = traffic.network(at)
    assert found[180] > 1.2
    assert all(later <= found[180] for seconds, later in found.items() if seconds > 180)
    assert found[3_600] < 1.05
    assert trip.route_progress.speed_factor.observed < 200.0
