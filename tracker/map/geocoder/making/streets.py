"""Streets: join ways and houses of one name to streets, one for each locality. Pure."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import cos, radians
from typing import Final, NamedTuple

import msgspec

from tracker.map.geocoder.text.house_numbers import HouseNumber, parse

CELL: Final = 60_000  # 1e-7 degrees, 670 m; what lies in neighbouring cells belongs together
INTERPOLATED: Final = 3  # rank of a house that only an interpolation way gives
COPY: Final = 15_000  # 1e-7 degrees, 170 m; the same number further apart is another house


class Row(NamedTuple):
    """A row of the table `found`."""

    key: str
    kind: str
    name: str
    others: str
    number: str
    city: str
    postcode: str
    rank: int
    lat: int
    lon: int


class House(NamedTuple):
    """A house of a street."""

    number: HouseNumber
    copy: int
    lat: int
    lon: int
    city: str
    postcode: str


class Street(msgspec.Struct, frozen=True):
    """A street or another name with house numbers, in one locality."""

    names: tuple[str, ...]  # the most frequent first
    city: str
    postcodes: tuple[str, ...]  # the most frequent first
    lat: int
    lon: int
    houses: tuple[House, ...]


def joined(rows: Sequence[Row]) -> Iterator[Street]:
    """Yield the streets of the rows with one key."""
    for cluster in clusters(rows, lambda row: (row.lat, row.lon)):
        yield _street(cluster)


def clusters[T](things: Iterable[T], place_of: Callable[[T], tuple[int, int]]) -> Iterator[list[T]]:
    """Group things whose cells touch."""
    cells: defaultdict[tuple[int, int], list[T]] = defaultdict(list)
    for thing in things:
        lat, lon = place_of(thing)
        row = lat // CELL
        width = CELL / max(0.01, cos(radians(row * CELL / 1e7)))
        cells[row, int(lon // width)].append(thing)
    while cells:
        first = next(iter(cells))
        found, todo = cells.pop(first), [first]
        while todo:
            row, column = todo.pop()
            for near in [(row + y, column + x) for y in (-1, 0, 1) for x in (-1, 0, 1)]:
                if near in cells:
                    found += cells.pop(near)
                    todo.append(near)
        yield found


def _street(rows: list[Row]) -> Street:
    ways = [row for row in rows if row.kind == "way"]
    cities = _by_frequency(row.city for row in rows)
    city = cities[0] if cities else ""
    lat, lon = central([(row.lat, row.lon) for row in ways or rows])
    others = (name for row in rows for name in row.others.split("|") if name)
    return Street(
        names=tuple(dict.fromkeys([*_by_frequency(row.name for row in rows), *_by_frequency(others)])),
        city=city,
        postcodes=_by_frequency(row.postcode for row in rows),
        lat=lat,
        lon=lon,
        houses=tuple(_houses(row for row in rows if row.kind == "house")),
    )


def _by_frequency(texts: Iterable[str]) -> tuple[str, ...]:
    counted = Counter(filter(None, texts))
    return tuple(sorted(counted, key=lambda text: (-counted[text], text)))


def _houses(rows: Iterable[Row]) -> Iterator[House]:
    by_label: defaultdict[str, list[tuple[HouseNumber, Row]]] = defaultdict(list)
    for row in rows:
        for number in parse(row.number):
            by_label[number.label].append((number, row))
    for same in by_label.values():
        own = [each for each in same if not each[0].is_inner] or same
        for copy, group in enumerate(_apart(own)):
            chosen = [each for each in group if each[1].rank < INTERPOLATED] or group
            lat, lon = central([(row.lat, row.lon) for _, row in chosen])
            city = _by_frequency(row.city for _, row in group)
            postcode = _by_frequency(row.postcode for _, row in group)
            yield House(group[0][0], copy, lat, lon, next(iter(city), ""), next(iter(postcode), ""))


def _apart(numbered: list[tuple[HouseNumber, Row]]) -> list[list[tuple[HouseNumber, Row]]]:
    """Group the objects of one number by their distance."""
    groups: list[list[tuple[HouseNumber, Row]]] = []
    for number, row in numbered:
        for group in groups:
            first = group[0][1]
            if abs(first.lat - row.lat) + abs(first.lon - row.lon) * cos(radians(row.lat / 1e7)) < COPY:
                group.append((number, row))
                break
        else:
            groups.append([(number, row)])
    return groups


def central(points: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return the one of the points that is nearest to their middle, measured by medians."""
    lats, lons = sorted(lat for lat, _ in points), sorted(lon for _, lon in points)
    lat, lon = lats[len(lats) // 2], lons[len(lons) // 2]
    return min(points, key=lambda each: (abs(each[0] - lat) + abs(each[1] - lon), each))
