"""Times, numbers and units in the formats of other programs. Ambiguous values are errors."""

import re
from datetime import UTC, datetime
from math import isfinite
from typing import Final

# Limit and units per second of a time since 1970: seconds until 5138, then milli-, micro-, nanoseconds.
EPOCH_UNITS: Final = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (1e20, 1e9))
EPOCH_UNIT_NAMES: Final = {"s": 1.0, "sec": 1.0, "ms": 1e3, "us": 1e6, "µs": 1e6, "ns": 1e9}
YEARS: Final = range(1990, 2101)  # no GPS track is from another year

_COMPACT: Final = re.compile(r"(\d{8})T?(\d{4}(?:\d{2}(?:\.\d+)?)?)Z?$")
_DOTTED: Final = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})[ T]+(\d.*)$")
_YEAR_FIRST: Final = re.compile(r"(\d{4})/(\d{1,2})/(\d{1,2})[ T]+(\d.*)$")
_SLASHES: Final = re.compile(r"\d{1,2}/\d{1,2}/\d{2,4}\b")
_NUMERIC: Final = re.compile(r"\d+([.,]\d+)?$")
_COORDINATE: Final = re.compile(
    r"([NSEWO])?\s*([-+]?\d+(?:[.,]\d+)?(?:[eE][-+]?\d+)?)\s*°?\s*([NSEWO])?$", re.I
)
_HEMISPHERES: Final = {"lat": {"N": 1.0, "S": -1.0}, "lon": {"E": 1.0, "O": 1.0, "W": -1.0}}


def parse_time(value: object, *, unit: str | None = None) -> datetime:
    """Read ISO 8601, `YYYYMMDDhhmmss`, or a number since 1970 in s, ms, µs or ns. UTC without an offset.

    *unit* is the unit of numbers; by default it follows from their size. Raises ValueError.
    """
    at = _parse_any_time(value, unit)
    if at.year not in YEARS:
        raise ValueError(f"time {value!r} is in the year {at.year}; allowed are {YEARS[0]} to {YEARS[-1]}")
    return at


def _parse_any_time(value: object, unit: str | None) -> datetime:
    if isinstance(value, bool) or value is None or (isinstance(value, float) and not isfinite(value)):
        raise ValueError(f"{value!r} is not a time")
    if isinstance(value, int | float) and value == int(value):
        value = int(value)
    text = str(value).strip()
    if unit is None and (compact := _COMPACT.match(text)) and int(text[:4]) in YEARS:
        text = f"{compact[1]}T{compact[2]}"
    elif _NUMERIC.match(text):
        return _parse_epoch(float(text.replace(",", ".")), value, unit)
    return _parse_text(text, value)


def _parse_epoch(number: float, value: object, unit: str | None) -> datetime:
    if unit is not None:
        per_second = EPOCH_UNIT_NAMES[unit]
    else:
        per_second = next((per for below, per in EPOCH_UNITS if abs(number) < below), 0.0)
    try:
        return datetime.fromtimestamp(number / per_second, UTC)
    except (ArithmeticError, ValueError, OSError):
        raise ValueError(f"{value!r} is not a time") from None


def _parse_text(text: str, value: object) -> datetime:
    if _SLASHES.match(text):
        raise ValueError(f"time {value!r} may be day/month or month/day; write it as ISO 8601")
    if dotted := _DOTTED.match(text):
        text = f"{dotted[3]}-{dotted[2]:0>2}-{dotted[1]:0>2}T{dotted[4]}"
    elif year_first := _YEAR_FIRST.match(text):
        text = f"{year_first[1]}-{year_first[2]:0>2}-{year_first[3]:0>2}T{year_first[4]}"
    text = re.sub(r"([T ])(\d):", r"\g<1>0\2:", re.sub(r"\s*(UTC|GMT)$", "Z", text))
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{value!r} is not a time") from None
    if not re.search(r"\d[T ]\d", text):
        raise ValueError(f"{value!r} is a date without a time of day")
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def parse_number(name: str, value: object) -> float:
    """Read a finite number; text may have a decimal comma. Raises ValueError that names the field."""
    text = value.strip() if isinstance(value, str) else value
    if isinstance(text, str):
        if "_" in text or text.count(",") > 1 or ("," in text and "." in text):
            raise ValueError(f"{name} {value!r} is not a number")
        text = text.replace(",", ".")
    try:
        number = float("nan") if isinstance(text, bool) else float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if not isfinite(number):
        raise ValueError(f"{name} {value!r} is not a number")
    return number


def parse_degrees(name: str, value: object, limit: float) -> float:
    """Read `lat` or `lon`: a number, or one with a hemisphere, as in `60.17° N`. Raises ValueError."""
    sign = 1.0
    if isinstance(value, str) and (found := _COORDINATE.match(value.strip())):
        letters = [letter.upper() for letter in (found[1], found[3]) if letter]
        known = _HEMISPHERES[name]
        if len(letters) > 1 or any(letter not in known for letter in letters):
            raise ValueError(f"{name} {value!r} is not a number")
        sign = known[letters[0]] if letters else 1.0
        number = parse_number(name, found[2])
        if sign < 0 and number < 0:
            raise ValueError(f"{name} {value!r} has both a sign and a hemisphere")
    else:
        number = parse_number(name, value)
    if abs(number) > limit:
        raise ValueError(f"{name} {number:g} is out of range; allowed are -{limit:g} to {limit:g}")
    return sign * number


# Factors that convert a unit to that of the field: metres, m/s, degrees, fraction.
_METRES: Final = {"m": 1.0, "meter": 1.0, "metre": 1.0, "meters": 1.0, "metres": 1.0, "ft": 0.3048,
                  "feet": 0.3048, "km": 1000.0}  # fmt: skip
_SPEEDS: Final = {
    **dict.fromkeys(("m/s", "mps", "ms", "m_s", "m/sec"), 1.0),
    **dict.fromkeys(("km/h", "kmh", "kph", "km_h", "kmph"), 1 / 3.6),
    **dict.fromkeys(("mph", "mi/h"), 0.44704),
    **dict.fromkeys(("kn", "kt", "kts", "knot", "knots"), 1852 / 3600),
    "ft/s": 0.3048,
}
UNITS: Final[dict[str, dict[str, float]]] = {
    "accuracy": _METRES,
    "altitude": _METRES,
    "speed": _SPEEDS,
    "heading": dict.fromkeys(("°", "deg", "degree", "degrees"), 1.0),
    "lat": dict.fromkeys(("°", "deg", "degree", "degrees"), 1.0),
    "lon": dict.fromkeys(("°", "deg", "degree", "degrees"), 1.0),
    "battery": {"%": 0.01, "percent": 0.01, "pct": 0.01},
    "recorded_at": dict.fromkeys((*EPOCH_UNIT_NAMES, "utc", "gmt"), 1.0),
}
