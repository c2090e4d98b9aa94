"""GPX 1.0 and 1.1: each `trk` or `rte` is a recording, its segments joined.

Read with expat, which knows the line of each element and gives what stands before a fault; namespaces are
not checked, because programs use prefixes that they do not declare. gpxpy names no lines and loses the whole
file to one bad value. A document type declaration is refused: GPX has none, and entities are how XML is made
to explode.
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
    """Raises BadTrack where not one point can be found."""
    reading = _read(file, content)
    if reading.fault is not None:
        mended = _read(file, _mended(content))
        if mended.count > reading.count:
            line, why = reading.fault
            report.adapt(f"read with characters replaced that XML does not allow: {why}", line)
            reading = mended
    if reading.fault is not None:
        line, why = reading.fault
        if not reading.count:
            raise BadTrack(file, line, f"not XML: {why}")
        report.drop(f"the rest, because it is not XML: {why}", line)
    for line in reading.waypoints:
        report.skip("waypoint", "not a point of a track", line)
    named = ((f"{file}#{number}", points) for number, points in enumerate(reading.drives, 1))
    return [one for name, points in named if (one := recording(name, points, options, report)) is not None]


def _mended(content: bytes) -> bytes:
    """The same in UTF-8, without the characters that expat stumbles over."""
    text = content.decode("utf-8", "replace")
    return _STRAY_AMPERSAND.sub("&amp;", _NOT_IN_XML.sub(" ", text)).encode()


def _read(file: str, content: bytes) -> "_Reading":
    reading = _Reading(file)
    try:
        reading.parser.Parse(content, True)
    except expat.ExpatError as error:
        reading.fault = (error.lineno, expat.ErrorString(error.code))
    except (LookupError, ValueError) as error:  # an encoding that Python does not know
        reading.fault = (1, str(error))
    return reading


class _Reading:
    """What expat tells, turned into points as it goes."""

    def __init__(self, file: str) -> None:
        self.drives: list[list[Point]] = []
        self.waypoints: list[int] = []
        self.fault: tuple[int, str] | None = None
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._refuse
        self._file = file
        self._point: dict[str, str] | None = None
        self._line = 0
        self._text_parts: list[str] = []

    @property
    def count(self) -> int:
        """Points read so far."""
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

    def _refuse(self, *_: object) -> None:
        raise BadTrack(self._file, self.parser.CurrentLineNumber, "a document type declaration is not GPX")


def _local(name: str) -> str:
    return name.rpartition(":")[2]
