"""A track as GeoJSON, GPX, CSV or lines of JSON, written piece by piece while it is read."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol
from xml.sax.saxutils import escape, quoteattr

import msgspec
from msgspec import UNSET, Struct, UnsetType

from tracker.api.answers import FixAnswer
from tracker.database.fixes import StoredFix
from tracker.domain.order import Order
from tracker.messages import rfc3339

COLUMNS: Final = FixAnswer.__struct_fields__  # of the CSV: recorded_at, lat, lon, …, received_at
PLACES: Final = 7  # decimals of a degree: 1 cm

_json = msgspec.json.Encoder()


class TrackFix(FixAnswer, frozen=True, omit_defaults=True):
    """A fix of a track; with `include=rejected` it says why it is doubted, or null."""

    reason: str | UnsetType | None = UNSET


class Writer(Protocol):
    """Writes one track: `begin`, any number of `write`, `end`; joined they are the document."""

    def begin(self) -> bytes: ...
    def write(self, fixes: Sequence[StoredFix]) -> bytes: ...
    def end(self) -> bytes: ...


class Format(Struct, frozen=True):
    """A way to write tracks; `rejected` says whether doubted fixes are asked for."""

    media_type: str
    writer: Callable[[Order, bool], Writer]


def track_fix(stored: StoredFix, *, rejected: bool) -> TrackFix:
    shown = msgspec.structs.asdict(FixAnswer.of(stored.fix, stored.received_at))
    return TrackFix(**shown, reason=stored.reason if rejected else UNSET)


class NdjsonWriter:
    """One fix a line."""

    def __init__(self, _order: Order, rejected: bool) -> None:
        self._rejected = rejected

    def begin(self) -> bytes:
        return b""

    def write(self, fixes: Sequence[StoredFix]) -> bytes:
        return _json.encode_lines([track_fix(stored, rejected=self._rejected) for stored in fixes])

    def end(self) -> bytes:
        return b""


class CsvWriter:
    """One fix a row; unknown readings are empty. Numbers, times and plain words need no quotes."""

    def __init__(self, _order: Order, rejected: bool) -> None:
        self._rejected = rejected

    def begin(self) -> bytes:
        return ",".join([*COLUMNS, "reason"] if self._rejected else COLUMNS).encode() + b"\n"

    def write(self, fixes: Sequence[StoredFix]) -> bytes:
        return "".join(map(self._row, fixes)).encode()

    def end(self) -> bytes:
        return b""

    def _row(self, stored: StoredFix) -> str:
        values = msgspec.structs.astuple(FixAnswer.of(stored.fix, stored.received_at))
        values += (stored.reason,) if self._rejected else ()
        return ",".join("" if value is None else str(value) for value in values) + "\n"


class GeoJsonWriter:
    """One LineString feature (RFC 7946); doubted fixes stand beside the line, in `properties.rejected`.

    A line has two places or none: a single fix is written twice.
    """

    def __init__(self, order: Order, rejected: bool) -> None:
        self._properties: dict[str, Any] = {"order_id": order.id, "reference": order.reference}
        self._times: list[str] = []
        self._rejected: list[TrackFix] | None = [] if rejected else None
        self._last: StoredFix | None = None

    def begin(self) -> bytes:
        return b'{"type":"Feature","geometry":{"type":"LineString","coordinates":['

    def write(self, fixes: Sequence[StoredFix]) -> bytes:
        line = [stored for stored in fixes if stored.reason is None]
        if self._rejected is not None:
            self._rejected += [
                track_fix(stored, rejected=True) for stored in fixes if stored.reason is not None
            ]
        if not line:
            return b""
        comma = b"," if self._times else b""
        self._times += [rfc3339(stored.fix.recorded_at) for stored in line]
        self._last = line[-1]
        return comma + _json.encode([_coordinates(stored) for stored in line])[1:-1]

    def end(self) -> bytes:
        twice = self.write([self._last]) if len(self._times) == 1 and self._last is not None else b""
        self._properties["coordTimes"] = self._times
        if self._rejected is not None:
            self._properties["rejected"] = self._rejected
        return twice + b']},"properties":' + _json.encode(self._properties) + b"}"


class GpxWriter:
    """GPX 1.1; doubted fixes are a track of their own, with the reason as each one's comment."""

    def __init__(self, order: Order, rejected: bool) -> None:
        self._name = _xml_text(order.reference or order.id)
        self._rejected: list[StoredFix] | None = [] if rejected else None

    def begin(self) -> bytes:
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<gpx xmlns="http://www.topografix.com/GPX/1/1" version="1.1" creator="order-tracker">\n'
            f"<trk><name>{self._name}</name><trkseg>\n"
        ).encode()

    def write(self, fixes: Sequence[StoredFix]) -> bytes:
        if self._rejected is not None:
            self._rejected += [stored for stored in fixes if stored.reason is not None]
        return "".join(_trkpt(stored) for stored in fixes if stored.reason is None).encode()

    def end(self) -> bytes:
        doubted = "".join(map(_trkpt, self._rejected or ()))
        more = f"<trk><name>rejected</name><trkseg>\n{doubted}</trkseg></trk>\n" if doubted else ""
        return f"</trkseg></trk>\n{more}</gpx>\n".encode()


def _coordinates(stored: StoredFix) -> tuple[float, float]:
    return round(stored.fix.lon, PLACES), round(stored.fix.lat, PLACES)


def _trkpt(stored: StoredFix) -> str:
    """The children in the sequence of the schema: ele, time, cmt."""
    lon, lat = _coordinates(stored)
    elevation = "" if stored.fix.altitude is None else f"<ele>{stored.fix.altitude:.3f}</ele>"
    time = f"<time>{rfc3339(stored.fix.recorded_at)}</time>"
    comment = "" if stored.reason is None else f"<cmt>{escape(stored.reason)}</cmt>"
    where = f"lat={quoteattr(f'{lat:.{PLACES}f}')} lon={quoteattr(f'{lon:.{PLACES}f}')}"
    return f"<trkpt {where}>{elevation}{time}{comment}</trkpt>\n"


def _xml_text(text: str) -> str:
    """Without the characters that XML 1.0 has no place for."""
    return escape(re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text))


FORMATS: Final[Mapping[str, Format]] = {  # by extension
    "geojson": Format("application/geo+json", GeoJsonWriter),
    "gpx": Format("application/gpx+xml", GpxWriter),
    "csv": Format("text/csv; charset=utf-8", CsvWriter),
    "ndjson": Format("application/x-ndjson", NdjsonWriter),
}
