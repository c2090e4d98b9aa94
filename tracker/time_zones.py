"""Time zones of places."""

from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from timezonefinder import TimezoneFinder

CACHED: Final = 10_000  # places

_finder: Final = TimezoneFinder()  # boundaries are memory-mapped; a city uses a few pages


@lru_cache(CACHED)
def time_zone_at(lat: float, lon: float) -> str:
    """Return the IANA name, such as `Europe/Helsinki`; at sea `Etc/GMT-2`, east of Greenwich."""
    return _finder.timezone_at(lat=lat, lng=lon) or "Etc/GMT"


@lru_cache(CACHED)
def clock_of(name: str) -> ZoneInfo:
    """Return the rules of a time zone; those of UTC if this machine does not know the name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        return ZoneInfo("UTC")
