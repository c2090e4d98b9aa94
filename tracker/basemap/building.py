"""Building: from an OpenStreetMap extract to the file of tiles. Heavy: run it in a process of its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import shapely

from tracker.basemap.archive import MAX_ZOOM, MIN_ZOOM, Bounds, Tile, write_archive
from tracker.basemap.coast import land_and_sea
from tracker.basemap.extract import Extract, Feature, read_extract, to_mercator
from tracker.basemap.kinds import Look
from tracker.basemap.making import FILE_NAME
from tracker.basemap.streets import join_streets
from tracker.basemap.tiles import cut
from tracker.mapfile import MapFile
from tracker.progress import Percent

JOB: Final = "Map tiles"  # how its lines of progress begin


def build(map_file: MapFile, on_progress: Callable[[str], None]) -> Path:
    """Makes the tiles in this process; does nothing where they are."""
    path = map_file.folder / FILE_NAME
    if path.exists():
        return path
    map_file.folder.mkdir(parents=True, exist_ok=True)
    percent = Percent(on_progress, JOB)
    percent.reach(0)
    extract = read_extract(map_file.path)
    features, box = _prepared(extract)
    tiles: list[Tile] = []
    for zoom in range(MIN_ZOOM, MAX_ZOOM + 1):
        percent.reach(0.3 + 0.7 * 4.0 ** (zoom - MAX_ZOOM - 1))  # each zoom has four times as many tiles
        tiles += cut(features, box, zoom)
    percent.reach(1)
    write_archive(path, tiles, extract.bounds, map_file.name)
    return path


def _prepared(extract: Extract) -> tuple[list[Feature], Bounds]:
    """Features in drawing order, with the ground beneath them, and the box they fill, in metres."""
    box = to_mercator(shapely.box(*extract.bounds))
    land, sea = land_and_sea(extract.coastline, box)
    ground = [Feature(Look("earth", "earth", 0, {}), land), Feature(Look("water", "ocean", 0, {}), sea)]
    largest_first = sorted(extract.features, key=lambda feature: -feature.geometry.area)
    return [*ground, *join_streets(largest_first)], box.bounds
