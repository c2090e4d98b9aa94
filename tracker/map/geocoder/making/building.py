"""Building the address index: stage what the extract says, join streets, write documents and words."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from math import log1p
from typing import Final

import msgspec

from tracker.map.geocoder.making.localities import RANKS, Localities, Locality
from tracker.map.geocoder.making.reading import Found, Interpolation, interpolated
from tracker.map.geocoder.making.streets import Row, Street, clusters, joined
from tracker.map.geocoder.statements import VERSION, sql
from tracker.map.geocoder.text.abbreviations import is_number_first
from tracker.map.geocoder.text.fuzzy import keys
from tracker.map.geocoder.text.words import key, shorten, spellings, words
from tracker.system.progress import Percent

_POI_RANK: Final = 1.0
_CITY_RANK: Final = 4.0  # of a city that only addresses name


class Document(msgspec.Struct, frozen=True):
    """A street, place or point of interest as it is found."""

    kind: str
    names: tuple[str, ...]
    area: str
    city: str
    postcode: str
    lat: int
    lon: int
    rank: float
    located: tuple[str, ...]  # names of areas, postcodes


class Builder:
    """Fills the tables of a new index."""

    def __init__(self, connection: sqlite3.Connection, percent: Percent) -> None:
        self._connection = connection
        self._percent = percent
        self._docs = 0
        self._places: list[Found] = []
        self._cities: dict[str, list[tuple[int, int]]] = {}  # by key: some places of their addresses
        self._city_names: Counter[str] = Counter()
        self._number_first: Counter[bool] = Counter()

    def stage(self, found: Iterable[Found], interpolations: list[Interpolation]) -> None:
        """Store what the reader finds. *interpolations* is complete once *found* is exhausted."""
        self._connection.executescript(f"{sql('create_tables')};{sql('create_found')}")
        self._connection.execute("BEGIN")
        self._connection.executemany(sql("insert_found"), self._rows(found))
        self._connection.execute(sql("index_found_by_place"))
        self._connection.executemany(sql("insert_found"), self._between(interpolations))

    def _rows(self, found: Iterable[Found]) -> Iterator[tuple[object, ...]]:
        for each in found:
            if each.kind == "place":
                self._places.append(each)
            elif name := key(each.name):
                yield (name, each.kind, each.name, "|".join(each.others), *each[3:9])

    def _between(self, interpolations: list[Interpolation]) -> Iterator[tuple[object, ...]]:
        """Yield the houses along interpolation ways, between each two nodes with a number."""
        for way in interpolations:
            begin, last = 0, None
            for index, point in enumerate(way.points):
                row = self._connection.execute(sql("select_house_at"), point).fetchone()
                if row is None:
                    continue
                if last is not None and last[0] == row[0]:
                    line = way.points[begin : index + 1]
                    for number, place in interpolated(way.kind, line, last[2], row[2]):
                        yield (row[0], "house", row[1], "", number, row[3], row[4], 3, *place)
                begin, last = index, row

    def write(self) -> None:
        """Write all documents and words."""
        localities = Localities([*self._named_places(), *self._named_cities()])
        total = max(1, self._connection.execute(sql("count_found")).fetchone()[0])
        done = 0
        rows = map(Row._make, self._connection.execute(sql("select_found")))
        for _, same in groupby(rows, lambda row: row.key):
            group = list(same)
            self._write_group(group, localities)
            done += len(group)
            self._percent.reach(0.6 + 0.3 * done / total)
        self._write_places(localities)
        self._finish()

    def _named_places(self) -> Iterator[Locality]:
        return (Locality(each.name, each.sort, each.lat, each.lon) for each in self._places)

    def _named_cities(self) -> Iterator[Locality]:
        """Yield the cities that only addresses name: an extract may lack the nodes of their places."""
        known = {key(each.name) for each in self._places}
        for city, lat, lon in self._connection.execute(sql("select_cities")):
            if key(city) not in known:
                yield Locality(city, "town", lat, lon)

    def _write_group(self, rows: list[Row], localities: Localities) -> None:
        streets = [row for row in rows if row.kind != "poi"]
        for street in joined(streets):
            self._write_street(street, localities)
        for same in clusters([row for row in rows if row.kind == "poi"], lambda row: (row.lat, row.lon)):
            for row in {(row.name, row.number): row for row in same}.values():
                self._write_poi(row, localities)

    def _write_street(self, street: Street, localities: Localities) -> None:
        city = street.city or localities.city(street.lat, street.lon)
        suburb = localities.suburb(street.lat, street.lon)
        areas = {house.city for house in street.houses} | {city, suburb}
        document = Document(
            kind="street",
            names=street.names,
            area=suburb,
            city=city,
            postcode=street.postcodes[0] if len(street.postcodes) == 1 else "",
            lat=street.lat,
            lon=street.lon,
            rank=2.0 + 0.3 * log1p(len(street.houses)),
            located=(*sorted(filter(None, areas)), *street.postcodes[:200]),
        )
        doc = self._insert(document)
        self._number_first[is_number_first(words(street.names[0]))] += 1
        self._connection.executemany(
            sql("insert_house"),
            (
                (doc, number.number, number.label, copy, number.shown, number.is_inner, lat, lon, *where)
                for number, copy, lat, lon, *where in street.houses
            ),
        )
        for house in street.houses:
            self._city_names[house.city] += 1
            self._cities.setdefault(house.city, [])
            if len(self._cities[house.city]) < 1_000:
                self._cities[house.city].append((house.lat, house.lon))

    def _write_poi(self, row: Row, localities: Localities) -> None:
        city = row.city or localities.city(row.lat, row.lon)
        suburb = localities.suburb(row.lat, row.lon)
        located = tuple(filter(None, (city, suburb, row.postcode, row.number)))
        names = (row.name, *filter(None, row.others.split("|")))
        self._insert(
            Document("poi", names, row.number, city, row.postcode, row.lat, row.lon, _POI_RANK, located)
        )

    def _write_places(self, localities: Localities) -> None:
        known = {key(name) for place in self._places for name in (place.name, *place.others)}
        for place in self._places:
            city = localities.city(place.lat, place.lon)
            city = "" if city == place.name else city
            rank = RANKS.get(place.sort, 2.0)
            names = (place.name, *place.others)
            located = (city,) if city else ()
            self._insert(Document("place", names, "", city, "", place.lat, place.lon, rank, located))
        for name, points in sorted(self._cities.items()):
            if name and key(name) not in known:
                lats, lons = sorted(lat for lat, _ in points), sorted(lon for _, lon in points)
                lat, lon = lats[len(lats) // 2], lons[len(lons) // 2]
                self._insert(Document("place", (name,), "", "", "", lat, lon, _CITY_RANK, ()))

    def _insert(self, document: Document) -> int:
        """Write a document with its words; return its number."""
        self._docs += 1
        forms = list(dict.fromkeys(form for name in document.names[:20] for form in spellings(name)))
        located = {word for name in document.located for word in shorten(words(name))}
        located |= {"".join(words(name)) for name in document.located}
        terms = {word for form in forms for word in form}
        run = self._connection.executemany
        run(sql("insert_term"), ((term,) for term in sorted(terms | located)))
        run(sql("insert_posting"), ((self._docs, term) for term in sorted(terms)))
        run(sql("insert_located"), ((self._docs, term) for term in sorted(located)))
        row = (self._docs, document.kind, document.names[0], *msgspec.structs.astuple(document)[2:8])
        is_first = is_number_first(words(document.names[0]))
        texts = "|".join(" ".join(form) for form in forms), " ".join(sorted(located))
        self._connection.execute(sql("insert_doc"), (*row, is_first, *texts))
        return self._docs

    def _finish(self) -> None:
        run = self._connection.execute
        run(sql("drop_found"))
        run(sql("count_docs_of_terms"))
        rows = run(sql("select_terms")).fetchall()
        self._connection.executemany(
            sql("insert_gram"), ((gram, number) for number, term in rows for gram in keys(term))
        )
        run(sql("count_grams"))
        run(sql("insert_about"), ("version", VERSION))
        run(sql("insert_about"), ("number_first", str(int(self._is_number_first()))))
        run("COMMIT")
        run("VACUUM")

    def _is_number_first(self) -> bool:
        """Return whether addresses of this map begin with the number, as most of its streets suggest."""
        return self._number_first[True] > self._number_first[False]
