"""Any map, routed: extracts that the engine's builder cannot read, or that have no streets, still serve."""

from itertools import batched
from math import inf
from pathlib import Path

import pytest

from tests.nasty_extracts import NASTY, Nasty, line, town, write_extract
from tracker.domain.geo import LonLat
from tracker.errors import NoRoute
from tracker.gazetteer import open_gazetteer
from tracker.mapfile import MapFile
from tracker.routing import Router

EXTRACTS = Path(__file__).parent / "extracts"


def quiet(_: str) -> None:
    pass


@pytest.mark.parametrize("name", ["ways first", "numbers below 0", "places on ways, no nodes", "stray node"])
async def test_awkward_extracts_have_routes(name: str, tmp_path: Path) -> None:
    """What is not sorted, or lacks nodes, is repaired before the engine's builder stops at it."""
    extract = write_extract(tmp_path / "map.osm.pbf", NASTY[name])
    async with Router.open(MapFile(extract, tmp_path / "made"), quiet) as router:
        (leg,) = await router.route([LonLat(5.0, 50.0), LonLat(5.004, 50.004)], "car")
    assert 600 < leg.distance_m < 800


@pytest.mark.parametrize("name", ["nyc", "melborne"])
async def test_real_extracts_have_routes_between_their_addresses(name: str, tmp_path: Path) -> None:
    """Where there is no address, between places in its streets."""
    map_file = MapFile(EXTRACTS / f"{name}.osm.pbf", tmp_path)
    async with Router.open(map_file, quiet) as router:
        addresses = (await open_gazetteer(map_file)).addresses[:10]
        assert len(addresses) == 10
        for pair in batched(addresses, 2):
            legs = await router.route([LonLat(each.lon, each.lat) for each in pair], "car")
            assert 0 <= legs[0].distance_m < 5_000


@pytest.mark.parametrize("name", ["nothing", "only nodes"])
async def test_without_streets_there_is_a_router_without_routes(name: str, tmp_path: Path) -> None:
    """The start goes on; stops of such a map get straight lines."""
    extract = write_extract(tmp_path / "map.osm.pbf", NASTY[name])
    places = [LonLat(5.0, 50.0), LonLat(5.004, 50.004)]
    async with Router.open(MapFile(extract, tmp_path / "made"), quiet) as router:
        with pytest.raises(NoRoute):
            await router.route(places, "car")
        assert (await router.matrix(places, "foot"))[0][1] == inf
        assert router.up


async def test_a_street_across_the_antimeridian_is_as_long_as_it_is(tmp_path: Path) -> None:
    """Not as long as the way around the world."""
    extract = write_extract(tmp_path / "map.osm.pbf", NASTY["across"])
    async with Router.open(MapFile(extract, tmp_path / "made"), quiet) as router:
        (leg,) = await router.route([LonLat(179.996, -17.0), LonLat(-179.996, -17.0)], "car", edges=True)
    assert leg.distance_m == pytest.approx(851, rel=0.02)


async def test_islands_have_routes_by_ferry_only(tmp_path: Path) -> None:
    """A ferry takes its time; to an island without one there is no way, and the engine stays up."""
    mainland, island, lonely = town((5.0, 50.0)), town((5.04, 50.0), first=100), town((5.0, 50.1), first=200)
    ferry = {"route": "ferry", "duration": "00:20", "motor_vehicle": "yes", "bicycle": "yes", "foot": "yes"}
    *_, way = line((0.0, 0.0), (0.0, 0.1), tags=ferry)
    way.nodes = [5, 100]  # from a corner of the one to a corner of the other
    extract = write_extract(tmp_path / "map.osm.pbf", Nasty([*mainland, *island, *lonely, way]))
    begin, over, never = LonLat(5.002, 50.002), LonLat(5.042, 50.002), LonLat(5.002, 50.102)
    async with Router.open(MapFile(extract, tmp_path / "made"), quiet) as router:
        for vehicle in ("car", "bicycle"):
            (leg,) = await router.route([begin, over], vehicle)
            assert 20 * 60 < leg.duration_s < 60 * 60
            assert 2_500 < leg.distance_m < 4_500
        with pytest.raises(NoRoute):
            await router.route([begin, never], "car")
        assert router.up
