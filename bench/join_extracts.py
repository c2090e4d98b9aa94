"""Join shifted copies of an extract: `python -m bench.join_extracts EXTRACT TARGET --megabytes 30`.

The copies are arranged in a square and have unique ids. The large extract has the density of the small one,
so that the cost of serving a map can be measured at any size.
"""

import argparse
from collections.abc import Iterator
from math import ceil, sqrt
from pathlib import Path
from typing import Any, Final, NamedTuple

import osmium
from osmium.osm.mutable import Node, Relation, Way

IDS_PER_COPY: Final = 1 << 34  # limit of the ids of one copy
LIMIT: Final = 84.0  # degrees; copies are clamped to it


class Shift(NamedTuple):
    """The offset of a copy: degrees east and north, and the number added to its ids."""

    east: float
    north: float
    number: int


def join(extract: Path, target: Path, copies: int) -> None:
    """Write *copies* of the extract, the original among them, sorted by type and id."""
    header = osmium.io.Header()
    with osmium.SimpleWriter(str(target), header=header, overwrite=True) as writer:
        shifts = list(_shifts(extract, copies))
        for kind in (osmium.osm.NODE, osmium.osm.WAY, osmium.osm.RELATION):
            for shift in shifts:
                elements: Iterator[Any] = iter(osmium.FileProcessor(str(extract), kind))
                for element in elements:
                    _add(writer, element, shift)


def copies_for(extract: Path, size: float) -> int:
    """Return the number of copies for a file of about *size* bytes."""
    return max(1, ceil(size / extract.stat().st_size))


def _shifts(extract: Path, copies: int) -> Iterator[Shift]:
    """Yield the offsets row by row. Raises SystemExit if the header has no bounds."""
    box = osmium.FileProcessor(str(extract)).header.box()
    if not box.valid():
        raise SystemExit(
            f"{extract} has no bounds in its header; add them with `osmium extract --set-bounds`"
        )
    width, height = box.top_right.lon - box.bottom_left.lon, box.top_right.lat - box.bottom_left.lat
    side = ceil(sqrt(copies))
    for copy in range(copies):
        row, column = divmod(copy, side)
        yield Shift(column * width, row * height, copy * IDS_PER_COPY)


def _add(writer: Any, element: Any, shift: Shift) -> None:
    number = element.id + shift.number
    if element.is_node():
        if element.location.valid():
            place = element.location.lon + shift.east, min(LIMIT, element.location.lat + shift.north)
            writer.add_node(Node(element, id=number, location=place))
    elif element.is_way():
        nodes: list[Any] = [node.ref + shift.number for node in element.nodes]
        writer.add_way(Way(element, id=number, nodes=nodes))
    else:
        members: list[Any] = [(each.type, each.ref + shift.number, each.role) for each in element.members]
        writer.add_relation(Relation(element, id=number, members=members))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("extract", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--megabytes", type=float, default=30.0, help="size of the target (default: 30)")
    arguments = parser.parse_args()
    copies = copies_for(arguments.extract, arguments.megabytes * 1e6)
    join(arguments.extract, arguments.target, copies)
    print(f"{copies} copies, {arguments.target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
