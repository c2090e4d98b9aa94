"""Places: how far apart, and where somebody has been, coarsely and quickly."""

from bisect import bisect_right
from collections.abc import Iterator
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
    """Where a device said that it was, by cells of 150 m, and when."""

    def __init__(self) -> None:
        self._cells: dict[tuple[int, int], list[Sighting]] = {}
        self.newest: list[float] = []  # when it spoke, in order
        self._sent: list[Sighting] = []  # in the order in which they were sent
        self._beyond: dict[tuple[Place, float], tuple[int, float | None]] = {}

    def add(self, place: Place, at: float, recorded: float | None = None, *, believed: bool = True) -> None:
        """`recorded` is by the device; a fix that is not `believed` shows nobody anywhere else."""
        sighting = Sighting(place, at, at if recorded is None else recorded)
        self._cells.setdefault(_cell(place), []).append(sighting)
        self.newest.append(at)
        if believed:
            self._sent.append(sighting)

    def times_near(self, place: Place) -> tuple[float, float] | None:
        """When it was within about 150 m (at most 430 m) of there, first and last; None: never."""
        times = [sighting.at for cell in _around(place) for sighting in self._cells.get(cell, ())]
        return (min(times), max(times)) if times else None

    def times_within(self, place: Place, metres: float) -> list[float]:
        """When it was so near there; at most 150 m."""
        around = (sighting for cell in _around(place) for sighting in self._cells.get(cell, ()))
        return [sighting.at for sighting in around if sighting.place.metres_to(place) <= metres]

    def newest_before(self, at: float) -> float | None:
        """When it spoke last before then."""
        place = bisect_right(self.newest, at)
        return self.newest[place - 1] if place else None

    def first_beyond(self, door: Place, metres: float, since: float) -> float | None:
        """When it was first said, after `since`, to be further off than that; None: not yet."""
        begin, found = self._beyond.get((door, since), (0, None))
        if found is None:
            for sighting in self._sent[begin:]:
                if sighting.at >= since and sighting.place.metres_to(door) > metres:
                    found = sighting.at
                    break
            self._beyond[door, since] = len(self._sent), found
        return found

    def perhaps_at(self, at: float, within: float) -> list[Place]:
        """Where it may have been believed to be then: the newest four, and all that was said just before."""
        end = bisect_right(self._sent, at, key=lambda sighting: sighting.at)
        late = self._sent[max(end - 50, 0) : end]
        newest = sorted(late, key=lambda sighting: sighting.recorded)[-4:]
        return [one.place for one in (*newest, *(one for one in late if one.at > at - within))]


class Sighting(msgspec.Struct, frozen=True):
    """A fix: where, when it was sent, and when it was recorded."""

    place: Place
    at: float
    recorded: float


def _around(place: Place) -> Iterator[tuple[int, int]]:
    row, column = _cell(place)
    return product((row - 1, row, row + 1), (column - 1, column, column + 1))


def past(begin: Place, end: Place, door: Place) -> float:
    """Metres from the door to the straight line between two places."""
    wide = cos(radians(door.lat))
    ax, ay = (begin.lon - door.lon) * wide, begin.lat - door.lat
    dx, dy = (end.lon - begin.lon) * wide, end.lat - begin.lat
    length = dx * dx + dy * dy
    share = min(max(-(ax * dx + ay * dy) / length, 0.0), 1.0) if length else 0.0
    return METRES * hypot(ax + share * dx, ay + share * dy)


def _cell(place: Place) -> tuple[int, int]:
    """Strips of latitude, each cut into pieces as wide as they are high."""
    wide = METRES * max(cos(radians(round(place.lat))), 0.01)
    return int(place.lat * METRES // CELL), int(place.lon * wide // CELL)
