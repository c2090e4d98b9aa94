"""Extract: reads an OpenStreetMap file into features of the map, in Web Mercator metres."""

from collections.abc import Iterator
from math import pi
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import osmium
import shapely
from shapely import LineString, Point, Polygon
from shapely.geometry.base import BaseGeometry

from tracker.basemap.kinds import Look, looks

RADIUS: Final = 6_378_137.0  # metres, of the sphere behind Web Mercator
HALF_WORLD: Final = pi * RADIUS  # metres from its middle to its edge


class Feature(msgspec.Struct, frozen=True):
    """One thing on the map; the geometry is in Web Mercator metres, y northwards."""

    look: Look
    geometry: BaseGeometry


class Extract(msgspec.Struct, frozen=True):
    """What one file holds."""

    bounds: tuple[float, float, float, float]  # west, south, east, north; degrees
    features: list[Feature]
    coastline: list[BaseGeometry]  # water lies to the right of each


def read_extract(path: Path) -> Extract:
    """Objects cut off at the file's edge are kept as far as their nodes are there."""
    features: list[Feature] = []
    coastline: list[BaseGeometry] = []
    things: Iterator[Any] = iter(osmium.FileProcessor(str(path)).with_areas())
    for thing in things:
        tags = dict(thing.tags)
        if tags.get("natural") == "coastline" and thing.is_way():
            coastline += _lines(thing)
        elif tags:
            features += [Feature(look, shape) for look, shape in _drawn(thing, tags)]
    return Extract(_bounds(path, features), features, coastline)


def to_mercator(geometry: BaseGeometry) -> BaseGeometry:
    """Degrees to Web Mercator metres."""
    return shapely.transform(geometry, _project)


def _project(places: Any) -> Any:
    lat = np.radians(np.clip(places[:, 1], -85.0511, 85.0511))
    return np.column_stack((np.radians(places[:, 0]) * RADIUS, np.log(np.tan(pi / 4 + lat / 2)) * RADIUS))


def _drawn(thing: Any, tags: dict[str, str]) -> Iterator[tuple[Look, BaseGeometry]]:
    if thing.is_node():
        at = to_mercator(Point(thing.lon, thing.lat)) if thing.location.valid() else None
        yield from ((look, at) for look in looks(tags, "point") if at is not None)
    elif thing.is_way():
        for look in looks(tags, "line"):
            yield from ((look, line) for line in _lines(thing))
    elif thing.is_area():
        yield from _areas(thing, tags)


def _areas(thing: Any, tags: dict[str, str]) -> Iterator[tuple[Look, BaseGeometry]]:
    """Names and numbers stand at a point inside, everything else covers the ground."""
    found = looks(tags, "area")
    polygon = _polygon(thing) if found else None
    if polygon is None:
        return
    for look in found:
        labelled = look.layer == "pois" or look.kind == "address"
        yield look, (polygon.representative_point() if labelled else polygon)


def _lines(way: Any) -> list[BaseGeometry]:
    """The way, in pieces where nodes are missing."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for node in way.nodes:
        if node.location.valid():
            pieces[-1].append((node.lon, node.lat))
        elif pieces[-1]:
            pieces.append([])
    return [to_mercator(LineString(piece)) for piece in pieces if len(piece) > 1]


def _polygon(area: Any) -> BaseGeometry | None:
    outer = [
        Polygon(_ring(ring), [_ring(hole) for hole in area.inner_rings(ring) if len(_ring(hole)) > 3])
        for ring in area.outer_rings()
        if len(_ring(ring)) > 3
    ]
    if not outer:
        return None
    whole = shapely.make_valid(to_mercator(shapely.MultiPolygon(outer) if len(outer) > 1 else outer[0]))
    return None if whole.is_empty else whole


def _ring(ring: Any) -> list[tuple[float, float]]:
    return [(node.lon, node.lat) for node in ring if node.location.valid()]


def _bounds(path: Path, features: list[Feature]) -> tuple[float, float, float, float]:
    """The file's own box; without one, what its features span."""
    box = osmium.FileProcessor(str(path)).header.box()
    if box.valid():
        return (box.bottom_left.lon, box.bottom_left.lat, box.top_right.lon, box.top_right.lat)
    west, south, east, north = shapely.total_bounds([feature.geometry for feature in features])
    return (*to_degrees(west, south), *to_degrees(east, north))


def to_degrees(x: float, y: float) -> tuple[float, float]:
    """Web Mercator metres to degrees."""
    return float(np.degrees(x / RADIUS)), float(np.degrees(2 * np.arctan(np.exp(y / RADIUS)) - pi / 2))
