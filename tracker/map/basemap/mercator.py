"""Projection of degrees to Web Mercator metres, also at the antimeridian and the poles. Pure."""

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

RADIUS: Final = 6_378_137.0  # metres, the radius of the sphere of Web Mercator
HALF_WORLD: Final = pi * RADIUS  # metres from the middle of the map to its edge
_TURNS: Final = (-360.0, 0.0, 360.0)

Place = tuple[float, float]  # lon, lat; degrees


def to_mercator(geometry: BaseGeometry) -> BaseGeometry:
    """Project degrees to metres. Raises Undrawable if nothing lies within the map's latitudes."""
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
    """Return the parts of a cut-out with the model's dimension. Cutting may leave stray points and lines."""
    if cut_out.geom_type != "GeometryCollection":
        same = cut_out.is_empty or shapely.get_dimensions(cut_out) == shapely.get_dimensions(model)
        return cut_out if same else Polygon()
    return only(int(shapely.get_dimensions(model)), cut_out)


def only(dimension: int, geometry: BaseGeometry) -> BaseGeometry:
    """Return the points (0), lines (1) or areas (2) of a geometry; empty if there are none."""
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
    """Project a line, split where it crosses the antimeridian."""
    for piece in _split_at_antimeridian(places):
        if len(set(piece)) > 1:
            yield to_mercator(LineString(piece))


def _split_at_antimeridian(places: Sequence[Place]) -> list[list[Place]]:
    pieces: list[list[Place]] = [[places[0]]]
    for here, there in pairwise(places):
        if abs(there[0] - here[0]) > 180.0:
            edge = 180.0 if here[0] > 0 else -180.0
            before, across = abs(edge - here[0]), 360.0 - abs(there[0] - here[0])
            lat = here[1] + (there[1] - here[1]) * (before / across if across else 0.0)
            pieces[-1].append((edge, lat))
            pieces.append([(-edge, lat)])
        pieces[-1].append(there)
    return pieces


def area(rings: Iterable[tuple[Sequence[Place], Sequence[Sequence[Place]]]]) -> BaseGeometry:
    """Project all outer rings, each with its holes, as one geometry. Raises Undrawable."""
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
    """Return polygons in degrees, split where the ring crosses the antimeridian."""
    if not _crosses(outer):
        return [Polygon(outer, holes)]
    ring = _unwrap(outer)
    west, east = min(lon for lon, _ in ring), max(lon for lon, _ in ring)
    inner = [_shift_between(west, east, _unwrap(hole)) for hole in holes]
    whole = shapely.make_valid(Polygon(ring, inner))
    found: list[Polygon] = []
    for turn in _TURNS:
        piece = only(2, shapely.intersection(whole, shapely.box(-180.0 + turn, -90.0, 180.0 + turn, 90.0)))
        found += [part for part in shapely.get_parts(translate(piece, -turn)) if not part.is_empty]
    return found


def _crosses(ring: Sequence[Place]) -> bool:
    return any(abs(there[0] - here[0]) > 180.0 for here, there in pairwise(ring))


def _unwrap(ring: Sequence[Place]) -> list[Place]:
    """Return the ring with longitudes beyond ±180 instead of jumps. Raises Undrawable around a pole."""
    found, turn = [ring[0]], 0.0
    for here, there in pairwise(ring):
        if abs(there[0] - here[0]) > 180.0:
            turn += 360.0 if there[0] < here[0] else -360.0
        found.append((there[0] + turn, there[1]))
    if turn:
        raise Undrawable("surrounds a pole")
    return found


def _shift_between(west: float, east: float, ring: list[Place]) -> list[Place]:
    for turn in _TURNS:
        if west <= ring[0][0] + turn <= east:
            return [(lon + turn, lat) for lon, lat in ring]
    return ring
