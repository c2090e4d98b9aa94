"""Build the tiles of an OpenStreetMap extract. It takes much CPU and memory: run it in another process.

It cuts the features into the tiles of two zoom levels and stores them on disk. Then it draws one such tile
at a time, together with the closer zoom levels inside it. So memory holds the features of one tile, not of
the map.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec
import shapely
from pmtiles.tile import tileid_to_zxy, zxy_to_tileid

from tracker.map.basemap.archive import MAX_ZOOM, MIN_ZOOM, Tile, TileId, write_archive
from tracker.map.basemap.coastline import seas
from tracker.map.basemap.layers import LayerRule
from tracker.map.basemap.left_out import LeftOut
from tracker.map.basemap.osm_features import COAST, UNREADABLE, Feature, read_features
from tracker.map.basemap.prepare import FILE_NAME
from tracker.map.basemap.spool import Spool
from tracker.map.basemap.spread import Ground
from tracker.map.basemap.street_names import join_streets
from tracker.map.basemap.tiles import blank, cut
from tracker.map.extract import MapExtract
from tracker.map.survey import Survey, surveyed
from tracker.system.progress import Percent

JOB: Final = "Map tiles"  # the beginning of each line of progress
FAR: Final = range(MIN_ZOOM, 13)  # zoom levels drawn together, from the tiles of the first one
NEAR: Final = range(13, MAX_ZOOM + 1)
READ: Final = 0.3  # share of the time that reading takes
OCEAN: Final = LayerRule("water", "ocean", 0, {})

_Record = tuple[float, LayerRule, bytes]  # area of the whole shape, its rule, its piece in the tile
_read: Final = msgspec.msgpack.Decoder(_Record).decode
_write: Final = msgspec.msgpack.Encoder().encode


def build(map_file: MapExtract, on_progress: Callable[[str], None]) -> Path:
    """Build the tiles in this process unless they exist; return their path.

    The last line of progress counts the features that were left out.
    """
    path = map_file.folder / FILE_NAME
    if path.exists():
        return path
    percent = Percent(on_progress, JOB)
    percent.reach(0)
    survey = surveyed(map_file.path, map_file.folder)
    left_out = LeftOut()
    with Spool(map_file.folder / "basemap.features.part") as spool:
        _store_features(spool, map_file, survey, left_out, percent)
        tiles = _draw(spool, left_out, percent)
        write_archive(path, tiles, survey.extent.bounds, map_file.name, blank=blank)
    percent.reach(1)
    if (summary := left_out.summary()) is not None:
        on_progress(summary)
    return path


def _store_features(
    spool: Spool, map_file: MapExtract, survey: Survey, left_out: LeftOut, percent: Percent
) -> None:
    """Store each feature with the tiles in which it is drawn."""
    ground = Ground(frozenset(survey.extent.cells))
    coastline: list[shapely.LineString] = []
    objects = 0

    def on_object() -> None:
        nonlocal objects
        objects += 1
        percent.reach(READ * objects / max(1, survey.objects))

    nodes_file = map_file.folder / "basemap.nodes.part"
    try:
        extract = survey.readable(map_file.path, map_file.folder)
        for feature in read_features(extract, left_out, on_object, nodes_file):
            if feature.rule == COAST:
                coastline.extend(shapely.get_parts(feature.geometry))
            else:
                _store(spool, ground, feature, left_out)
    finally:
        nodes_file.unlink(missing_ok=True)
    for sea in seas(coastline, survey.extent.regions, left_out):
        _store(spool, ground, Feature(OCEAN, sea), left_out)


def _store(spool: Spool, ground: Ground, feature: Feature, left_out: LeftOut) -> None:
    rule, area = feature.rule, feature.geometry.area
    try:
        for zooms in (FAR, NEAR):
            if rule.min_zoom < zooms.stop:
                for tile, piece in ground.spread(feature.geometry, zooms.start):
                    spool.add(zxy_to_tileid(*tile), _write((area, rule, shapely.to_wkb(piece))))
    except UNREADABLE:
        left_out.add(rule.layer, "cannot be cut")


def _draw(spool: Spool, left_out: LeftOut, percent: Percent) -> Iterator[Tile]:
    done, total = 0, max(1, sum(spool.sizes.values()))
    for key in sorted(spool.sizes):
        tile = TileId(*tileid_to_zxy(key))
        yield from cut(_load(spool, key), tile, FAR if tile.z == FAR.start else NEAR, left_out)
        done += spool.sizes[key]
        percent.reach(READ + (1 - READ) * done / total)


def _load(spool: Spool, key: int) -> list[Feature]:
    """Return the features of a tile in drawing order: the sea first, then by falling area."""
    records = sorted(
        (_read(record) for record in spool.records(key)), key=lambda each: (each[1] != OCEAN, -each[0])
    )
    return join_streets(Feature(rule, shapely.from_wkb(piece)) for _, rule, piece in records)
