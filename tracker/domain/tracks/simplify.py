"""A line with fewer places, nowhere further from the true one than was allowed."""

from collections.abc import Sequence
from typing import Final

from shapely import LineString

from tracker.domain.geo import LonLat, Plane

MARGIN: Final = 0.98  # for the plane, which is not the sphere


def kept_places(line: Sequence[LonLat], metres: float) -> list[int]:
    """The indices of the places to keep (Douglas and Peucker), the first and the last among them.

    Every place left out lies within `metres` of the line through the others, and the other way round.
    """
    if len(line) < 3 or metres <= 0:
        return list(range(len(line)))
    plane = Plane(line[len(line) // 2])
    points = [(*plane.to_metres(place), float(index)) for index, place in enumerate(line)]
    simple = LineString(points).simplify(metres * MARGIN, preserve_topology=False)
    return [round(index) for _, _, index in simple.coords]
