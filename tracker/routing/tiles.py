"""Routing tiles: the engine's builder makes them once for each extract, and they never change."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import valhalla

from tracker.errors import RouterUnavailable
from tracker.map.extract import MapExtract
from tracker.map.survey import read_survey
from tracker.system.file_lock import locked
from tracker.system.processes import Program, completed

# Each version of the engine builds its own tiles. The last number is ours: raise it when the build changes.
TILES: Final[str] = f"{valhalla.__version__.partition('-')[0]}.2"
CACHE: Final = 128 * 2**20  # bytes of tiles that an engine caches; the default is 1 GB each
ENDS_WITHIN: Final = 3.0  # seconds after SIGTERM
_WAITING: Final = "Waiting for another process that is preparing the street network"
# The last line of the builder for an extract without streets. An engine without tiles finds no route.
_NO_STREETS: Final = "edge_shapes.bin: No such file"
_ABSENT: Final = ("admin", "timezone", "landmarks", "traffic_extract", "transit_dir", "transit_feeds_dir")
_STAGES: Final = {  # what the builder logs -> progress for people
    "Parsing ways": "reading the streets",
    "Parsing relations": "reading the turn restrictions",
    "Parsing nodes": "reading the crossings",
    "Building edge shapes": "joining the streets into a network",
    "Enhancing local graph": "estimating speeds and turns",
    "HierarchyBuilder": "sorting main roads from side streets",
    "Validating": "checking the network",
}


async def prepare_tiles(map_file: MapExtract, on_progress: Callable[[str], None]) -> Path:
    """Return the path of the engine's configuration for this extract, and build its tiles if there are none.

    If several processes call it, one builds and the others wait. An interrupted build starts again.
    Raises RouterUnavailable with the builder's last line.
    """
    folder = map_file.folder / "valhalla"
    tiles = folder / TILES
    if not tiles.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        async with locked(folder / "lock", lambda: on_progress(_WAITING)):
            if not tiles.is_dir():
                await _build(map_file, tiles, on_progress)
    return _write_configuration(folder / f"{TILES}.json", tiles)


async def _build(map_file: MapExtract, tiles: Path, on_progress: Callable[[str], None]) -> None:
    """Build in another folder, then rename it, so that a folder of this name is always complete."""
    unfinished = tiles.with_name("unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    configuration = _write_configuration(tiles.with_name("unfinished.json"), unfinished, verbose=True)
    on_progress(f"Preparing the street network of {map_file.name} for routing; this is done once")
    tagged = tiles.with_name("unfinished.osm.pbf")
    try:
        extract = await _build_source(map_file, tagged)
        builder = str(Path(valhalla.__file__).parent / "bin" / "valhalla_build_tiles")
        arguments = ("--config", str(configuration), str(extract))
        child = await completed(
            Program("street network", arguments, {}, ENDS_WITHIN, builder), out=_progress_of(on_progress)
        )
        if child.process.returncode != 0 and _NO_STREETS not in child.last_line:
            raise RouterUnavailable(
                f"The street network of {map_file.path} could not be built: {child.last_line}"
            )
        unfinished.rename(tiles)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
        configuration.unlink(missing_ok=True)
        tagged.unlink(missing_ok=True)
    on_progress("The street network is ready")


async def _build_source(map_file: MapExtract, tagged: Path) -> Path:
    """Return the file to build from: *tagged* if it was written, else a repaired copy, else the extract.

    Raises RouterUnavailable.
    """
    arguments = ("-m", "tracker.routing.driving_side", str(map_file.path), str(map_file.folder), str(tagged))
    child = await completed(Program("survey", arguments, {}, ENDS_WITHIN), out=lambda _: None)
    if child.process.returncode != 0:
        raise RouterUnavailable(f"The map {map_file.path} cannot be read: {child.last_line}")
    readable = read_survey(map_file.folder).readable(map_file.path, map_file.folder)
    return next(tagged.parent.glob(tagged.name), readable)


def tiles_are_rotated(map_file: MapExtract) -> bool:
    """Return whether the tiles are rotated by 180 degrees, because the map lies across the antimeridian."""
    return read_survey(map_file.folder).extent.is_across


def _progress_of(on_progress: Callable[[str], None]) -> Callable[[str], None]:
    """Return a reader of the builder's log that reports its stages."""

    def on_line(line: str) -> None:
        for logged, meaning in _STAGES.items():
            if f"] {logged}" in line:
                on_progress(f"Street network: {meaning}")

    return on_line


def _write_configuration(path: Path, tiles: Path, *, verbose: bool = False) -> Path:
    """Write the configuration anew at every start, because it holds the absolute path of the tiles."""
    configuration = valhalla.get_config(tile_extract="", tile_dir=tiles, verbose=verbose)
    configuration["logging"]["color"] = False
    mjolnir: dict[str, Any] = configuration["mjolnir"]
    mjolnir["max_cache_size"] = CACHE
    # If this is true and there is no database of countries, all traffic is left-hand.
    mjolnir["data_processing"]["use_admin_db"] = False
    for name in _ABSENT:
        mjolnir.pop(name, None)
    unfinished = path.with_suffix(".new")
    unfinished.write_text(json.dumps(configuration))
    return unfinished.replace(path)
