"""Routing tiles: built once for an extract by the engine's own builder, then only read."""

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

# Tiles of another version are not read. The last number counts what changed in how we have them built.
TILES: Final[str] = f"{valhalla.__version__.partition('-')[0]}.2"
CACHE: Final = 128 * 2**20  # bytes of tiles an actor keeps; the default is 1 GB each
ENDS_WITHIN: Final = 3.0  # seconds after SIGTERM
_WAITING: Final = "Waiting for another process that is preparing the street network"
# The last words of the builder about an extract without a street. An engine without tiles finds no route.
_NO_STREETS: Final = "edge_shapes.bin: No such file"
_ABSENT: Final = ("admin", "timezone", "landmarks", "traffic_extract", "transit_dir", "transit_feeds_dir")
_STAGES: Final = {  # what the builder logs -> what that means
    "Parsing ways": "reading the streets",
    "Parsing relations": "reading the turn restrictions",
    "Parsing nodes": "reading the crossings",
    "Building edge shapes": "joining the streets into a network",
    "Enhancing local graph": "estimating speeds and turns",
    "HierarchyBuilder": "sorting main roads from side streets",
    "Validating": "checking the network",
}


async def prepare_tiles(map_file: MapExtract, on_progress: Callable[[str], None]) -> Path:
    """The engine's configuration for this extract, whose tiles are built if they are not there yet.

    Safe with several starters: one builds, the others wait. A build that was broken off begins anew. Raises
    RouterUnavailable with the builder's own words where it fails.
    """
    room = map_file.folder / "valhalla"
    tiles = room / TILES
    if not tiles.is_dir():
        room.mkdir(parents=True, exist_ok=True)
        async with locked(room / "lock", lambda: on_progress(_WAITING)):
            if not tiles.is_dir():
                await _build(map_file, tiles, on_progress)
    return _write_configuration(room / f"{TILES}.json", tiles)


async def _build(map_file: MapExtract, tiles: Path, on_progress: Callable[[str], None]) -> None:
    """Builds beside and renames: a folder of this name is always whole."""
    unfinished = tiles.with_name("unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    configuration = _write_configuration(tiles.with_name("unfinished.json"), unfinished, verbose=True)
    on_progress(f"Preparing the street network of {map_file.name} for routing; this is done once")
    sided = tiles.with_name("unfinished.osm.pbf")
    try:
        extract = await _readable(map_file, sided)
        builder = str(Path(valhalla.__file__).parent / "bin" / "valhalla_build_tiles")
        arguments = ("--config", str(configuration), str(extract))
        child = await completed(
            Program("street network", arguments, {}, ENDS_WITHIN, builder), out=_in_plain_words(on_progress)
        )
        if child.process.returncode != 0 and _NO_STREETS not in child.last_line:
            raise RouterUnavailable(
                f"The street network of {map_file.path} could not be built: {child.last_line}"
            )
        unfinished.rename(tiles)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
        configuration.unlink(missing_ok=True)
        sided.unlink(missing_ok=True)
    on_progress("The street network is ready")


async def _readable(map_file: MapExtract, sided: Path) -> Path:
    """The extract, its repaired copy if there is one, or *sided* if the builder needs to know more.

    Raises RouterUnavailable.
    """
    arguments = ("-m", "tracker.routing.driving_side", str(map_file.path), str(map_file.folder), str(sided))
    child = await completed(Program("survey", arguments, {}, ENDS_WITHIN), out=lambda _: None)
    if child.process.returncode != 0:
        raise RouterUnavailable(f"The map {map_file.path} cannot be read: {child.last_line}")
    readable = read_survey(map_file.folder).readable(map_file.path, map_file.folder)
    return next(sided.parent.glob(sided.name), readable)


def are_turned(map_file: MapExtract) -> bool:
    """Whether the tiles lie half around the world, because the map lies across the antimeridian."""
    return read_survey(map_file.folder).extent.is_across


def _in_plain_words(on_progress: Callable[[str], None]) -> Callable[[str], None]:
    """Passes the builder's stages on."""

    def hear(line: str) -> None:
        for logged, meaning in _STAGES.items():
            if f"] {logged}" in line:
                on_progress(f"Street network: {meaning}")

    return hear


def _write_configuration(path: Path, tiles: Path, *, verbose: bool = False) -> Path:
    """Written at every start, because it holds the absolute path of the tiles. Quiet unless `verbose`."""
    configuration = valhalla.get_config(tile_extract="", tile_dir=tiles, verbose=verbose)
    configuration["logging"]["color"] = False
    mjolnir: dict[str, Any] = configuration["mjolnir"]
    mjolnir["max_cache_size"] = CACHE
    mjolnir["data_processing"]["use_admin_db"] = False  # without one it would drive on the left
    for name in _ABSENT:
        mjolnir.pop(name, None)
    written = path.with_suffix(".new")
    written.write_text(json.dumps(configuration))
    return written.replace(path)
