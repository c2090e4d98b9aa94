"""What is learned from arrivals, how it is kept, and what a forecast makes of it."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.eta.ensemble import COLD_WEIGHTS, TERMS, Ensemble, main_uncertainty, terms_of
from tracker.domain.eta.forecast import StopForecasts
from tracker.domain.eta.interval import KEPT, MOST_STRAIN, Bucket, Residuals, Spread, Uncertainty, strain_of
from tracker.domain.eta.leg_observations import LegObservations
from tracker.domain.eta.model import (
    DWELL,
    ROUTER_RATIO,
    SPEED_FACTOR,
    STRAIGHT_SPEED,
    ArrivalSample,
    Dwell,
    EtaModel,
    EtaModels,
    ForecastSample,
    Passage,
)
from tracker.domain.eta.ratio import Ratio
from tracker.domain.eta.smoothing import SmoothedEta
from tracker.domain.eta.speed_factor import SpeedFactor
from tracker.domain.eta.travel_time import RouteSection, TravelTime, passages
from tracker.domain.geo import LonLat, Plane, distance
from tracker.domain.route import Edge, Leg, Route, Stop
from tracker.domain.tracks.fix import Fix

NOW = datetime(2026, 11, 22, 16, 43, tzinfo=UTC)
WIDER: tuple[Uncertainty, ...] = ("little", "way", "halt")  # nothing was learned of the second
guesses = st.sampled_from(get_args(Uncertainty))
PLANE = Plane(LonLat(24.9450, 60.1700))
PLACES = tuple(PLANE.to_lonlat(100.0 * n, 0.0) for n in range(5))


def street(key: str, place: int, *, signal: bool = False) -> Edge:
    return Edge(place, place + 1, 100.0, 20.0, "residential", signal, key)


def route() -> Route:
    """400 m in 80 s by the router, over four streets; the third ends at traffic lights."""
    edges = tuple(street(name, n, signal=name == "c") for n, name in enumerate("abcd"))
    leg = Leg(PLACES, sum(distance(*each) for each in pairwise(PLACES)), 80.0, edges)
    return Route((Stop("ord_1", "dropoff", PLACES[-1]),), (leg,))


def arrival(*seen: Passage, told: tuple[ForecastSample, ...] = (), minutes: float = 0.0) -> ArrivalSample:
    return ArrivalSample(
        vehicle="car",
        at=PLACES[-1],
        arrived_at=NOW + timedelta(minutes=minutes),
        passages=seen,
        told=told,
        straight_m=400.0,
        drove_m=400.0,
        drove_s=100.0,
        dwell=Dwell(120.0, None),
    )


def test_a_fresh_installation_takes_every_street_for_as_slow_as_cities_are() -> None:
    """Nothing is known, and a forecast can be made."""
    assert EtaModel().ratio(street("a", 0)) == ROUTER_RATIO
    assert TravelTime(route(), EtaModel().ratio).at(400.0) == pytest.approx(80.0 * ROUTER_RATIO, rel=0.01)


def test_a_slow_street_is_learned_and_its_neighbours_are_not_blamed() -> None:
    """Of the street itself most is believed, of its kind less, of the rest of the network least."""
    learned = EtaModels()
    for _ in range(10):
        learned.learn(arrival(Passage("c", "residential+signal", 80.0, 20.0)))
    known = learned.of("car")
    slow, alike, other = (known.ratio(each) for each in (street("c", 2), street("x", 0), street("y", 0)))
    assert slow > 2.5 > known.ratio(street("z", 0, signal=True)) > alike == other > ROUTER_RATIO
    assert learned.of("bicycle").ratio(street("c", 2)) == ROUTER_RATIO


def test_what_was_learned_survives_a_restart() -> None:
    """The state is plain JSON, and forecasts the same afterwards."""
    learned = EtaModels()
    told = (
        ForecastSample(
            NOW - timedelta(seconds=300),
            280.0,
            terms_of(250.0, 240.0, 260.0, 220.0, service=30.0, speed=None),
        ),
    )
    for n in range(30):
        learned.learn(arrival(Passage("a", "residential", 30.0, 20.0), told=told, minutes=n))
    again = msgspec.json.decode(msgspec.json.encode(learned), type=EtaModels)
    assert again == learned
    assert msgspec.json.decode(msgspec.json.encode(arrival(told=told)), type=ArrivalSample) == arrival(
        told=told
    )


def test_time_is_given_to_the_streets_where_it_was_spent() -> None:
    """The passages of a drive add up to its seconds, and to the router's for the same way."""
    seen = list(passages(route(), [RouteSection(0.0, 150.0, 30.0), RouteSection(150.0, 400.0, 90.0)]))
    assert sum(each.observed for each in seen) == pytest.approx(120.0)
    assert sum(each.expected for each in seen) == pytest.approx(80.0, rel=0.01)
    assert {each.edge for each in seen} == set("abcd")


def test_a_slow_driver_is_expected_to_stay_slow_for_a_while() -> None:
    """The own ratio counts in the next minutes and fades with the horizon; little seen is little believed."""
    slow, hardly_seen = SpeedFactor(), SpeedFactor()
    for _ in range(60):
        slow.add(10.0, 5.0)
    hardly_seen.add(10.0, 5.0)
    assert 60.0 < hardly_seen.apply(60.0) < 65.0 < slow.apply(60.0) < 120.0
    assert slow.apply(3_600.0) - 3_600.0 < 300.0


@given(
    st.lists(
        st.tuples(st.lists(st.floats(0, 4_000), min_size=8, max_size=8), st.floats(30, 4_000)), max_size=40
    )
)
def test_no_weight_is_ever_negative(samples: list[tuple[list[float], float]]) -> None:
    """Whatever came true, more to drive never means sooner there."""
    weights = Ensemble()
    weights.learn(samples)
    assert all(weight >= 0.0 for weight in weights.weights)


def answers(learned: float, crow: float) -> tuple[float, ...]:
    return (learned, 0.0, 0.0, crow, 0.0, 0.0, 0.0, 0.0)


def test_weights_find_the_answer_that_is_right() -> None:
    """A term that is always half of the truth counts double in the end; one that is noise counts nothing."""
    weights = Ensemble()
    for n in range(6_000):
        truth = 60.0 + 13.0 * (n % 40)
        weights.learn([(answers(truth / 2, 60.0 + 7.0 * ((n * 31) % 50)), truth)])
    assert weights.total(answers(100.0, 0.0)) == pytest.approx(200.0, rel=0.1)
    assert weights.total(answers(100.0, 300.0)) == pytest.approx(200.0, rel=0.1)
    assert Ensemble().weights == COLD_WEIGHTS


def test_a_rare_great_error_moves_the_weights_little() -> None:
    """Nine ways in ten take what the streets say, one takes five times that: forecasts stay with the nine."""
    weights = Ensemble()
    for n in range(1_000):
        streets = 100.0 + 10.0 * (n % 30)
        weights.learn([(answers(streets, 0.0), streets * (5.0 if n % 10 == 0 else 1.0))])
    assert weights.total(answers(200.0, 0.0)) == pytest.approx(200.0, rel=0.1)


def test_weights_that_another_version_kept_are_begun_anew() -> None:
    """With another number of answers, they would mean something else."""
    kept = Ensemble((1.0, 0.5), [[1.0, 0.0], [0.0, 1.0]], [1.0, 0.5])
    assert kept.total(answers(100.0, 100.0)) == Ensemble().total(answers(100.0, 100.0))
    kept.learn([(answers(100.0, 100.0), 120.0)])
    assert len(kept.weights) == len(TERMS)


def test_who_stands_is_expected_later_than_who_drives() -> None:
    """Once it was learned that a halt costs time, and only then."""
    weights = Ensemble()
    stands, drives = (terms_of(100.0, 100.0, 100.0, 100.0, service=0.0, speed=speed) for speed in (0.0, 12.0))
    assert weights.total(stands) == weights.total(drives)
    for _ in range(300):
        weights.learn([(stands, 130.0), (drives, 100.0)])
    assert weights.total(stands) - weights.total(drives) > 5.0


def test_intervals_come_to_hold_four_of_five_arrivals() -> None:
    """Both where forecasts are better than was thought at first and where they are worse."""
    for scale in (0.1, 0.8):
        residuals, held = Residuals(), []
        for n in range(900):
            real = 300.0 * (1.0 + scale * (((n * 377) % 200) / 100.0 - 1.0))
            low, high = residuals.spread(300.0, "little").around(300.0)
            held.append(low <= real <= high)
            residuals.learn([(300.0, "little", 1.0, real)])
        assert 0.74 <= sum(held[300:]) / 600 <= 0.86


def test_intervals_follow_a_change_and_not_a_few_ways() -> None:
    """Twenty late ways leave the interval what hundreds made it; as many as are kept make it theirs."""
    residuals = Residuals()
    for n in range(KEPT):
        residuals.learn([(300.0, "little", 1.0, 270.0 + n % 61)])
    _, usual = residuals.spread(300.0, "little").around(300.0)
    for _ in range(20):
        residuals.learn([(300.0, "little", 1.0, 900.0)])
    assert usual <= residuals.spread(300.0, "little").around(300.0)[1] <= 331.0
    for n in range(KEPT):
        residuals.learn([(300.0, "little", 1.0, 300.0 + n % 300)])
    assert 540.0 < residuals.spread(300.0, "little").around(300.0)[1] < 600.0


def test_what_an_earlier_version_kept_of_a_bucket_is_gone_on_with() -> None:
    """Its own tails, steered by the last misses, are left out; its residuals and spread count."""
    kept = b'{"residuals":[0.1,-0.2],"low":0.31,"high":0.002,"spread":[-0.4,0.5]}'
    assert msgspec.json.decode(kept, type=Bucket) == Bucket([0.1, -0.2], Spread(-0.4, 0.5))


def test_halts_have_an_interval_of_their_own() -> None:
    """Long and short halts before a stop widen what is said of it, and of no stop that is next."""
    residuals = Residuals()
    for n in range(200):
        residuals.learn(
            [(300.0, "halt", 1.0, 200.0 + n % 10 * 40.0), (300.0, "little", 1.0, 290.0 + n % 10 * 3.0)]
        )
    widths = [high - low for low, high in (residuals.spread(300.0, guess).around(300.0) for guess in WIDER)]
    assert widths == sorted(widths)
    assert widths[0] < 40.0 and widths[-1] > 200.0


def test_what_a_forecast_guesses_is_told_by_its_answers() -> None:
    """Halts before anything, then the way where streets and straight line disagree."""
    agree, apart = (terms_of(300.0, 300.0, 300.0, crow, service=0.0, speed=5.0) for crow in (290.0, 150.0))
    halts = terms_of(300.0, 300.0, 300.0, 150.0, service=60.0, speed=5.0)
    assert [main_uncertainty(each) for each in (agree, apart, halts)] == ["little", "way", "halt"]


@given(
    st.lists(st.tuples(st.floats(0, 7_200), guesses, st.floats(1, 9), st.floats(0, 14_400)), max_size=60),
    st.floats(0, 7_200),
    st.floats(1, 9),
)
def test_an_interval_always_holds_its_forecast(
    seen: list[tuple[float, Uncertainty, float, float]], foretold: float, strain: float
) -> None:
    """However one-sided the errors have been."""
    residuals = Residuals()
    for each in seen:
        residuals.learn([each])
    for guess in get_args(Uncertainty):
        low, high = residuals.spread(foretold, guess).widen(strain).around(foretold)
        assert low <= foretold <= high


def test_slow_traffic_widens_the_interval_both_ways() -> None:
    """Upwards most; a little slower is as usual; and what a jam taught makes nobody else's interval wider."""
    usual, slow_driver, jam = strain_of(1.1, 1.05), strain_of(1.6, 1.0), strain_of(1.6, 1.2)
    assert usual == strain_of(0.5, 0.5) == 1.0 < slow_driver < jam <= strain_of(9.0, 9.0) == MOST_STRAIN
    spread = Spread(-0.2, 0.3)
    wider = spread.widen(jam)
    assert wider.high == jam * spread.high
    assert spread.low > wider.low > jam * spread.low
    assert spread.widen(usual) == spread
    jams, ordinary = Residuals(), Residuals()
    for n in range(200):
        late = n % 10 * 20.0
        jams.learn([(300.0, "little", jam, 300.0 + late)])
        ordinary.learn([(300.0, "little", 1.0, 300.0 + late)])
    assert jams.spread(300.0, "little").high < ordinary.spread(300.0, "little").high


def test_what_is_shown_follows_without_jumping() -> None:
    """A jump of ten minutes is taken over gradually; never into the past; a bypass shows it at once."""
    shown, later = SmoothedEta(), NOW + timedelta(minutes=10)
    assert shown.follow(NOW, NOW) == NOW
    first = shown.follow(later, NOW + timedelta(seconds=5))
    second = shown.follow(later, NOW + timedelta(seconds=60))
    assert NOW < first < second < later
    assert shown.follow(NOW, NOW + timedelta(hours=1)) >= NOW + timedelta(hours=1)
    shown.reset()
    assert shown.follow(later, NOW) == later
    assert shown.follow(later, NOW - timedelta(hours=1)) == later  # a clock that steps back moves nothing


@given(st.lists(st.tuples(st.floats(1, 900), st.floats(1, 900)), max_size=5))
def test_what_was_worked_out_is_as_if_worked_out_anew(ways: list[tuple[float, float]]) -> None:
    """Rates are kept until the next arrival, for each vehicle; they are no part of what is stored."""
    knowledge = EtaModel()
    for metres, seconds in ways:
        before = knowledge.rates("car")
        assert knowledge.rates("car") is before
        way = arrival(Passage("a", "residential", seconds, 20.0))
        knowledge.learn(msgspec.structs.replace(way, drove_m=metres, drove_s=seconds))
        fresh = msgspec.json.decode(msgspec.json.encode(knowledge), type=EtaModel)
        assert fresh == knowledge
        for vehicle in ("car", "foot"):
            assert knowledge.rates(vehicle) == fresh.rates(vehicle)
        assert knowledge.rates("car") != before


def test_a_place_is_known_by_those_who_stopped_there() -> None:
    """Where nobody has, the usual dwell or what was told; one long stop says little, many say all."""
    knowledge = EtaModel()
    assert knowledge.dwell_at(None) == DWELL
    assert knowledge.dwell_at(40.0) == 40.0
    assert DWELL < knowledge.dwell_at(None, Ratio(600.0, 1.0)) < 300.0
    assert knowledge.dwell_at(None, Ratio(600.0 * 200, 200.0)) == pytest.approx(600.0, rel=0.03)
    assert knowledge.dwell_at(40.0, Ratio(600.0 * 200, 200.0)) == pytest.approx(600.0, rel=0.03)


@given(st.floats(0.0, 400.0), st.floats(0.0, 400.0), st.floats(0, 3_000), st.floats(1.0, 3_000))
def test_nearer_is_never_later(a: float, b: float, observed: float, expected: float) -> None:
    """Along one route, for any driver, with whatever was learned."""
    whole, knowledge = route(), EtaModel()
    near, far = max(a, b), min(a, b)
    seen = [
        StopForecasts(
            Fix(NOW, here.lat, here.lon),
            whole.stops,
            travel_time=TravelTime(whole, knowledge.ratio),
            progress=whole.locate(here, after_m=along),
            model=knowledge,
            speed_factor=SpeedFactor(observed, expected),
        ).to(0)
        for along, here in ((each, PLANE.to_lonlat(each, 0.0)) for each in (near, far))
    ]
    assert 0.0 <= seen[0].seconds <= seen[1].seconds + 1e-6


@pytest.mark.parametrize(("silence_s", "drove_s"), [(60.0, 120.0), (10_800.0, 0.0)])
def test_a_leg_with_a_long_silence_teaches_no_speed(silence_s: float, drove_s: float) -> None:
    """Nobody knows what the driver did in it; a device's clock that is set looks the same."""
    observations = LegObservations()
    observations.begin_leg(Fix(NOW, PLACES[0].lat, PLACES[0].lon))
    for seconds, place in ((30.0, 1), (60.0, 2), (60.0 + silence_s, 4)):
        observations.add_fix(Fix(NOW + timedelta(seconds=seconds), PLACES[place].lat, PLACES[place].lon))
    (stop,) = route().stops
    arrived = observations.end_leg(stop, NOW + timedelta(seconds=60.0 + silence_s), "car", None)
    assert arrived.drove_s == drove_s


def test_a_silence_before_the_arrival_counts_as_well() -> None:
    """The driver went offline and reported the arrival an hour later."""
    observations = LegObservations()
    observations.begin_leg(Fix(NOW, PLACES[0].lat, PLACES[0].lon))
    (stop,) = route().stops
    assert observations.end_leg(stop, NOW + timedelta(hours=1), "car", None).drove_s == 0.0


@given(st.floats(0, 1e5), st.floats(0.1, 1e6))
def test_odd_arrivals_put_no_forecast_off_by_hours(straight_m: float, drove_s: float) -> None:
    """Whatever was learned, a learned speed stays within a factor of the usual one."""
    knowledge = EtaModel()
    odd = msgspec.structs.replace(arrival(), straight_m=straight_m, drove_m=straight_m, drove_s=drove_s)
    knowledge.learn(odd)
    rates = knowledge.rates("car")
    usual = STRAIGHT_SPEED["car"]
    assert usual / SPEED_FACTOR <= rates.straight <= usual * SPEED_FACTOR
    assert usual / SPEED_FACTOR <= rates.route <= 2.0 * usual * SPEED_FACTOR
