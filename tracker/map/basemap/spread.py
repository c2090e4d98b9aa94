"""Cut shapes into tiles. Only tiles with nodes of the extract count."""

from collections.abc import Iterator
from typing import Final

import shapely
from shapely.geometry.base import BaseGeometry

from tracker.map.basemap.archive import TileId
from tracker.map.basemap.mercator import HALF_WORLD, alike
from tracker.map.extent import CELL_ZOOM

EXTENT: Final = 4096  # units along a tile's side
PIXELS: Final = 512  # along a tile's side on the screen
PAD: Final = 32 * EXTENT // PIXELS  # units drawn beyond the edge, so that outlines and labels don't end at it

Box = tuple[float, float, float, float]  # west, south, east, north; metres


def tile_side(zoom: int) -> float:
    """Return the side of a tile in Web Mercator metres."""
    return 2 * HALF_WORLD / (1 << zoom)


def padded(tile: TileId) -> Box:
    """Return the box of a tile with its padding."""
    side = tile_side(tile.z)
    pad = side * PAD / EXTENT
    west, north = tile.x * side - HALF_WORLD, HALF_WORLD - tile.y * side
    return (west - pad, north - side - pad, west + side + pad, north + pad)


def children(tile: TileId) -> list[TileId]:
    """Return the four tiles of the next zoom level inside a tile."""
    return [TileId(tile.z + 1, 2 * tile.x + dx, 2 * tile.y + dy) for dx in (0, 1) for dy in (0, 1)]


class Ground:
    """The tiles that may be drawn, because they or their cell contain a node of the extract.

    Without this limit, a street to a stray node or a sea would fill the world with tiles.
    """

    def __init__(self, cells: frozenset[tuple[int, int]]) -> None:
        self._by_zoom: list[frozenset[tuple[int, int]]] = [cells]
        for _ in range(CELL_ZOOM):
            self._by_zoom.insert(0, frozenset((x >> 1, y >> 1) for x, y in self._by_zoom[0]))

    def has(self, tile: TileId) -> bool:
        """Return whether the tile, or the cell that contains it, has a node."""
        up = max(0, tile.z - CELL_ZOOM)
        return (tile.x >> up, tile.y >> up) in self._by_zoom[tile.z - up]

    def spread(self, shape: BaseGeometry, zoom: int) -> Iterator[tuple[TileId, BaseGeometry]]:
        """Yield the shape's piece in each tile of this zoom level, padding included."""
        yield from self._within(_smallest_around(shape.bounds, zoom), shape, zoom)

    def _within(self, tile: TileId, shape: BaseGeometry, zoom: int) -> Iterator[tuple[TileId, BaseGeometry]]:
        if shape.is_empty or not self.has(tile):
            return
        if tile.z == zoom:
            yield tile, shape
            return
        for child in children(tile):
            if overlap(shape.bounds, padded(child)):
                yield from self._within(child, cut_out(shape, padded(child)), zoom)


def overlap(one: Box, other: Box) -> bool:
    return one[0] <= other[2] and one[2] >= other[0] and one[1] <= other[3] and one[3] >= other[1]


def cut_out(shape: BaseGeometry, box: Box) -> BaseGeometry:
    """Return the part of the shape in the box, with the shape's dimension; empty if there is none."""
    west, south, east, north = shape.bounds
    if west >= box[0] and south >= box[1] and east <= box[2] and north <= box[3]:
        return shape
    return alike(shape, shapely.clip_by_rect(shape, *box))


def _smallest_around(bounds: Box, zoom: int) -> TileId:
    """Return the smallest tile, up to this zoom level, that contains the bounds and the padding."""
    side = tile_side(zoom)
    pad = side * PAD / EXTENT
    last = (1 << zoom) - 1
    west, east = (_clamped((x + HALF_WORLD) // side, last) for x in (bounds[0] - pad, bounds[2] + pad))
    north, south = (_clamped((HALF_WORLD - y) // side, last) for y in (bounds[3] + pad, bounds[1] - pad))
    up = max((west ^ east).bit_length(), (north ^ south).bit_length())
    return TileId(zoom - up, west >> up, north >> up)


def _clamped(number: float, last: int) -> int:
    return min(last, max(0, int(number)))
