"""Extent: the bounds of a map's data, from counts of its nodes by tile. Stray nodes don't change it."""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from math import atan, degrees, pi, sinh
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

Box = tuple[
    float, float, float, float
]  # west, south, east, north in degrees; west > east across the antimeridian

CELL_ZOOM: Final = 11  # the tiles of this zoom are the cells: 10 km wide at 60 degrees
SIDE: Final = 1 << CELL_ZOOM  # cells around the world
LIMIT: Final = 85.051128  # degrees; Web Mercator ends there
WORLD: Final[Box] = (-180.0, -LIMIT, 180.0, LIMIT)
_E7: Final = 10_000_000
_REACH: Final = 3  # cells; data within this distance belongs to one cluster
_BULK: Final = 0.1  # share of the nodes of the largest cluster; the bounds ignore smaller clusters
_LEAST: Final = 0.0005  # degrees added on each side of a single place
_ROOM: Final = 0.5  # degrees by which a header's box may exceed three times the size of the data


class Cell(msgspec.Struct):
    """The number of nodes in one tile, and the box around them in degrees."""

    nodes: int
    box: Box


class Cells:
    """The number of nodes and the box around them, for each cell."""

    def __init__(self) -> None:
        self.by_place: dict[tuple[int, int], Cell] = {}  # column from the west, row from the north

    def count(self, lons: array[int], lats: array[int]) -> None:
        """Add nodes, in units of 1e-7 degrees as OpenStreetMap stores them."""
        if not len(lons):
            return
        lon, lat = np.frombuffer(lons, np.int32) / _E7, np.frombuffer(lats, np.int32) / _E7
        key = _row(lat) * SIDE + _column(lon)
        order = np.argsort(key, kind="stable")
        key, lon, lat = key[order], lon[order], lat[order]
        begins = np.flatnonzero(np.diff(key, prepend=-1))
        counts = np.diff(begins, append=len(key))
        edges = [np.minimum.reduceat(each, begins) for each in (lon, lat)]
        edges += [np.maximum.reduceat(each, begins) for each in (lon, lat)]
        for n, (number, nodes) in enumerate(zip(key[begins], counts, strict=True)):
            box = (float(edges[0][n]), float(edges[1][n]), float(edges[2][n]), float(edges[3][n]))
            self._add((int(number) % SIDE, int(number) // SIDE), Cell(int(nodes), box))

    def _add(self, place: tuple[int, int], cell: Cell) -> None:
        counted = self.by_place.get(place)
        if counted is not None:
            cell = Cell(counted.nodes + cell.nodes, _around((counted.box, cell.box)))
        self.by_place[place] = cell


class Extent(msgspec.Struct, frozen=True):
    """The area that the data of a map covers."""

    bounds: Box  # around the large clusters
    regions: tuple[Box, ...]  # around each cluster, small ones included
    cells: tuple[tuple[int, int], ...]  # columns and rows of the cells that hold a node

    @property
    def is_across(self) -> bool:
        """Whether the map lies across the antimeridian, or touches it on one side."""
        boxes = (self.bounds, *self.regions)
        return any(west > east or (east == 180.0) != (west == -180.0) for west, _, east, _ in boxes)


def _column(
    lon: "np.ndarray[tuple[int], np.dtype[np.float64]]",
) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.clip((lon + 180.0) / 360.0 * SIDE, 0, SIDE - 1).astype(np.int64)


def _row(lat: NDArray[np.float64]) -> NDArray[np.int64]:
    north = np.arcsinh(np.tan(np.radians(np.clip(lat, -LIMIT, LIMIT)))) / pi
    return np.clip((1.0 - north) / 2.0 * SIDE, 0, SIDE - 1).astype(np.int64)


def extent_of(cells: Cells, header: Box | None) -> Extent:
    """Return the extent. It takes the header's box if that fits the data, or if there is no data."""
    clusters = sorted(_clusters(cells), key=lambda each: -each.nodes)
    places = tuple(sorted(cells.by_place))
    if not clusters:
        return Extent(header or WORLD, (), ())
    least = max(_BULK * clusters[0].nodes, min(2, clusters[0].nodes))
    bounds = _joined([each.box for each in clusters if each.nodes >= least])
    fits = header is not None and _fits(header, bounds, cells)
    if header is None or not fits:
        return Extent(bounds, tuple(each.box for each in clusters), places)
    return Extent(header, tuple(_within(header, each.box) for each in clusters), places)


def _within(header: Box, box: Box) -> Box:
    """Clip a cluster's box to the header's box.

    A large cluster gets the whole header's box, so that the sea is drawn up to the edge of the extract.
    """
    west, south, east, north = box
    if west > east or east < header[0] or west > header[2] or north < header[1] or south > header[3]:
        return box
    return header if _contains_most(header, box) else _overlap(header, box)


def _contains_most(header: Box, box: Box) -> bool:
    """Return whether the cluster fills more than half of the header's box in each direction."""
    inside = _overlap(header, box)
    return all(inside[n + 2] - inside[n] > (header[n + 2] - header[n]) / 2 for n in (0, 1))


def _overlap(one: Box, other: Box) -> Box:
    return max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])


def _fits(header: Box, bounds: Box, cells: Cells) -> bool:
    """Return whether the header's box contains most of the data and is not much larger."""
    west, south, east, north = header
    width = (bounds[2] - bounds[0]) % 360.0
    if east - west > 3 * width + _ROOM or north - south > 3 * (bounds[3] - bounds[1]) + _ROOM:
        return False
    boxes = [(cell.nodes, cell.box) for cell in cells.by_place.values()]
    inside = sum(
        nodes for nodes, (w, s, e, n) in boxes if w <= east and e >= west and s <= north and n >= south
    )
    return inside * 2 > sum(nodes for nodes, _ in boxes)


def _clusters(cells: Cells) -> Iterator[Cell]:
    """Join neighbouring cells to clusters, also across the antimeridian."""
    left = dict(cells.by_place)
    while left:
        first = next(iter(left))
        yield _cluster(first, left)


def _cluster(first: tuple[int, int], left: dict[tuple[int, int], Cell]) -> Cell:
    """Join the first cell with all that are connected to it, and remove them from *left*."""
    found = [(0, left.pop(first))]  # times around the world, cell
    todo = [(first[0], first[1])]  # columns count on beyond the world's edge
    while todo:
        column, row = todo.pop()
        for x in range(column - _REACH, column + _REACH + 1):
            for y in range(row - _REACH, row + _REACH + 1):
                cell = left.pop((x % SIDE, y), None)
                if cell is not None:
                    found.append((x // SIDE, cell))
                    todo.append((x, y))
    boxes = [(turn * 360.0, cell.box) for turn, cell in found]
    box = _around((turn + w, s, turn + e, n) for turn, (w, s, e, n) in boxes)
    return Cell(sum(cell.nodes for _, cell in found), _normal(_widened(box)))


def _around(boxes: Iterable[Box]) -> Box:
    wests, souths, easts, norths = zip(*boxes, strict=True)
    return min(wests), min(souths), max(easts), max(norths)


def _widened(box: Box) -> Box:
    """Widen a box that is a single place."""
    west, south, east, north = box
    if east - west < 2 * _LEAST:
        west, east = west - _LEAST, east + _LEAST
    if north - south < 2 * _LEAST:
        south, north = max(-90.0, south - _LEAST), min(90.0, north + _LEAST)
    return west, south, east, north


def _normal(box: Box) -> Box:
    """Return the box with longitudes within ±180."""
    west, south, east, north = box
    if east - west >= 360.0:
        return -180.0, south, 180.0, north
    return _rounded(_wrapped(west, -180.0), south, _wrapped(east, 180.0), north)


def _wrapped(lon: float, edge: float) -> float:
    """Return a longitude within ±180. The antimeridian itself becomes *edge*."""
    wrapped = (lon + 180.0) % 360.0 - 180.0
    return edge if wrapped == -180.0 else wrapped


def _rounded(*edges: float) -> Box:
    west, south, east, north = (round(edge, 7) for edge in edges)
    return west, south, east, north


def _joined(boxes: list[Box]) -> Box:
    """Return the smallest box around all: it excludes the widest gap between them around the world."""
    spans = sorted((west, west + (east - west) % 360.0 or 360.0) for west, _, east, _ in boxes)
    gaps: defaultdict[float, float] = defaultdict(float)  # begin of what follows the gap -> width
    reached = spans[-1][1] - 360.0
    for west, east in spans:
        gaps[west] = max(gaps[west], west - reached)
        reached = max(reached, east)
    west = max(gaps, key=lambda begin: gaps[begin])
    width = 360.0 - max(0.0, gaps[west])
    south, north = min(box[1] for box in boxes), max(box[3] for box in boxes)
    return _normal((west, south, west + width, north))


def middle(west: float, east: float) -> float:
    """Return the longitude in the middle, also across the antimeridian."""
    return _wrapped(west + (east - west if west <= east else east + 360.0 - west) / 2, 180.0)


def cell_of(lon: float, lat: float) -> tuple[int, int]:
    """Return the column and row of a place in degrees."""
    return int(_column(np.array([lon]))[0]), int(_row(np.array([lat]))[0])


def cell_middle(cell: tuple[int, int]) -> tuple[float, float]:
    """Return the longitude and latitude in the middle of a cell."""
    column, row = cell
    lat = degrees(atan(sinh(pi * (1 - (2 * row + 1) / SIDE))))
    return (column + 0.5) / SIDE * 360.0 - 180.0, lat
