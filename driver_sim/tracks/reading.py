"""Conversion of a file's points to recordings, with a report of the problems.

A bad point, value or feature is skipped without affecting others.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import msgspec

from driver_sim.tracks.recording import Recording, by_time
from driver_sim.tracks.values import parse_degrees, parse_number, parse_time
from tracker.domain.geo import distance
from tracker.domain.tracks.fix import Fix

OPTIONAL: Final = ("accuracy", "speed", "heading", "altitude", "battery")
NO_TIME: Final = "no time"
NO_TIMES: Final = "no times (set --assume-speed M_S to replay at that speed)"
MAX_PLACES: Final = 5  # places in one line of the report
MIN_STEP: Final = timedelta(milliseconds=1)  # the resolution of times in messages

Place = int | str  # a line of the file, or a place such as "feature 2, point 3"


class Point(msgspec.Struct, frozen=True):
    """One point of a file, unchecked. `optional` has the field names of Fix."""

    place: Place
    time: object
    lat: object
    lon: object
    optional: Mapping[str, object] = {}
    time_unit: str | None = None


class Options(msgspec.Struct, frozen=True):
    """Information that the file lacks."""

    assume_speed: float | None = None  # m/s, for tracks without times
    columns: Mapping[str, str] = {}  # field of a Fix -> column of a CSV file


class Report:
    """The problems in a file: what was skipped, left out or interpreted."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._entries: dict[tuple[str, str], list[Place | None]] = {}  # what and why -> where

    def skip(self, what: str, why: str, place: Place | None = None) -> None:
        """Record that a *what* (a point, a feature) is skipped."""
        self._entries.setdefault((what, why), []).append(place)

    def drop(self, why: str, place: Place | None = None) -> None:
        """Record that a value or a column is left out."""
        self._entries.setdefault(("", f"left out {why}"), []).append(place)

    def adapt(self, how: str, place: Place | None = None) -> None:
        """Record that something is interpreted."""
        places = self._entries.setdefault(("", how), [])
        if place not in places[-1:]:
            places.append(place)

    @property
    def lines(self) -> list[str]:
        """One line for each problem: `ride.gpx: skipped 3 points: no time (lines 7, 9, 12)`."""
        found = []
        for (what, why), places in self._entries.items():
            count = len(places)
            skipped = f"skipped {count} {what}{'' if count == 1 else 's'}: " if what else ""
            found.append(f"{self.file}: {skipped}{why}{_format_places(places)}")
        return found


def _format_places(places: Sequence[Place | None]) -> str:
    present = [place for place in places if place is not None]
    if not present:
        return ""
    noun = "" if isinstance(present[0], str) else "line " if len(present) == 1 else "lines "
    more = f" and {len(present) - MAX_PLACES} more" if len(present) > MAX_PLACES else ""
    return f" ({noun}{', '.join(str(place) for place in present[:MAX_PLACES])}{more})"


def recording(name: str, points: Iterable[Point], options: Options, report: Report) -> Recording | None:
    """Convert points to a recording, or None if no point is usable."""
    all_points = list(points)
    untimed = bool(all_points) and all(_is_absent(point.time) for point in all_points)
    if untimed and options.assume_speed is None:
        for point in all_points:
            report.skip("point", NO_TIMES, point.place)
        return None
    if untimed:
        fixes = _with_assumed_times(all_points, options.assume_speed or 1.0, report)
    else:
        fixes = [fix for point in all_points if (fix := _make_fix(point, point.time, report)) is not None]
    if not fixes:
        return None
    return Recording(name, by_time(_with_battery_as_fraction(fixes, report)), assumed_times=untimed)


def _is_absent(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _make_fix(point: Point, time: object, report: Report) -> Fix | None:
    if _is_absent(time):
        report.skip("point", NO_TIME, point.place)
        return None
    try:
        at = parse_time(time, unit=point.time_unit)
        lat, lon = (_parse_coordinate(name, point, report) for name in ("lat", "lon"))
    except ValueError as error:
        report.skip("point", str(error), point.place)
        return None
    return Fix(at, lat, lon, **_parse_optional(point, report))


def _parse_coordinate(name: Literal["lat", "lon"], point: Point, report: Report) -> float:
    value = point.lat if name == "lat" else point.lon
    if _is_absent(value):
        raise ValueError(f"no {name}")
    degrees = parse_degrees(name, value, 90.0 if name == "lat" else 180.0)
    if isinstance(value, str) and "," in value:
        report.adapt("read a decimal comma as a decimal point", point.place)
    return degrees


def _parse_optional(point: Point, report: Report) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for name in OPTIONAL:
        value = point.optional.get(name)
        if not _is_absent(value):
            try:
                numbers[name] = parse_number(name, value)
            except ValueError as error:
                report.drop(str(error), point.place)
    return numbers


def _with_assumed_times(points: Sequence[Point], speed: float, report: Report) -> list[Fix]:
    """Give the points times at a constant *speed* in m/s. Skip repeated places."""
    fixes: list[Fix] = []
    at = datetime.now(UTC).replace(microsecond=0)
    for point in points:
        fix = _make_fix(point, at, report)
        if fix is None:
            continue
        if fixes:
            travel_time = timedelta(seconds=distance(fixes[-1].lonlat, fix.lonlat) / speed)
            if travel_time < MIN_STEP:
                report.skip("point", "at the place of the previous point", point.place)
                continue
            at += travel_time
            fix = msgspec.structs.replace(fix, recorded_at=at)
        fixes.append(fix)
    return fixes


def _with_battery_as_fraction(fixes: list[Fix], report: Report) -> list[Fix]:
    """Convert percent to a fraction if any battery level exceeds 1."""
    levels = [fix.battery for fix in fixes if fix.battery is not None]
    if max(levels, default=0.0) <= 1.0:
        return fixes
    report.adapt("read battery as percent")
    return [
        fix if fix.battery is None else msgspec.structs.replace(fix, battery=fix.battery / 100.0)
        for fix in fixes
    ]
