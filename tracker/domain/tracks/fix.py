"""Fix: one reading of a device, why it cannot be stored, and what was judged of it."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from math import isfinite
from typing import Annotated, Final, Literal

import msgspec

from tracker.domain.geo import LonLat
from tracker.domain.tracks.device_clock import FUTURE_LIMIT, NONE

MOST_INACCURATE: Final = 1e7  # metres
FASTEST: Final = 350.0  # m/s
LOWEST: Final = -1_000.0  # metres above the sea
HIGHEST: Final = 100_000.0

Rejection = Literal[
    "latitude_out_of_range",
    "longitude_out_of_range",
    "not_a_number",
    "null_island",
    "in_the_future",
    "too_old",
    "malformed",
]
"""Why a fix is not stored at all."""

Doubt = Literal["inaccurate", "teleport"]
"""Why a stored fix is left out of the track."""


class Fix(msgspec.Struct, frozen=True, gc=False):
    """One reading as the device made it: metres, m/s, degrees; `battery` 0..1; None is unknown."""

    recorded_at: Annotated[datetime, msgspec.Meta(tz=True)]
    """When the device measured it."""
    lat: float
    """Degrees north, WGS 84."""
    lon: float
    """Degrees east, WGS 84."""
    accuracy: float | None = None
    """Radius in metres around the true place. Null if unknown."""
    speed: float | None = None
    """Metres per second. Null if unknown."""
    heading: float | None = None
    """Degrees clockwise from true north, 0 <= heading < 360. Null if unknown."""
    altitude: float | None = None
    """Metres above the ellipsoid or the sea, as the device gives it. Null if unknown."""
    battery: float | None = None
    """Charge of the battery, 0..1. Null if unknown."""

    @property
    def lonlat(self) -> LonLat:
        return tuple.__new__(LonLat, (self.lon, self.lat))  # in half the time of LonLat(…): every fix asks


class JudgedFix(msgspec.Struct, eq=False, gc=False):
    """A fix with its verdict, shared by all that hold it: a later change of the verdict reaches them all.

    `sent_at`, the device's own time, is the fix's key. `fix` has the time by our clock.
    """

    fix: Fix
    sent_at: datetime
    received_at: datetime
    doubt: Doubt | None = None
    judged: bool = False  # False: `doubt` says nothing yet
    rejudged: bool = False  # the verdict was another one at first, which may be stored already

    @property
    def at(self) -> datetime:
        """When it was recorded, by our clock."""
        return self.fix.recorded_at

    @property
    def correction(self) -> timedelta:
        """What the device's clock was ahead of ours; negative: behind."""
        return self.sent_at - self.fix.recorded_at


def refusal(fix: Fix, *, now: datetime, retention: timedelta, ahead: timedelta = NONE) -> Rejection | None:
    """Why this fix cannot be stored, or None where it can. The device's clock is steadily `ahead`."""
    place = _place_refusal(fix.lat, fix.lon)
    if place is not None:
        return place
    if fix.recorded_at > now + ahead + FUTURE_LIMIT:
        return "in_the_future"
    if fix.recorded_at < now + min(ahead, NONE) - retention:
        return "too_old"
    return None


def sift(
    readings: Sequence[Fix | Rejection], *, now: datetime, retention: timedelta, ahead: timedelta = NONE
) -> tuple[list[Fix], list[tuple[int, Rejection]]]:
    """What can be stored, cleaned and oldest first, and what cannot, each with its index and reason."""
    accepted: list[Fix] = []
    refused: list[tuple[int, Rejection]] = []
    for index, reading in enumerate(readings):
        if not isinstance(reading, Fix):
            refused.append((index, reading))
        elif (why := refusal(reading, now=now, retention=retention, ahead=ahead)) is not None:
            refused.append((index, why))
        else:
            accepted.append(without_impossible_values(reading))
    if len(accepted) > 1:
        accepted.sort(key=lambda fix: fix.recorded_at)
    return accepted, refused


def _place_refusal(lat: float, lon: float) -> Rejection | None:
    if not (isfinite(lat) and isfinite(lon)):
        return "not_a_number"
    if not -90.0 <= lat <= 90.0:
        return "latitude_out_of_range"
    if not -180.0 <= lon <= 180.0:
        return "longitude_out_of_range"
    # A receiver without a fix says (0, 0), off the coast of Ghana.
    return "null_island" if lat == 0.0 and lon == 0.0 else None


def without_impossible_values(fix: Fix) -> Fix:
    """The fix without optional values that cannot be: many phones say -1 for unknown. Never costs the fix."""
    if _has_possible_values(fix):
        return fix
    return Fix(
        fix.recorded_at,
        fix.lat,
        fix.lon,
        _within(fix.accuracy, 0.0, MOST_INACCURATE),
        _within(fix.speed, 0.0, FASTEST),
        _heading(fix.heading),
        _within(fix.altitude, LOWEST, HIGHEST),
        _within(fix.battery, 0.0, 1.0),
    )


def _has_possible_values(fix: Fix) -> bool:
    """Most fixes do: it takes half the time of cleaning them."""
    return (
        (fix.accuracy is None or 0.0 <= fix.accuracy <= MOST_INACCURATE)
        and (fix.speed is None or 0.0 <= fix.speed <= FASTEST)
        and (fix.heading is None or 0.0 <= fix.heading < 360.0)
        and (fix.altitude is None or LOWEST <= fix.altitude <= HIGHEST)
        and (fix.battery is None or 0.0 <= fix.battery <= 1.0)
    )


def _within(value: float | None, low: float, high: float) -> float | None:
    return value if value is not None and low <= value <= high else None


def _heading(value: float | None) -> float | None:
    """Some devices say 360 for north."""
    return None if (within := _within(value, 0.0, 360.0)) is None else within % 360.0


def parse_fix(raw: object, time: Callable[[str], datetime]) -> Fix | Rejection:
    """A fix that came without the right types: the fix after all, or what is wrong with it.

    Only the time and the two coordinates can cost it: optional values of a wrong type are malformed,
    as a device that sends them cannot be trusted with the rest. `time` reads RFC 3339, raising ValueError.
    """
    if not isinstance(raw, dict):
        return "malformed"
    numbers = {name: raw.get(name) for name in _NUMBERS}
    for name in ("lat", "lon"):
        if not _is_number(numbers[name]):
            return "malformed"
    if any(value is not None and not _is_number(value) for value in numbers.values()):
        return "malformed"
    try:
        floats = {name: None if value is None else float(value) for name, value in numbers.items()}
        recorded_at = time(raw["recorded_at"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return "malformed"
    return Fix(recorded_at, **floats)  # type: ignore[arg-type]  # lat and lon were checked to be numbers


_NUMBERS: Final = ("lat", "lon", "accuracy", "speed", "heading", "altitude", "battery")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
