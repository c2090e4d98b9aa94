"""Coastline: divide an area into land and sea. In OpenStreetMap the water is on the right of a coastline."""

from collections.abc import Iterator, Sequence
from math import hypot

import shapely
from shapely import LineString, Point, Polygon, STRtree
from shapely.geometry.base import BaseGeometry

from tracker.map.basemap.left_out import LeftOut, Undrawable
from tracker.map.basemap.mercator import to_mercator
from tracker.map.extent import Box

Place = tuple[float, float]

_CUT_OFF = 400.0  # metres; a way of an extract ends at its last node inside, at most this far from the edge
_ASIDE = 0.5  # metres beside the line, to find the face on each side


def seas(
    coastline: Sequence[LineString], regions: Sequence[Box], left_out: LeftOut
) -> Iterator[BaseGeometry]:
    """Yield the sea of each region (degrees) that has a coastline."""
    if not coastline:
        return
    tree = STRtree(coastline)
    for region in regions:
        for part in _parts(region):
            try:
                box = to_mercator(shapely.box(*part))
                near = [coastline[int(n)] for n in sorted(tree.query(box))]
                _, sea = land_and_sea(near, box)
            except (Undrawable, shapely.errors.ShapelyError):
                left_out.add("water", "a coastline that cannot be closed")
                continue
            if not sea.is_empty:
                yield sea


def _parts(region: Box) -> list[Box]:
    """Split a region at the antimeridian."""
    west, south, east, north = region
    return [region] if west <= east else [(west, south, 180.0, north), (-180.0, south, east, north)]


def land_and_sea(coastline: Sequence[BaseGeometry], box: BaseGeometry) -> tuple[BaseGeometry, BaseGeometry]:
    """Split the box (Web Mercator metres) into land and sea. Without a coastline all of it is land."""
    if not coastline:
        return box, Polygon()
    coast = [_extend_to_edge(line, box) for line in _merged(coastline)]
    faces = list(shapely.get_parts(shapely.polygonize(_noded(coast, box))))
    if len(faces) < 2:
        return box, Polygon()
    votes = _votes(coast, faces, box)
    sea = [face for face, vote in zip(faces, votes, strict=True) if vote > 0]
    water = shapely.union_all(sea)
    return box.difference(water), water


def _merged(coastline: Sequence[BaseGeometry]) -> list[LineString]:
    """Join lines end to end, and keep their direction."""
    lines = shapely.get_parts(shapely.line_merge(shapely.multilinestrings([*coastline]), directed=True))
    return [line for line in lines if isinstance(line, LineString)]


def _extend_to_edge(line: LineString, box: BaseGeometry) -> LineString:
    """Extend a line that the extract cut off straight on, beyond the edge of the box."""
    if line.is_closed:
        return line
    places = [(x, y) for x, y in line.coords]
    for near in (places[::-1], places):
        before, last = near[-2], near[-1]
        if box.contains(Point(last)) and box.boundary.distance(Point(last)) < _CUT_OFF:
            beyond = _beyond(before, last)
            places = [beyond, *places] if last == places[0] else [*places, beyond]
    return LineString(places)


def _beyond(before: Place, last: Place) -> Place:
    dx, dy = last[0] - before[0], last[1] - before[1]
    factor = 2 * _CUT_OFF / max(1.0, hypot(dx, dy))
    return (last[0] + dx * factor, last[1] + dy * factor)


def _noded(coast: Sequence[LineString], box: BaseGeometry) -> list[BaseGeometry]:
    """Return the coast and the edge of the box, split where they meet, as polygonize requires."""
    inside = shapely.intersection(shapely.multilinestrings([*coast]), box)
    return list(shapely.get_parts(shapely.union_all([inside, box.boundary])))


def _votes(coast: Sequence[LineString], faces: Sequence[BaseGeometry], box: BaseGeometry) -> list[float]:
    """Return, for each face, the metres of coast with it on the right minus those with it on the left."""
    votes = [0.0] * len(faces)
    tree = STRtree(faces)
    for line in coast:
        for begin, end in zip(line.coords[:-1], line.coords[1:], strict=True):
            for place, weight in _beside(begin, end):
                for found in tree.query(place, predicate="within") if box.contains(place) else ():
                    votes[int(found)] += weight
    return votes


def _beside(begin: Sequence[float], end: Sequence[float]) -> list[tuple[Point, float]]:
    """Return a place on the right and one on the left of a piece of coast, with its length as weight."""
    dx, dy = end[0] - begin[0], end[1] - begin[1]
    length = hypot(dx, dy)
    if length == 0:
        return []
    middle_x, middle_y = (begin[0] + end[0]) / 2, (begin[1] + end[1]) / 2
    right_x, right_y = dy / length * _ASIDE, -dx / length * _ASIDE
    return [
        (Point(middle_x + right_x, middle_y + right_y), length),
        (Point(middle_x - right_x, middle_y - right_y), -length),
    ]
