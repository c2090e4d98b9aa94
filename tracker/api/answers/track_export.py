"""Export of tracks as GeoJSON, GPX, CSV or NDJSON, encoded chunk by chunk while the track is read."""

import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Final, Protocol
from xml.sax.saxutils import escape, quoteattr

import msgspec
from msgspec import UNSET, Struct, UnsetType

from tracker.api.answers.drivers import FixAnswer
from tracker.api.answers.track_lines import LinePoint, TrackLine
from tracker.database import Reads
from tracker.database.fixes import StoredFix, Window, track_page
from tracker.domain.order import Driver, Order
from tracker.domain.tracks.fix import Doubt
from tracker.domain.tracks.segments import SegmentCounter
from tracker.domain.tracks.simplify import kept_places
from tracker.messages import rfc3339

COLUMNS: Final = FixAnswer.__struct_fields__  # columns of the CSV: recorded_at, lat, lon, …, received_at
PLACES: Final = 7  # decimals of a degree: 1 cm
EASTERNMOST: Final = 180.0 - 10.0**-PLACES  # the GPX schema excludes a longitude of 180
FIXES_PER_READ: Final = 5_000  # for one simplified page

_json = msgspec.json.Encoder()


class TrackFix(FixAnswer, frozen=True, omit_defaults=True):
    """A fix of a track."""

    reason: Doubt | UnsetType | None = UNSET
    """Why the fix stays out of the track; null for a believed one. Given with `include=rejected`."""


class Writer(Protocol):
    """Writes one track. The document is `begin`, any number of `write`, and `end`, concatenated."""

    def begin(self) -> bytes: ...
    def write(self, fixes: Sequence[StoredFix]) -> bytes: ...
    def end(self) -> bytes: ...


class Format(Struct, frozen=True):
    """A format of tracks; *writer* takes whose track it is, and whether to include doubted fixes."""

    media_type: str
    writer: Callable[[Order | Driver, bool], Writer]


def track_fix(stored: StoredFix, *, rejected: bool) -> TrackFix:
    values = msgspec.structs.asdict(FixAnswer.of(stored.fix, stored.received_at))
    return TrackFix(**values, reason=stored.reason if rejected else UNSET)


class NdjsonWriter:
    """Writes one fix per line."""

    def __init__(self, _subject: Order | Driver, rejected: bool) -> None:
        self._rejected = rejected

    def begin(self) -> bytes:
        return b""

    def write(self, fixes: Sequence[StoredFix]) -> bytes:
        return _json.encode_lines([track_fix(stored, rejected=self._rejected) for stored in fixes])

    def end(self) -> bytes:
        return b""


class CsvWriter:
    """Writes one fix per row; unknown readings are empty. No value needs quotes."""

    def __init__(self, _subject: Order | Driver, rejected: bool) -> None:
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
    """Writes one feature (RFC 7946), with doubted fixes in `properties.rejected`.

    An unbroken track is a LineString, a broken one a MultiLineString with nested `coordTimes`. A line needs
    two points, so a single fix is written twice.
    """

    def __init__(self, subject: Order | Driver, rejected: bool) -> None:
        key = "order_id" if isinstance(subject, Order) else "driver_id"
        self._properties: dict[str, Any] = {key: subject.id, "reference": subject.reference}
        self._line = TrackLine()
        self._broken = False
        self._times: list[list[str]] = []  # of each line
        self._last: LinePoint | None = None
        self._rejected: list[TrackFix] | None = [] if rejected else None

    def begin(self) -> bytes:
        return b'{"type":"Feature","geometry":{"type":'

    def begin_lines(self, *, broken: bool) -> bytes:
        """Begin the coordinates, after `begin`; *broken* tells whether the track has several lines."""
        self._broken = broken
        return b'"MultiLineString","coordinates":[' if broken else b'"LineString","coordinates":['

    def write(self, fixes: Sequence[StoredFix]) -> bytes:
        if self._rejected is not None:
            self._rejected += [
                track_fix(stored, rejected=True) for stored in fixes if stored.reason is not None
            ]
        points = [point for stored in fixes if stored.reason is None for point in self._line.add(stored)]
        if not points:
            return b""
        begins = [n for n, point in enumerate(points) if n == 0 or point.begins]
        return b"".join(
            self._piece(points[begin:end])
            for begin, end in zip(begins, [*begins[1:], len(points)], strict=True)
        )

    def end(self) -> bytes:
        last = self._completed() + (b"]" if self._broken and self._times else b"")
        self._properties["coordTimes"] = (
            self._times if self._broken else [time for line in self._times for time in line]
        )
        if self._rejected is not None:
            self._properties["rejected"] = self._rejected
        return last + b']},"properties":' + _json.encode(self._properties) + b"}"

    def _piece(self, points: list[LinePoint]) -> bytes:
        """Encode points that begin or continue one line."""
        if points[0].begins and (self._broken or not self._times):
            bracket = b"[" if self._broken else b""
            joint = self._completed() + b"]," + bracket if self._times else bracket
            self._times.append([])
        else:
            joint = b","
        self._times[-1] += [rfc3339(point.at) for point in points]
        self._last = points[-1]
        return joint + _json.encode([_rounded(point) for point in points])[1:-1]

    def _completed(self) -> bytes:
        """Repeat the only point of the current line, if it has one point."""
        if self._last is None or len(self._times[-1]) != 1:
            return b""
        self._times[-1] *= 2
        return b"," + _json.encode(_rounded(self._last))


class GpxWriter:
    """Writes GPX 1.1, with doubted fixes in a second track whose comments give the reasons."""

    def __init__(self, subject: Order | Driver, rejected: bool) -> None:
        self._name = _xml_text(subject.reference or subject.id)
        self._line = TrackLine()
        self._begun = False
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
        return "".join(map(self._points, fixes)).encode()

    def end(self) -> bytes:
        doubted = "".join(_trkpt(LinePoint.of(stored)) for stored in self._rejected or ())
        more = f"<trk><name>rejected</name><trkseg>\n{doubted}</trkseg></trk>\n" if doubted else ""
        return f"</trkseg></trk>\n{more}</gpx>\n".encode()

    def _points(self, stored: StoredFix) -> str:
        text = ""
        for point in self._line.add(stored) if stored.reason is None else ():
            text += "</trkseg><trkseg>\n" if point.begins and self._begun else ""
            text += _trkpt(point)
            self._begun = True
        return text


def _rounded(point: LinePoint) -> tuple[float, float]:
    return round(point.lon, PLACES), round(point.lat, PLACES)


def _trkpt(point: LinePoint) -> str:
    """Encode one point. The schema fixes the sequence of its children: ele, time, cmt."""
    stored = point.stored
    altitude = None if stored is None else stored.fix.altitude
    reason = None if stored is None else stored.reason
    elevation = "" if altitude is None else f"<ele>{altitude:.3f}</ele>"
    comment = "" if reason is None else f"<cmt>{escape(reason)}</cmt>"
    lon, lat = f"{min(point.lon, EASTERNMOST):.{PLACES}f}", f"{point.lat:.{PLACES}f}"
    where = f"lat={quoteattr(lat)} lon={quoteattr(lon)}"
    return f"<trkpt {where}>{elevation}<time>{rfc3339(point.at)}</time>{comment}</trkpt>\n"


def _xml_text(text: str) -> str:
    """Escape text and drop the characters that XML 1.0 excludes."""
    return escape(re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text))


FORMATS: Final[Mapping[str, Format]] = {  # by extension
    "geojson": Format("application/geo+json", GeoJsonWriter),
    "gpx": Format("application/gpx+xml", GpxWriter),
    "csv": Format("text/csv; charset=utf-8", CsvWriter),
    "ndjson": Format("application/x-ndjson", NdjsonWriter),
}


# --- segments and simplification, chunk by chunk


async def number_segments(chunks: AsyncIterator[list[StoredFix]]) -> AsyncIterator[list[StoredFix]]:
    """Number the segment of each fix. Do it before simplification, which removes fixes."""
    counter = SegmentCounter()
    async for chunk in chunks:
        yield list(_number(chunk, counter))


async def simplify_chunks(
    chunks: AsyncIterator[list[StoredFix]], metres: float
) -> AsyncIterator[list[StoredFix]]:
    """Simplify each segment to a line within *metres* of the track.

    All doubted fixes stay. *chunks* come from `segmented`.
    """
    anchor: StoredFix | None = None
    async for chunk in chunks:
        kept = _simplify(anchor, chunk, metres)
        anchor = next((stored for stored in reversed(chunk) if stored.reason is None), anchor)
        yield kept


async def read_track_page(
    queries: Reads,
    windows: Sequence[Window],
    *,
    after: datetime | None,
    limit: int,
    rejected: bool,
    metres: float,
) -> tuple[list[StoredFix], bool]:
    """Return at most *limit* fixes later than *after*, and whether more follow.

    If *metres* is above 0, each page is simplified by itself and keeps its first and last fix.
    """
    raw = limit + 1 if metres <= 0 else FIXES_PER_READ
    chunk = await track_page(queries, windows, after=after, limit=raw, include_rejected=rejected)
    kept = chunk if metres <= 0 else _simplify(None, list(_number(chunk, SegmentCounter())), metres)
    return kept[:limit], len(kept) > limit or len(chunk) == raw


def _simplify(anchor: StoredFix | None, chunk: Sequence[StoredFix], metres: float) -> list[StoredFix]:
    """Simplify a chunk that continues from *anchor*; its last believed fix always stays."""
    line = [stored for stored in (anchor, *chunk) if stored is not None and stored.reason is None]
    kept: set[datetime] = set()
    for _, same in groupby(line, key=lambda stored: stored.segment):
        segment = list(same)
        places = kept_places([stored.fix.lonlat for stored in segment], metres)
        kept.update(segment[index].fix.recorded_at for index in places)
    return [stored for stored in chunk if stored.reason is not None or stored.fix.recorded_at in kept]


def _number(chunk: Iterable[StoredFix], counter: SegmentCounter) -> Iterator[StoredFix]:
    for stored in chunk:
        segment = (
            counter.number
            if stored.reason is not None
            else counter.add(stored.fix, stored.driver, stored.attempt)
        )
        yield msgspec.structs.replace(stored, segment=segment) if segment else stored
