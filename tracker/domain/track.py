"""Track: which fixes of one driver are believed, and why not the others."""

from datetime import datetime

import msgspec

from tracker.domain.geo import LonLat


class Fix(msgspec.Struct, frozen=True, gc=False):
    """One reading as the device made it. Metres, metres per second, degrees; `battery` 0..1; None is unknown."""

    recorded_at: datetime  # with an offset
    lat: float
    lon: float
    accuracy: float | None = None
    speed: float | None = None
    heading: float | None = None
    altitude: float | None = None
    battery: float | None = None

    @property
    def lonlat(self) -> LonLat:
        return LonLat(self.lon, self.lat)
