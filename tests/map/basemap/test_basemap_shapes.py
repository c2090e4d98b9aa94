"""Shapes of the basemap: at the antimeridian, at the poles, and those that no tile can hold."""

from pathlib import Path
from typing import Any

import mapbox_vector_tile
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from tracker.map.basemap import tiles
from tracker.map.basemap.archive import TileId
from tracker.map.basemap.layers import LayerRule
from tracker.map.basemap.left_out import LeftOut, Undrawable
from tracker.map.basemap.mercator import HALF_WORLD, area, lines, only
from tracker.map.basemap.osm_features import Feature
from tracker.map.basemap.spool import Spool
from tracker.map.basemap.spread import EXTENT, PAD, Ground, padded

TILE = TileId(15, 17_000, 11_000)
units = st.integers(-500, EXTENT + 500)


def in_tile(shape: BaseGeometry) -> BaseGeometry:
    """From a tile's units, y downwards, to metres."""
    west, _, east, north = padded(TILE)
    scale = (east - west) / (EXTENT + 2 * PAD)
    origin, scales = (west + PAD * scale, north - PAD * scale), (scale, -scale)
    return shapely.transform(shape, lambda places: places * scales + origin)


@given(st.lists(st.tuples(units, units), min_size=3, max_size=12))
def test_any_ring_becomes_a_valid_area_or_nothing(ring: list[tuple[int, int]]) -> None:
    """Self-crossing, flat and tiny ones; never a collection, a point or a line."""
    shape = only(2, shapely.make_valid(Polygon(ring)))
    inside = tiles.in_units(in_tile(shape), TILE)
    assert inside.is_empty or (inside.geom_type in {"Polygon", "MultiPolygon"} and inside.is_valid)
    left_out = LeftOut()
    building = Feature(LayerRule("buildings", "building", 13, {}), in_tile(shape))
    found = list(tiles.cut([building], TILE, [15], left_out))
    assert len(found) == (not inside.is_empty)
    assert left_out.summary() is None


@given(st.lists(st.tuples(units, units), min_size=2, max_size=12))
def test_any_line_becomes_lines_or_nothing(places: list[tuple[int, int]]) -> None:
    """Also where all of its places round to one."""
    inside = tiles.in_units(in_tile(LineString(places)), TILE)
    assert inside.is_empty or inside.geom_type in {"LineString", "MultiLineString"}
    assert inside.is_empty or inside.length > 0


def test_what_the_encoder_refuses_costs_neither_tile_nor_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others of its layer are drawn, and it is counted."""
    good = Feature(LayerRule("roads", "path", 13, {}), in_tile(LineString([(0, 0), (4000, 4000)])))
    bad = Feature(LayerRule("roads", "bad", 13, {}), in_tile(LineString([(0, 4000), (4000, 0)])))
    whole = mapbox_vector_tile.encode

    def refusing(layers: list[Any], **options: Any) -> bytes:
        if any(each["properties"]["kind"] == "bad" for layer in layers for each in layer["features"]):
            raise ValueError("Encoding geometry collections not supported")
        encoded: bytes = whole(layers, **options)
        return encoded

    monkeypatch.setattr(mapbox_vector_tile, "encode", refusing)
    left_out = LeftOut()
    found = list(tiles.cut([good, bad, good], TILE, [15], left_out))
    assert len(found) == 1
    assert left_out.summary() == "1 features left out: 1 roads (cannot be encoded)"


def test_lines_are_cut_at_the_antimeridian() -> None:
    """Both pieces end on it, at the same height, and none goes around the world."""
    east, west = lines([(179.99, -17.0), (-179.97, -17.04)])
    assert east.bounds[2] == pytest.approx(HALF_WORLD) and west.bounds[0] == pytest.approx(-HALF_WORLD)
    assert east.coords[-1][1] == pytest.approx(west.coords[0][1])
    assert east.length + west.length < 10_000  # metres


def test_lines_that_only_touch_the_antimeridian_stay_whole() -> None:
    """A street that ends at 180 degrees has no piece on the other side."""
    assert len(list(lines([(179.99, -17.0), (-180.0, -17.0)]))) == 1
    assert len(list(lines([(-179.99, -17.0), (180.0, -17.0)]))) == 1


def test_areas_are_cut_at_the_antimeridian_with_their_holes() -> None:
    """A lake on both sides with an island on both sides."""
    lake = [(179.9, -17.0), (-179.9, -17.0), (-179.9, -16.9), (179.9, -16.9), (179.9, -17.0)]
    island = [(-179.95, -16.96), (179.95, -16.96), (179.95, -16.94), (-179.95, -16.94), (-179.95, -16.96)]
    whole = area([(lake, [island])])
    assert whole.geom_type == "MultiPolygon" and len(shapely.get_parts(whole)) == 2
    water = area([([(0.0, -17.0), (0.2, -17.0), (0.2, -16.9), (0.0, -16.9), (0.0, -17.0)], [])])
    assert whole.area == pytest.approx(water.area * 0.9, rel=1e-3)


def test_an_area_around_a_pole_is_refused() -> None:
    """It has no inside on this map."""
    around = [(0.0, -80.0), (120.0, -80.0), (-120.0, -80.0), (0.0, -80.0)]
    with pytest.raises(Undrawable, match="pole"):
        area([(around, [])])


def test_the_part_within_the_maps_latitudes_is_drawn() -> None:
    """What lies beyond 85.05 degrees is cut off, not pushed to the edge."""
    (line,) = lines([(20.0, 84.0), (20.0, 88.0)])
    assert line.bounds[3] == pytest.approx(HALF_WORLD, rel=1e-6)
    with pytest.raises(Undrawable, match="edge"):
        list(lines([(20.0, 86.0), (21.0, 88.0)]))


def test_shapes_reach_only_tiles_with_nodes() -> None:
    """A street across half the world is drawn where its ends are."""
    (line,) = lines([(0.0, 0.0), (90.0, 60.0)])
    ground = Ground(frozenset({(1024, 1024), (1536, 594)}))
    reached = {tile for tile, _ in ground.spread(line, 13)}
    assert {(tile.x >> 2, tile.y >> 2) for tile in reached} == {(1024, 1024), (1536, 594)}
    assert len(reached) < 20


def test_pieces_of_a_shape_make_the_whole() -> None:
    """No part is lost between the tiles."""
    (line,) = lines([(4.95, 50.0), (5.5, 50.3)])
    everywhere = Ground(frozenset((x, y) for x in range(1040, 1070) for y in range(680, 710)))
    pieces = [piece for _, piece in everywhere.spread(line, 13)]
    assert line.difference(shapely.union_all(pieces).buffer(1)).is_empty


def test_the_spool_gives_back_what_came(tmp_path: Path) -> None:
    """By key, in the order of arrival, also what does not fit into memory."""
    path = tmp_path / "spool"
    with Spool(path, buffer=100) as spool:
        for n in range(50):
            spool.add(n % 3, b"x" * n)
        assert [len(record) for record in spool.records(1)] == list(range(1, 50, 3))
        assert list(spool.records(7)) == []
        spool.add(1, b"")
        assert len(list(spool.records(1))) == 18
    assert not path.exists()
