"""Address indexes of extracts, for tests."""

from pathlib import Path

import osmium
from osmium.osm.mutable import Node, Relation, Way

from tracker.config import Config
from tracker.map.extract import find_map
from tracker.map.geocoder.__main__ import build
from tracker.system.progress import Percent


def helsinki() -> Path:
    """Return the bundled demo area."""
    return find_map(Config(data_dir=Path())).path


def built(extract: Path, folder: Path) -> Path:
    """Return a new index of an extract."""
    path = folder / "geocoder.sqlite"
    build(extract, path, Percent(lambda _: None, "index"))
    return path


class Town:
    """A small extract: houses, streets and places, written in the order that an extract has."""

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._ways: list[Way] = []
        self._relations: list[Relation] = []

    def node(self, lat: float, lon: float, **tags: str) -> int:
        """Add a node; `__` in a name of *tags* is a colon."""
        self._nodes.append(Node(id=len(self._nodes) + 1, location=(lon, lat), tags=_tags(tags)))
        return len(self._nodes)

    def house(self, lat: float, lon: float, street: str, number: str, **tags: str) -> int:
        return self.node(lat, lon, addr__street=street, addr__housenumber=number, **tags)

    def way(self, nodes: list[int], **tags: str) -> int:
        self._ways.append(Way(id=len(self._ways) + 1, nodes=nodes, tags=_tags(tags)))
        return len(self._ways)

    def street(self, places: list[tuple[float, float]], name: str, **tags: str) -> int:
        nodes = [self.node(*place) for place in places]
        return self.way(nodes, highway="residential", name=name, **tags)

    def relation(self, way: int, **tags: str) -> None:
        members = [("w", way, "outer")]
        self._relations.append(Relation(id=len(self._relations) + 1, members=members, tags=_tags(tags)))

    def index(self, folder: Path) -> Path:
        """Write the extract and return its index."""
        extract = folder / "town.osm.pbf"
        with osmium.SimpleWriter(str(extract)) as writer:
            for node in self._nodes:
                writer.add_node(node)
            for way in self._ways:
                writer.add_way(way)
            for relation in self._relations:
                writer.add_relation(relation)
        return built(extract, folder)


def _tags(tags: dict[str, str]) -> dict[str, str]:
    return {name.replace("__", ":"): value for name, value in tags.items()}
