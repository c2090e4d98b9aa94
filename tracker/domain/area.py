"""The area that the map covers, and the check for implausible places."""

from collections.abc import Sequence
from typing import Final

import msgspec

from tracker.domain.geo import LonLat, distance
from tracker.domain.route import Stop

FAR: Final = 100_000.0  # metres off the map; a stop further away is a mistake or needs no map

NULL_ISLAND: Final = "must not be 0, 0, which software sends for an unknown place"
SWAPPED: Final = "is off the map; lat and lon look swapped"
FAR_OFF: Final = f"is more than {FAR / 1000:.0f} km off the map"
WAY_OUT: Final = '; if it is right, set "anywhere": true'


class Area(msgspec.Struct, frozen=True):
    """A bounding box in degrees. It crosses the antimeridian if west > east."""

    west: float
    south: float
    east: float
    north: float

    def holds(self, place: LonLat) -> bool:
        """Return whether the place lies in the box, edges included."""
        return self.south <= place.lat <= self.north and self._beside(place.lon) == 0.0

    def distance_m(self, place: LonLat) -> float:
        """Return the metres from the box; 0 inside."""
        lat = min(max(place.lat, self.south), self.north)
        return distance(place, LonLat(place.lon + self._beside(place.lon), lat))

    def is_far(self, place: LonLat) -> bool:
        """Return whether the place is more than FAR metres off the map."""
        return self.distance_m(place) > FAR

    def far_last(self, stops: Sequence[Stop]) -> list[Stop]:
        """Return the stops in sequence, but those far off the map, with their orders' later stops, last.

        The route there is unknown, so it must not delay the forecasts of other orders.
        """
        near: list[Stop] = []
        last: list[Stop] = []
        for stop in stops:
            held = self.is_far(stop.at) or any(stop.order_id == other.order_id for other in last)
            (last if held else near).append(stop)
        return near + last

    def _beside(self, lon: float) -> float:
        """Return the degrees from *lon* to the box, east positive; 0 between its sides."""
        if self.east - self.west >= 360.0:
            return 0.0
        to_west, to_east = (self.west - lon) % 360.0, (lon - self.east) % 360.0
        if (lon - self.west) % 360.0 <= (self.east - self.west) % 360.0:
            return 0.0
        return to_west if to_west <= to_east else -to_east


def place_error(place: LonLat, area: Area | None) -> str | None:
    """Return why this place is implausible for a stop; None if it is plausible. *area* None: unknown."""
    if place == (0.0, 0.0):
        return NULL_ISLAND + WAY_OUT
    if area is None or area.holds(place):
        return None
    if abs(place.lon) <= 90.0 and area.holds(LonLat(place.lat, place.lon)):
        return SWAPPED + WAY_OUT
    return FAR_OFF + WAY_OUT if area.is_far(place) else None
