"""GPX 1.0 and 1.1: each `trk` is a recording, its segments joined.

Read with expat, which alone of the readers at hand knows the line of each element, so that an error can name
it. A document type declaration is refused: GPX has none, and entities are how XML is made to explode.
"""

from typing import Final
from xml.parsers import expat

from driver_sim.tracks.recording import BadTrack, Recording, by_time, make_fix
from tracker.domain.track import Fix

# elements inside a trkpt, in GPX 1.0, 1.1 and the usual extensions -> field of Fix
FIELDS: Final = {
    "time": "time",
    "ele": "altitude",
    "speed": "speed",
    "course": "heading",
    "accuracy": "accuracy",
}


def read_gpx(file: str, content: bytes) -> list[Recording]:
    """Raises BadTrack with the line."""
    reading = _Reading(file)
    try:
        reading.parser.Parse(content, True)
    except expat.ExpatError as error:
        raise BadTrack(file, error.lineno, f"not XML: {expat.ErrorString(error.code)}") from error
    return reading.recordings


class _Reading:
    """What expat tells, turned into recordings as it goes."""

    def __init__(self, file: str) -> None:
        self.recordings: list[Recording] = []
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._refuse
        self._file = file
        self._fixes: list[Fix] = []
        self._point: dict[str, str] | None = None
        self._line = 0
        self._words: list[str] = []

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._words = []
        match _local(name):
            case "trk":
                self._fixes = []
            case "trkpt":
                self._point = dict(attributes)
                self._line = self.parser.CurrentLineNumber

    def _text(self, words: str) -> None:
        self._words.append(words)

    def _end(self, name: str) -> None:
        local = _local(name)
        if local == "trkpt":
            self._fixes.append(self._fix())
            self._point = None
        elif local == "trk":
            self.recordings.append(
                Recording(f"{self._file}#{len(self.recordings) + 1}", by_time(self._fixes))
            )
        elif self._point is not None and local in FIELDS:
            self._point[FIELDS[local]] = "".join(self._words).strip()

    def _fix(self) -> Fix:
        point = self._point or {}
        if "time" not in point:
            raise BadTrack(self._file, self._line, "a track point without a time cannot be replayed")
        optional = {name: point.get(name) for name in ("altitude", "speed", "heading", "accuracy")}
        try:
            return make_fix(point["time"], point.get("lat"), point.get("lon"), optional)
        except ValueError as error:
            raise BadTrack(self._file, self._line, str(error)) from None

    def _refuse(self, *_: object) -> None:
        raise BadTrack(self._file, self.parser.CurrentLineNumber, "a document type declaration is not GPX")


def _local(name: str) -> str:
    return name.rpartition(" ")[2]
