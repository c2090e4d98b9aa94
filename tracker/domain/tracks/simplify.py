"""Simplification of lines within a tolerance in metres."""

from collections.abc import Sequence
from typing import Final

from shapely import LineString

from tracker.domain.geo import LonLat, Plane

MARGIN: Final = 0.98  # of the tolerance; the rest covers the error of the plane against the sphere


def kept_places(line: Sequence[LonLat], metres: float) -> list[int]:
    """Return the indices of the places to keep (Douglas-Peucker), including the first and the last.

    Every omitted place lies within *metres* of the simplified line, and the simplified line lies within
    *metres* of the original one.
    """
    if len(line) < 3 or metres <= 0:
        return list(range(len(line)))
    plane = Plane(line[len(line) // 2])
    points = [(*plane.to_metres(place), float(index)) for index, place in enumerate(line)]
    simple = LineString(points).simplify(metres * MARGIN, preserve_topology=False)
    return [round(index) for _, _, index in simple.coords]
