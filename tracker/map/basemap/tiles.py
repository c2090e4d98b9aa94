"""Encode features as Mapbox vector tiles, gzipped."""

import gzip
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import mapbox_vector_tile
import numpy as np
import shapely
from shapely import STRtree
from shapely.geometry.base import BaseGeometry

from tracker.map.basemap.archive import LAYERS, MAX_ZOOM, Tile, TileId
from tracker.map.basemap.left_out import LeftOut, Undrawable
from tracker.map.basemap.mercator import HALF_WORLD, only
from tracker.map.basemap.osm_features import UNREADABLE, Feature
from tracker.map.basemap.spread import EXTENT, PAD, PIXELS, children, cut_out, padded, tile_side

TOO_SMALL: Final = 4.0  # square pixels; a smaller area is drawn only at the last zoom level
_SQUARE: Final = shapely.box(-PAD, -PAD, EXTENT + PAD, EXTENT + PAD)  # a padded tile in its own units
_OPTIONS: Final = {"extents": EXTENT, "y_coord_down": True, "check_winding_order": False}
_TRIES: Final = 3  # attempts to make an area with rounded corners valid

Encodable = dict[str, Any]  # geometry in the tile's units, and properties


def cut(
    features: Sequence[Feature], within: TileId, zooms: Iterable[int], left_out: LeftOut
) -> Iterator[Tile]:
    """Yield the tiles of these zoom levels inside one tile, without those that are only land."""
    for zoom in zooms:
        visible = [feature for feature in features if feature.rule.min_zoom <= zoom]
        shapes = _simplify([feature.geometry for feature in visible], zoom)
        tree = STRtree(shapes)
        for tile in _tiles(within, zoom):
            found = sorted(tree.query(shapely.box(*padded(tile))))
            content = _encode_tile([(visible[i], shapes[i]) for i in found], tile, left_out)
            if content:
                yield Tile(tile, gzip.compress(content, compresslevel=9, mtime=0))


def blank(tile: TileId) -> Tile:
    """Return a tile of land, for a map without features."""
    content = _layers({"earth": [_land([])]})
    return Tile(tile, gzip.compress(content, mtime=0))


def _tiles(within: TileId, zoom: int) -> list[TileId]:
    tiles = [within]
    while tiles[0].z < zoom:
        tiles = [child for tile in tiles for child in children(tile)]
    return tiles


def _simplify(shapes: Sequence[BaseGeometry], zoom: int) -> Any:
    """Simplify shapes to half a pixel, or an eighth at the last zoom level.

    Areas that are too small to be seen become empty.
    """
    pixel = tile_side(zoom) / PIXELS
    if zoom == MAX_ZOOM:
        return shapely.simplify(shapes, pixel / 8)
    coarse: Any = shapely.simplify(shapes, pixel / 2)
    areas = shapely.get_dimensions(coarse) == 2
    coarse[areas & (shapely.area(coarse) < TOO_SMALL * pixel * pixel)] = shapely.Polygon()
    return coarse


def _encode_tile(pieces: Iterable[tuple[Feature, BaseGeometry]], tile: TileId, left_out: LeftOut) -> bytes:
    layers: dict[str, list[Encodable]] = {name: [] for name in LAYERS}
    sea: list[BaseGeometry] = []
    for feature, shape in pieces:
        rule = feature.rule
        try:
            inside = in_units(shape, tile)
        except (Undrawable, *UNREADABLE):
            left_out.add(rule.layer, "cannot be encoded")
            continue
        if not inside.is_empty:
            properties = {"kind": rule.kind, "min_zoom": rule.min_zoom, **rule.more}
            layers[rule.layer].append({"geometry": inside, "properties": properties})
            if rule.kind == "ocean":
                sea.append(inside)
    if not any(layers.values()):
        return b""
    layers["earth"].append(_land(sea))
    return _encode_layers(layers, left_out)


def _land(sea: list[BaseGeometry]) -> Encodable:
    """Return the tile without its sea."""
    dry = only(2, shapely.difference(_SQUARE, shapely.union_all(sea))) if sea else _SQUARE
    try:
        geometry = _valid_area(shapely.transform(dry, np.rint))
    except Undrawable:
        geometry = shapely.Polygon()
    return {"geometry": geometry, "properties": {"kind": "earth", "min_zoom": 0}}


def _encode_layers(layers: dict[str, list[Encodable]], left_out: LeftOut) -> bytes:
    """Encode all features of a tile, without those that the encoder rejects."""
    try:
        return _layers(layers)
    except Exception:  # a library may raise anything: leave out that feature, not the tile
        good = {
            name: [each for each in found if _fits(name, each, left_out)] for name, found in layers.items()
        }
        return _layers(good)


def _fits(layer: str, feature: Encodable, left_out: LeftOut) -> bool:
    try:
        _layers({layer: [feature]})
    except Exception:  # likewise
        left_out.add(layer, "cannot be encoded")
        return False
    return True


def _layers(layers: dict[str, list[Encodable]]) -> bytes:
    content = [{"name": name, "features": found} for name, found in layers.items() if found]
    encoded: bytes = mapbox_vector_tile.encode(content, default_options=_OPTIONS)
    return encoded


def in_units(shape: BaseGeometry, tile: TileId) -> BaseGeometry:
    """Return the piece within the padded tile, in whole units of the tile, y downwards.

    It is valid and has the shape's dimension, or is empty if nothing of it is visible. Raises Undrawable.
    """
    inside = shape if shape.geom_type == "Point" else cut_out(shape, padded(tile))
    if inside.is_empty:
        return inside
    side = tile_side(tile.z)
    origin = np.array((tile.x * side - HALF_WORLD, HALF_WORLD - tile.y * side))
    scale = np.array((EXTENT / side, -EXTENT / side))
    whole = shapely.transform(inside, lambda places: np.rint((places - origin) * scale))
    dimension = shapely.get_dimensions(shape)
    if dimension == 2:
        return _valid_area(whole)
    return _lines_with_length(whole) if dimension == 1 else whole


def _valid_area(area: BaseGeometry) -> BaseGeometry:
    """Repair an area whose narrow parts rounding has closed, and orient its rings for the encoder.

    Raises Undrawable.
    """
    for _ in range(_TRIES):
        if area.is_empty or area.is_valid:
            return shapely.orient_polygons(area)
        area = shapely.transform(only(2, shapely.make_valid(area)), np.rint)
    area = only(2, shapely.set_precision(only(2, shapely.make_valid(area)), 1.0))
    if not area.is_valid:
        raise Undrawable("not an area")
    return shapely.orient_polygons(area)


def _lines_with_length(lines: BaseGeometry) -> BaseGeometry:
    """Drop pieces that rounding has reduced to points."""
    parts = [part for part in shapely.get_parts(lines) if part.length > 0]
    whole: BaseGeometry = parts[0] if len(parts) == 1 else shapely.MultiLineString(parts)
    return whole
