"""Streets that drivers take, with the real engine: matched, learned, forecast; nothing is kept of anybody."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import msgspec
import pytest
from valhalla import Actor

from tracker.config import Config
from tracker.database import Database
from tracker.domain.eta.model import ArrivalSample, EtaModels, Passage
from tracker.domain.geo import LonLat, Plane, bearing, distance, interpolate
from tracker.domain.route_choice.observed_streets import NO_STREETS, ObservedStreets, StreetPassage
from tracker.domain.route_choice.preference import LAWFUL, OTHER_PREFERENCES, DrivenPath
from tracker.eta.evaluation.baselines import Baselines
from tracker.eta.evaluation.recorded_trips import RecordedFix, RecordedStop, RecordedTrip
from tracker.eta.evaluation.replay import Replay
from tracker.eta.trainer import ModelTrainer
from tracker.map.extract import MapExtract, find_map
from tracker.metrics import Metrics
from tracker.routing import Router
from tracker.routing.drive_analysis import analyse_drive
from tracker.routing.map_matching import leg_along, match_streets
from tracker.routing.polyline import decode
from tracker.routing.tiles import prepare_tiles

NOW = datetime(2026, 11, 22, 16, 43, tzinfo=UTC)
WAIT_S = 60.0
TODAY = date(2026, 11, 22)
STATION, CATHEDRAL = LonLat(24.9414, 60.1710), LonLat(24.9522, 60.1695)
ESPLANADE = LonLat(24.9478, 60.1676)
# A part of Aleksanterinkatu that the map keeps for buses and taxis: 147 m, and 1.3 km for everybody else.
ALEKSANTERINKATU = LonLat(24.9429026, 60.1688352), LonLat(24.9455496, 60.1688970)
PLANE = Plane(LonLat(25.2, 60.3))  # off the map
# Taxis go from the station to the west by a street that is kept for them: 1.1 km, and 2.2 km by the others.
WEST, TAXI_STREET = LonLat(24.9300, 60.1680), LonLat(24.93778, 60.16963)
NOISE, EVERY, SPEED = 5.0, 40.0, 8.0  # metres on each axis, metres between two fixes, m/s


@pytest.fixture(scope="module")
def map_file(data_dir: Path) -> MapExtract:
    return find_map(Config(data_dir=data_dir))


@pytest.fixture
async def router(map_file: MapExtract) -> AsyncIterator[Router]:
    async with Router.open(map_file, lambda _: None) as router:
        yield router


@pytest.fixture
async def actor(map_file: MapExtract) -> Actor:
    return Actor(str(await prepare_tiles(map_file, lambda _: None)))


def every(line: Sequence[LonLat], metres: float) -> list[LonLat]:
    """Places on the line, so far apart."""
    places, rest = [line[0]], metres
    for a, b in pairwise(line):
        length, done = distance(a, b), 0.0
        while length - done >= rest:
            done += rest
            places.append(interpolate(a, b, done / length))
            rest = metres
        rest -= length - done
    return [*places, line[-1]]


def seen(line: Sequence[LonLat], seed: int = 1, noise: float = NOISE) -> list[LonLat]:
    """As a receiver sees somebody who drives it."""
    random = Random(seed)
    return [
        Plane(place).to_lonlat(random.gauss(0, noise), random.gauss(0, noise)) for place in every(line, EVERY)
    ]


def length(line: Sequence[LonLat]) -> float:
    return sum(distance(a, b) for a, b in pairwise(line))


def joined_wrongly(streets: Sequence[StreetPassage]) -> list[str]:
    """Those that are said to follow another one, and begin elsewhere."""
    return [
        b.key
        for a, b in pairwise(streets)
        if b.joined and a.whole and b.whole and distance(a.line[-1], b.line[0]) > 0.5
    ]


# --- which streets a way led over


@pytest.mark.parametrize("seed", range(4))
async def test_the_streets_of_a_way_are_found(router: Router, seed: int) -> None:
    """Most of them, in their order, one leading into the next; the rest is noise at crossings."""
    legs = await router.route([STATION, ESPLANADE, CATHEDRAL], "car", edges=True)
    for leg in legs:
        true = {edge.key for edge in leg.edges}
        streets = await router.match_streets(seen(leg.line, seed), "car")
        found = {each.key for each in streets}
        assert len(true & found) > 0.85 * len(true)
        assert len(found - true) < 0.15 * len(true)
        assert sum(each.joined for each in streets) >= len(streets) - 3
        assert joined_wrongly(streets) == []
        assert [each.key for each in streets if not each.whole and each.line] == []
        assert all(each.seconds >= 0 and len(each.line) > 1 for each in streets if each.whole)


async def test_over_a_gap_nothing_is_believed(router: Router) -> None:
    """A phone that was off for long: the streets before and after, not those that the engine would take."""
    (leg,) = await router.route([STATION, ESPLANADE], "car", edges=True)
    places = seen(leg.line)
    begin = next(n for n in range(5, len(places)) if distance(places[5], places[n]) > 350)
    before, after = places[:6], places[begin:]
    streets = await router.match_streets([*before, *after], "car")
    assert streets == (*await router.match_streets(before, "car"), *await router.match_streets(after, "car"))
    assert sum(not each.joined for each in streets) >= 2
    assert joined_wrongly(streets) == []


async def test_a_way_that_leaves_the_map_joins_nothing_over_it(router: Router) -> None:
    """As somebody who drives into the sea and comes out elsewhere."""
    (leg,) = await router.route([STATION, ESPLANADE], "car", edges=True)
    places = seen(leg.line)
    sea = [LonLat(24.97 + 0.001 * n, 60.145) for n in range(6)]
    streets = await router.match_streets([*places[:8], *sea, *places[-8:]], "car")
    first, last = (
        await router.match_streets(places[:8], "car"),
        await router.match_streets(places[-8:], "car"),
    )
    assert streets == (*first, *last)
    assert not last[0].joined


@pytest.mark.parametrize(
    "places",
    [
        [],
        [STATION],
        [STATION, CATHEDRAL],
        [STATION] * 9,
        [LonLat(24.97 + 0.001 * n, 60.145) for n in range(6)],
        [LonLat(24.2 + 0.001 * n, 60.15) for n in range(6)],
        [LonLat(-180.0, 90.0), LonLat(180.0, -90.0), LonLat(0.0, 0.0)],
    ],
)
async def test_where_it_cannot_be_told_there_are_no_streets(router: Router, places: list[LonLat]) -> None:
    """Too few places, none that moves, and the sea; and no exception."""
    assert await router.match_streets(places, "car") == ()
    assert router.up


async def test_no_seconds_are_lost_where_the_engine_counts_anew(router: Router, actor: Actor) -> None:
    """After somebody turned round within a street: each one has about the seconds that it has by itself."""
    (leg,) = await router.route([STATION, ESPLANADE], "car", edges=True)
    of_leg = {edge.key: edge.duration_s for edge in leg.edges[1:-1]}
    places = every(leg.line, 20.0)
    back = [*places[:30], *reversed(places[18:30]), *places[18:]]
    streets = [each for each in match_streets(actor, back, "car") if each.whole]
    assert sum(not each.joined for each in streets) >= 1
    for each in streets:
        assert each.seconds > 0.0
        if each.key in of_leg:
            assert each.seconds == pytest.approx(of_leg[each.key], abs=12.0)
        assert each.seconds < length(each.line) + 30.0


# --- a way along a line


async def test_a_way_may_lead_where_the_map_lets_nobody(router: Router, actor: Actor) -> None:
    """With its streets and the engine's seconds; a route for anybody goes round."""
    leg = leg_along(actor, ALEKSANTERINKATU, "car")
    assert leg is not None
    assert leg.distance_m == pytest.approx(length(ALEKSANTERINKATU), abs=2)
    assert leg.duration_s == pytest.approx(sum(edge.duration_s for edge in leg.edges))
    assert 5 < leg.duration_s < 60
    assert leg.edges[0].begin == 0 and leg.edges[-1].end == len(leg.line) - 1
    assert all(edge.key for edge in leg.edges)
    (round_about,) = await router.route(ALEKSANTERINKATU, "car")
    assert round_about.distance_m > 3 * leg.distance_m


async def test_a_way_along_no_street_is_none(actor: Actor) -> None:
    """Across the water, and off the map."""
    assert leg_along(actor, (LonLat(24.960, 60.165), LonLat(24.980, 60.150)), "car") is None
    assert leg_along(actor, (LonLat(24.20, 60.15), LonLat(24.21, 60.15)), "car") is None


# --- a forecast by them


def driven(actor: Actor) -> tuple[LonLat, ...]:
    """By somebody who takes the taxis' street."""
    places = ((STATION, "break"), (TAXI_STREET, "through"), (WEST, "break"))
    wanted = {
        "locations": [{"lat": at.lat, "lon": at.lon, "type": kind} for at, kind in places],
        "costing": "taxi",
        "directions_type": "none",
    }
    answer = msgspec.json.decode(actor.route(msgspec.json.encode(wanted).decode()))
    return decode(answer["trip"]["legs"][0]["shape"])


async def learned(router: Router, line: Sequence[LonLat], drives: int = 4) -> ObservedStreets:
    streets = ObservedStreets()
    for seed in range(drives):
        streets.learn(await router.match_streets(seen(line, seed), "car"), line[-1], TODAY)
    return streets


def leads_through(line: Sequence[LonLat]) -> bool:
    return min(distance(at, TAXI_STREET) for at in every(line, 2.0)) < 5


async def test_a_street_that_drivers_take_is_forecast(router: Router, actor: Actor) -> None:
    """Only where it is asked for by the streets that they take; nobody is told to drive so."""
    line = driven(actor)
    streets = await learned(router, line)
    places = [line[0], line[-1]]
    (lawful,) = await router.route(places, "car", edges=True)
    (usual,) = await router.route(places, "car", edges=True, streets=streets)
    (plain,) = await router.route(places, "car", streets=streets)
    assert not leads_through(lawful.line) and not leads_through(plain.line)
    assert leads_through(usual.line)
    assert usual.distance_m == pytest.approx(length(line), rel=0.05)
    assert lawful.distance_m > 1.5 * usual.distance_m
    assert usual.duration_s == pytest.approx(sum(edge.duration_s for edge in usual.edges))
    assert all(a.end == b.begin for a, b in pairwise(usual.edges))
    assert max(distance(a, b) for a, b in pairwise(usual.line)) < 200


async def test_the_next_leg_begins_where_the_one_before_ended(router: Router, actor: Actor) -> None:
    """At a stop within the taxis' street: on through it, without a jump."""
    line = driven(actor)
    streets = await learned(router, line)
    places = [line[0], TAXI_STREET, line[-1]]
    first, second = await router.route(places, "car", edges=True, streets=streets)
    assert distance(first.line[-1], second.line[0]) < 5
    assert distance(first.line[-1], TAXI_STREET) < 10
    assert first.distance_m + second.distance_m == pytest.approx(length(line), rel=0.1)


async def test_where_nothing_is_known_nothing_changes(router: Router) -> None:
    """The same legs as without, whatever the manner and the vehicle; also where nobody ever drove."""
    elsewhere = ObservedStreets()
    line = (PLANE.to_lonlat(0, 0), PLANE.to_lonlat(100, 0))
    elsewhere.learn((StreetPassage("far", line, 10.0, True, True),), line[-1], TODAY)
    places = [STATION, ESPLANADE, CATHEDRAL]
    for preference in (LAWFUL, OTHER_PREFERENCES[3]):
        before = await router.route(places, "car", edges=True, preference=preference)
        assert (
            await router.route(places, "car", edges=True, preference=preference, streets=NO_STREETS) == before
        )
        after = await router.route(places, "car", edges=True, preference=preference, streets=elsewhere)
        assert after == before


async def test_many_are_forecast_at_once_by_the_same_streets(router: Router, actor: Actor) -> None:
    """Two threads read one value, and find the same way."""
    line = driven(actor)
    streets = await learned(router, line)
    fresh = msgspec.json.decode(msgspec.json.encode(streets), type=ObservedStreets)
    asked = [router.route([line[0], line[-1]], "car", edges=True, streets=fresh) for _ in range(20)]
    assert len({legs[0].distance_m for legs in await asyncio.gather(*asked)}) == 1


# --- what is kept of a driver


def arrival(places: Sequence[LonLat]) -> ArrivalSample:
    """At the end of this way."""
    return ArrivalSample(
        vehicle="car",
        at=CATHEDRAL,
        arrived_at=NOW,
        passages=(Passage("a.1", "primary", 60.0, 50.0),),
        way=DrivenPath(places[0], 90.0, length(places), tuple(places)),
    )


async def test_of_a_way_its_streets_are_kept_and_not_its_places(router: Router, actor: Actor) -> None:
    """And how far off each manner was."""
    lesson = await analyse_drive(arrival(seen(driven(actor))), router)
    assert lesson.way is None
    assert len(lesson.streets) > 10
    assert set(lesson.off) == {LAWFUL, *OTHER_PREFERENCES}


async def test_without_the_router_neither_is_kept(map_file: MapExtract, database: Database) -> None:
    """And the rest is learned all the same."""
    lesson = arrival([STATION, ESPLANADE, CATHEDRAL])
    async with Router.open(map_file, pytest.fail, "http://127.0.0.1:9") as away:
        got = await analyse_drive(lesson, away)
        assert (got.way, got.streets, got.off) == (None, (), {})
        assert got == msgspec.structs.replace(lesson, way=None)
        async with ModelTrainer(
            database, Metrics(), lambda: NOW, lambda one: analyse_drive(one, away)
        ) as learner:
            learner.add_sample(lesson)
            await learner.flush(WAIT_S)
            assert learner.learned.of("car").whole.observed >= 60.0


def numbers(value: object) -> list[float]:
    """All of them, however deep."""
    if isinstance(value, dict):
        return [each for one in value.values() for each in numbers(one)]
    if isinstance(value, list | tuple):
        return [each for one in value for each in numbers(one)]
    return [float(value)] if isinstance(value, int | float) else []


async def test_in_the_database_there_is_no_place_of_a_driver(
    router: Router, actor: Actor, database: Database
) -> None:
    """Neither in what waits to be learned nor in what was: the stop, the map's own lines, and no name."""
    places = seen(driven(actor))
    lesson = arrival(places)
    async with ModelTrainer(
        database, Metrics(), lambda: NOW, lambda one: analyse_drive(one, router)
    ) as learner:
        learner.add_sample(lesson)
        async with database.transaction() as another_trainer:
            await another_trainer.fetchval("lock_training")
            await learner.flush(WAIT_S)
        [waiting] = await database.pool.fetch("SELECT lesson FROM eta_lessons")
        held = {round(each, 9) for each in numbers(waiting["lesson"])}
        assert not any(round(place.lat, 9) in held or round(place.lon, 9) in held for place in places)
        assert waiting["lesson"]["streets"]
        assert set(waiting["lesson"]) == {
            *("vehicle", "at", "arrived_at", "told", "passages", "straight_m", "drove_m", "drove_s"),
            *("dwell", "way", "off", "streets"),
        }
        for street in waiting["lesson"]["streets"]:
            assert set(street) == {"key", "line", "seconds", "whole", "joined"}
            assert street["whole"] or street["line"] == []
        await learner.flush(WAIT_S)
        assert await database.pool.fetchval("SELECT count(*) FROM eta_lessons") == 0
        state = msgspec.json.decode(await database.pool.fetchval("SELECT state FROM eta_knowledge"))
        assert len(state["streets"]["known"]) > 10
        for street in state["streets"]["known"].values():
            assert set(street) == {"line", "length_m", "seconds", "passed", "day", "onward"}
        held = {round(each, 9) for each in numbers(state)}
        assert not any(round(place.lat, 9) in held or round(place.lon, 9) in held for place in places)


# --- the evaluation


def trip(number: int, line: Sequence[LonLat], begin: datetime) -> RecordedTrip:
    """A drive along this line to its end."""
    fixes, stop = [], line[-1]
    places = every(line, EVERY)
    random = Random(number)
    for n, (here, onward) in enumerate(pairwise(places)):
        at = Plane(here).to_lonlat(random.gauss(0, 3), random.gauss(0, 3))
        when = begin + timedelta(seconds=n * EVERY / SPEED)
        fixes.append(RecordedFix(when, at.lat, at.lon, 5.0, SPEED, bearing(here, onward)))
    end = begin + timedelta(seconds=len(places) * EVERY / SPEED)
    return RecordedTrip(f"{number}", (RecordedStop(stop.lat, stop.lon, 60.0),), tuple(fixes), (end,))


async def test_the_second_time_a_forbidden_street_is_foreseen(router: Router, actor: Actor) -> None:
    """By the real service's own trips: learned from the first drive, forecast in the next."""
    line, learnt = driven(actor), EtaModels()
    said = []
    for number in range(2):
        moments = await Replay(router, learnt, Baselines()).run(
            [trip(number, line, NOW + number * timedelta(hours=1))]
        )
        (leg,) = await router.route([line[0], line[-1]], "car", edges=True, streets=learnt.of("car").streets)
        said.append((moments[1].real, moments[1].forecasts))
        assert leads_through(leg.line)
    (first_real, first), (second_real, second) = said
    assert first["tracker"].seconds > second["tracker"].seconds
    assert abs(second["tracker"].seconds - second_real) < abs(first["tracker"].seconds - first_real)
    assert second["router"].seconds > 0.8 * first["router"].seconds  # the peers go by the law
