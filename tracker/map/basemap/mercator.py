"""Mercator: from degrees to metres of Web Mercator, also at the antimeridian and the poles. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import pi
from typing import Any, Final

import numpy as np
import shapely
from shapely import LineString, Polygon
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry

from tracker.map.basemap.left_out import Undrawable
from tracker.map.extent import LIMIT

RADIUS: Final = 6_378_137.0  # metres, of the sphere behind Web Mercator
HALF_WORLD: Final = pi * RADIUS  # metres from its middle to its edge
_TURNS: Final = (-360.0, 0.0, 360.0)

Place = tuple[float, float]  # lon, lat; degrees


def to_mercator(geometry: BaseGeometry) -> BaseGeometry:
    """Degrees to Web Mercator metres. Raises Undrawable if nothing lies within the map's latitudes."""
    _, south, _, north = geometry.bounds
    if south < -LIMIT or north > LIMIT:
        geometry = alike(geometry, shapely.clip_by_rect(geometry, -180, -LIMIT, 180, LIMIT))
        if geometry.is_empty:
            raise Undrawable("beyond the map's edge")
    return shapely.transform(geometry, _project)


def _project(places: Any) -> Any:
    lat = np.radians(np.clip(places[:, 1], -LIMIT, LIMIT))
    return np.column_stack((np.radians(places[:, 0]) * RADIUS, np.arcsinh(np.tan(lat)) * RADIUS))


def alike(model: BaseGeometry, cut_out: BaseGeometry) -> BaseGeometry:
    """The parts of a cut-out that have the model's dimension: cutting may leave stray points and lines."""
    if cut_out.geom_type != "GeometryCollection":
        same = cut_out.is_empty or shapely.get_dimensions(cut_out) == shapely.get_dimensions(model)
        return cut_out if same else Polygon()
    return only(int(shapely.get_dimensions(model)), cut_out)


def only(dimension: int, geometry: BaseGeometry) -> BaseGeometry:
    """The points (0), lines (1) or areas (2) of anything; empty if there are none."""
    parts = _simple_parts(geometry)
    wanted = [part for part in parts if shapely.get_dimensions(part) == dimension and not part.is_empty]
    if not wanted:
        return Polygon()
    if len(wanted) == 1:
        return wanted[0]
    whole: BaseGeometry = shapely.union_all(wanted)
    return shapely.line_merge(whole) if dimension == 1 else whole


def _simple_parts(geometry: BaseGeometry) -> list[BaseGeometry]:
    parts = list(shapely.get_parts(geometry))
    if parts == [geometry]:
        return parts
    return [simple for part in parts for simple in _simple_parts(part)]


def lines(places: Sequence[Place]) -> Iterator[BaseGeometry]:
    """A line in metres, cut where it crosses the antimeridian."""
    for piece in _cut_at_the_antimeridian(places):
        if len(set(piece)) > 1:
            yield to_mercator(LineString(piece))


def _cut_at_the_antimeridian(places: Sequence[Place]) -> list[list[Place]]:
    pieces: list[list[Place]] = [[places[0]]]
    for here, there in pairwise(places):
        if abs(there[0] - here[0]) > 180.0:
            edge = 180.0 if here[0] > 0 else -180.0
            rest, way = abs(edge - here[0]), 360.0 - abs(there[0] - here[0])
            lat = here[1] + (there[1] - here[1]) * (rest / way if way else 0.0)
            pieces[-1].append((edge, lat))
            pieces.append([(-edge, lat)])
        pieces[-1].append(there)
    return pieces


def area(rings: Iterable[tuple[Sequence[Place], Sequence[Sequence[Place]]]]) -> BaseGeometry:
    """One geometry of all outer rings, each with its holes, in metres. Raises Undrawable."""
    parts = [part for outer, holes in rings for part in _polygon(outer, holes)]
    if not parts:
        raise Undrawable("not an area")
    whole: BaseGeometry = parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)
    if not whole.is_valid:
        whole = only(2, shapely.make_valid(whole))
    if whole.is_empty:
        raise Undrawable("not an area")
    return to_mercator(whole)


def _polygon(outer: Sequence[Place], holes: Sequence[Sequence[Place]]) -> list[Polygon]:
    """In degrees; cut where it crosses the antimeridian."""
    if not _crosses(outer):
        return [Polygon(outer, holes)]
    ring = _unwound(outer)
    west, east = min(lon for lon, _ in ring), max(lon for lon, _ in ring)
    beside = [_moved_between(west, east, _unwound(hole)) for hole in holes]
    whole = shapely.make_valid(Polygon(ring, beside))
    found: list[Polygon] = []
    for turn in _TURNS:
        piece = only(2, shapely.intersection(whole, shapely.box(-180.0 + turn, -90.0, 180.0 + turn, 90.0)))
        found += [part for part in shapely.get_parts(translate(piece, -turn)) if not part.is_empty]
    return found


def _crosses(ring: Sequence[Place]) -> bool:
    return any(abs(there[0] - here[0]) > 180.0 for here, there in pairwise(ring))


def _unwound(ring: Sequence[Place]) -> list[Place]:
    """With longitudes that go on beyond ±180 instead of jumping. Raises Undrawable around a pole."""
    found, turn = [ring[0]], 0.0
    for here, there in pairwise(ring):
        if abs(there[0] - here[0]) > 180.0:
            turn += 360.0 if there[0] < here[0] else -360.0
        found.append((there[0] + turn, there[1]))
    if turn:
        raise Undrawable("surrounds a pole")
    return found


def _moved_between(west: float, east: float, ring: list[Place]) -> list[Place]:
    for turn in _TURNS:
        if west <= ring[0][0] + turn <= east:
            return [(lon + turn, lat) for lon, lat in ring]
    return ring
