"""The address index as a search reads it."""

import sqlite3
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import msgspec

from tracker.errors import MapUnavailable
from tracker.map.geocoder.statements import VERSION, open_reader, sql
from tracker.map.geocoder.text.fuzzy import Errors, errors_allowed, grams, lacking, rarest

PREFIXED: Final = 60  # words with one beginning, the most frequent first
POSTINGS: Final = 2_000  # documents with one word
MANY: Final = 500  # documents; above these, areas narrow them down
NEIGHBOURS: Final = 12  # houses below and above one that is missing
PREFIX_ERRORS: Final = 6  # letters that an unfinished word with an error has at least


class Term(NamedTuple):
    """A word of the index."""

    id: int
    term: str
    docs: int


class Doc(NamedTuple):
    """A street, place or point of interest."""

    id: int
    kind: str
    name: str
    area: str
    city: str
    postcode: str
    lat: int  # 1e-7 degrees
    lon: int
    rank: float
    is_number_first: int
    spellings: str
    located: str


class HouseRow(NamedTuple):
    """A house of a street."""

    number: int
    label: str
    shown: str
    is_inner: int
    lat: int
    lon: int
    city: str
    postcode: str


class Near(NamedTuple):
    """A place that results should be near to."""

    lat: float  # degrees
    lon: float


class Index:
    """An open index. One thread at a time may use it."""

    def __init__(self, path: Path) -> None:
        """Open the file. Raises MapUnavailable if it is damaged or of another version."""
        try:
            self._connection = open_reader(path)
            about = dict(self._connection.execute(sql("select_about")))
        except sqlite3.Error as error:
            raise MapUnavailable(f"The address search cannot read {path.name}: {error}.") from error
        if about.get("version") != VERSION:
            raise MapUnavailable(f"{path.name} was made by another version.")
        self.is_number_first = about["number_first"] == "1"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def _rows(self, name: str, *values: Any) -> list[Any]:
        return self._connection.execute(sql(name), values).fetchall()

    def count(self, kind: str) -> int:
        """Return the number of documents of a kind, or of houses."""
        [[number]] = self._rows("count_houses") if kind == "house" else self._rows("count_docs", kind)
        return int(number)

    def term(self, word: str) -> Term | None:
        """Return the word, if the index has it."""
        rows = self._rows("select_term", word)
        return Term(*rows[0]) if rows else None

    def prefixed(self, beginning: str) -> list[Term]:
        """Return words that begin so, the most frequent ones."""
        rows = self._rows("select_terms_with_prefix", beginning, f"{beginning}\U0010ffff", PREFIXED)
        return [Term(*row) for row in rows]

    def similar(self, word: str, *, is_open: bool) -> list[tuple[Term, int]]:
        """Return words with few errors against this one, and how many. If it *is_open*, longer words too."""
        errors = errors_allowed(word)
        if errors == 0:
            return []
        counts = dict(self._rows("select_gram_counts", _json(grams(word) | lacking(word))))
        wanted = [gram for gram in rarest(word, counts, errors) if gram in counts]
        longest = 99 if is_open and len(word) >= PREFIX_ERRORS else len(word) + errors
        counter, letters, found = Errors(word), set(word), []
        for row in self._rows("select_terms_with_grams", _json(wanted), len(word) - errors, longest):
            if len(letters.difference(row[1])) > errors:  # each error loses at most one letter
                continue
            whole, beginning = counter.against(row[1])
            wrong = whole if whole <= errors or longest < 99 else beginning
            if wrong <= errors:
                found.append((Term(*row), wrong))
        return found

    def docs_with(self, terms: Collection[int], areas: Collection[int]) -> list[int]:
        """Return documents with one of the words; if they are many, rather those in one of the areas."""
        found = [row[0] for row in self._rows("select_postings", _json(terms), POSTINGS)]
        if len(found) > MANY and areas:
            rows = self._rows("select_postings_located", _json(terms), _json(areas), POSTINGS)
            return [row[0] for row in rows] or found
        return found

    def docs(self, ids: Collection[int], limit: int, near: Near | None, narrow: float) -> list[Doc]:
        """Return the documents: the nearest ones, or the most important ones."""
        if near is None:
            return [Doc(*row) for row in self._rows("select_docs", _json(ids), limit)]
        place = round(near.lat * 1e7), round(near.lon * 1e7)
        return [Doc(*row) for row in self._rows("select_docs_near", _json(ids), *place, narrow, limit)]

    def houses(self, doc: int, number: int) -> list[HouseRow]:
        """Return the houses of a street with this number: `12`, `12a`, …"""
        return [HouseRow(*row) for row in self._rows("select_houses", doc, number)]

    def neighbours(self, doc: int, number: int) -> tuple[list[HouseRow], list[HouseRow]]:
        """Return the houses with the next lower numbers and with the next higher ones, the nearest first."""
        below, above = (
            self._rows(name, doc, number, NEIGHBOURS)
            for name in ("select_houses_below", "select_houses_above")
        )
        return [HouseRow(*row) for row in below], [HouseRow(*row) for row in above]

    def houses_with_prefix(self, doc: int, number: int, limit: int) -> list[HouseRow]:
        """Return houses of a street whose number begins with these digits."""
        return [HouseRow(*row) for row in self._rows("select_houses_with_prefix", doc, number, limit)]


def _json(values: Iterable[object]) -> str:
    return msgspec.json.encode(list(values)).decode()
