"""Reading: the addresses, named streets, places and points of interest of an extract."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import pairwise
from math import hypot
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import osmium

from tracker.map.geocoder.text.house_numbers import between
from tracker.map.labels import clean
from tracker.system.progress import Percent

IN_MEMORY: Final = 256 * 2**20  # bytes; for a larger extract the locations of nodes are kept in a file
_OTHER_NAMES: Final = ("alt_name", "old_name", "official_name", "short_name", "loc_name", "int_name")
_POI_KEYS: Final = (
    "amenity", "shop", "tourism", "office", "leisure", "healthcare", "craft", "historic", "building",
    "railway", "public_transport", "aeroway", "man_made", "club",
)  # fmt: skip
_WANTED: Final = ("name", "addr:housenumber", "addr:housename", "addr:interpolation")
_NOT_STREETS: Final = {"bus_stop", "platform", "crossing", "street_lamp", "rest_area", "services", "elevator"}
_CENTRE_ROLES: Final = {"outer", "", "outline", "admin_centre", "label"}

SPACING: Final = 40_000  # 1e-7 degrees; 440 m or less between the points that stand for a street
MOST_POINTS: Final = 500  # of one way: 200 km

Kind = Literal["way", "house", "poi", "place"]
Point = tuple[int, int]  # latitude and longitude in 1e-7 degrees


class Found(NamedTuple):
    """What the extract says about one name at one point."""

    kind: Kind
    name: str
    others: tuple[str, ...]
    number: str
    city: str
    postcode: str
    rank: int  # of a house: 0 its own node, 1 a building, 2 something in it, 3 interpolated
    lat: int  # 1e-7 degrees
    lon: int
    sort: str = ""  # of a place: `city`, `town`, …


class Interpolation(NamedTuple):
    """A way along which house numbers follow each other."""

    kind: str
    points: list[Point]


class Reader:
    """Reads the extract once, and a second time for the outlines of relations."""

    def __init__(self, extract: Path, objects: int, percent: Percent, nodes_file: Path) -> None:
        self._extract = extract
        self._objects = max(1, objects)
        self._percent = percent
        large = extract.stat().st_size > IN_MEMORY
        self._storage = f"sparse_file_array,{nodes_file}" if large else "flex_mem"
        self._outlines: dict[int, list[dict[str, str]]] = {}  # tags of the relations around a way
        self.interpolations: list[Interpolation] = []

    def __iter__(self) -> Iterator[Found]:
        reader = osmium.FileProcessor(str(self._extract)).with_locations(self._storage)
        items: Iterator[Any] = iter(reader.with_filter(osmium.filter.EmptyTagFilter()))
        for number, item in enumerate(items):
            self._percent.reach(0.6 * number / self._objects)
            with suppress(UnicodeDecodeError):  # skips one object with undecodable tags
                yield from self._of(item)
        if self._outlines:
            yield from self._of_relations()

    def _of(self, item: Any) -> Iterator[Found]:
        if not _is_wanted(item.tags):
            return
        tags = dict(item.tags)
        if item.is_relation():
            self._note_outline(item, tags)
            return
        if (point := _location(item)) is None:
            return
        if item.is_way() and "highway" in tags:
            for each in spread(_points(item)):
                yield from found_in(tags, each, is_way=True)
            return
        if item.is_way() and "addr:interpolation" in tags:
            self.interpolations.append(Interpolation(tags["addr:interpolation"], _points(item)))
            return
        yield from found_in(tags, point, is_way=item.is_way())

    def _note_outline(self, item: Any, tags: dict[str, str]) -> None:
        """Keep the tags of a relation for its first outer way, unless it is a boundary of an area."""
        if tags.get("type") not in {"multipolygon", "building", "site"}:
            return
        for member in item.members:
            if member.type == "w" and member.role in _CENTRE_ROLES:
                self._outlines.setdefault(member.ref, []).append(tags)
                return

    def _of_relations(self) -> Iterator[Found]:
        reader = osmium.FileProcessor(str(self._extract), osmium.osm.NODE | osmium.osm.WAY)
        tagged = osmium.filter.EmptyTagFilter()  # not an IdFilter, which takes 1.2 GB for ids far apart
        tagged.enable_for(osmium.osm.NODE)
        items: Iterator[Any] = iter(reader.with_locations(self._storage).with_filter(tagged))
        for item in items:
            if item.is_way() and item.id in self._outlines and (point := _location(item)) is not None:
                for tags in self._outlines[item.id]:
                    yield from found_in(tags, point, is_way=True)


def _is_wanted(tags: Any) -> bool:
    return (
        "name" in tags
        or "addr:housenumber" in tags
        or "addr:housename" in tags
        or "addr:interpolation" in tags
    )


def found_in(tags: dict[str, str], point: Point, *, is_way: bool) -> Iterator[Found]:
    """Yield what one object's tags say: a house, a street, a place, something with a name."""
    name, others = clean(tags.get("name", "")), other_names(tags)
    city, postcode = clean(tags.get("addr:city", "")), clean(tags.get("addr:postcode", ""))
    street = _street(tags)
    number = _number(tags)
    if street and number:
        is_inside = bool(name) or any(key in tags for key in ("shop", "amenity", "office"))
        rank = (1 if is_way else 2) if is_inside or is_way else 0
        yield Found("house", street, street_names(tags), number, city, postcode, rank, *point)
    if not name:
        name = clean(tags.get("addr:housename", ""))
    if not name:
        return
    if is_way and "highway" in tags and tags["highway"] not in _NOT_STREETS:
        yield Found("way", name, others, "", "", clean(tags.get("postal_code", "")), 0, *point)
    elif "place" in tags:
        is_square = tags["place"] in {"square", "city_block"}
        sort = tags["place"]
        yield Found("way" if is_square else "place", name, others, "", "", "", 0, *point, sort)
    elif any(key in tags for key in _POI_KEYS) or number:
        shown = f"{street} {number}".strip()
        yield Found("poi", name, others, shown, city, postcode, 0, *point)


def _street(tags: dict[str, str]) -> str:
    """Return the name that house numbers belong to: a street, a village, or a Japanese block's quarter."""
    if "addr:block_number" in tags:
        return clean(tags.get("addr:quarter", "") + tags.get("addr:neighbourhood", ""))
    return clean(tags.get("addr:street") or tags.get("addr:place") or "")


def _number(tags: dict[str, str]) -> str:
    """Return the house number; in Japan after the number of its block: `9-1`."""
    numbers = (clean(tags.get(key, "")) for key in ("addr:block_number", "addr:housenumber"))
    return "-".join(filter(None, numbers))


def street_names(tags: dict[str, str]) -> tuple[str, ...]:
    """Return the names of a house's street in other languages."""
    named = (clean(value) for key, value in tags.items() if key.startswith("addr:street:"))
    return tuple(dict.fromkeys(filter(None, named)))


def other_names(tags: dict[str, str]) -> tuple[str, ...]:
    """Return the names beside `name`: in other languages, older ones, official ones."""
    values = (
        part
        for key, value in tags.items()
        if key in _OTHER_NAMES or (key.startswith("name:") and len(key) <= 12)
        for part in value.split(";")
    )
    name = clean(tags.get("name", ""))
    return tuple(each for each in dict.fromkeys(map(clean, values)) if each and each != name)


def _location(item: Any) -> Point | None:
    """Return the place of a node, or the middle of a way's nodes."""
    if item.is_node():
        return (item.location.y, item.location.x) if item.location.valid() else None
    points = _points(item)
    return middle(points[1:] if len(points) > 1 and points[0] == points[-1] else points) if points else None


def _points(way: Any) -> list[Point]:
    return [(node.location.y, node.location.x) for node in way.nodes if node.location.valid()]


def spread(points: list[Point]) -> list[Point]:
    """Return points of a street, at most SPACING apart, with both ends; one point if it is too long."""
    if len(points) < 2:
        return points
    length = sum(hypot(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(points))
    steps = 2 * (1 + int(length / SPACING / 2))
    if steps > MOST_POINTS:  # a ferry, or a mistake: one place rather than a row of streets
        return [points[len(points) // 2]]
    return list(dict.fromkeys(along(points, [n / steps for n in range(steps + 1)])))


def middle(points: list[Point]) -> Point:
    """Return the mean of points, also across the antimeridian."""
    first, turn = points[0][1], 3_600_000_000
    offset = sum((lon - first + turn // 2) % turn - turn // 2 for _, lon in points) // len(points)
    lon = (first + offset + turn // 2) % turn - turn // 2
    return sum(lat for lat, _ in points) // len(points), lon


def along(points: list[Point], shares: Iterable[float]) -> Iterator[Point]:
    """Yield the places at these shares of a line's length, 0 to 1, rising."""
    lengths = [hypot(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(points)]
    total = sum(lengths) or 1.0
    index, before = 0, 0.0
    for share in shares:
        while index < len(lengths) - 1 and (before + lengths[index]) / total < share:
            before += lengths[index]
            index += 1
        part = (share * total - before) / (lengths[index] or 1.0)
        a, b = points[index], points[index + 1]
        yield round(a[0] + (b[0] - a[0]) * part), round(a[1] + (b[1] - a[1]) * part)


def interpolated(kind: str, line: list[Point], first: str, last: str) -> list[tuple[str, Point]]:
    """Return the houses between the ends of an interpolation way, with their numbers."""
    numbers = between(kind, first, last)
    if len(line) < 2 or not numbers:
        return []
    shares = [(n + 1) / (len(numbers) + 1) for n in range(len(numbers))]
    return list(zip(numbers, along(line, shares), strict=True))
