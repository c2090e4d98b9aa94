"""Open the address index, and build it in another process if it does not exist."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tracker.errors import MapUnavailable
from tracker.map.extract import MapExtract
from tracker.map.geocoder.finding.index import Index
from tracker.map.geocoder.geocoder import Geocoder
from tracker.system.file_lock import locked
from tracker.system.package_files import remove_all
from tracker.system.processes import Program, completed
from tracker.system.progress import Say

FILE: Final = "geocoder.sqlite"
ENDS_WITHIN: Final = 3.0  # seconds after SIGTERM


@asynccontextmanager
async def open_geocoder(map_file: MapExtract, say: Say) -> AsyncIterator[Geocoder]:
    """Open the index. It builds it if it is missing, damaged or of another version. Raises MapUnavailable."""
    path = await ensure_index(map_file, say)
    try:
        index = Index(path)
    except MapUnavailable:
        path.unlink(missing_ok=True)
        index = Index(await ensure_index(map_file, say))
    with Geocoder(index) as geocoder:
        yield geocoder


async def ensure_index(map_file: MapExtract, say: Say) -> Path:
    """Return the path of the index; if it is missing, one process builds it and the others wait."""
    path = map_file.folder / FILE
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        async with locked(path.with_suffix(".lock"), lambda: None):
            if not path.exists():
                await _build(map_file, path, say)
    return path


async def _build(map_file: MapExtract, path: Path, say: Say) -> None:
    arguments = ("-m", "tracker.map.geocoder", str(map_file.path), str(path))
    try:
        child = await completed(Program("address search", arguments, {}, ENDS_WITHIN), out=say)
    finally:
        remove_all(path.parent, f"{path.name}.*")
    if child.process.returncode != 0:
        raise MapUnavailable(
            f"The address search of {map_file.path.name} could not be made: {child.last_line}"
        )
