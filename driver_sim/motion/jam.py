"""Jam: an area in which vehicles crawl for a while. Pure."""

from collections.abc import Sequence
from math import inf
from statistics import median
from typing import Final

import msgspec

from tracker.domain.geo import LonLat, distance

RADIUS: Final = 400.0  # metres
CRAWL: Final = 1.5  # metres per second


class Jam(msgspec.Struct, frozen=True):
    """A jam around a place."""

    at: LonLat
    ends_at: float  # seconds since 1970

    def speed_limit(self, at: LonLat, now: float) -> float:
        """Return the highest speed of a vehicle at this place, in m/s; *now* is seconds since 1970."""
        return CRAWL if now < self.ends_at and distance(at, self.at) <= RADIUS else inf


def jam_among(places: Sequence[LonLat], *, ends_at: float) -> Jam:
    """Return a jam in the middle of these places, so that most routes lead through it or near it."""
    return Jam(LonLat(median(at.lon for at in places), median(at.lat for at in places)), ends_at)
