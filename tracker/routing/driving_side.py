"""Driving side: where people drive on the left, and an extract whose streets say so.

The engine's builder takes the side from a database of countries, which no extract holds, or from the tag
`driving_side` on each way, which mappers leave to the country. Without either it drives on the right. The
side decides what turns cost and on which side of a street a stop lies.

`python -m tracker.routing.driving_side EXTRACT FOLDER TARGET` surveys the extract, and writes the target if
people drive on the left in it, or if it lies across the antimeridian.
"""

import sys
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import osmium
from osmium.osm.mutable import Node, Way

from tracker.map.extent import Extent, cell_middle, cell_of
from tracker.map.survey import surveyed
from tracker.routing.antimeridian import turned
from tracker.time_zones import time_zone_at

TAG: Final = "driving_side"
STREETS: Final = ("highway", "route")  # the keys of ways that the builder reads
LEFT: Final = {  # ISO 3166 codes
    "AG", "AI", "AU", "BB", "BD", "BM", "BN", "BS", "BT", "BW", "CC", "CK", "CX", "CY", "DM", "FJ",
    "FK", "GB", "GD", "GG", "GY", "HK", "ID", "IE", "IM", "IN", "JE", "JM", "JP", "KE", "KI", "KN",
    "KY", "LC", "LK", "LS", "MO", "MS", "MT", "MU", "MV", "MW", "MY", "MZ", "NA", "NF", "NP", "NR",
    "NU", "NZ", "PG", "PK", "PN", "SB", "SC", "SG", "SH", "SR", "SZ", "TC", "TH", "TK", "TL", "TO",
    "TT", "TV", "TZ", "UG", "VC", "VG", "VI", "WS", "ZA", "ZM", "ZW"
}  # fmt: skip


def left_cells(extent: Extent) -> frozenset[tuple[int, int]]:
    """The cells of the extract in which people drive on the left."""
    return frozenset(cell for cell in extent.cells if drives_on_the_left(*cell_middle(cell)))


def drives_on_the_left(lon: float, lat: float) -> bool:
    """By the country of the place's time zone. Where a zone spans countries, by its main one."""
    zone = time_zone_at(lat, lon)
    if zone == "Asia/Bangkok" and _in_north_vietnam(lon, lat):
        return False
    return zone in _left_zones()


def _in_north_vietnam(lon: float, lat: float) -> bool:
    """It keeps Bangkok's time, and drives on the right."""
    return (lat > 18.5 and lon > 101.9) or (lat > 17.0 and lon > 105.0)


@cache
def _left_zones() -> frozenset[str]:
    table = files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in table.splitlines() if not line.startswith("#"))
    return frozenset(zone for code, _, zone, *_ in rows if code in LEFT)


def write_sides(extract: Path, target: Path, cells: frozenset[tuple[int, int]], *, turning: bool) -> None:
    """Copy the extract with `driving_side=left` on each way that begins in one of the cells.

    With *turning*, all nodes lie half around the world.
    """
    with osmium.SimpleWriter(str(target), overwrite=True) as writer:
        reader = osmium.FileProcessor(str(extract)).with_locations()
        kinds = osmium.osm.NODE | osmium.osm.WAY if turning else osmium.osm.WAY
        reader.with_filter(osmium.filter.EntityFilter(kinds))
        things: Iterator[Any] = iter(reader.handler_for_filtered(writer))
        for thing in things:
            if thing.is_node():
                _add_turned(writer, thing)
            elif any(key in thing.tags for key in STREETS) and _begins_in(thing, cells):
                writer.add_way(Way(thing, tags={TAG: "left", **dict(thing.tags)}))
            else:
                writer.add_way(thing)


def _add_turned(writer: Any, node: Any) -> None:
    if node.location.valid():
        writer.add_node(Node(node, location=(turned(node.location.lon), node.location.lat)))


def _begins_in(way: Any, cells: frozenset[tuple[int, int]]) -> bool:
    places = (node.location for node in way.nodes)
    first = next((place for place in places if place.valid()), None)
    return first is not None and cell_of(first.lon, first.lat) in cells


def main() -> None:
    extract, folder, target = (Path(argument) for argument in sys.argv[1:4])
    survey = surveyed(extract, folder)
    cells, turning = left_cells(survey.extent), survey.extent.is_across
    if cells or turning:
        write_sides(survey.readable(extract, folder), target, cells, turning=turning)


if __name__ == "__main__":
    main()
