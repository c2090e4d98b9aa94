"""Join shifted copies of an extract: `python -m bench.join_extracts EXTRACT TARGET --megabytes 30`.

The copies lie side by side in a square, with numbers of their own. The large extract is as dense as the small
one, so that the cost of serving a map can be measured at any size.
"""

import argparse
from collections.abc import Iterator
from math import ceil, sqrt
from pathlib import Path
from typing import Any, Final, NamedTuple

import osmium
from osmium.osm.mutable import Node, Relation, Way

NUMBERS_BETWEEN: Final = 1 << 34  # ids of one copy lie below that
LIMIT: Final = 84.0  # degrees; no copy lies beyond


class Shift(NamedTuple):
    """Where a copy lies: degrees east and north of the original, and what is added to its ids."""

    east: float
    north: float
    number: int


def join(extract: Path, target: Path, copies: int) -> None:
    """Write *copies* of the extract, the original among them, sorted by type and number."""
    header = osmium.io.Header()
    with osmium.SimpleWriter(str(target), header=header, overwrite=True) as writer:
        shifts = list(_shifts(extract, copies))
        for kind in (osmium.osm.NODE, osmium.osm.WAY, osmium.osm.RELATION):
            for shift in shifts:
                things: Iterator[Any] = iter(osmium.FileProcessor(str(extract), kind))
                for thing in things:
                    _add(writer, thing, shift)


def copies_for(extract: Path, size: float) -> int:
    """How many copies give a file of about *size* bytes."""
    return max(1, ceil(size / extract.stat().st_size))


def _shifts(extract: Path, copies: int) -> Iterator[Shift]:
    """Row by row in a square, each copy beside the last."""
    box = osmium.FileProcessor(str(extract)).header.box()
    if not box.valid():
        raise SystemExit(f"{extract} has no bounds in its header; cut it with `osmium extract` first")
    width, height = box.top_right.lon - box.bottom_left.lon, box.top_right.lat - box.bottom_left.lat
    side = ceil(sqrt(copies))
    for copy in range(copies):
        row, column = divmod(copy, side)
        yield Shift(column * width, row * height, copy * NUMBERS_BETWEEN)


def _add(writer: Any, thing: Any, shift: Shift) -> None:
    number = thing.id + shift.number
    if thing.is_node():
        if thing.location.valid():
            place = thing.location.lon + shift.east, min(LIMIT, thing.location.lat + shift.north)
            writer.add_node(Node(thing, id=number, location=place))
    elif thing.is_way():
        nodes: list[Any] = [node.ref + shift.number for node in thing.nodes]
        writer.add_way(Way(thing, id=number, nodes=nodes))
    else:
        members: list[Any] = [(each.type, each.ref + shift.number, each.role) for each in thing.members]
        writer.add_relation(Relation(thing, id=number, members=members))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("extract", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--megabytes", type=float, default=30.0, help="size of the target (default: 30)")
    given = parser.parse_args()
    copies = copies_for(given.extract, given.megabytes * 1e6)
    join(given.extract, given.target, copies)
    print(f"{copies} copies, {given.target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
