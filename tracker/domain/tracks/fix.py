"""Fixes: readings of a device, the reasons to reject one, and verdicts."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from math import isfinite
from typing import Annotated, Final, Literal

import msgspec

from tracker.domain.geo import LonLat
from tracker.domain.tracks.device_clock import FUTURE_LIMIT, NONE

ACCURACY_LIMIT: Final = 200.0  # metres; a fix of worse accuracy is stored, but doubted
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
"""Why a stored fix stays out of the track."""


class Fix(msgspec.Struct, frozen=True, gc=False):
    """One reading of the device, in metres, m/s and degrees; `battery` is 0..1; None is unknown."""

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
        return tuple.__new__(LonLat, (self.lon, self.lat))  # half the time of LonLat(…), for every fix


class JudgedFix(msgspec.Struct, eq=False, gc=False):
    """A fix with its verdict. All holders share the object, so that a changed verdict reaches each of them.

    `sent_at`, the device's own time, is the fix's key. The time in `fix` is by the server's clock.
    """

    fix: Fix
    sent_at: datetime
    received_at: datetime
    doubt: Doubt | None = None
    judged: bool = False  # False: there is no verdict yet
    rejudged: bool = False  # the verdict has changed; the first one may be stored already
    aside: bool = False  # of a screen while the source sends: it is stored, but does not move the marker

    @property
    def at(self) -> datetime:
        """Time of recording, by the server's clock."""
        return self.fix.recorded_at

    @property
    def is_inaccurate(self) -> bool:
        return self.fix.accuracy is not None and self.fix.accuracy > ACCURACY_LIMIT

    @property
    def correction(self) -> timedelta:
        """How far the device's clock was ahead of the server's; negative: behind."""
        return self.sent_at - self.fix.recorded_at


def rejection_reason(
    fix: Fix, *, now: datetime, retention: timedelta, ahead: timedelta = NONE
) -> Rejection | None:
    """Return why this fix cannot be stored; None if it can. *ahead* is the offset of the device's clock."""
    place = _place_rejection(fix.lat, fix.lon)
    if place is not None:
        return place
    if fix.recorded_at > now + ahead + FUTURE_LIMIT:
        return "in_the_future"
    if fix.recorded_at < now + min(ahead, NONE) - retention:
        return "too_old"
    return None


def validate_readings(
    readings: Sequence[Fix | Rejection], *, now: datetime, retention: timedelta, ahead: timedelta = NONE
) -> tuple[list[Fix], list[tuple[int, Rejection]]]:
    """Return the fixes to store, cleaned and oldest first, and the rejected ones as (index, reason)."""
    accepted: list[Fix] = []
    rejected: list[tuple[int, Rejection]] = []
    for index, reading in enumerate(readings):
        if not isinstance(reading, Fix):
            rejected.append((index, reading))
        elif (why := rejection_reason(reading, now=now, retention=retention, ahead=ahead)) is not None:
            rejected.append((index, why))
        else:
            accepted.append(without_impossible_values(reading))
    if len(accepted) > 1:
        accepted.sort(key=lambda fix: fix.recorded_at)
    return accepted, rejected


def _place_rejection(lat: float, lon: float) -> Rejection | None:
    if not (isfinite(lat) and isfinite(lon)):
        return "not_a_number"
    if not -90.0 <= lat <= 90.0:
        return "latitude_out_of_range"
    if not -180.0 <= lon <= 180.0:
        return "longitude_out_of_range"
    # A receiver without a fix reports (0, 0), off the coast of Ghana.
    return "null_island" if lat == 0.0 and lon == 0.0 else None


def without_impossible_values(fix: Fix) -> Fix:
    """Remove optional values that are out of range: many phones send -1 for unknown."""
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
    """Return whether no value is out of range, as in most fixes. Takes half the time of cleaning."""
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
    """Return a heading in 0 <= heading < 360; some devices send 360 for north."""
    return None if (within := _within(value, 0.0, 360.0)) is None else within % 360.0


def parse_fix(raw: object, time: Callable[[str], datetime]) -> Fix | Rejection:
    """Convert a reading whose types the decoder did not accept into a fix, or return why it is rejected.

    An optional value of a wrong type makes the whole reading malformed: the other values of such a device
    cannot be trusted either. *time* parses RFC 3339 and raises ValueError.
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
    return Fix(recorded_at, **floats)  # type: ignore[arg-type]  # lat and lon are numbers here


_NUMBERS: Final = ("lat", "lon", "accuracy", "speed", "heading", "altitude", "battery")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
