"""Places: how far apart, and where somebody has been, coarsely and quickly."""

from bisect import bisect_right
from itertools import product
from math import cos, hypot, radians
from typing import Any, Final

import msgspec

METRES: Final = 111_195.0  # a degree of latitude
CELL: Final = 150.0  # metres


class Place(msgspec.Struct, frozen=True):
    """WGS 84, degrees."""

    lat: float
    lon: float

    @classmethod
    def of(cls, given: dict[str, Any]) -> "Place":
        return cls(float(given["lat"]), float(given["lon"]))

    @classmethod
    def maybe(cls, given: dict[str, Any]) -> "Place | None":
        """None for what is no place on earth."""
        lat, lon = given.get("lat"), given.get("lon")
        if (
            isinstance(lat, int | float)
            and isinstance(lon, int | float)
            and abs(lat) <= 90
            and abs(lon) <= 180
        ):
            return cls(float(lat), float(lon))
        return None

    def metres_to(self, other: "Place") -> float:
        """On a plane: for a few kilometres."""
        east = (other.lon - self.lon) * cos(radians(self.lat))
        return METRES * hypot(other.lat - self.lat, east)


class Seen:
    """Where a device said that it was: cells of 150 m, and when it was there first and last."""

    def __init__(self) -> None:
        self._cells: dict[tuple[int, int], tuple[float, float]] = {}
        self.newest: list[float] = []  # when it spoke, in order

    def add(self, place: Place, at: float) -> None:
        cell = _cell(place)
        first, _ = self._cells.get(cell, (at, at))
        self._cells[cell] = first, at
        self.newest.append(at)

    def times_near(self, place: Place) -> tuple[float, float] | None:
        """When it was within about 150 m (at most 430 m) of there, first and last; None: never."""
        row, column = _cell(place)
        around = product((row - 1, row, row + 1), (column - 1, column, column + 1))
        spans = [span for cell in around if (span := self._cells.get(cell)) is not None]
        return (min(first for first, _ in spans), max(last for _, last in spans)) if spans else None

    def newest_before(self, at: float) -> float | None:
        """When it spoke last before then."""
        place = bisect_right(self.newest, at)
        return self.newest[place - 1] if place else None


def _cell(place: Place) -> tuple[int, int]:
    """Strips of latitude, each cut into pieces as wide as they are high."""
    wide = METRES * max(cos(radians(round(place.lat))), 0.01)
    return int(place.lat * METRES // CELL), int(place.lon * wide // CELL)
