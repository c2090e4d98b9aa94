"""Lenient conversions: apps send numbers as text, integers as floats, and times in five notations."""

from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final, Literal

import msgspec

from tracker.domain.tracks.fix import Fix, Rejection
from tracker.errors import Unparsable
from tracker.messages.codecs import SMALL_FRAME_BYTES, read_json

SpeedUnit = Literal["kn", "kmh", "mps"]
METRES_PER_S: Final[dict[SpeedUnit, float]] = {"kn": 1852.0 / 3600.0, "kmh": 1.0 / 3.6, "mps": 1.0}

SINCE_2001_S: Final = 978_307_200  # seconds from 1970 to Apple's reference date
LEAST_SINCE_1970_S: Final = 10**9  # September 2001; a smaller number counts from 2001
LEAST_MILLISECONDS: Final = 2**31  # a larger number would be after 2038 in seconds
FEW_EXPONENTS: Final = 4  # msgspec takes 20 us for a number such as 8.5e-320
_EXPONENT_AS_E0: Final = bytes.maketrans(b"E+-123456789", b"e00000000000")
_TRUTHS: Final = {"true": True, "1": True, "false": False, "0": False}
_NUMBERS: Final = {float, int, str}  # not bool, which is an int
_decoder: Final = msgspec.json.Decoder()


def read_object(data: bytes) -> dict[str, Any] | None:
    """Decode a JSON object. None for anything else; bytes that are not UTF-8 are replaced."""
    try:
        if len(data) <= SMALL_FRAME_BYTES and data.translate(_EXPONENT_AS_E0).count(b"e0") <= FEW_EXPONENTS:
            value = _decoder.decode(data)
            return value if isinstance(value, dict) else None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass  # Python's decoder also takes NaN, and replaced bytes
    try:
        value = read_json(data.decode(errors="replace"))
    except Unparsable:
        return None
    return value if isinstance(value, dict) else None


def speed_unit(value: str | None) -> SpeedUnit | None:
    """Return the unit if it is a known one."""
    return value if value in METRES_PER_S else None


def number(value: object) -> float | None:
    """Return a finite number, also if it is written as text; None for anything else."""
    if type(value) not in _NUMBERS:  # a fifth of the time of isinstance() without bool
        return None
    try:
        found = float(value)  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        return None
    return found if isfinite(found) else None


def scaled(value: object, factor: float) -> float | None:
    """Return the number times *factor*; None if it is not a number."""
    found = number(value)
    return None if found is None else found * factor


def share(percent: object) -> float | None:
    """Return 0..1 from percent; None if it is not a number."""
    found = number(percent)
    return None if found is None else found / 100.0


def truth(value: object) -> bool | None:
    """Return a truth value, also if it is written as text; None for anything else."""
    if value is None or isinstance(value, bool):
        return value
    return _TRUTHS.get(str(value).lower())


def time(value: object) -> datetime | None:
    """Return a time from seconds, milliseconds or ISO 8601; without an offset it is UTC. None: unreadable."""
    since = number(value)
    if since is None:
        return _iso_time(value.strip()) if isinstance(value, str) else None
    if since >= LEAST_MILLISECONDS:
        since = round(since) / 1000.0
    if 0.0 <= since < LEAST_SINCE_1970_S:
        since += SINCE_2001_S
    try:
        return datetime.fromtimestamp(since, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _iso_time(text: str) -> datetime | None:
    if text[-6:-5] == " " and ":" in text[:-6]:  # a URL's `+` that the app did not encode
        text = f"{text[:-6]}+{text[-5:]}"
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def reading(
    at: datetime | None,
    lat: object,
    lon: object,
    *,
    accuracy: object = None,
    speed: float | None = None,
    heading: object = None,
    altitude: object = None,
    battery: float | None = None,
) -> Fix | Rejection:
    """Return the fix, or why it is none. *speed* is in m/s and *battery* 0..1."""
    north, east = number(lat), number(lon)
    if north is None or east is None:
        return "not_a_number" if _is_nan(lat) or _is_nan(lon) else "malformed"
    if at is None:
        return "malformed"
    return Fix(at, north, east, number(accuracy), speed, number(heading), number(altitude), battery)


def _is_nan(value: object) -> bool:
    return str(value).lower().lstrip("+-") in {"nan", "inf", "infinity"}
