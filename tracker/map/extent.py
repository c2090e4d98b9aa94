"""Extent: where the data of a map lies, from counts of its nodes by tile. Stray nodes don't move it."""

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
_REACH: Final = 3  # cells; data that is no further apart belongs together
_BULK: Final = 0.1  # of the nodes of the largest cluster; a cluster with fewer does not count
_LEAST: Final = 0.0005  # degrees on each side of a single place
_ROOM: Final = 0.5  # degrees by which a header's box may exceed three times the data


class Cell(msgspec.Struct):
    """The nodes in one tile; degrees."""

    nodes: int
    box: Box


class Cells:
    """Counts of nodes, and the box around them, by cell."""

    def __init__(self) -> None:
        self.by_place: dict[tuple[int, int], Cell] = {}  # column from the west, row from the north

    def count(self, lons: array[int], lats: array[int]) -> None:
        """Add nodes; units of 1e-7 degrees, as OpenStreetMap stores them."""
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
        known = self.by_place.get(place)
        if known is not None:
            cell = Cell(known.nodes + cell.nodes, _around((known.box, cell.box)))
        self.by_place[place] = cell


class Extent(msgspec.Struct, frozen=True):
    """Where the data lies."""

    bounds: Box  # around the bulk of the data
    regions: tuple[Box, ...]  # around each cluster of data, small ones too
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
    """The header's box counts where it fits the data; a map without data is where its header says."""
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
    """The part inside the header's box, up to its edges: the coast is drawn as far as the extract was cut."""
    west, south, east, north = box
    if west > east or east < header[0] or west > header[2] or north < header[1] or south > header[3]:
        return box
    return header if _contains_most(header, box) else _overlap(header, box)


def _contains_most(header: Box, box: Box) -> bool:
    """Whether the cluster fills the header's box in each direction by more than half."""
    inside = _overlap(header, box)
    return all(inside[n + 2] - inside[n] > (header[n + 2] - header[n]) / 2 for n in (0, 1))


def _overlap(one: Box, other: Box) -> Box:
    return max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])


def _fits(header: Box, bounds: Box, cells: Cells) -> bool:
    """Whether the header's box holds most of the data and is not far larger."""
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
    """Cells near one another, joined; also across the antimeridian."""
    left = dict(cells.by_place)
    while left:
        first = next(iter(left))
        yield _cluster(first, left)


def _cluster(first: tuple[int, int], left: dict[tuple[int, int], Cell]) -> Cell:
    """Take everything that hangs together with the first cell out of what is *left*."""
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
    """A single place gets a little room around it."""
    west, south, east, north = box
    if east - west < 2 * _LEAST:
        west, east = west - _LEAST, east + _LEAST
    if north - south < 2 * _LEAST:
        south, north = max(-90.0, south - _LEAST), min(90.0, north + _LEAST)
    return west, south, east, north


def _normal(box: Box) -> Box:
    """Longitudes within ±180."""
    west, south, east, north = box
    if east - west >= 360.0:
        return -180.0, south, 180.0, north
    return _rounded(_turned(west, -180.0), south, _turned(east, 180.0), north)


def _turned(lon: float, edge: float) -> float:
    """Within ±180; the antimeridian itself is on the side of *edge*."""
    turned = (lon + 180.0) % 360.0 - 180.0
    return edge if turned == -180.0 else turned


def _rounded(*edges: float) -> Box:
    west, south, east, north = (round(edge, 7) for edge in edges)
    return west, south, east, north


def _joined(boxes: list[Box]) -> Box:
    """The smallest box around all: it leaves out the widest gap between them on the way around the world."""
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
    """The longitude between two, also across the antimeridian."""
    return _turned(west + (east - west if west <= east else east + 360.0 - west) / 2, 180.0)


def cell_of(lon: float, lat: float) -> tuple[int, int]:
    """The column and row of a place."""
    return int(_column(np.array([lon]))[0]), int(_row(np.array([lat]))[0])


def cell_middle(cell: tuple[int, int]) -> tuple[float, float]:
    """The longitude and latitude in the middle of a cell."""
    column, row = cell
    lat = degrees(atan(sinh(pi * (1 - (2 * row + 1) / SIDE))))
    return (column + 0.5) / SIDE * 360.0 - 180.0, lat
