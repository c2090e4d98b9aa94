"""Address index: the bounds and the addresses of an extract, read once and stored beside its tiles.

`python -m tracker.map.addresses EXTRACT FILE` builds it. The service runs this in another process, because
the reader holds the location of every node of the extract in memory.
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
from tracker.system.progress import Percent, Say

MAX_ADDRESSES: Final = 20_000  # of a large extract, sampled from all of it
BUFFERED: Final = 4 * MAX_ADDRESSES  # addresses held in memory while reading
MIN_ADDRESSES: Final = 2  # with fewer, places in streets are added, so that couriers can be simulated
IN_MEMORY: Final = 256 * 2**20  # bytes; for a larger extract the locations of nodes are kept in a file
JOB: Final = "Addresses"  # the beginning of each line of progress
QUIET: Final = 2.0  # seconds before the first line of progress
STREETS: Final = {
    "primary", "secondary", "tertiary", "unclassified", "residential", "living_street",
    "road", "service",
}  # fmt: skip
FILE: Final = "addresses.json"
ENDS_WITHIN: Final = 3.0  # seconds after SIGTERM


class Address(msgspec.Struct, frozen=True, gc=False):
    """A house, or a place in a street if the extract has no houses."""

    lat: float
    """Degrees north, WGS 84."""
    lon: float
    """Degrees east, WGS 84."""
    address: str
    """Street and house number, or another name of the place."""


class AddressIndex(msgspec.Struct, frozen=True):
    """The bounds and the addresses of an extract."""

    bbox: tuple[float, float, float, float]  # west, south, east, north; degrees
    addresses: tuple[Address, ...]


def _quiet(_: str) -> None:
    pass


@asynccontextmanager
async def open_address_index(map_file: MapExtract, say: Say = _quiet) -> AsyncIterator[AddressIndex]:
    """Yield the address index, like `load_address_index`. Raises MapUnavailable."""
    yield await load_address_index(map_file, say)


async def load_address_index(map_file: MapExtract, say: Say = _quiet) -> AddressIndex:
    """Return the address index; build it if there is none (1 s for a city). Raises MapUnavailable."""
    path = map_file.folder / FILE
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        async with locked(path.with_suffix(".lock"), lambda: None):
            if not path.is_file():
                await _build(map_file, path, say)
    content = await asyncio.to_thread(path.read_bytes)
    return msgspec.json.decode(content, type=AddressIndex)


async def _build(map_file: MapExtract, path: Path, say: Say) -> None:
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
    """Read the addresses of an extract, and places in its streets if it has fewer than two addresses.

    Their order depends only on the extract.
    """
    reader = _Reader(extract, survey.objects, percent, nodes_file)
    addresses = _sample(reader.houses())
    if len(addresses) < MIN_ADDRESSES:
        addresses += _sample(reader.streets())
    return AddressIndex(survey.extent.bounds, tuple(sorted(addresses, key=lambda each: each.address)))


def _sample(found: Iterator[Address]) -> list[Address]:
    """Return at most 20,000 distinct addresses from the whole extract, always the same ones."""
    sample: dict[str, Address] = {}
    for each in found:
        sample[each.address] = each
        if len(sample) >= BUFFERED:
            sample = {each.address: each for each in nsmallest(MAX_ADDRESSES, sample.values(), key=_sort_key)}
    return nsmallest(MAX_ADDRESSES, sample.values(), key=_sort_key)


def _sort_key(address: Address) -> bytes:
    """Return a hash, so that the smallest keys belong to addresses from the whole extract."""
    return blake2b(address.address.encode(), digest_size=8).digest()


class _Reader:
    """Reads the extract once for each kind of address."""

    def __init__(self, extract: Path, objects: int, percent: Percent | None, nodes_file: Path | None) -> None:
        self._extract = extract
        self._objects = max(1, objects)
        self._percent = percent
        large = nodes_file is not None and extract.stat().st_size > IN_MEMORY
        self._storage = f"sparse_file_array,{nodes_file}" if large else "flex_mem"

    def houses(self) -> Iterator[Address]:
        return self._read(_house_text, "addr:housenumber", "addr:housename")

    def streets(self) -> Iterator[Address]:
        return self._read(_street_text, "highway")

    def _read(self, text_of: Callable[[Any], str | None], *keys: str) -> Iterator[Address]:
        reader = osmium.FileProcessor(str(self._extract)).with_locations(self._storage)
        items: Iterator[Any] = iter(reader.with_filter(osmium.filter.EmptyTagFilter()))
        for number, item in enumerate(items):
            if self._percent is not None:
                self._percent.reach(number / self._objects)
            if not any(key in item.tags for key in keys):
                continue
            with suppress(UnicodeDecodeError):  # skips one object with undecodable tags
                place, text = _location(item), text_of(item)
                if place and text is not None:
                    lon, lat = place
                    yield Address(round(lat, 6), round(lon, 6), text or f"{lat:.5f}, {lon:.5f}")


def _house_text(item: Any) -> str | None:
    """Return `Street 5`, `Village 5` without street names, or `Name, Street` without house numbers."""
    tags = item.tags
    where = clean(tags.get("addr:street") or tags.get("addr:place") or "")
    number, name = _number(tags.get("addr:housenumber", "")), clean(tags.get("addr:housename", ""))
    if not where:
        return None
    if number:
        return f"{where} {number}"
    return f"{name}, {where}" if name else None


def _street_text(item: Any) -> str | None:
    """Return the name of the street, empty if it has none; None if cars can't drive there."""
    is_street = item.is_way() and item.tags["highway"].removesuffix("_link") in STREETS
    return clean(item.tags.get("name", "")) if is_street else None


def _number(tag: str) -> str:
    """Drop what follows the house number, such as a floor: `13 A, 5. krs./Floor 5` -> `13 A`."""
    return clean(re.split("[,;]", tag)[0])


def _location(item: Any) -> tuple[float, float] | None:
    """Return longitude and latitude: of a node, of the middle of a house, or of a street's middle node."""
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
    offset = sum((place.lon - first + 180.0) % 360.0 - 180.0 for place in places) / len(places)
    lon = (first + offset + 180.0) % 360.0 - 180.0
    return lon, sum(place.lat for place in places) / len(places)


def main() -> None:
    """Write another file, then rename it, so that the file is always complete."""
    extract, target = Path(sys.argv[1]), Path(sys.argv[2])
    survey = surveyed(extract, target.parent)
    percent = Percent(lambda line: print(line, flush=True), JOB, quiet_for=QUIET)
    nodes_file = target.with_name(f"{target.name}.nodes")
    index = read(survey.readable(extract, target.parent), survey, percent, nodes_file)
    nodes_file.unlink(missing_ok=True)
    unfinished = target.with_name(f"{target.name}.{os.getpid()}")
    unfinished.write_bytes(msgspec.json.encode(index))
    unfinished.replace(target)
    percent.reach(1)


if __name__ == "__main__":
    main()
