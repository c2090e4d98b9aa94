"""The basemap: land and sea, streets joined, tiles that a map library can read."""

import gzip
from collections.abc import Iterator
from math import asinh, pi, radians, tan
from pathlib import Path
from typing import Any

import mapbox_vector_tile
import pytest
import shapely
from shapely import LineString, Point

from tracker.config import Config
from tracker.map.basemap import Basemap, BasemapFailed, ensure_basemap
from tracker.map.basemap.coastline import land_and_sea
from tracker.map.basemap.layers import LayerRule, layer_rules
from tracker.map.basemap.osm_features import Feature
from tracker.map.basemap.palette import PALETTES
from tracker.map.basemap.street_names import join_streets
from tracker.map.basemap.style import LABELS_BEGIN, style
from tracker.map.extract import MapExtract, find_map

CENTRE = (24.9443, 60.1716)  # degrees; the middle of the demo area
BOX = shapely.box(0, 0, 1000, 1000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("map")


@pytest.fixture(scope="module")
async def basemap(folder: Path) -> Iterator[Basemap]:  # type: ignore[misc]
    progress: list[str] = []
    map_file = MapExtract(find_map(Config()).path, folder)
    path = await ensure_basemap(map_file, progress.append)
    assert progress, "it says what it is doing"
    with Basemap(path) as opened:
        yield opened


def tile_of(lon: float, lat: float, zoom: int) -> tuple[int, int, int]:
    side = 1 << zoom
    return zoom, int((lon + 180) / 360 * side), int((1 - asinh(tan(radians(lat))) / pi) / 2 * side)


def layers(basemap: Basemap, zoom: int) -> dict[str, Any]:
    content = basemap.tile(*tile_of(*CENTRE, zoom))
    assert content is not None
    decoded: dict[str, Any] = mapbox_vector_tile.decode(gzip.decompress(content))
    return decoded


def names(layer: dict[str, Any]) -> set[str]:
    return {feature["properties"].get("name") for feature in layer["features"]} - {None}


async def test_the_tiles_are_made_once(basemap: Basemap, folder: Path) -> None:
    """A second call returns the file that is there, and leaves nothing unfinished behind."""
    progress: list[str] = []
    path = await ensure_basemap(MapExtract(find_map(Config()).path, folder), progress.append)
    assert progress == []
    left = {file.name for file in folder.iterdir()}
    assert left == {path.name, "basemap.left-out.txt", "basemap.lock", "survey.json", "survey.lock"}


async def test_the_closest_tiles_hold_what_one_finds_ones_way_by(basemap: Basemap) -> None:
    """Streets, buildings, house numbers and museums by name, in the layers that styles expect."""
    found = layers(basemap, 15)
    assert {"earth", "landuse", "roads", "buildings", "pois"} <= set(found)
    assert {"Mikonkatu", "Vilhonkatu", "Kaisaniemenkatu"} <= names(found["roads"])
    assert "Ateneum" in names(found["pois"])
    kinds = {feature["properties"]["kind"] for feature in found["buildings"]["features"]}
    assert kinds == {"building", "address"}


async def test_far_tiles_hold_only_main_streets(basemap: Basemap) -> None:
    """What is too small for a zoom is not in its tiles."""
    found = layers(basemap, 11)
    assert "pois" not in found
    assert {f["properties"]["kind"] for f in found["roads"]["features"]} <= {"highway", "major_road", "rail"}
    assert all(feature["properties"]["min_zoom"] <= 11 for feature in found["roads"]["features"])


async def test_the_sea_is_where_the_coastline_says(basemap: Basemap) -> None:
    """The demo area has a bay: its water is in the tiles, and the middle of the town is dry."""
    found = layers(basemap, 12)
    sea = [f for f in found["water"]["features"] if f["properties"]["kind"] == "ocean"]
    assert sea


async def test_beyond_the_map_there_are_no_tiles(basemap: Basemap) -> None:
    """Other places, other zooms and impossible numbers are all answered with nothing."""
    assert basemap.tile(15, 0, 0) is None
    assert basemap.tile(16, 1, 1) is None
    assert basemap.tile(-1, 0, 0) is None
    assert basemap.tile(12, 5000, 1) is None


async def test_the_file_knows_its_place(basemap: Basemap) -> None:
    """Bounds, centre and the attribution that the licence asks for."""
    west, south, east, north = basemap.bounds
    assert west < basemap.center[0] < east
    assert south < basemap.center[1] < north
    assert basemap.metadata["attribution"] == "© OpenStreetMap contributors"


async def test_a_file_that_is_no_map_is_named(tmp_path: Path) -> None:
    """The builder's failure comes back as our error, with the file's name, and leaves no tiles."""
    broken = tmp_path / "broken.osm.pbf"
    broken.write_bytes(b"this is not a map")
    with pytest.raises(BasemapFailed, match="broken"):
        await ensure_basemap(MapExtract(broken, tmp_path / "out"), lambda _: None)
    assert not list((tmp_path / "out").glob("*.pmtiles"))


def test_water_lies_right_of_the_coast() -> None:
    """A coast running north has its sea in the east; running south, in the west."""
    north = LineString([(400, -50), (400, 1050)])
    land, sea = land_and_sea([north], BOX)
    assert sea.contains(Point(700, 500)) and land.contains(Point(100, 500))
    land, sea = land_and_sea([north.reverse()], BOX)
    assert sea.contains(Point(100, 500)) and land.contains(Point(700, 500))


def test_a_coast_that_the_extract_cut_off_is_led_to_the_edge() -> None:
    """The last node inside may be metres from the edge: the sea does not run out there."""
    _, sea = land_and_sea([LineString([(400, 20), (400, 960)])], BOX)
    assert sea.area == pytest.approx(600 * 1000)


def test_an_island_is_land_in_the_sea() -> None:
    """A ring counted counter-clockwise has its water outside."""
    ring = LineString([(400, 400), (600, 400), (600, 600), (400, 600), (400, 400)])
    land, sea = land_and_sea([ring], BOX)
    assert land.area == pytest.approx(200 * 200)
    assert sea.area == pytest.approx(1000 * 1000 - 200 * 200)


def test_without_a_coast_all_is_land() -> None:
    """An inland map has no sea."""
    land, sea = land_and_sea([], BOX)
    assert land.equals(BOX) and sea.is_empty


def test_equal_streets_become_one_line() -> None:
    """Ways of one street are joined; another street, and a bridge in it, stay apart."""
    street = LayerRule("roads", "minor_road", 12, {"name": "A"})
    bridge = LayerRule("roads", "minor_road", 12, {"name": "A", "is_bridge": True})
    pieces = [
        Feature(street, LineString([(0, 0), (1, 0)])),
        Feature(street, LineString([(1, 0), (2, 0)])),
        Feature(bridge, LineString([(2, 0), (3, 0)])),
    ]
    joined = join_streets(pieces)
    assert sorted(feature.geometry.length for feature in joined) == [1, 2]


@pytest.mark.parametrize(
    ("tags", "shape", "expected"),
    [
        ({"highway": "primary", "name": "A"}, "line", [("roads", "major_road")]),
        ({"highway": "footway"}, "line", [("roads", "path")]),
        ({"highway": "footway"}, "area", []),
        ({"highway": "footway", "area": "yes"}, "area", [("landuse", "pedestrian")]),
        ({"railway": "tram"}, "line", [("roads", "rail")]),
        ({"railway": "subway", "tunnel": "yes"}, "line", []),
        ({"building": "yes", "tourism": "museum", "name": "M"}, "area",
         [("buildings", "building"), ("pois", "museum")]),
        ({"building": "no"}, "area", []),
        ({"natural": "water", "water": "lake"}, "area", [("water", "lake")]),
        ({"place": "suburb", "name": "S"}, "point", [("places", "neighbourhood")]),
        ({"addr:housenumber": "6"}, "point", [("buildings", "address")]),
        ({"layer": "-1;2", "landuse": "grass"}, "area", [("landuse", "grass")]),
        ({}, "area", []),
    ],
)  # fmt: skip
def test_tags_become_layers_and_kinds(
    tags: dict[str, str], shape: Any, expected: list[tuple[str, str]]
) -> None:
    """An object is drawn as its tags say, once for each thing that it is."""
    assert [(rule.layer, rule.kind) for rule in layer_rules(tags, shape)] == expected


@pytest.mark.parametrize("theme", PALETTES)
def test_a_style_is_whole(theme: Any) -> None:
    """Names are unique, labels come after the marker layer, and every font and tile address is ours."""
    box = (24.0, 60.0, 25.0, 61.0)
    made = style(
        theme, bounds=box, zooms=(11, 15), static=lambda name: f"/static/v/{name}", tiles="/below/tiles"
    )
    ids = [layer["id"] for layer in made["layers"]]
    assert len(ids) == len(set(ids))
    beginning = ids.index(LABELS_BEGIN)
    assert all(
        (layer["type"] == "symbol") == (i > beginning)
        for i, layer in enumerate(made["layers"])
        if i != beginning
    )
    fonts = [face["url"] for faces in made["font-faces"].values() for face in faces]
    assert all(address.startswith("/") for address in (*fonts, *made["sources"]["map"]["tiles"]))
