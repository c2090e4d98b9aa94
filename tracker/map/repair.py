"""Repair: write a copy of an extract that is sorted, with unique objects and positive ids."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import osmium
from osmium.osm.mutable import Node, Relation, Way

NEW_IDS: Final = 1 << 36  # replaces ids below 1, which editors assign to objects that are not uploaded


def repair(extract: Path, target: Path) -> None:
    """Write the newest version of each visible object to *target*. Needs memory for the whole extract."""
    with _Steps(target) as step:
        nodes = step(lambda path: _write_nodes_of_ways(extract, path))
        newest = step(lambda path: _sort((nodes, extract), path))
        visible = step(lambda path: _write_visible(newest, path))
        _sort((visible,), target)


class _Steps:
    """The files between the steps; the end of the block removes them."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._files: list[Path] = []

    def __enter__(self) -> Callable[[Callable[[Path], None]], Path]:
        return self._step

    def __exit__(self, *_: object) -> None:
        for path in self._files:
            path.unlink(missing_ok=True)

    def _step(self, write: Callable[[Path], None]) -> Path:
        path = self._target.with_name(self._target.name.replace(".osm", f".step{len(self._files)}.osm"))
        path.unlink(missing_ok=True)
        self._files.append(path)
        write(path)
        return path


def _sort(sources: tuple[Path, ...], target: Path) -> None:
    """Merge the sources by type and id, with the newest version of each object."""
    reader = osmium.MergeInputReader()
    for source in sources:
        reader.add_file(str(source))
    target.unlink(missing_ok=True)
    with osmium.SimpleWriter(str(target)) as writer:
        reader.apply(writer, simplify=True)


def _write_nodes_of_ways(extract: Path, target: Path) -> None:
    """Write the locations that ways hold as nodes of version 0, so that a real node takes precedence."""
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
            writer.add_node(Node(item, id=_positive_id(item.id)))
    elif item.is_way():
        nodes = [_positive_id(node.ref) for node in item.nodes]
        writer.add_way(Way(item, id=_positive_id(item.id), nodes=nodes))
    else:
        members = [(each.type, _positive_id(each.ref), each.role) for each in item.members]
        writer.add_relation(Relation(item, id=_positive_id(item.id), members=members))


def _positive_id(number: int) -> int:
    return number if number > 0 else NEW_IDS - number
