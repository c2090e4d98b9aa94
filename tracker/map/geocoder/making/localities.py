"""Localities: the city and the suburb of a place, by the nearest node of one. Pure."""

from collections import defaultdict
from math import cos, radians
from typing import Final, NamedTuple

# Metres within which a place of this size gives its name to its surroundings.
CITIES: Final = {"city": 20_000, "town": 9_000, "village": 4_000, "hamlet": 2_000, "municipality": 12_000}
SUBURBS: Final = {
    "borough": 4_000,
    "suburb": 3_000,
    "quarter": 2_000,
    "neighbourhood": 1_500,
    "isolated_dwelling": 500,
}
RANKS: Final = {
    "city": 8.0, "town": 6.0, "municipality": 6.0, "village": 5.0, "borough": 5.0, "suburb": 4.5,
    "island": 4.0, "quarter": 4.0, "hamlet": 3.5, "neighbourhood": 3.5,
}  # fmt: skip
CELL: Final = 2_000_000  # 1e-7 degrees
_METRES: Final = 0.0111  # of 1e-7 degrees


class Locality(NamedTuple):
    name: str
    sort: str
    lat: int
    lon: int


class Localities:
    """The cities, towns, villages and suburbs of a map."""

    def __init__(self, localities: list[Locality]) -> None:
        self._cells: defaultdict[tuple[int, int], list[Locality]] = defaultdict(list)
        for each in localities:
            self._cells[each.lat // CELL, each.lon // CELL].append(each)

    def city(self, lat: int, lon: int) -> str:
        """Return the name of the city, town or village around a place, or an empty text."""
        return self._nearest(lat, lon, CITIES)

    def suburb(self, lat: int, lon: int) -> str:
        """Return the name of the suburb or neighbourhood around a place, or an empty text."""
        return self._nearest(lat, lon, SUBURBS)

    def _nearest(self, lat: int, lon: int, reach: dict[str, int]) -> str:
        """Return the place that is nearest in proportion to its reach."""
        narrow = cos(radians(lat / 1e7))
        best, name = 1.0, ""
        for row in range(lat // CELL - 1, lat // CELL + 2):
            for column in range(lon // CELL - 2, lon // CELL + 3):
                for each in self._cells.get((row, column), ()):
                    if each.sort in reach:
                        metres = _METRES * (abs(each.lat - lat) + abs(each.lon - lon) * narrow)
                        if metres / reach[each.sort] < best:
                            best, name = metres / reach[each.sort], each.name
        return name
