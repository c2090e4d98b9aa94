"""Repair: an extract as builders can read it: sorted, each object once, with positive numbers."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import osmium
from osmium.osm.mutable import Node, Relation, Way

NEW_NUMBERS: Final = 1 << 36  # added to numbers below 1, which editors give to what is not uploaded yet


def repair(extract: Path, target: Path) -> None:
    """Write to *target* what is visible in the newest versions. Holds the whole extract in memory."""
    with _Steps(target) as step:
        nodes = step(lambda path: _write_nodes_of_ways(extract, path))
        newest = step(lambda path: _sort((nodes, extract), path))
        visible = step(lambda path: _write_visible(newest, path))
        _sort((visible,), target)


class _Steps:
    """Files between the steps, deleted at the end."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._made: list[Path] = []

    def __enter__(self) -> Callable[[Callable[[Path], None]], Path]:
        return self._step

    def __exit__(self, *_: object) -> None:
        for path in self._made:
            path.unlink(missing_ok=True)

    def _step(self, write: Callable[[Path], None]) -> Path:
        path = self._target.with_name(self._target.name.replace(".osm", f".step{len(self._made)}.osm"))
        path.unlink(missing_ok=True)
        self._made.append(path)
        write(path)
        return path


def _sort(sources: tuple[Path, ...], target: Path) -> None:
    """By type and number; of several versions of an object the newest."""
    reader = osmium.MergeInputReader()
    for source in sources:
        reader.add_file(str(source))
    target.unlink(missing_ok=True)
    with osmium.SimpleWriter(str(target)) as writer:
        reader.apply(writer, simplify=True)


def _write_nodes_of_ways(extract: Path, target: Path) -> None:
    """The nodes that stand only in the ways, as version 0, so that a node's own entry counts before them."""
    with osmium.SimpleWriter(str(target)) as writer:
        ways: Iterator[Any] = iter(osmium.FileProcessor(str(extract), osmium.osm.WAY))
        for way in ways:
            for node in way.nodes:
                if node.location.valid():
                    writer.add_node(Node(id=node.ref, version=0, location=node.location))


def _write_visible(newest: Path, target: Path) -> None:
    with osmium.SimpleWriter(str(target)) as writer:
        items: Iterator[Any] = iter(osmium.FileProcessor(str(newest)))
        for item in items:
            if item.visible:
                _add(writer, item)


def _add(writer: Any, item: Any) -> None:
    if item.is_node():
        if item.location.valid():
            writer.add_node(Node(item, id=_number(item.id)))
    elif item.is_way():
        nodes = [_number(node.ref) for node in item.nodes]
        writer.add_way(Way(item, id=_number(item.id), nodes=nodes))
    else:
        members = [(each.type, _number(each.ref), each.role) for each in item.members]
        writer.add_relation(Relation(item, id=_number(item.id), members=members))


def _number(number: int) -> int:
    return number if number > 0 else NEW_NUMBERS - number
