"""The sketch of route, courier and door in the page that the server sends, before any script runs."""

from collections.abc import Iterable
from math import cos, radians
from typing import Final

from msgspec import Struct

from tracker.messages import LineString, Snapshot

SIZE: Final = 1_000  # units of the square picture
MARGIN: Final = 60  # units
SMALLEST: Final = 0.004  # degrees of latitude, 440 m: a shorter route is not enlarged further

Point = tuple[int, int]  # units from the left and the top


class Sketch(Struct, frozen=True):
    """What to draw, as paths of SVG, which may be empty, and points."""

    door: Point
    courier: Point | None
    route: str
    trail: str
    direct: str  # from the courier to the door where there is no route


def draw(snapshot: Snapshot) -> Sketch:
    """Return the sketch, north up, with the places that the snapshot shows in its middle."""
    dropoff, position = snapshot.order.dropoff, snapshot.position
    door = (dropoff.lon, dropoff.lat)
    courier = None if position is None else (position.lon, position.lat)
    route, trail = _places(snapshot.route), _places(snapshot.trail)
    picture = _Picture(door, [door, *([courier] if courier else []), *route, *trail])
    return Sketch(
        picture.point(*door),
        courier and picture.point(*courier),
        picture.path(route),
        picture.path(trail),
        picture.path([courier, door]) if courier and not route else "",
    )


class _Picture:
    def __init__(self, door: tuple[float, float], places: Iterable[tuple[float, float]]) -> None:
        self._door_lon, self._squeeze = door[0], cos(radians(door[1]))
        flat = [self._flat(*place) for place in places]
        xs, ys = [x for x, _ in flat], [y for _, y in flat]
        self._middle = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
        extent = max(max(xs) - min(xs), max(ys) - min(ys), SMALLEST)
        self._scale = (SIZE - 2 * MARGIN) / extent

    def point(self, lon: float, lat: float) -> Point:
        x, y = self._flat(lon, lat)
        middle_x, middle_y = self._middle
        return round(SIZE / 2 + (x - middle_x) * self._scale), round(SIZE / 2 - (y - middle_y) * self._scale)

    def path(self, places: Iterable[tuple[float, float]]) -> str:
        points = [self.point(*place) for place in places]
        return f"M{'L'.join(f'{x} {y}' for x, y in points)}" if len(points) > 1 else ""

    def _flat(self, lon: float, lat: float) -> tuple[float, float]:
        """Return degrees of latitude east of the door, by the shorter way around the Earth, and north."""
        east = (lon - self._door_lon + 540) % 360 - 180
        return east * self._squeeze, lat


def _places(line: LineString | None) -> list[tuple[float, float]]:
    return [] if line is None else line.coordinates
