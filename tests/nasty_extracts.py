"""Extracts that are valid and awkward, written by hand: what real ones have been seen to hold."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import osmium
from osmium.osm.mutable import Node, Relation, Way

Place = tuple[float, float]  # lon, lat
Thing = Any  # a Node, Way or Relation
TOWN: Final = (5.0, 50.0)
SIDE: Final = 5  # streets in each direction
STEP: Final = 0.001  # degrees between them
FIRST_EXTRA: Final = 1000  # ids from here on are the fault's
LONG: Final = "ä" * 500  # characters; libosmium takes 1,024 bytes of a tag
SEVERAL_SCRIPTS: Final = "شارع الملك שדרות 東京都 ถนน \U0001f6b2"


class Nasty(msgspec.Struct, frozen=True):
    """What is in the file, and where the bulk of it lies."""

    things: Sequence[Thing]
    box: tuple[float, float, float, float] | None = None  # of the header
    middle: Place | None = (TOWN[0] + 0.002, TOWN[1] + 0.002)  # None: there is no place in it
    streets: bool = True  # whether its streets are on the map
    in_order: bool = True
    write: str = ""  # how the file is written


def write_extract(path: Path, nasty: Nasty) -> Path:
    """An `.osm.pbf`, sorted unless it is meant not to be."""
    header = osmium.io.Header()
    if nasty.box is not None:
        west, south, east, north = nasty.box
        corners = osmium.osm.Location(west, south), osmium.osm.Location(east, north)
        header.add_box(osmium.osm.Box(*corners))
    things = sorted(nasty.things, key=_by_type_and_id) if nasty.in_order else nasty.things
    file = osmium.io.File(f"{path}", f"pbf{nasty.write}")
    with osmium.SimpleWriter(file, header=header) as writer:
        for thing in things:
            _adding(writer, thing)(thing)
    return path


def _by_type_and_id(thing: Thing) -> tuple[int, bool, int, int]:
    return (Node, Way, Relation).index(type(thing)), thing.id > 0, abs(thing.id), thing.version or 0


def _adding(writer: Any, thing: Thing) -> Callable[[Thing], None]:
    names = {Node: "add_node", Way: "add_way", Relation: "add_relation"}
    adding: Callable[[Thing], None] = getattr(writer, names[type(thing)])
    return adding


def town(at: Place = TOWN, *, step: float = STEP, first: int = 1, sign: int = 1) -> list[Thing]:
    """Five streets each way, with names."""
    ids: list[list[int]] = [
        [sign * (first + row * SIDE + column) for column in range(SIDE)] for row in range(SIDE)
    ]
    nodes = [
        Node(id=ids[row][column], location=(_within(at[0] + column * step), at[1] + row * step))
        for row in range(SIDE)
        for column in range(SIDE)
    ]
    rows = [[ids[n], [row[n] for row in ids]] for n in range(SIDE)]
    ways = [
        Way(id=sign * (first + 2 * n + way), nodes=list[Any](pair[way]), tags=_street(f"{'NS'[way]}{n}"))
        for n, pair in enumerate(rows)
        for way in (0, 1)
    ]
    return [*nodes, *ways]


def _within(lon: float) -> float:
    return lon - 360.0 if lon > 180.0 else lon


def _street(name: str) -> dict[str, str]:
    return {"highway": "residential", "name": name}


def line(*places: Place, tags: dict[str, str], first: int = FIRST_EXTRA) -> list[Thing]:
    """A way with nodes of its own."""
    nodes = [Node(id=first + n, location=place) for n, place in enumerate(places)]
    return [*nodes, Way(id=first, nodes=list[Any](node.id for node in nodes), tags=tags)]


def way(*nodes: int, number: int = FIRST_EXTRA, more: Mapping[str, str] | None = None, **tags: str) -> Thing:
    tags |= more or {}
    return Way(id=number, nodes=list(nodes), tags=tags)


def _across() -> list[Thing]:
    """A street, a building and a lake on both sides of the antimeridian."""
    street = [((180.0 + (n - 5) * STEP + 180.0) % 360.0 - 180.0, -17.0) for n in range(11)]
    ring = [(179.9995, -16.999), (-179.9995, -16.999), (-179.9995, -16.998), (179.9995, -16.998)]
    lake = [(179.998, -16.997), (-179.998, -16.997), (-179.998, -16.994), (179.998, -16.994)]
    return [
        *line(*street, tags=_street("Dateline Road"), first=1),
        *_ring(ring, {"building": "yes"}, 100),
        *_ring(lake, {"natural": "water", "name": "Both Days Lake"}, 200),
    ]


def _ring(places: Sequence[Place], tags: dict[str, str], first: int) -> list[Thing]:
    *nodes, area = line(*places, tags=tags, first=first)
    return [*nodes, Way(id=first, nodes=[*area.nodes, area.nodes[0]], tags=tags)]


def _relation(number: int, *members: tuple[str, int, str], **tags: str) -> Thing:
    return Relation(id=number, members=list(members), tags=tags)


def _poles(lat: float, middle: Place) -> Nasty:
    return Nasty(town((20.0, lat), step=0.0001), middle=middle, streets=False)


def _bow_ties() -> list[Thing]:
    multipolygon = {"type": "multipolygon", "natural": "water"}
    return [
        way(1, 25, 5, 21, 1, building="yes", more={"addr:housenumber": "1", "addr:street": "Q"}),
        way(1, 25, 5, 21, number=FIRST_EXTRA + 1, building="yes"),  # not closed
        way(1, 1, 1, 1, number=FIRST_EXTRA + 2, building="yes"),
        _relation(1, ("w", FIRST_EXTRA + 1, "outer"), **multipolygon),
        _relation(2, **multipolygon),
        _relation(3, ("r", 2, "outer"), ("r", 3, ""), **multipolygon),
        _relation(4, ("w", 99_999, "outer"), type="restriction", restriction="no_left_turn"),
    ]


def _versions() -> list[Thing]:
    """As in a file with history: node 1 and a way are deleted, and another way had another name."""
    return [
        *town(),
        Node(id=1, version=7, visible=False),
        Way(id=1, version=1, nodes=[1, 2], tags=_street("Old Name")),
        Way(id=2, version=9, visible=False, nodes=[], tags={}),
    ]


def _numbered_houses() -> list[Thing]:
    at = [(TOWN[0] + 0.0001 * n, TOWN[1]) for n in range(3)]
    tags: list[dict[str, str]] = [
        {"addr:housenumber": "7", "addr:place": "Little\x07 Village"},
        {"addr:housename": "Rose Cottage", "addr:street": "Mill Lane"},
        {"addr:housenumber": "8;10", "addr:street": "Mill Lane"},
    ]
    return [Node(id=FIRST_EXTRA + n, location=at[n], tags=tags[n]) for n in range(3)]


NASTY: Final[dict[str, Nasty]] = {
    "plain": Nasty(town()),
    "nothing": Nasty([], middle=None, streets=False),
    "only nodes": Nasty(town()[: SIDE * SIDE], streets=False),
    "only a place": Nasty([Node(id=1, location=TOWN, tags=_street("x"))], middle=TOWN, streets=False),
    "only relations": Nasty(_bow_ties()[3:], middle=None, streets=False),
    "nodes missing": Nasty(town()[3:]),
    "ways of one node": Nasty([*town(), way(1, highway="primary"), way(number=1001, highway="path"),
                               way(1, 1, number=1002, highway="primary")]),
    "shapes that are none": Nasty([*town(), *_bow_ties()]),
    "north pole": _poles(89.9995, (20.0, 89.9995)),
    "south pole": _poles(-90.0, (20.0, -89.9998)),
    "beyond mercator": _poles(-86.5, (20.0, -86.4998)),
    "up to 180": Nasty(town((180.0 - 4 * STEP, -17.0)), middle=(179.998, -16.998)),
    "from -180": Nasty(town((-180.0, -17.0)), middle=(-179.998, -16.998)),
    "across": Nasty(_across(), middle=(180.0, -16.997)),
    "stray node": Nasty([*town(), Node(id=1000, location=(-170.0, -60.0))]),
    "stray library": Nasty([*town(), Node(id=1000, location=(170.0, 60.0),
                                          tags={"amenity": "library", "name": "Nowhere"})]),
    "street from 0/0": Nasty([*town(), *line((0.0, 0.0), TOWN, tags=_street("Long Way"))]),
    "street around half the world": Nasty([*town(), *line((-120.0, -40.0), (59.0, 70.0),
                                                          tags=_street("Far"))]),
    "box of the world": Nasty(town(), box=(-180.0, -90.0, 180.0, 90.0)),
    "box without area": Nasty(town(), box=(*TOWN, *TOWN)),
    "box elsewhere": Nasty(town(), box=(100.0, 10.0, 101.0, 11.0)),
    "everything twice": Nasty([*town(), *town()], in_order=False),
    "ways first": Nasty(town()[::-1], in_order=False),
    "numbers below 0": Nasty(town(sign=-1)),
    "deleted": Nasty(_versions()),
    "all scripts": Nasty([*town(), way(1, 7, highway="primary", name=SEVERAL_SCRIPTS),
                          way(7, 13, number=1001, highway="primary", name=LONG),
                          way(13, 19, number=1002, highway="primary", name="a\x01b\x1bc\u202ed")]),
    "coast around the world": Nasty([*town(), *line((-180.0, -80.0), (5.0021, 50.0011), (180.0, 80.0),
                                                    tags={"natural": "coastline"})]),
    "houses without numbers or streets": Nasty([*town(), *_numbered_houses()]),
    "lz4": Nasty(town(), write=",pbf_compression=lz4"),
    "not compressed": Nasty(town(), write=",pbf_compression=none"),
    "not dense, no metadata": Nasty(town(), write=",pbf_dense_nodes=false,add_metadata=false"),
    "places on ways, no nodes": Nasty(town(), write=",locations_on_ways=true"),
}  # fmt: skip
