"""Tiles: features cut into Mapbox vector tiles, each gzipped."""

import gzip
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import mapbox_vector_tile
import numpy as np
import shapely
from shapely import STRtree
from shapely.geometry.base import BaseGeometry

from tracker.basemap.archive import LAYERS, MAX_ZOOM, Tile, TileId
from tracker.basemap.extract import HALF_WORLD, Feature

EXTENT: Final = 4096  # units of a tile's side
PIXELS: Final = 512  # of a tile's side on the screen
PAD: Final = 32 * EXTENT // PIXELS  # units drawn beyond the edge, so that no outline or label shows it
TOO_SMALL: Final = 4.0  # square pixels: an area below that is not drawn before the last zoom


def tile_side(zoom: int) -> float:
    """Metres of Web Mercator."""
    return 2 * HALF_WORLD / (1 << zoom)


def tiles_of(box: tuple[float, float, float, float], zoom: int) -> Iterator[TileId]:
    """Every tile that touches the box (Web Mercator metres)."""
    side = tile_side(zoom)
    west, south, east, north = box
    for x in range(int((west + HALF_WORLD) // side), int((east + HALF_WORLD) // side) + 1):
        for y in range(int((HALF_WORLD - north) // side), int((HALF_WORLD - south) // side) + 1):
            yield TileId(zoom, x, y)


def cut(features: Sequence[Feature], box: tuple[float, float, float, float], zoom: int) -> Iterator[Tile]:
    """The tiles of one zoom; empty ones are left out."""
    shown = [feature for feature in features if feature.look.min_zoom <= zoom]
    shapes = _simplified([feature.geometry for feature in shown], zoom)
    tree = STRtree(shapes)
    for tile in tiles_of(box, zoom):
        found = sorted(tree.query(shapely.box(*_padded(tile))))
        content = _encoded(((shown[i], shapes[i]) for i in found), tile)
        if content:
            yield Tile(tile, gzip.compress(content, compresslevel=9, mtime=0))


def _simplified(shapes: Sequence[BaseGeometry], zoom: int) -> Any:
    """Half a pixel finer than the eye; what is too small to be seen becomes empty."""
    pixel = tile_side(zoom) / PIXELS
    if zoom == MAX_ZOOM:
        return shapely.simplify(shapes, pixel / 8)
    coarse: Any = shapely.simplify(shapes, pixel / 2)
    areas = shapely.get_dimensions(coarse) == 2
    coarse[areas & (shapely.area(coarse) < TOO_SMALL * pixel * pixel)] = shapely.Polygon()
    return coarse


def _padded(tile: TileId) -> tuple[float, float, float, float]:
    side = tile_side(tile.z)
    pad = side * PAD / EXTENT
    west, north = tile.x * side - HALF_WORLD, HALF_WORLD - tile.y * side
    return (west - pad, north - side - pad, west + side + pad, north + pad)


def _encoded(pieces: Iterable[tuple[Feature, BaseGeometry]], tile: TileId) -> bytes:
    layers: dict[str, list[dict[str, Any]]] = {name: [] for name in LAYERS}
    for feature, shape in pieces:
        inside = _clipped(shape, tile)
        if not inside.is_empty:
            look = feature.look
            properties = {"kind": look.kind, "min_zoom": look.min_zoom, **look.more}
            layers[look.layer].append({"geometry": inside, "properties": properties})
    content = [{"name": name, "features": found} for name, found in layers.items() if found]
    options = {"extents": EXTENT, "y_coord_down": True, "on_invalid_geometry": shapely.make_valid}
    return mapbox_vector_tile.encode(content, default_options=options) if content else b""


def _clipped(shape: BaseGeometry, tile: TileId) -> BaseGeometry:
    """The piece within the padded tile, in the tile's own units, y downwards."""
    box = _padded(tile)
    inside = shape if shape.geom_type == "Point" else shapely.clip_by_rect(shape, *box)
    side = tile_side(tile.z)
    origin = np.array((tile.x * side - HALF_WORLD, HALF_WORLD - tile.y * side))
    scale = np.array((EXTENT / side, -EXTENT / side))
    whole = shapely.transform(inside, lambda places: np.rint((places - origin) * scale))
    return _one_kind(shape, whole)


def _one_kind(shape: BaseGeometry, cut_out: BaseGeometry) -> BaseGeometry:
    """Clipping may leave stray points and lines of an area; a tile's features have one dimension."""
    wanted = shapely.get_dimensions(shape)
    if cut_out.geom_type != "GeometryCollection":
        return cut_out
    parts = [part for part in shapely.get_parts(cut_out) if shapely.get_dimensions(part) == wanted]
    return shapely.union_all(parts) if wanted == 2 else shapely.line_merge(shapely.union_all(parts))
