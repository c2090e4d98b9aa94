"""CSV reader: a time, `lat`, `lon` and the optional fields of a fix, in the units of the header."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from driver_sim.tracks.reading import Options, Point, Report, recording
from driver_sim.tracks.recording import BadTrack, Recording
from driver_sim.tracks.values import UNITS, parse_number, parse_time

# field of Fix -> column names, in order of preference
NAMES: Final[Mapping[str, Sequence[str]]] = {
    "recorded_at": (
        "recorded_at",
        "timestamp",
        "datetime",
        "date_time",
        "utc",
        "utc_time",
        "gps_time",
        "time",
    ),
    "lat": ("lat", "latitude"),
    "lon": ("lon", "lng", "long", "longitude"),
    "accuracy": ("accuracy", "acc", "horizontal_accuracy", "hacc"),
    "speed": ("speed", "velocity", "spd"),
    "heading": ("heading", "bearing", "course", "direction"),
    "altitude": ("altitude", "alt", "ele", "elevation", "height"),
    "battery": ("battery", "battery_level", "batt"),
}
DELIMITERS: Final = ",;\t| "
HEADER_WITHIN: Final = 20  # lines; some programs write a title above the header
ROW_WITHIN: Final = 20  # lines of one row with line breaks in quotes
_UNIT: Final = re.compile(r"(.*?)\s*[(\[]\s*([^)\]]*?)\s*[)\]]$")


class _Column(msgspec.Struct, frozen=True):
    """The column of a field, and its unit in the header."""

    index: int
    title: str
    unit: str | None = None


class _Table(msgspec.Struct, frozen=True):
    """The layout of the rows. `first` is the index of the first line with data."""

    delimiter: str
    columns: Mapping[str, _Column]
    first: int
    titles: Sequence[str] = ()
    date: int | None = None  # index of a column with the day, if `recorded_at` holds only the time of day


def read_csv(file: str, content: bytes, options: Options, report: Report) -> list[Recording]:
    """Read a CSV file as one recording. Raises BadTrack if a required column is missing."""
    lines = re.split(r"\r\n|\n|\r", _decode(content, report))
    table = _find_header(file, lines, options)
    table = _drop_unknown_units(table, report)
    points = [_point(table, number, row) for number, row in _read_rows(lines, table, report)]
    one = recording(file, points, options, report)
    return [] if one is None else [one]


def _decode(content: bytes, report: Report) -> str:
    if content[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        report.adapt(
            "read as Windows-1252, because it is not UTF-8", content.count(b"\n", 0, error.start) + 1
        )
        return content.decode("cp1252", "replace")


# --- the header


def _find_header(file: str, lines: Sequence[str], options: Options) -> _Table:
    """Find the header: the first line, with a delimiter, that names all required columns. Raises BadTrack."""
    for first, line in enumerate(lines[:HEADER_WITHIN]):
        for delimiter in DELIMITERS:
            table = _table_under(_split(line, delimiter), delimiter, first + 1, options)
            if table is not None:
                return table
    top = next((line for line in lines if line.strip()), "")
    titles = ", ".join(_split(top, max(DELIMITERS, key=top.count)))
    needs = "lat and lon" if options.assume_speed else "a time, lat and lon"
    required = f"; --columns requires {', '.join(options.columns.values())}" if options.columns else ""
    raise BadTrack(
        file,
        1,
        f"no columns for {needs} in the header ({titles[:200]}){required};"
        " name them with --columns recorded_at=…,lat=…,lon=…",
    )


def _split(line: str, delimiter: str) -> list[str]:
    rows = csv.reader([line], delimiter=delimiter, skipinitialspace=delimiter == " ")
    try:
        return [title.strip() for title in next(rows, [])]
    except csv.Error:
        return []


def _table_under(titles: Sequence[str], delimiter: str, first: int, options: Options) -> _Table | None:
    """Return the layout for this header, or None if a required column is missing."""
    if (by_number := _columns_by_number(titles, options)) is not None:
        return _Table(delimiter, by_number, first - 1)
    keys = [_title_key(title) for title in titles]
    columns = {
        field: column for field in NAMES if (column := _find_column(field, titles, keys, options)) is not None
    }
    required = {"lat", "lon", *options.columns} | (set() if options.assume_speed else {"recorded_at"})
    if not required <= columns.keys():
        return None
    date = keys.index("date") if "date" in keys and "recorded_at" not in options.columns else None
    if date is not None and keys[columns["recorded_at"].index] not in {"time", "utc_time", "gps_time"}:
        date = None
    return _Table(delimiter, columns, first, titles, date)


def _columns_by_number(titles: Sequence[str], options: Options) -> dict[str, _Column] | None:
    """Return the columns by number, from 1, for files without a header. None if the options name titles."""
    numbers = options.columns
    if not numbers or any(not name.isdecimal() or name in titles for name in numbers.values()):
        return None
    if any(not 1 <= int(name) <= len(titles) for name in numbers.values()):
        return None
    try:
        for field, name in numbers.items():
            value = titles[int(name) - 1]
            parse_time(value) if field == "recorded_at" else parse_number(field, value)
    except ValueError:  # a header, or another delimiter
        return None
    return {field: _Column(int(name) - 1, f"column {name}") for field, name in numbers.items()}


def _title_key(title: str) -> str:
    """Normalise a title: `Speed (km/h)` -> `speed`, `GPS Time` -> `gps_time`."""
    name = found[1] if (found := _UNIT.match(title)) else title
    return re.sub(r"[\s-]+", "_", name.strip().lower())


def _find_column(field: str, titles: Sequence[str], keys: Sequence[str], options: Options) -> _Column | None:
    if field in options.columns:
        required = options.columns[field].strip().lower()
        index = next((n for n, title in enumerate(titles) if title.lower() == required), None)
        return None if index is None else _Column(index, titles[index], _unit(titles[index]))
    for name in NAMES[field]:
        if name in keys:
            index = keys.index(name)
            return _Column(index, titles[index], _unit(titles[index]))
        for unit in UNITS[field]:
            if f"{name}_{unit}" in keys:
                index = keys.index(f"{name}_{unit}")
                return _Column(index, titles[index], unit)
    return None


def _unit(title: str) -> str | None:
    found = _UNIT.match(title)
    return found[2].lower() if found and found[2] else None


def _drop_unknown_units(table: _Table, report: Report) -> _Table:
    """Drop the columns with an unknown unit, and report all unused columns."""
    used = {column.index for column in table.columns.values()} | {table.date}
    rest = [title for index, title in enumerate(table.titles) if index not in used and title]
    if rest:
        report.drop(f"columns that are not fields of a fix: {', '.join(rest)}")
    columns = {}
    for field, column in table.columns.items():
        if column.unit is None or column.unit in UNITS[field]:
            columns[field] = column
        elif field in {"recorded_at", "lat", "lon"}:
            columns[field] = msgspec.structs.replace(column, unit=None)
        else:
            units = ", ".join(UNITS[field])
            report.drop(f"column {column.title!r}, because its unit is unknown; known units: {units}")
    return msgspec.structs.replace(table, columns=columns)


# --- the rows


def _read_rows(lines: Sequence[str], table: _Table, report: Report) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with its line number. Skip only the line of a quote that is never closed."""
    index = table.first
    while index < len(lines):
        number, row, index = index + 1, *_read_row(lines, index, table.delimiter)
        if row is None:
            report.skip("row", "a quote is not closed", number)
        elif any(row) and not row[0].lstrip().startswith("#"):
            yield number, row


def _read_row(lines: Sequence[str], index: int, delimiter: str) -> tuple[list[str] | None, int]:
    """Return the row that begins at *index* and the index of the next line."""
    for length in range(1, ROW_WITHIN + 1):
        block = [f"{line}\n" for line in lines[index : index + length]]
        rows = csv.reader(block, delimiter=delimiter, strict=True, skipinitialspace=delimiter == " ")
        try:
            return [value.strip() for value in next(rows, [])], index + length
        except csv.Error:
            if '"' not in block[0] or index + length >= len(lines):
                break
    return None, index + 1


def _point(table: _Table, number: int, row: Sequence[str]) -> Point:
    values = {field: _value(field, column, row) for field, column in table.columns.items()}
    time, lat, lon = (values.pop(name, None) for name in ("recorded_at", "lat", "lon"))
    if table.date is not None and time:
        time = f"{_day(_at(row, table.date))} {time}"
    unit = table.columns["recorded_at"].unit if "recorded_at" in table.columns else None
    return Point(number, time, lat, lon, values, None if unit in {"utc", "gmt"} else unit)


def _at(row: Sequence[str], index: int) -> str:
    return row[index] if index < len(row) else ""


def _day(text: str) -> str:
    """Convert `20261120` to `2026-11-20`, as ISO 8601 requires before a time of day with colons."""
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == 8 and text.isdecimal() else text


def _value(field: str, column: _Column, row: Sequence[str]) -> object:
    text = _at(row, column.index)
    factor = 1.0 if column.unit is None else UNITS[field][column.unit]
    if factor == 1.0 or not text:
        return text
    try:
        return parse_number(field, text) * factor
    except ValueError:
        return text
