"""Building: from an OpenStreetMap extract to the file of tiles. Heavy: run it in a process of its own.

Features are spread over the tiles of two zooms and kept on disk. Then one such tile after the other is drawn,
with the tiles of the closer zooms in it, so that memory holds the features of one tile, not those of the map.
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

JOB: Final = "Map tiles"  # how its lines of progress begin
FAR: Final = range(MIN_ZOOM, 13)  # zooms drawn together, from the first one's tiles
NEAR: Final = range(13, MAX_ZOOM + 1)
READ: Final = 0.3  # of the time is spent on reading
OCEAN: Final = LayerRule("water", "ocean", 0, {})

_Record = tuple[float, LayerRule, bytes]  # the whole shape's area, how it looks, its piece in the tile
_read: Final = msgspec.msgpack.Decoder(_Record).decode
_write: Final = msgspec.msgpack.Encoder().encode


def build(map_file: MapExtract, on_progress: Callable[[str], None]) -> Path:
    """Make the tiles in this process, unless they are there. The last line counts what was left out."""
    path = map_file.folder / FILE_NAME
    if path.exists():
        return path
    percent = Percent(on_progress, JOB)
    percent.reach(0)
    survey = surveyed(map_file.path, map_file.folder)
    left_out = LeftOut()
    with Spool(map_file.folder / "basemap.features.part") as spool:
        _read_into(spool, map_file, survey, left_out, percent)
        tiles = _drawn(spool, left_out, percent)
        write_archive(path, tiles, survey.extent.bounds, map_file.name, blank=blank)
    percent.reach(1)
    if (summary := left_out.summary()) is not None:
        on_progress(summary)
    return path


def _read_into(
    spool: Spool, map_file: MapExtract, survey: Survey, left_out: LeftOut, percent: Percent
) -> None:
    """The features, by the tile that they are drawn with."""
    ground = Ground(frozenset(survey.extent.cells))
    coastline: list[shapely.LineString] = []
    seen = 0

    def on_object() -> None:
        nonlocal seen
        seen += 1
        percent.reach(READ * seen / max(1, survey.objects))

    nodes_file = map_file.folder / "basemap.nodes.part"
    try:
        extract = survey.readable(map_file.path, map_file.folder)
        for feature in read_features(extract, left_out, on_object, nodes_file):
            if feature.look == COAST:
                coastline.extend(shapely.get_parts(feature.geometry))
            else:
                _keep(spool, ground, feature, left_out)
    finally:
        nodes_file.unlink(missing_ok=True)
    for sea in seas(coastline, survey.extent.regions, left_out):
        _keep(spool, ground, Feature(OCEAN, sea), left_out)


def _keep(spool: Spool, ground: Ground, feature: Feature, left_out: LeftOut) -> None:
    look, area = feature.look, feature.geometry.area
    try:
        for zooms in (FAR, NEAR):
            if look.min_zoom < zooms.stop:
                for tile, piece in ground.spread(feature.geometry, zooms.start):
                    spool.add(zxy_to_tileid(*tile), _write((area, look, shapely.to_wkb(piece))))
    except UNREADABLE:
        left_out.add(look.layer, "cannot be cut")


def _drawn(spool: Spool, left_out: LeftOut, percent: Percent) -> Iterator[Tile]:
    done, whole = 0, max(1, sum(spool.sizes.values()))
    for key in sorted(spool.sizes):
        tile = TileId(*tileid_to_zxy(key))
        yield from cut(_loaded(spool, key), tile, FAR if tile.z == FAR.start else NEAR, left_out)
        done += spool.sizes[key]
        percent.reach(READ + (1 - READ) * done / whole)


def _loaded(spool: Spool, key: int) -> list[Feature]:
    """In drawing order: the sea, then the largest areas first."""
    records = sorted(
        (_read(record) for record in spool.records(key)), key=lambda each: (each[1] != OCEAN, -each[0])
    )
    return join_streets(Feature(look, shapely.from_wkb(piece)) for _, look, piece in records)
