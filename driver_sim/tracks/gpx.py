"""GPX reader, for GPX 1.0 and 1.1: each `trk` or `rte` is a recording, with its segments joined.

The parser is expat: it knows the line of each element, and returns the elements before an error. gpxpy gives
no line numbers and loses the whole file to one bad value. Namespaces are not checked, because programs use
prefixes that they do not declare. A document type declaration is rejected: GPX has none, and entity expansion
can exhaust the memory.
"""

import re
from typing import Final
from xml.parsers import expat

from driver_sim.tracks.reading import Options, Point, Report, recording
from driver_sim.tracks.recording import BadTrack, Recording

# elements inside a point, in GPX 1.0, 1.1 and the usual extensions -> field of Fix
FIELDS: Final = {
    "time": "time",
    "ele": "altitude",
    "speed": "speed",
    "course": "heading",
    "bearing": "heading",
    "accuracy": "accuracy",
}
POINTS: Final = {"trkpt", "rtept"}
DRIVES: Final = {"trk", "rte"}
_STRAY_AMPERSAND: Final = re.compile(r"&(?!(?:#\d+|#x[0-9a-fA-F]+|amp|lt|gt|quot|apos);)")
_NOT_IN_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_gpx(file: str, content: bytes, options: Options, report: Report) -> list[Recording]:
    """Read the recordings of a file. Raises BadTrack if it is not XML and no point can be read."""
    parsed = _read(file, content)
    if parsed.fault is not None:
        repaired = _read(file, _repair(content))
        if repaired.count > parsed.count:
            line, why = parsed.fault
            report.adapt(f"replaced characters that XML does not allow: {why}", line)
            parsed = repaired
    if parsed.fault is not None:
        line, why = parsed.fault
        if not parsed.count:
            raise BadTrack(file, line, f"not XML: {why}")
        report.drop(f"the rest, because it is not XML: {why}", line)
    for line in parsed.waypoints:
        report.skip("waypoint", "not part of a track", line)
    drives = ((f"{file}#{number}", points) for number, points in enumerate(parsed.drives, 1))
    return [one for name, points in drives if (one := recording(name, points, options, report)) is not None]


def _repair(content: bytes) -> bytes:
    """Re-encode as UTF-8, and replace the characters that expat rejects."""
    text = content.decode("utf-8", "replace")
    return _STRAY_AMPERSAND.sub("&amp;", _NOT_IN_XML.sub(" ", text)).encode()


def _read(file: str, content: bytes) -> "_Parser":
    parsed = _Parser(file)
    try:
        parsed.parser.Parse(content, True)
    except expat.ExpatError as error:
        parsed.fault = (error.lineno, expat.ErrorString(error.code))
    except (LookupError, ValueError) as error:  # an encoding unknown to Python
        parsed.fault = (1, str(error))
    return parsed


class _Parser:
    """The handlers of expat, and the points that they collect."""

    def __init__(self, file: str) -> None:
        self.drives: list[list[Point]] = []
        self.waypoints: list[int] = []
        self.fault: tuple[int, str] | None = None
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._reject_doctype
        self._file = file
        self._point: dict[str, str] | None = None
        self._line = 0
        self._text_parts: list[str] = []

    @property
    def count(self) -> int:
        """The number of points read."""
        return sum(map(len, self.drives))

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._text_parts = []
        local = _local(name)
        if local in DRIVES:
            self.drives.append([])
        elif local in POINTS:
            self._point = dict(attributes)
            self._line = self.parser.CurrentLineNumber
        elif local == "wpt":
            self.waypoints.append(self.parser.CurrentLineNumber)

    def _text(self, text: str) -> None:
        self._text_parts.append(text)

    def _end(self, name: str) -> None:
        local = _local(name)
        if local in POINTS:
            self._finish_point()
        elif self._point is not None and local in FIELDS:
            self._point.setdefault(FIELDS[local], "".join(self._text_parts).strip())

    def _finish_point(self) -> None:
        point, self._point = self._point or {}, None
        if not self.drives:
            self.drives.append([])
        optional = {name: point.get(name) for name in ("altitude", "speed", "heading", "accuracy")}
        self.drives[-1].append(
            Point(self._line, point.get("time"), point.get("lat"), point.get("lon"), optional)
        )

    def _reject_doctype(self, *_: object) -> None:
        raise BadTrack(
            self._file, self.parser.CurrentLineNumber, "a document type declaration is not allowed in GPX"
        )


def _local(name: str) -> str:
    return name.rpartition(":")[2]
