"""Building: from an OpenStreetMap extract to the file of tiles. Heavy: run it in a process of its own."""

from collections.abc import Callable
from pathlib import Path

import shapely

from tracker.basemap.archive import MAX_ZOOM, MIN_ZOOM, Bounds, Tile, write_archive
from tracker.basemap.coast import land_and_sea
from tracker.basemap.extract import Extract, Feature, read_extract, to_mercator
from tracker.basemap.kinds import Look
from tracker.basemap.making import FILE_NAME
from tracker.basemap.streets import join_streets
from tracker.basemap.tiles import cut
from tracker.mapfile import MapFile


def build(map_file: MapFile, on_progress: Callable[[str], None]) -> Path:
    """Makes the tiles in this process; does nothing where they are."""
    path = map_file.folder / FILE_NAME
    if path.exists():
        return path
    map_file.folder.mkdir(parents=True, exist_ok=True)
    on_progress("reading the map")
    extract = read_extract(map_file.path)
    features, box = _prepared(extract)
    tiles: list[Tile] = []
    for zoom in range(MIN_ZOOM, MAX_ZOOM + 1):
        on_progress(f"drawing the map, zoom {zoom} of {MAX_ZOOM}")
        tiles += cut(features, box, zoom)
    write_archive(path, tiles, extract.bounds, map_file.name)
    return path


def _prepared(extract: Extract) -> tuple[list[Feature], Bounds]:
    """Features in drawing order, with the ground beneath them, and the box they fill, in metres."""
    box = to_mercator(shapely.box(*extract.bounds))
    land, sea = land_and_sea(extract.coastline, box)
    ground = [Feature(Look("earth", "earth", 0, {}), land), Feature(Look("water", "ocean", 0, {}), sea)]
    largest_first = sorted(extract.features, key=lambda feature: -feature.geometry.area)
    return [*ground, *join_streets(largest_first)], box.bounds
