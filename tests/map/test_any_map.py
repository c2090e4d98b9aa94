"""Any map: every valid extract gives tiles, addresses and bounds, however awkward it is."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mapbox_vector_tile
import msgspec
import osmium
import pytest
from pmtiles.reader import MmapSource, all_tiles

from tests.nasty_extracts import LONG, NASTY, SEVERAL_SCRIPTS, Nasty, town, write_extract
from tracker.map import addresses as index_module
from tracker.map.addresses import AddressIndex, read
from tracker.map.basemap import Basemap, osm_features
from tracker.map.basemap.archive import tile_at
from tracker.map.basemap.build import build
from tracker.map.basemap.spread import EXTENT, PAD
from tracker.map.extract import MapExtract
from tracker.map.survey import surveyed

EXTRACTS = Path(__file__).parent.parent / "extracts"
REAL = {path.name.removesuffix(".osm.pbf"): path for path in sorted(EXTRACTS.glob("*.pbf"))}
CITY = {  # where the middle of each is; lon, lat
    "amsterdam": (4.931, 52.347),
    "b16-box-to-180": (179.95, -16.8),
    "b16-stray-node-far-off": (20.005, 60.0025),
    "melborne": (145.364, -37.627),
    "nyc": (-74.007, 40.736),
    "paris_bss": (2.366, 48.864),
}
FEW_TILES = 100  # of an extract that is smaller than a town


class Made(msgspec.Struct, frozen=True):
    """What came of an extract."""

    basemap: Basemap
    tiles: dict[tuple[int, int, int], dict[str, Any]]
    index: AddressIndex
    said: list[str]

    def names(self, layer: str = "roads", zoom: int = 15) -> set[str]:
        return {
            feature["properties"].get("name", "")
            for (z, _, _), tile in self.tiles.items()
            if z == zoom
            for feature in tile.get(layer, {"features": []})["features"]
        }


def made(map_path: Path, folder: Path) -> Made:
    said: list[str] = []
    path = build(MapExtract(map_path, folder), said.append)
    survey = surveyed(map_path, folder)
    with path.open("rb") as file:
        tiles = {
            where: mapbox_vector_tile.decode(gzip.decompress(content))
            for where, content in all_tiles(MmapSource(file))
        }
    with Basemap(path) as basemap:
        addresses = read(survey.readable(map_path, folder), survey)
        return Made(basemap, tiles, addresses, said)


def coordinates(geometry: Any) -> Iterator[tuple[float, float]]:
    if isinstance(geometry[0], int | float):
        yield geometry[0], geometry[1]
    else:
        for part in geometry:
            yield from coordinates(part)


def check_everything(found: Made, middle: tuple[float, float]) -> None:
    """What holds for every map: bounds around the bulk, few tiles, nothing that leaves its tile."""
    west, south, east, north = found.index.bbox
    lon, lat = found.basemap.center
    assert lon == pytest.approx(middle[0], abs=0.01) or abs(lon - middle[0]) == pytest.approx(360, abs=0.01)
    assert lat == pytest.approx(middle[1], abs=0.01)
    assert south < north and (east - west) % 360 < 0.3
    assert len(found.tiles) <= FEW_TILES
    for tile in found.tiles.values():
        for layer in tile.values():
            for feature in layer["features"]:
                for place in coordinates(feature["geometry"]["coordinates"]):
                    assert all(-PAD <= each <= EXTENT + PAD for each in place)
    for each in found.index.addresses:
        assert -180 <= each.lon <= 180 and -90 <= each.lat <= 90
        assert each.address.isprintable() and each.address.strip() == each.address != ""


@pytest.mark.parametrize("name", REAL)
def test_real_extracts_serve(name: str, tmp_path: Path) -> None:
    """Streets on the map, the page in the middle of the city, and places for couriers to go to."""
    found = made(REAL[name], tmp_path)
    check_everything(found, CITY[name])
    assert len(found.names()) > 3
    assert len(found.index.addresses) >= 10
    assert found.said[-1 if "left out" not in found.said[-1] else -2] == "Map tiles: 100 %"


@pytest.mark.parametrize("name", NASTY)
def test_nasty_extracts_serve(name: str, tmp_path: Path) -> None:
    """Whatever else is in the file: its town is on the map, and the map opens there."""
    nasty = NASTY[name]
    found = made(write_extract(tmp_path / "map.osm.pbf", nasty), tmp_path / "made")
    if nasty.middle is not None:
        check_everything(found, nasty.middle)
    assert found.tiles, "an archive has at least one tile"
    assert (len(found.names() - {""}) >= 1) == nasty.streets
    assert not nasty.streets or len(found.index.addresses) >= 1


def test_one_bad_feature_is_counted_and_costs_nothing_else(tmp_path: Path) -> None:
    """By layer and reason, in one line at the end."""
    found = made(write_extract(tmp_path / "a.osm.pbf", NASTY["shapes that are none"]), tmp_path / "made")
    assert found.said[-1] == "3 features left out: 2 buildings (not an area), 1 water (not an area)"
    assert {"N0", "S4"} <= found.names()


def test_nothing_left_out_says_nothing(tmp_path: Path) -> None:
    """The summary is for what is missing."""
    found = made(write_extract(tmp_path / "a.osm.pbf", NASTY["plain"]), tmp_path / "made")
    assert found.said[-1] == "Map tiles: 100 %"


def test_both_sides_of_the_antimeridian_are_drawn(tmp_path: Path) -> None:
    """Street, building and lake, in the first and the last column of tiles and in none between."""
    found = made(write_extract(tmp_path / "a.osm.pbf", NASTY["across"]), tmp_path / "made")
    at_15 = {where: tile for where, tile in found.tiles.items() if where[0] == 15}
    assert {x for _, x, _ in at_15} == {0, 2**15 - 1}
    for x in (0, 2**15 - 1):
        layers = {layer for (_, column, _), tile in at_15.items() if column == x for layer in tile}
        assert {"roads", "buildings", "water"} <= layers
    for west, _, east, _ in (found.index.bbox, found.basemap.bounds):
        assert west == pytest.approx(179.995) and east == pytest.approx(-179.995)


def test_names_in_any_script_survive(tmp_path: Path) -> None:
    """Arabic, Hebrew, Chinese, Thai, emoji; control characters and endless names do not."""
    found = made(write_extract(tmp_path / "a.osm.pbf", NASTY["all scripts"]), tmp_path / "made")
    names = found.names()
    assert SEVERAL_SCRIPTS in names
    assert "a b c d" in names
    assert LONG not in names and any(name and set(name) == {LONG[0]} for name in names)


def test_the_newest_visible_version_counts(tmp_path: Path) -> None:
    """Deleted ways are not drawn, nor former names."""
    names = made(write_extract(tmp_path / "a.osm.pbf", NASTY["deleted"]), tmp_path / "made").names()
    assert "Old Name" not in names and "S0" not in names and "N1" in names


def test_villages_without_street_names_have_addresses(tmp_path: Path) -> None:
    """`addr:place` stands for the street, and a house may have a name instead of a number."""
    name = "houses without numbers or streets"
    found = made(write_extract(tmp_path / "a.osm.pbf", NASTY[name]), tmp_path / "made")
    addresses = [each.address for each in found.index.addresses]
    assert addresses == ["Little Village 7", "Mill Lane 8", "Rose Cottage, Mill Lane"]


def test_two_towns_are_both_on_the_map(tmp_path: Path) -> None:
    """An extract of several cities has tiles around each and none between."""
    nasty = Nasty([*town(), *town((6.0, 51.0), first=100)])
    found = made(write_extract(tmp_path / "a.osm.pbf", nasty), tmp_path / "made")
    assert found.index.bbox == (5.0, 50.0, 6.004, 51.004)
    assert len(found.tiles) <= 2 * FEW_TILES
    for lon, lat in ((5.002, 50.002), (6.002, 51.002)):
        assert "roads" in found.tiles[tile_at(lon, lat, 15)]
    west, south, east, north = found.basemap.coverage
    assert west < 5 and south < 50 and east > 6.004 and north > 51.004


def test_builders_share_one_survey(tmp_path: Path) -> None:
    """A good extract is read as it is; one that is not sorted is repaired once."""
    good = write_extract(tmp_path / "good.osm.pbf", NASTY["plain"])
    assert surveyed(good, tmp_path / "one").readable(good, tmp_path / "one") == good
    bad = write_extract(tmp_path / "bad.osm.pbf", NASTY["ways first"])
    repaired = surveyed(bad, tmp_path / "two").readable(bad, tmp_path / "two")
    assert repaired != bad
    kinds = [thing.type_str() for thing in osmium.FileProcessor(str(repaired))]
    assert kinds == ["n"] * 25 + ["w"] * 10
    assert {path.name for path in (tmp_path / "two").iterdir()} == {
        "repaired.osm.pbf", "survey.json", "survey.lock",
    }  # fmt: skip


def test_a_large_extract_keeps_its_nodes_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same result, and nothing left behind."""
    monkeypatch.setattr(osm_features, "IN_MEMORY", 0)
    found = made(REAL["nyc"], tmp_path / "disk")
    monkeypatch.undo()
    assert found.tiles == made(REAL["nyc"], tmp_path / "memory").tiles
    assert not list((tmp_path / "disk").glob("*.part"))


def test_a_large_extract_has_the_same_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with its nodes on disk."""
    survey, path = surveyed(REAL["nyc"], tmp_path), tmp_path / "repaired.osm.pbf"
    in_memory = read(path, survey)
    monkeypatch.setattr(index_module, "IN_MEMORY", 0)
    assert read(path, survey, nodes_file=tmp_path / "nodes") == in_memory
    assert len(in_memory.addresses) > 1000
