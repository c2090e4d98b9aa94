"""The router on the demo area: the real engine, tiles built here."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from math import inf
from pathlib import Path
from time import monotonic
from typing import get_args

import pytest
import pytest_asyncio

from tracker.config import Config
from tracker.domain.geo import LonLat, distance
from tracker.domain.order import Vehicle
from tracker.domain.route import Route, Stop
from tracker.domain.route_choice.preference import LAWFUL, OTHER_PREFERENCES
from tracker.errors import ConfigError, NoRoute, RouterUnavailable
from tracker.map.extract import MapExtract, find_map
from tracker.routing import Router
from tracker.routing.backends import Backend, open_backend
from tracker.routing.engine import Engine
from tracker.routing.polyline import decode

STATION = LonLat(24.9414, 60.1710)
CATHEDRAL = LonLat(24.9522, 60.1695)
ESPLANADE = LonLat(24.9478, 60.1676)
CUT_OFF = LonLat(24.9409, 60.1717)  # the nearest streets can be left only for a few others
OFF_THE_MAP = LonLat(24.40, 60.17)


@pytest.fixture(scope="session")
def map_file(tmp_path_factory: pytest.TempPathFactory) -> MapExtract:
    """The demo area, with a folder of its own."""
    return find_map(Config(data_dir=tmp_path_factory.mktemp("routing")))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def told(map_file: MapExtract) -> list[str]:
    """What is told while the tiles are built, which they are from here on."""
    progress: list[str] = []
    async with Router.open(map_file, progress.append):
        pass
    return progress


@pytest.fixture
async def router(map_file: MapExtract, told: list[str]) -> AsyncIterator[Router]:
    async with Router.open(map_file, pytest.fail) as router:
        yield router


def length(line: tuple[LonLat, ...]) -> float:
    return sum(distance(a, b) for a, b in pairwise(line))


def test_building_is_told_in_plain_words(told: list[str]) -> None:
    """Whoever waits hears what is done and when it is ready."""
    assert told[0] == "Preparing the street network of Helsinki for routing; this is done once"
    assert "Street network: reading the streets" in told
    assert told[-1] == "The street network is ready"


async def test_a_second_start_builds_nothing_and_is_fast(map_file: MapExtract, told: list[str]) -> None:
    """Tiles are made once; opening them takes less than a second."""
    begun = monotonic()
    async with Router.open(map_file, pytest.fail):
        assert monotonic() - begun < 1.0


async def test_starters_at_the_same_time_build_once(tmp_path: Path) -> None:
    """One builds, the other waits for it, and both route."""
    map_file = find_map(Config(data_dir=tmp_path))
    told: list[str] = []

    async def start() -> int:
        async with Router.open(map_file, told.append) as router:
            return len(await router.route([STATION, CATHEDRAL], "car"))

    assert list(await asyncio.gather(start(), start())) == [1, 1]
    assert told.count("The street network is ready") == 1
    assert "Waiting for another process that is preparing the street network" in told


async def test_a_build_that_was_broken_off_begins_anew(tmp_path: Path) -> None:
    """What a killed builder left behind is not taken for tiles."""
    map_file = find_map(Config(data_dir=tmp_path))
    (map_file.folder / "valhalla" / "unfinished").mkdir(parents=True)
    async with Router.open(map_file, lambda _: None) as router:
        assert await router.route([STATION, CATHEDRAL], "car")


async def test_an_extract_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """The start fails with the name of the file, and leaves nothing that looks like tiles."""
    broken = tmp_path / "broken.osm.pbf"
    broken.write_bytes(b"this is no map")
    map_file = find_map(Config(data_dir=tmp_path / "data", map=str(broken)))
    with pytest.raises(RouterUnavailable, match=r"broken\.osm\.pbf"):
        async with Router.open(map_file, lambda _: None):
            pass
    assert not [path for path in (map_file.folder / "valhalla").iterdir() if path.suffix == ".1"]


@pytest.mark.parametrize("vehicle", ["car", "bicycle", "scooter", "foot"])
async def test_legs_lead_from_place_to_place(router: Router, vehicle: Vehicle) -> None:
    """As many legs as ways between the places, each beginning where the one before ended."""
    legs = await router.route([STATION, ESPLANADE, CATHEDRAL], vehicle)
    assert len(legs) == 2
    assert distance(legs[0].line[0], STATION) < 150
    assert distance(legs[0].line[-1], legs[1].line[0]) < 5
    assert distance(legs[1].line[-1], CATHEDRAL) < 150
    for leg in legs:
        assert leg.distance_m == pytest.approx(length(leg.line), rel=0.01)
        assert leg.duration_s > 0
        assert leg.edges == ()


async def test_a_street_that_leads_nowhere_is_passed_by(router: Router) -> None:
    """The street nearest to the cathedral cannot be left by bicycle; the way begins at another one near."""
    (leg,) = await router.route([CATHEDRAL, STATION], "bicycle")
    assert distance(leg.line[0], CATHEDRAL) < 250
    assert distance(leg.line[-1], STATION) < 250


async def test_walking_takes_longer_than_driving(router: Router) -> None:
    """Each vehicle is routed at its own speed."""
    (walked,) = await router.route([STATION, CATHEDRAL], "foot")
    (ridden,) = await router.route([STATION, CATHEDRAL], "bicycle")
    assert walked.duration_s > 1.5 * ridden.duration_s


@pytest.mark.parametrize("vehicle", ["car", "bicycle", "scooter", "foot"])
async def test_edges_cover_the_leg_without_gaps(router: Router, vehicle: Vehicle) -> None:
    """From the first place to the last, with the leg's metres and seconds."""
    legs = await router.route([STATION, ESPLANADE, CATHEDRAL], vehicle, edges=True)
    for leg in legs:
        assert leg.edges[0].begin == 0
        assert leg.edges[-1].end == len(leg.line) - 1
        assert all(a.end == b.begin for a, b in pairwise(leg.edges))
        assert sum(edge.length_m for edge in leg.edges) == pytest.approx(length(leg.line))
        assert sum(edge.duration_s for edge in leg.edges) == pytest.approx(leg.duration_s, rel=0.05, abs=2)
        assert all(edge.road_class for edge in leg.edges)


async def test_traffic_lights_are_known(router: Router) -> None:
    """A drive through the centre passes some, and not everywhere."""
    (leg,) = await router.route([STATION, CATHEDRAL], "car", edges=True)
    assert {edge.signal for edge in leg.edges} == {True, False}


async def test_a_driven_route_counts_down_to_its_end(router: Router) -> None:
    """The legs of the engine make a route on which progress and remaining time are those of the engine."""
    legs = await router.route([STATION, ESPLANADE, CATHEDRAL], "car", edges=True)
    route = Route((Stop("ord_a", "pickup", ESPLANADE), Stop("ord_a", "dropoff", CATHEDRAL)), legs)
    assert route.remaining(route.locate(route.line[0]), 1)[1] == pytest.approx(
        sum(leg.duration_s for leg in legs), abs=1
    )
    after, left = 0.0, route.length_m
    for place in route.line:
        progress = route.locate(place, after_m=after)
        metres, _ = route.remaining(progress, 1)
        assert metres <= left + 0.5
        after, left = progress.along_m, metres
    assert left < 10


async def test_every_manner_gives_every_vehicle_a_way(router: Router) -> None:
    """Whatever was learned, a forecast has a route through its stops."""
    for vehicle in get_args(Vehicle):
        for preference in (LAWFUL, *OTHER_PREFERENCES):
            legs = await router.route([STATION, ESPLANADE, CATHEDRAL], vehicle, preference=preference)
            assert len(legs) == 2
            assert all(leg.distance_m > 0 for leg in legs)


async def test_who_stops_on_the_other_side_turns_round_where_a_street_ends(router: Router) -> None:
    """Southward on Fabianinkatu, the stop on its eastern side: past it, and back from the end of a street."""
    places = [LonLat(24.949299, 60.169183), LonLat(24.949515, 60.167464)]
    (past,) = await router.route(places, "car", heading=178.0, preference="short_far_side")
    (back,) = await router.route(places, "car", heading=178.0, preference="short_near_side")
    assert past.distance_m == pytest.approx(192, abs=10)
    assert back.distance_m == pytest.approx(357, abs=10)
    assert len(set(back.line)) < len(back.line)


async def test_a_stop_at_a_crossing_is_on_its_own_street(router: Router) -> None:
    """Within 8 m of it other streets have other sides: the way leads to the likeliest one that fits."""
    places = [LonLat(24.939219, 60.167727), LonLat(24.939506, 60.167486)]
    (leg,) = await router.route(places, "car", heading=328.3, preference="short_near_side")
    assert leg.distance_m == pytest.approx(226, abs=10)


async def test_from_a_stop_with_a_side_the_way_goes_on_as_it_came(router: Router) -> None:
    """Nobody turns round in the middle of a street because a parcel was handed over: that would be 358 m."""
    places = [LonLat(24.946471, 60.169851), LonLat(24.938608, 60.167472), LonLat(24.94288, 60.166773)]
    _, onward = await router.route(places, "car", preference="short_near_side")
    assert onward.distance_m == pytest.approx(885, abs=15)


@pytest.mark.parametrize("places", [[OFF_THE_MAP, STATION], [STATION, OFF_THE_MAP], [STATION], []])
async def test_where_there_is_no_way_there_is_no_route(router: Router, places: list[LonLat]) -> None:
    """A place off the map is never quietly moved onto it."""
    with pytest.raises(NoRoute):
        await router.route(places, "car")


async def test_many_stops_are_routed_whole(router: Router) -> None:
    """More places than the engine takes at once still give one leg each."""
    places = [STATION, CATHEDRAL, ESPLANADE] * 15
    legs = await router.route(places, "foot")
    assert len(legs) == 44
    assert all(distance(a.line[-1], b.line[0]) < 5 for a, b in pairwise(legs))


@pytest.mark.parametrize("vehicle", ["car", "bicycle", "scooter", "foot"])
async def test_a_matrix_holds_the_way_from_each_to_each(router: Router, vehicle: Vehicle) -> None:
    """The seconds of the routes, one-way streets and all; none from a place to itself."""
    places = [STATION, ESPLANADE]
    matrix = await router.matrix(places, vehicle)
    assert [matrix[n][n] for n in range(2)] == [0.0, 0.0]
    for a, b in ((0, 1), (1, 0)):
        (leg,) = await router.route([places[a], places[b]], vehicle)
        assert matrix[a][b] == pytest.approx(leg.duration_s, rel=0.15, abs=5.0)


async def test_a_large_matrix_is_whole(router: Router) -> None:
    """More places than are asked for at once: every row has every column."""
    matrix = await router.matrix([STATION, ESPLANADE] * 13, "car")
    assert [len(row) for row in matrix] == [26] * 26
    assert len({matrix[a][b] for a in range(0, 26, 2) for b in range(1, 26, 2)}) == 1


@pytest.mark.parametrize("off", [OFF_THE_MAP, LonLat(0.0, 0.0), LonLat(24.94, 90.0), LonLat(180.0, 60.17)])
async def test_a_place_off_the_map_leaves_the_rest_of_a_matrix(router: Router, off: LonLat) -> None:
    """It is not moved onto the map, and has no way to anywhere; the others have theirs."""
    whole = await router.matrix([STATION, CATHEDRAL, ESPLANADE], "car")
    matrix = await router.matrix([STATION, off, CATHEDRAL, off, ESPLANADE], "car")
    on = [0, 2, 4]
    assert tuple(tuple(matrix[a][b] for b in on) for a in on) == whole
    assert all(matrix[a][b] == matrix[b][a] == inf for a in (1, 3) for b in range(5))
    assert await router.matrix([off], "car") == ((inf,),)


async def test_many_askers_at_once_are_answered(router: Router) -> None:
    """Every thread has its own engine: a shared one would end the process."""
    answers = await asyncio.gather(*(router.route([STATION, CATHEDRAL], "car") for _ in range(60)))
    assert len({legs[0].duration_s for legs in answers}) == 1


async def test_an_answer_that_takes_too_long_is_none(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    """The asker is told that the router is unavailable, and the next one is answered again."""
    with monkeypatch.context() as hurry:
        hurry.setattr("tracker.routing.router.TIME_OUT", 1e-6)
        with pytest.raises(RouterUnavailable, match="did not answer"):
            await router.route([STATION, CATHEDRAL], "car")
    assert await router.route([STATION, CATHEDRAL], "car")


async def test_streets_that_lead_on_are_told_apart_only_where_a_way_fails(
    map_file: MapExtract, told: list[str]
) -> None:
    """That is most of what a way costs. A place beside streets that are cut off still has its way."""
    asked: list[str] = []

    class Watched:
        """The engine, and what it was asked for."""

        def __init__(self, actor: Backend) -> None:
            self.trace_attributes, self.matrix = actor.trace_attributes, actor.matrix
            self.status, self._route = actor.status, actor.route

        def route(self, wanted: str) -> str:
            asked.append(wanted)
            return self._route(wanted)

    async with open_backend(map_file, pytest.fail, None) as new_backend:
        engine = Engine(Watched(new_backend()))
        engine.route([STATION, CATHEDRAL], "car", edges=False)
        assert len(asked) == 1
        (leg,) = engine.route([CUT_OFF, CATHEDRAL], "car", edges=False)
    assert len(asked) == 3
    assert distance(leg.line[0], CUT_OFF) < 100.0


def test_an_encoded_line_is_read() -> None:
    """Six decimals, differences from place to place, both signs."""
    assert decode("_izlhA~rlgdF_{geC~ywl@_kwzCn`{nI") == (
        LonLat(-120.2, 38.5),
        LonLat(-120.95, 40.7),
        LonLat(-126.453, 43.252),
    )
    with pytest.raises(ValueError, match="ends within a number"):
        decode("_izlhA~rlgd")


def test_the_map_of_the_settings_is_found(tmp_path: Path) -> None:
    """A path is taken as it is, its folder changes with its content, and what cannot work is told."""
    extract = tmp_path / "town-latest.osm.pbf"
    extract.write_bytes(b"one")
    one = find_map(Config(data_dir=tmp_path, map=str(extract)))
    extract.write_bytes(b"two")
    two = find_map(Config(data_dir=tmp_path, map=str(extract)))
    assert one.name == "town"
    assert one.folder != two.folder
    assert two.folder.parent == tmp_path
    with pytest.raises(ConfigError, match="there is no file"):
        find_map(Config(map=str(tmp_path / "absent.osm.pbf")))
    with pytest.raises(ConfigError, match="download"):
        find_map(Config(map="https://maps.example/town.osm.pbf"))


@pytest.mark.parametrize("off", [OFF_THE_MAP, LonLat(0.0, 0.0), LonLat(24.94, -90.0), LonLat(-180.0, 60.17)])
async def test_a_route_leads_on_past_a_place_without_a_way(router: Router, off: LonLat) -> None:
    """The legs to it and from it are straight lines, marked so; the others are the streets' own."""
    (whole,) = await router.route([CATHEDRAL, ESPLANADE], "car", edges=True)
    places = [STATION, off, CATHEDRAL, ESPLANADE, off]
    legs = await router.route(places, "car", edges=True, bridge_m_s=4.0)
    assert [leg.straight for leg in legs] == [True, True, False, True]
    assert legs[0].line == (STATION, off)
    assert legs[0].duration_s == pytest.approx(distance(STATION, off) / 4.0)
    assert legs[2] == whole
    with pytest.raises(NoRoute):
        await router.route([STATION, off], "car", bridge_m_s=4.0)


async def test_a_long_route_leads_on_past_several_such_places(router: Router) -> None:
    """More places than the engine takes at once."""
    places = [STATION, CATHEDRAL, ESPLANADE] * 12
    for n in (4, 19, 20, 30):
        places[n] = OFF_THE_MAP
    legs = await router.route(places, "foot", bridge_m_s=1.0)
    assert [n for n, leg in enumerate(legs) if leg.straight] == [3, 4, 18, 19, 20, 29, 30]
    assert (
        len(Route(tuple(Stop(f"ord_{n}", "dropoff", place) for n, place in enumerate(places[1:])), legs).legs)
        == 35
    )
