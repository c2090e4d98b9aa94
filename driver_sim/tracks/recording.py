"""Recording: the fixes of one drive, as a file holds them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Final

import msgspec

from tracker.domain.order import Vehicle
from tracker.domain.track import Fix

MILLISECONDS: Final = 1e11  # a number of this size is milliseconds since 1970, a smaller one seconds


class BadTrack(Exception):
    """A file that cannot be read: which, where in it, and why."""

    def __init__(self, file: str, line: int | str | None, why: str) -> None:
        super().__init__(": ".join(str(part) for part in (_place(file, line), why)))
        self.line = line


def _place(file: str, line: int | str | None) -> str:
    if line is None:
        return file
    return f"{file}:{line}" if isinstance(line, int) else f"{file}: {line}"


class RecordedStop(msgspec.Struct, frozen=True):
    """A stop of a recorded trip; the same `order` twice is its pickup and its dropoff."""

    lat: float
    lon: float
    service_s: float | None = None
    order: str | None = None


class Recording(msgspec.Struct, frozen=True):
    """One drive; fixes by time. `arrived_at` has one time for each stop."""

    name: str
    fixes: tuple[Fix, ...]
    vehicle: Vehicle | None = None
    stops: tuple[RecordedStop, ...] = ()
    arrived_at: tuple[datetime, ...] = ()

    @property
    def duration(self) -> float:
        """Seconds from the first to the last fix."""
        return (self.fixes[-1].recorded_at - self.fixes[0].recorded_at).total_seconds()


def by_time(fixes: Iterable[Fix]) -> tuple[Fix, ...]:
    return tuple(sorted(fixes, key=lambda fix: fix.recorded_at))


def parse_time(value: object) -> datetime:
    """ISO 8601 text, or seconds or milliseconds since 1970. Raises ValueError that says what it was."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000 if abs(value) >= MILLISECONDS else value, UTC)
        text = str(value).strip()
        if text.replace(".", "", 1).isdecimal() and len(text) > 8:
            return parse_time(float(text))
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{value!r} is not a time") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def make_fix(recorded_at: object, lat: object, lon: object, optional: Mapping[str, object]) -> Fix:
    """A fix of what a file says; optional values may be absent. Raises ValueError that names the value."""
    given = {name: value for name, value in optional.items() if value is not None and value != ""}
    there = {name: _number(name, value) for name, value in given.items()}
    return Fix(
        recorded_at=parse_time(recorded_at),
        lat=_within("lat", lat, 90.0),
        lon=_within("lon", lon, 180.0),
        **there,
    )


def _within(name: str, value: object, limit: float) -> float:
    number = _number(name, value)
    if abs(number) > limit:
        raise ValueError(f"{name} {number} is not between -{limit:g} and {limit:g}")
    return number


def _number(name: str, value: object) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ValueError(f"{name} {value!r} is not a number") from None
    if not isfinite(number):
        raise ValueError(f"{name} {value!r} is not a number")
    return number
