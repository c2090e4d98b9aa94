"""Search: the addresses that fit a text, best first."""

from collections import Counter
from collections.abc import Collection, Iterator
from math import cos, exp, hypot, radians
from typing import Final, Literal, NamedTuple

import msgspec

from tracker.map.geocoder.finding.expansion import Unit, expand
from tracker.map.geocoder.finding.houses import HousePlace, find_houses
from tracker.map.geocoder.finding.index import Doc, Index, Near
from tracker.map.geocoder.finding.matching import Match, Reading, best_match, read
from tracker.map.geocoder.finding.query import Token, parse_query
from tracker.map.geocoder.finding.wording import full_address

DOCS: Final = 120  # documents that are compared with a query in full
KEYS: Final = 8  # rarest words of a query by which documents are found
FEW: Final = 300  # documents with a word that says little, such as `boulevard`
GOOD: Final = 0.9  # score below which words with errors are tried too
NO_NUMBER: Final = 0.1  # less for a street without any house, if one is wanted
LEAST: Final = 0.25  # score of a result
NEARBY: Final = 0.06  # more for a place at the wanted one
REACH: Final = 4_000.0  # metres at which a third of that is left
_DEGREE: Final = 111_195.0  # metres

Precision = Literal["house", "street", "place"]


class Hit(msgspec.Struct, frozen=True):
    """One result."""

    address: str
    lat: float
    lon: float
    precision: Precision
    score: float  # about 0 to 1.2
    name: float  # how well the name fits, 0 to 1
    is_explained: bool  # whether the query means this and nothing else
    unexplained: tuple[int, ...]  # words of the query that nothing explains


class _Ranked(NamedTuple):
    reading: Reading
    bonus: float

    @property
    def score(self) -> float:
        return self.reading.score + self.bonus


def search(index: Index, text: str, limit: int, near: Near | None = None, *, typing: bool) -> list[Hit]:
    """Return the results for a text, best first. If *typing*, the last word may be incomplete."""
    tokens = parse_query(text, typing=typing)
    if not tokens:
        return []
    hits = _hits(index, tokens, limit, near, (), typing=typing)
    if not hits or hits[0].score < GOOD:
        doubtful = hits[0].unexplained if hits and hits[0].name > GOOD else range(len(tokens))
        hits += _hits(index, tokens, limit, near, doubtful, typing=typing)
        hits.sort(key=lambda hit: -hit.score)
    return _distinct(hits)[:limit]


def _hits(
    index: Index,
    tokens: tuple[Token, ...],
    limit: int,
    near: Near | None,
    doubtful: Collection[int],
    *,
    typing: bool,
) -> list[Hit]:
    units = expand(index, tokens, doubtful)
    readings = (read(best_match(doc, units, tokens), tokens) for doc in _candidates(index, units, near))
    likely = [each for each in readings if each.score > LEAST]
    ranked = [_Ranked(each, _bonus(each.match.doc, near)) for each in likely]
    ranked.sort(key=lambda each: (-each.score, each.reading.match.doc.id))
    hits = [hit for each in ranked[: limit + 15] for hit in _results(index, tokens, each)]
    if typing and ranked and tokens[-1].is_number and tokens[-1].is_open:
        hits += _continued(index, tokens, ranked[0], limit)
    return sorted(hits, key=lambda hit: -hit.score)


def _candidates(index: Index, units: list[Unit], near: Near | None) -> list[Doc]:
    """Return the documents with most of the rare words of the query."""
    keys = sorted((unit for unit in units if unit.ids), key=lambda unit: (unit.weight < 0.4, unit.docs))
    strong = [unit for unit in keys if unit.weight >= 0.4 or unit.docs <= FEW] or keys
    counted: Counter[int] = Counter()
    for unit in strong[:KEYS]:
        areas = [n for other in units if other.first != unit.first for n in other.ids]
        counted.update(index.docs_with(unit.ids, areas))
    found: list[Doc] = []
    narrow = 1.0 if near is None else max(0.01, cos(radians(near.lat)))
    for hits in sorted(set(counted.values()), reverse=True):
        if len(found) < DOCS:
            ids = [doc for doc, count in counted.items() if count == hits]
            found += index.docs(ids, DOCS, near, narrow)
    return found


def _bonus(doc: Doc, near: Near | None) -> float:
    """Return a little for important documents, and for near ones."""
    bonus = 0.004 * doc.rank
    if near is not None:
        north = doc.lat / 1e7 - near.lat
        east = ((doc.lon / 1e7 - near.lon + 180.0) % 360.0 - 180.0) * cos(radians(near.lat))
        bonus += NEARBY * exp(-hypot(north, east) * _DEGREE / REACH)
    return bonus


def _results(index: Index, tokens: tuple[Token, ...], ranked: _Ranked) -> Iterator[Hit]:
    """Yield the houses that a reading means, or else its street or place."""
    reading = ranked.reading
    doc = reading.match.doc
    houses = find_houses(index, doc.id, reading.labels) if reading.labels else []
    for house in houses:
        yield _hit(
            index, tokens, reading, ranked.score + house.bonus, house, "house" if house.is_known else "street"
        )
    if not houses:
        score = ranked.score - (NO_NUMBER if reading.labels else 0.0)
        yield _hit(index, tokens, reading, score, None, _precision(doc))


def _precision(doc: Doc) -> Precision:
    if doc.kind == "poi":
        return "house" if doc.area else "place"
    return "street" if doc.kind == "street" else "place"


def _continued(index: Index, tokens: tuple[Token, ...], ranked: _Ranked, limit: int) -> Iterator[Hit]:
    """Yield houses whose number begins with what is typed so far."""
    reading, token = ranked.reading, tokens[-1]
    if reading.labels and reading.labels[-1] == token.text and token.text.isdecimal():
        for row in index.houses_with_prefix(reading.match.doc.id, int(token.text), limit):
            place = HousePlace(row.lat, row.lon, row.shown, row.city, row.postcode, is_known=True)
            yield _hit(index, tokens, reading, ranked.score - 0.02, place, "house")


def _hit(  # noqa: PLR0917 - all of them are different types
    index: Index,
    tokens: tuple[Token, ...],
    reading: Reading,
    score: float,
    house: HousePlace | None,
    precision: Precision,
) -> Hit:
    match: Match = reading.match
    place = match.doc if house is None else house
    return Hit(
        address=full_address(match.doc, house, is_number_first=index.is_number_first),
        lat=round(place.lat / 1e7, 6),
        lon=round(place.lon / 1e7, 6),
        precision=precision,
        score=score,
        name=match.name,
        is_explained=reading.is_explained(tokens),
        unexplained=reading.unexplained,
    )


def _distinct(hits: list[Hit]) -> list[Hit]:
    """Leave out a result with the text of a better one."""
    found: dict[str, Hit] = {}
    for hit in hits:
        found.setdefault(hit.address, hit)
    return list(found.values())
