"""Gazetteer: the bounds of the extract and the addresses in it, read once and kept beside the tiles.

`python -m tracker.map.addresses EXTRACT FILE` reads it. The service runs that in another process, because
the reader holds every street corner of the extract in memory.
"""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from hashlib import blake2b
from heapq import nsmallest
from pathlib import Path
from typing import Any, Final

import msgspec
import osmium

from tracker.errors import MapUnavailable
from tracker.map.extract import MapExtract
from tracker.map.labels import clean
from tracker.map.survey import Survey, surveyed
from tracker.system.file_lock import locked
from tracker.system.package_files import remove_all
from tracker.system.processes import Program, completed
from tracker.system.progress import Percent

MOST: Final = 20_000  # addresses kept of a large extract, spread over all of it
ROOM: Final = 4 * MOST  # addresses held at once while reading
FEW: Final = 2  # addresses; a map with fewer gives places in its streets, so that couriers can be simulated
IN_MEMORY: Final = 256 * 2**20  # bytes; of a bigger extract the nodes' places are kept in a file
JOB: Final = "Addresses"  # how its lines of progress begin
QUIET: Final = 2.0  # seconds
STREETS: Final = {
    "primary", "secondary", "tertiary", "unclassified", "residential", "living_street",
    "road", "service",
}  # fmt: skip
FILE: Final = "addresses.json"
ENDS_WITHIN: Final = 3.0  # seconds after SIGTERM


class Address(msgspec.Struct, frozen=True, gc=False):
    """A house of the extract, or a place in a street where it has no houses; degrees."""

    lat: float
    """Degrees north, WGS 84."""
    lon: float
    """Degrees east, WGS 84."""
    address: str
    """Street and house number, or another name of the place."""


class AddressIndex(msgspec.Struct, frozen=True):
    """What there is on the map."""

    bbox: tuple[float, float, float, float]  # west, south, east, north
    addresses: tuple[Address, ...]


def _quiet(_: str) -> None:
    pass


@asynccontextmanager
async def opened_gazetteer(
    map_file: MapExtract, say: Callable[[str], None] = _quiet
) -> AsyncIterator[AddressIndex]:
    """The same as `open_gazetteer`, for a block."""
    yield await open_gazetteer(map_file, say)


async def open_gazetteer(map_file: MapExtract, say: Callable[[str], None] = _quiet) -> AddressIndex:
    """Reads the extract if nobody has yet (a second for a city). Raises MapUnavailable."""
    path = map_file.folder / FILE
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        async with locked(path.with_suffix(".lock"), lambda: None):
            if not path.is_file():
                await _make(map_file, path, say)
    content = await asyncio.to_thread(path.read_bytes)
    return msgspec.json.decode(content, type=AddressIndex)


async def _make(map_file: MapExtract, path: Path, say: Callable[[str], None]) -> None:
    arguments = ("-m", "tracker.map.addresses", str(map_file.path), str(path))
    try:
        child = await completed(Program("addresses", arguments, {}, ENDS_WITHIN), out=say)
    finally:
        remove_all(path.parent, f"{path.name}.*")
    if child.process.returncode != 0:
        raise MapUnavailable(f"The addresses of {map_file.path.name} could not be read: {child.last_line}")


def read(
    extract: Path, survey: Survey, percent: Percent | None = None, nodes_file: Path | None = None
) -> AddressIndex:
    """The addresses in an order that depends on the extract alone; without any, places in its streets."""
    reader = _Reader(extract, survey.objects, percent, nodes_file)
    kept = _spread(reader.houses())
    if len(kept) < FEW:
        kept += _spread(reader.streets())
    return AddressIndex(survey.extent.bounds, tuple(sorted(kept, key=lambda each: each.address)))


def _spread(found: Iterator[Address]) -> list[Address]:
    """At most MOST from everywhere, the same ones every time, each address once."""
    kept: dict[str, Address] = {}
    for each in found:
        kept[each.address] = each
        if len(kept) >= ROOM:
            kept = {each.address: each for each in nsmallest(MOST, kept.values(), key=_shuffled)}
    return nsmallest(MOST, kept.values(), key=_shuffled)


def _shuffled(address: Address) -> bytes:
    """Sorting by this takes addresses from everywhere, and the same ones every time."""
    return blake2b(address.address.encode(), digest_size=8).digest()


class _Reader:
    """Passes over the extract, one for each kind of address."""

    def __init__(self, extract: Path, objects: int, percent: Percent | None, nodes_file: Path | None) -> None:
        self._extract = extract
        self._objects = max(1, objects)
        self._percent = percent
        large = nodes_file is not None and extract.stat().st_size > IN_MEMORY
        self._storage = f"sparse_file_array,{nodes_file}" if large else "flex_mem"

    def houses(self) -> Iterator[Address]:
        return self._found(_house_text, "addr:housenumber", "addr:housename")

    def streets(self) -> Iterator[Address]:
        return self._found(_street_text, "highway")

    def _found(self, text_of: Callable[[Any], str | None], *keys: str) -> Iterator[Address]:
        reader = osmium.FileProcessor(str(self._extract)).with_locations(self._storage)
        items: Iterator[Any] = iter(reader.with_filter(osmium.filter.EmptyTagFilter()))
        for seen, item in enumerate(items):
            if self._percent is not None:
                self._percent.reach(seen / self._objects)
            if not any(key in item.tags for key in keys):
                continue
            with suppress(UnicodeDecodeError):  # of one object's tags
                place, text = _middle(item), text_of(item)
                if place and text is not None:
                    lon, lat = place
                    yield Address(round(lat, 6), round(lon, 6), text or f"{lat:.5f}, {lon:.5f}")


def _house_text(item: Any) -> str | None:
    """`Street 5`, `Village 5` where streets have no names, `Name, Street` where houses have no numbers."""
    tags = item.tags
    where = clean(tags.get("addr:street") or tags.get("addr:place") or "")
    number, name = _number(tags.get("addr:housenumber", "")), clean(tags.get("addr:housename", ""))
    if not where:
        return None
    if number:
        return f"{where} {number}"
    return f"{name}, {where}" if name else None


def _street_text(item: Any) -> str | None:
    """The street's name, or nothing; None if no car drives there."""
    known = item.is_way() and item.tags["highway"].removesuffix("_link") in STREETS
    return clean(item.tags.get("name", "")) if known else None


def _number(tag: str) -> str:
    """`13 A, 5. krs./Floor 5` -> `13 A`: the floor is of no use on a map."""
    return clean(re.split("[,;]", tag)[0])


def _middle(item: Any) -> tuple[float, float] | None:
    """(lon, lat) of a door, of the middle of a whole house, or of a street's middle node."""
    if item.is_node():
        return (item.location.lon, item.location.lat) if item.location.valid() else None
    places = [node.location for node in item.nodes] if item.is_way() else []
    if not places or not all(place.valid() for place in places):
        return None
    if "highway" in item.tags:
        places = [places[len(places) // 2]]
    elif item.is_closed() and len(places) > 1:
        places = places[1:]
    first = places[0].lon
    aside = sum((place.lon - first + 180.0) % 360.0 - 180.0 for place in places) / len(places)
    lon = (first + aside + 180.0) % 360.0 - 180.0
    return lon, sum(place.lat for place in places) / len(places)


def main() -> None:
    """Writes beside and renames: the file is always whole."""
    extract, target = Path(sys.argv[1]), Path(sys.argv[2])
    survey = surveyed(extract, target.parent)
    percent = Percent(lambda line: print(line, flush=True), JOB, quiet_for=QUIET)
    nodes_file = target.with_name(f"{target.name}.nodes")
    found = read(survey.readable(extract, target.parent), survey, percent, nodes_file)
    nodes_file.unlink(missing_ok=True)
    written = target.with_name(f"{target.name}.{os.getpid()}")
    written.write_bytes(msgspec.json.encode(found))
    written.replace(target)
    percent.reach(1)


if __name__ == "__main__":
    main()
