"""Readers of recorded tracks: GPX, GeoJSON, CSV and recorded trips. Pure except for reading the file.

The readers use what they can, and report the rest with its place. Times without an offset are UTC.
"""

import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from driver_sim.tracks.csv import NAMES, read_csv
from driver_sim.tracks.geojson import read_geojson
from driver_sim.tracks.gpx import read_gpx
from driver_sim.tracks.reading import Options, Report
from driver_sim.tracks.recording import BadTrack, Recording
from driver_sim.tracks.trips import read_trips

__all__ = ["NAMES", "BadTrack", "Options", "Recording", "Tracks", "read_tracks"]

READERS: Final[Mapping[str, Callable[[str, bytes, Options, Report], list[Recording]]]] = {
    ".gpx": read_gpx,
    ".geojson": read_geojson,
    ".json": read_geojson,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".txt": read_csv,
    ".jsonl": read_trips,
    ".ndjson": read_trips,
}
GZIP_WBITS: Final = 31  # value of zlib's wbits for gzip


class Tracks(msgspec.Struct, frozen=True):
    """The recordings of a file, and one line for each kind of problem in it."""

    recordings: list[Recording]
    report: list[str]


def read_tracks(path: Path, options: Options | None = None) -> Tracks:
    """Read a file by its extension, also compressed as `.gz`. Return at least one recording.

    Raises BadTrack if nothing can be replayed; its text lists the problems.
    """
    name = str(path)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    compressed = suffixes[-1:] == [".gz"]
    suffix = (suffixes[:-1] if compressed else suffixes)[-1:] or [""]
    reader = READERS.get(suffix[0])
    if reader is None:
        raise BadTrack(
            name, None, f"unknown file type; supported are {', '.join(READERS)}, each also with .gz"
        )
    report = Report(name)
    content = _read_bytes(path, report, compressed=compressed)
    recordings = [one for one in reader(name, content, options or Options(), report) if one.fixes]
    if not recordings:
        raise BadTrack(name, None, "\n".join(["no fix can be replayed", *report.lines]))
    return Tracks(recordings, report.lines)


def _read_bytes(path: Path, report: Report, *, compressed: bool) -> bytes:
    """Read and decompress a file. A truncated file gives what it holds. Raises BadTrack."""
    try:
        content = path.read_bytes()
        if not compressed:
            return content
        decompressor, content_read = zlib.decompressobj(GZIP_WBITS), b""
        while content:
            content_read += decompressor.decompress(content)
            content = decompressor.unused_data
            if decompressor.eof and content:
                decompressor = zlib.decompressobj(GZIP_WBITS)
        if not decompressor.eof:
            report.drop("the rest, because the compressed file is truncated")
        return content_read
    except (OSError, zlib.error) as error:
        raise BadTrack(str(path), None, getattr(error, "strerror", None) or str(error)) from error
