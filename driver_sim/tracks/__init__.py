"""Recorded tracks, read from files: GPX, GeoJSON, CSV and recorded trips. Pure but for reading the file.

Errors are BadTrack and say where: `ride.gpx:17: …`. Times without an offset are UTC.
"""

import gzip
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from driver_sim.tracks.csv import read_csv
from driver_sim.tracks.geojson import read_geojson
from driver_sim.tracks.gpx import read_gpx
from driver_sim.tracks.recording import BadTrack, Recording
from driver_sim.tracks.trips import read_trips

__all__ = ["BadTrack", "Recording", "read_tracks"]

READERS: Final[Mapping[str, Callable[[str, bytes], list[Recording]]]] = {
    ".gpx": read_gpx,
    ".geojson": read_geojson,
    ".json": read_geojson,
    ".csv": read_csv,
    ".jsonl": read_trips,
    ".ndjson": read_trips,
}


def read_tracks(path: Path) -> list[Recording]:
    """Everything that a file holds, chosen by its extension; `.gz` is unpacked. At least one fix each."""
    name = str(path)
    suffixes = path.suffixes
    packed = bool(suffixes) and suffixes[-1] == ".gz"
    suffix = (suffixes[:-1] if packed else suffixes)[-1:] or [""]
    reader = READERS.get(suffix[0].lower())
    if reader is None:
        raise BadTrack(
            name, None, f"not a known kind of track; there are {', '.join(READERS)} and each with .gz"
        )
    recordings = [recording for recording in reader(name, _bytes(path, packed=packed)) if recording.fixes]
    if not recordings:
        raise BadTrack(name, None, "holds no fixes with a time")
    return recordings


def _bytes(path: Path, *, packed: bool) -> bytes:
    try:
        return gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise BadTrack(str(path), None, getattr(error, "strerror", None) or str(error)) from error
