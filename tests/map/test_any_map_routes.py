"""Any map, routed: extracts that the engine's builder cannot read, or that have no streets, still serve."""

from itertools import batched
from math import inf
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.nasty_extracts import NASTY, STEP, Nasty, line, town, write_extract
from tracker.domain.geo import LonLat
from tracker.errors import NoRoute
from tracker.map.addresses import load_address_index
from tracker.map.extract import MapExtract
from tracker.routing import Router
from tracker.routing.antimeridian import rotated
from tracker.routing.polyline import decode, encode

EXTRACTS = Path(__file__).parent.parent / "extracts"


def quiet(_: str) -> None:
    pass


@pytest.mark.parametrize("name", ["ways first", "numbers below 0", "places on ways, no nodes", "stray node"])
async def test_awkward_extracts_have_routes(name: str, tmp_path: Path) -> None:
    """What is not sorted, or lacks nodes, is repaired before the engine's builder stops at it."""
    extract = write_extract(tmp_path / "map.osm.pbf", NASTY[name])
    async with Router.open(MapExtract(extract, tmp_path / "made"), quiet) as router:
        (leg,) = await router.route([LonLat(5.0, 50.0), LonLat(5.004, 50.004)], "car")
    assert 600 < leg.distance_m < 800


@pytest.mark.parametrize("name", ["nyc", "melborne"])
async def test_real_extracts_have_routes_between_their_addresses(name: str, tmp_path: Path) -> None:
    """Where there is no address, between places in its streets."""
    map_file = MapExtract(EXTRACTS / f"{name}.osm.pbf", tmp_path)
    async with Router.open(map_file, quiet) as router:
        addresses = (await load_address_index(map_file)).addresses[:10]
        assert len(addresses) == 10
        for pair in batched(addresses, 2):
            legs = await router.route([LonLat(each.lon, each.lat) for each in pair], "car")
            assert 0 <= legs[0].distance_m < 5_000


@pytest.mark.parametrize("name", ["nothing", "only nodes"])
async def test_without_streets_there_is_a_router_without_routes(name: str, tmp_path: Path) -> None:
    """The start goes on; stops of such a map get straight lines."""
    extract = write_extract(tmp_path / "map.osm.pbf", NASTY[name])
    places = [LonLat(5.0, 50.0), LonLat(5.004, 50.004)]
    async with Router.open(MapExtract(extract, tmp_path / "made"), quiet) as router:
        with pytest.raises(NoRoute):
            await router.route(places, "car")
        assert (await router.matrix(places, "foot"))[0][1] == inf
        assert router.up


@pytest.mark.parametrize("middle", [180.0, 180.0 - 2 * STEP, 180.0 + 2 * STEP, 180.0 - 0.0005])
async def test_streets_at_the_antimeridian_are_as_long_as_they_are(middle: float, tmp_path: Path) -> None:
    """Wherever it cuts the town, ways are straight and their places lie within 180 degrees."""
    west, east = (lon - 360.0 if lon > 180.0 else lon for lon in (middle - 2 * STEP, middle + 2 * STEP))
    extract = write_extract(tmp_path / "map.osm.pbf", Nasty(town((middle - 2 * STEP, -17.0))))
    async with Router.open(MapExtract(extract, tmp_path / "made"), quiet) as router:
        for lat in (-17.0, -16.997):
            ends = [LonLat(west, lat), LonLat(east, lat)]
            for places in (ends, ends[::-1]):
                (leg,) = await router.route(places, "car", edges=True)
                assert leg.distance_m == pytest.approx(426, rel=0.02)
                assert sum(edge.length_m for edge in leg.edges) == pytest.approx(426, rel=0.02)
                assert all(abs(place.lon) <= 180 for place in leg.line)
            times = await router.matrix(ends, "car")
            assert 0 < times[0][1] < 120


@given(st.lists(st.tuples(st.integers(-180_000_000, 180_000_000), st.integers(-90_000_000, 90_000_000))))
def test_lines_are_encoded_as_the_engine_does(places: list[tuple[int, int]]) -> None:
    """Decoding gives the places back; turning twice as well."""
    line = tuple(LonLat(lon / 1e6, lat / 1e6) for lon, lat in places)
    assert decode(encode(line)) == line
    for place in line:
        assert rotated(rotated(place.lon)) == pytest.approx(place.lon) or abs(place.lon) == 180


async def test_islands_have_routes_by_ferry_only(tmp_path: Path) -> None:
    """A ferry takes its time; to an island without one there is no way, and the engine stays up."""
    mainland, island, lonely = town((5.0, 50.0)), town((5.04, 50.0), first=100), town((5.0, 50.1), first=200)
    ferry = {"route": "ferry", "duration": "00:20", "motor_vehicle": "yes", "bicycle": "yes", "foot": "yes"}
    *_, way = line((0.0, 0.0), (0.0, 0.1), tags=ferry)
    way.nodes = [5, 100]  # from a corner of the one to a corner of the other
    extract = write_extract(tmp_path / "map.osm.pbf", Nasty([*mainland, *island, *lonely, way]))
    begin, over, never = LonLat(5.002, 50.002), LonLat(5.042, 50.002), LonLat(5.002, 50.102)
    async with Router.open(MapExtract(extract, tmp_path / "made"), quiet) as router:
        for vehicle in ("car", "bicycle"):
            (leg,) = await router.route([begin, over], vehicle)
            assert 20 * 60 < leg.duration_s < 60 * 60
            assert 2_500 < leg.distance_m < 4_500
        with pytest.raises(NoRoute):
            await router.route([begin, never], "car")
        assert router.up
