"""Making: sees to it that the file of tiles is there, built by a process of its own."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tracker.errors import TrackerError
from tracker.mapfile import MapFile

FILE_NAME: Final = "basemap.pmtiles"


class BasemapFailed(TrackerError):
    """The tiles could not be made; the text is what the builder said last."""


async def ensure_basemap(map_file: MapFile, on_progress: Callable[[str], None]) -> Path:
    """The file of tiles, made in a process of its own where it is not there: this one keeps no memory of it.

    Raises BasemapFailed with the builder's last words."""
    path = map_file.folder / FILE_NAME
    if path.exists():
        return path
    command = (sys.executable, "-m", "tracker.basemap", str(map_file.path), str(map_file.folder))
    child = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        last = await _relay(child, on_progress)
    finally:
        if child.returncode is None:
            child.terminate()
            await child.wait()
    if child.returncode != 0 or not path.exists():
        raise BasemapFailed(f"The map tiles of {map_file.path.name} could not be made: {last}")
    return path


async def _relay(child: asyncio.subprocess.Process, on_progress: Callable[[str], None]) -> str:
    """Its lines as progress, until it ends; returns the last one."""
    last = "it said nothing"
    assert child.stdout is not None
    async for line in child.stdout:
        if text := line.decode(errors="replace").strip():
            last = text
            on_progress(text)
    await child.wait()
    return last
