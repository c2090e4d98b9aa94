"""Driving side: the regions with left-hand traffic, and copies of extracts that tag their streets with it.

The engine's builder reads the side from a database of countries, which no extract contains, or from the tag
`driving_side` on each way. Mappers set that tag on the country instead. Without either the builder assumes
the right.
The side determines the cost of turns and the side of the street on which a stop lies.

`python -m tracker.routing.driving_side EXTRACT FOLDER TARGET` surveys the extract. It writes TARGET if the
extract has left-hand traffic or lies across the antimeridian.
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
from tracker.routing.antimeridian import rotated
from tracker.time_zones import time_zone_at

TAG: Final = "driving_side"
STREETS: Final = ("highway", "route")  # the keys of ways that the builder reads
LEFT: Final = {  # ISO 3166 codes of the countries with left-hand traffic
    "AG", "AI", "AU", "BB", "BD", "BM", "BN", "BS", "BT", "BW", "CC", "CK", "CX", "CY", "DM", "FJ",
    "FK", "GB", "GD", "GG", "GY", "HK", "ID", "IE", "IM", "IN", "JE", "JM", "JP", "KE", "KI", "KN",
    "KY", "LC", "LK", "LS", "MO", "MS", "MT", "MU", "MV", "MW", "MY", "MZ", "NA", "NF", "NP", "NR",
    "NU", "NZ", "PG", "PK", "PN", "SB", "SC", "SG", "SH", "SR", "SZ", "TC", "TH", "TK", "TL", "TO",
    "TT", "TV", "TZ", "UG", "VC", "VG", "VI", "WS", "ZA", "ZM", "ZW"
}  # fmt: skip


def left_cells(extent: Extent) -> frozenset[tuple[int, int]]:
    """Return the cells of the extract with left-hand traffic."""
    return frozenset(cell for cell in extent.cells if drives_on_the_left(*cell_middle(cell)))


def drives_on_the_left(lon: float, lat: float) -> bool:
    """Return whether the country of the place's time zone drives on the left.

    If a zone spans several countries, the main one counts.
    """
    zone = time_zone_at(lat, lon)
    if zone == "Asia/Bangkok" and _in_north_vietnam(lon, lat):
        return False
    return zone in _left_zones()


def _in_north_vietnam(lon: float, lat: float) -> bool:
    """North Vietnam is in Bangkok's time zone, but drives on the right."""
    return (lat > 18.5 and lon > 101.9) or (lat > 17.0 and lon > 105.0)


@cache
def _left_zones() -> frozenset[str]:
    table = files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in table.splitlines() if not line.startswith("#"))
    return frozenset(zone for code, _, zone, *_ in rows if code in LEFT)


def write_sides(extract: Path, target: Path, cells: frozenset[tuple[int, int]], *, rotating: bool) -> None:
    """Copy the extract with `driving_side=left` on each street that begins in one of the cells.

    With *rotating*, rotate all nodes by 180 degrees of longitude.
    """
    with osmium.SimpleWriter(str(target), overwrite=True) as writer:
        reader = osmium.FileProcessor(str(extract)).with_locations()
        kinds = osmium.osm.NODE | osmium.osm.WAY if rotating else osmium.osm.WAY
        reader.with_filter(osmium.filter.EntityFilter(kinds))
        objects: Iterator[Any] = iter(reader.handler_for_filtered(writer))
        for item in objects:
            if item.is_node():
                if (at := item.location).valid():
                    writer.add_node(Node(item, location=(rotated(at.lon), at.lat)))
            elif any(key in item.tags for key in STREETS) and _begins_in(item, cells):
                writer.add_way(Way(item, tags={TAG: "left", **dict(item.tags)}))
            else:
                writer.add_way(item)


def _begins_in(way: Any, cells: frozenset[tuple[int, int]]) -> bool:
    places = (node.location for node in way.nodes)
    first = next((place for place in places if place.valid()), None)
    return first is not None and cell_of(first.lon, first.lat) in cells


def main() -> None:
    extract, folder, target = (Path(argument) for argument in sys.argv[1:4])
    survey = surveyed(extract, folder)
    cells, rotating = left_cells(survey.extent), survey.extent.is_across
    if cells or rotating:
        write_sides(survey.readable(extract, folder), target, cells, rotating=rotating)


if __name__ == "__main__":
    main()
