"""Gazetteer: the bounds of the extract and the addresses in it, read once and kept beside the tiles.

`python -m tracker.gazetteer EXTRACT FILE` reads it; the service has that done by another process, because the
reader holds every street corner of the extract in memory.
"""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from hashlib import blake2b
from heapq import nsmallest
from pathlib import Path
from typing import Final

import msgspec
import osmium
from osmium.osm import Node, Way

from tracker.children import Program, completed
from tracker.errors import MapUnavailable
from tracker.files import remove_all
from tracker.locking import locked
from tracker.mapfile import MapFile

MOST: Final = 20_000  # addresses kept of a large extract, spread over all of it
FILE: Final = "addresses.json"
ENDS_WITHIN: Final = 3.0  # seconds after SIGTERM


class Address(msgspec.Struct, frozen=True, gc=False):
    """A house of the extract; degrees."""

    lat: float
    lon: float
    address: str


class Gazetteer(msgspec.Struct, frozen=True):
    """What there is on the map."""

    bbox: tuple[float, float, float, float]  # west, south, east, north
    addresses: tuple[Address, ...]


@asynccontextmanager
async def opened_gazetteer(map_file: MapFile) -> AsyncIterator[Gazetteer]:
    """The same as `open_gazetteer`, for a block."""
    yield await open_gazetteer(map_file)


async def open_gazetteer(map_file: MapFile) -> Gazetteer:
    """Reads the extract if nobody has yet (a second for a city). Raises MapUnavailable."""
    path = map_file.folder / FILE
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        async with locked(path.with_suffix(".lock"), lambda: None):
            if not path.is_file():
                await _make(map_file, path)
    content = await asyncio.to_thread(path.read_bytes)
    return msgspec.json.decode(content, type=Gazetteer)


async def _make(map_file: MapFile, path: Path) -> None:
    arguments = ("-m", "tracker.gazetteer", str(map_file.path), str(path))
    try:
        child = await completed(Program("addresses", arguments, {}, ENDS_WITHIN), out=lambda _: None)
    finally:
        remove_all(path.parent, f"{path.name}.*")
    if child.process.returncode != 0:
        raise MapUnavailable(f"The addresses of {map_file.path.name} could not be read: {child.last_line}")


def read(extract: Path) -> Gazetteer:
    """The addresses in an order that depends on nothing but the extract."""
    found = {each.address: each for each in _houses(extract)}
    kept = nsmallest(MOST, found.values(), key=_shuffled)
    return Gazetteer(_bounds(extract, kept), tuple(sorted(kept, key=lambda each: each.address)))


def _shuffled(address: Address) -> bytes:
    """Sorting by this takes addresses from everywhere, and the same ones every time."""
    return blake2b(address.address.encode(), digest_size=8).digest()


def _houses(extract: Path) -> Iterator[Address]:
    reader = osmium.FileProcessor(extract).with_locations()
    for item in reader.with_filter(osmium.filter.KeyFilter("addr:housenumber")):
        street, number = item.tags.get("addr:street"), _number(item.tags["addr:housenumber"])
        corners = _corners(item)
        if street and number and corners:
            lon = sum(lon for lon, _ in corners) / len(corners)
            lat = sum(lat for _, lat in corners) / len(corners)
            yield Address(round(lat, 6), round(lon, 6), f"{street} {number}")


def _number(tag: str) -> str:
    """`13 A, 5. krs./Floor 5` -> `13 A`: the floor is of no use on a map."""
    return re.split("[,;]", tag)[0].strip()


def _corners(item: object) -> list[tuple[float, float]]:
    """(lon, lat) of a door, or of each corner of a house that the extract holds whole."""
    if isinstance(item, Node):
        return [(item.location.lon, item.location.lat)] if item.location.valid() else []
    if isinstance(item, Way) and all(node.location.valid() for node in item.nodes):
        corners = [(node.location.lon, node.location.lat) for node in item.nodes]
        return corners[1:] if item.is_closed() else corners
    return []


def _bounds(extract: Path, addresses: list[Address]) -> tuple[float, float, float, float]:
    """What the extract says of itself; where it says nothing, what holds its addresses."""
    with osmium.io.Reader(extract, osmium.osm.NOTHING) as reader:
        box = reader.header().box()
    if box.valid():
        low, high = box.bottom_left, box.top_right
        return low.lon, low.lat, high.lon, high.lat
    if not addresses:
        raise SystemExit("the extract has neither bounds nor addresses")
    lons, lats = [each.lon for each in addresses], [each.lat for each in addresses]
    return min(lons), min(lats), max(lons), max(lats)


def main() -> None:
    """Writes beside and renames: the file is always whole."""
    extract, target = Path(sys.argv[1]), Path(sys.argv[2])
    written = target.with_name(f"{target.name}.{os.getpid()}")
    written.write_bytes(msgspec.json.encode(read(extract)))
    written.replace(target)


if __name__ == "__main__":
    main()
