"""Coast: land and sea out of coastlines, which OpenStreetMap draws with the water on their right."""

from collections.abc import Iterator, Sequence
from math import hypot

import shapely
from shapely import LineString, Point, Polygon, STRtree
from shapely.geometry.base import BaseGeometry

from tracker.map.basemap.left_out import LeftOut, Undrawable
from tracker.map.basemap.mercator import to_mercator
from tracker.map.extent import Box

Place = tuple[float, float]

_CUT_OFF = 400.0  # metres: an extract ends its ways at the last node inside, so far from the edge at most
_ASIDE = 0.5  # metres from the line, where one looks for what lies there


def seas(
    coastline: Sequence[LineString], regions: Sequence[Box], left_out: LeftOut
) -> Iterator[BaseGeometry]:
    """The sea of each region (degrees) that a coast runs through."""
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
                left_out.add("water", "a coast that cannot be closed")
                continue
            if not sea.is_empty:
                yield sea


def _parts(region: Box) -> list[Box]:
    """West and east of the antimeridian, if the region lies across."""
    west, south, east, north = region
    return [region] if west <= east else [(west, south, 180.0, north), (-180.0, south, east, north)]


def land_and_sea(coastline: Sequence[BaseGeometry], box: BaseGeometry) -> tuple[BaseGeometry, BaseGeometry]:
    """The box (Web Mercator metres), split; without a coastline in it, all of it is land."""
    if not coastline:
        return box, Polygon()
    coast = [_to_the_edge(line, box) for line in _merged(coastline)]
    faces = list(shapely.get_parts(shapely.polygonize(_noded(coast, box))))
    if len(faces) < 2:
        return box, Polygon()
    votes = _votes(coast, faces, box)
    sea = [face for face, vote in zip(faces, votes, strict=True) if vote > 0]
    water = shapely.union_all(sea)
    return box.difference(water), water


def _merged(coastline: Sequence[BaseGeometry]) -> list[LineString]:
    """End to end, each still with the water on its right."""
    lines = shapely.get_parts(shapely.line_merge(shapely.multilinestrings([*coastline]), directed=True))
    return [line for line in lines if isinstance(line, LineString)]


def _to_the_edge(line: LineString, box: BaseGeometry) -> LineString:
    """Straight on from where the extract cut it off, until it has left the box."""
    if line.is_closed:
        return line
    places = [(x, y) for x, y in line.coords]
    for near in (places[::-1], places):
        before, last = near[-2], near[-1]
        if box.contains(Point(last)) and box.boundary.distance(Point(last)) < _CUT_OFF:
            onward = _onward(before, last)
            places = [onward, *places] if last == places[0] else [*places, onward]
    return LineString(places)


def _onward(before: Place, last: Place) -> Place:
    dx, dy = last[0] - before[0], last[1] - before[1]
    longer = 2 * _CUT_OFF / max(1.0, hypot(dx, dy))
    return (last[0] + dx * longer, last[1] + dy * longer)


def _noded(coast: Sequence[LineString], box: BaseGeometry) -> list[BaseGeometry]:
    """Coast and edge of the box, cut where they meet, as polygonize wants them."""
    inside = shapely.intersection(shapely.multilinestrings([*coast]), box)
    return list(shapely.get_parts(shapely.union_all([inside, box.boundary])))


def _votes(coast: Sequence[LineString], faces: Sequence[BaseGeometry], box: BaseGeometry) -> list[float]:
    """Metres of coast that have a face on their right, less those that have it on their left."""
    votes = [0.0] * len(faces)
    tree = STRtree(faces)
    for line in coast:
        for begin, end in zip(line.coords[:-1], line.coords[1:], strict=True):
            for place, weight in _beside(begin, end):
                for found in tree.query(place, predicate="within") if box.contains(place) else ():
                    votes[int(found)] += weight
    return votes


def _beside(begin: Sequence[float], end: Sequence[float]) -> list[tuple[Point, float]]:
    """A place right and one left of the middle of a piece of coast, weighed by its length."""
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
