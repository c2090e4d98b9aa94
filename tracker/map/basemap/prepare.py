"""Open the file of tiles, and build it in another process if it does not exist."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog

from tracker.errors import MapUnavailable
from tracker.map.basemap.archive import Basemap
from tracker.map.basemap.left_out import SUMMARY_ENDS
from tracker.map.extract import MapExtract
from tracker.system.file_lock import locked
from tracker.system.package_files import remove_all
from tracker.system.processes import Program, completed

FILE_NAME: Final = "basemap.pmtiles"
_LEFT_OUT: Final = ".left-out.txt"  # replaces the suffix of the file of tiles
ENDS_WITHIN: Final = 3.0  # seconds after SIGTERM
_WAITING: Final = "Waiting for another process that is drawing the map"


log = structlog.get_logger()


class BasemapFailed(MapUnavailable):
    """The tiles could not be built; the text holds the builder's last line."""


@asynccontextmanager
async def open_basemap(map_file: MapExtract, on_progress: Callable[[str], None]) -> AsyncIterator[Basemap]:
    """Open the tiles. It builds them if they are missing or unreadable. Raises BasemapFailed."""
    path = await ensure_basemap(map_file, on_progress)
    try:
        basemap = Basemap(path)
    except Exception:  # a damaged file can raise anything
        path.unlink()
        basemap = Basemap(await ensure_basemap(map_file, on_progress))
    with basemap:
        yield basemap


async def ensure_basemap(map_file: MapExtract, on_progress: Callable[[str], None]) -> Path:
    """Return the path of the tiles. If they are missing, build them in another process to save memory here.

    If several processes call it, one builds and the others wait. Raises BasemapFailed.
    """
    path = map_file.folder / FILE_NAME
    if not path.exists():
        map_file.folder.mkdir(parents=True, exist_ok=True)
        async with locked(path.with_suffix(".lock"), lambda: on_progress(_WAITING)):
            if not path.exists():
                await _build(map_file, path, on_progress)
    return path


async def _build(map_file: MapExtract, path: Path, on_progress: Callable[[str], None]) -> None:
    arguments = ("-m", "tracker.map.basemap", str(map_file.path), str(map_file.folder))
    try:
        child = await completed(Program("map tiles", arguments, {}, ENDS_WITHIN), out=on_progress)
    finally:
        remove_all(path.parent, f"{path.stem}*.part")
    if child.process.returncode != 0:
        raise BasemapFailed(f"The map tiles of {map_file.path.name} could not be made: {child.last_line}")
    if SUMMARY_ENDS in child.last_line:
        log.info("map_features_left_out", map=map_file.path.name, summary=child.last_line)
        path.with_suffix(_LEFT_OUT).write_text(child.last_line)


def missing_features(map_file: MapExtract) -> str | None:
    """Return the builder's summary of the features that it left out, or None if it left none out."""
    path = (map_file.folder / FILE_NAME).with_suffix(_LEFT_OUT)
    return path.read_text() if path.exists() else None
