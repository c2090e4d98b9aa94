"""CSV with a header: a time, `lat`, `lon` and whatever else a fix has. Commas, semicolons or tabs."""

import csv
from io import StringIO
from typing import Final

from driver_sim.tracks.recording import BadTrack, Recording, by_time, make_fix
from tracker.domain.track import Fix

# what a column may be called -> field of Fix
NAMES: Final = {
    **dict.fromkeys(("recorded_at", "time", "timestamp"), "recorded_at"),
    **dict.fromkeys(("lat", "latitude"), "lat"),
    **dict.fromkeys(("lon", "lng", "longitude"), "lon"),
    **dict.fromkeys(("heading", "bearing", "course"), "heading"),
    **dict.fromkeys(("altitude", "ele", "elevation"), "altitude"),
    **{name: name for name in ("accuracy", "speed", "battery")},
}
NEEDED: Final = ("recorded_at", "lat", "lon")


def read_csv(file: str, content: bytes) -> list[Recording]:
    """Raises BadTrack with the line."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadTrack(file, content.count(b"\n", 0, error.start) + 1, "not UTF-8") from error
    header = text.partition("\n")[0]
    rows = csv.reader(StringIO(text, newline=""), delimiter=max(",;\t", key=header.count))
    fields = [NAMES.get(name.strip().lower()) for name in next(rows, [])]
    missing = [name for name in NEEDED if name not in fields]
    if missing:
        raise BadTrack(file, 1, f"the header has no column for {', '.join(missing)}")
    try:
        fixes = [_fix(file, rows.line_num, fields, row) for row in rows if any(row)]
    except csv.Error as error:
        raise BadTrack(file, rows.line_num, f"not CSV: {error}") from error
    return [Recording(file, by_time(fixes))]


def _fix(file: str, line: int, fields: list[str | None], row: list[str]) -> Fix:
    values = {field: value.strip() for field, value in zip(fields, row, strict=False) if field is not None}
    absent = [name for name in NEEDED if not values.get(name)]
    if absent:
        raise BadTrack(file, line, f"no value for {', '.join(absent)}")
    needed = [values.pop(name) for name in NEEDED]
    try:
        return make_fix(needed[0], needed[1], needed[2], values)
    except ValueError as error:
        raise BadTrack(file, line, str(error)) from None
