"""Expansion: the words of the index that each word of a query may mean, and how well."""

from collections.abc import Collection
from itertools import pairwise
from typing import Final

import msgspec

from tracker.map.geocoder.finding.index import Index, Term
from tracker.map.geocoder.finding.query import Token, weight
from tracker.map.geocoder.text.abbreviations import SHORT, types_with_prefix
from tracker.map.geocoder.text.fuzzy import Errors

EXACT: Final = 1.0
JOINED: Final = 0.95  # two words that the map writes as one
ORDINAL: Final = 0.92  # `13` for `13th`
TYPE: Final = 0.9  # the beginning of a word such as `street`
BEGINNING: Final = 0.65  # of a word
LONGER: Final = 0.3  # more for a longer beginning, by its share of the word
ONE_ERROR: Final = 0.14
INCOMPLETE: Final = 0.15  # less for the beginning of a word with an error in it
LONG_TYPE: Final = 5  # letters of a type of street that may have an error
_LONG_TYPES: Final = [(word, short) for word, short in SHORT.items() if len(word) >= LONG_TYPE]
_ORDINALS: Final = ("th", "st", "nd", "rd", "e", "er", "eme")


class Unit(msgspec.Struct):
    """One word of a query, or two joined, and what it may mean."""

    first: int  # index of its first token
    length: int  # tokens: 1 or 2
    weight: float
    terms: dict[str, float]  # word of the index -> quality, 0 to 1
    ids: list[int]
    docs: int  # documents with these words


def expand(index: Index, tokens: tuple[Token, ...], doubtful: Collection[int]) -> list[Unit]:
    """Return what the words of a query may mean, also neighbours written as one word.

    For *doubtful* tokens, words with errors count also if the index has the exact word.
    """
    units = [
        _unit(n, 1, token.weight, _meanings(index, token, fuzzy=n in doubtful))
        for n, token in enumerate(tokens)
    ]
    for n, (one, other) in enumerate(pairwise(tokens)):
        if not other.before.strip(" -.") and not one.is_number and not other.is_number:
            found = _joined(index, one.text + other.text, is_open=other.is_open or other.text in SHORT)
            if found:
                units.append(_unit(n, 2, 1.0, found))
    return units


def _unit(first: int, length: int, weight_: float, meanings: dict[Term, float]) -> Unit:
    terms = {term.term: quality for term, quality in meanings.items()}
    if length == 1 and meanings:
        weight_ = max(weight_, max(weight(term) for term in terms) if len(terms) == 1 else 0.0)
    used = [term for term in meanings if term.id >= 0]
    return Unit(first, length, weight_, terms, [each.id for each in used], sum(each.docs for each in used))


def _meanings(index: Index, token: Token, *, fuzzy: bool) -> dict[Term, float]:
    found: dict[Term, float] = {}
    for word in {token.text, token.short}:
        if term := index.term(word):
            found[term] = EXACT
    if token.is_number:
        _add_ordinals(index, token, found, fuzzy=fuzzy)
        if not token.is_open:
            return found
    exact = bool(found)
    if token.is_open or not exact:
        _add_beginnings(index, token, found)
    if fuzzy or not found:
        similar = index.similar(token.text, is_open=False)
        if not similar and (token.is_open or not exact):
            similar = index.similar(token.text, is_open=True)
        for term, errors in similar:
            is_longer = len(term.term) > len(token.text) + errors
            _put(found, term, EXACT - ONE_ERROR * errors - (INCOMPLETE if is_longer else 0.0))
        _add_types(index, token, found)
    return found


def _add_beginnings(index: Index, token: Token, found: dict[Term, float]) -> None:
    for term in index.prefixed(token.text):
        _put(found, term, BEGINNING + LONGER * len(token.text) / len(term.term))
    if len(token.text) > 1:
        for short in types_with_prefix(token.text):
            if term_ := index.term(short):
                _put(found, term_, TYPE)


def _add_types(index: Index, token: Token, found: dict[Term, float]) -> None:
    """Add types of streets that are written with an error, such as `Steet`."""
    if len(token.text) < LONG_TYPE:
        return
    counter = Errors(token.text)
    for word, short in _LONG_TYPES:
        if (
            abs(len(word) - len(token.text)) <= 1
            and counter.against(word)[0] == 1
            and (term := index.term(short))
        ):
            _put(found, term, EXACT - ONE_ERROR)


def _add_ordinals(index: Index, token: Token, found: dict[Term, float], *, fuzzy: bool) -> None:
    """Add `11th` for `11`, and if *fuzzy* for `11tk`."""
    digits = token.text.rstrip("abcdefghijklmnopqrstuvwxyz")
    if digits != token.text and (found or not fuzzy):
        return
    quality = ORDINAL if digits == token.text else EXACT - 2 * ONE_ERROR
    for ending in _ORDINALS:
        if term := index.term(digits + ending):
            _put(found, term, quality)


def _put(found: dict[Term, float], term: Term, quality: float) -> None:
    found[term] = max(quality, found.get(term, 0.0))


def _joined(index: Index, word: str, *, is_open: bool) -> dict[Term, float]:
    found = {term: JOINED} if (term := index.term(word)) else {}
    if is_open and len(word) >= 4:
        for each in index.prefixed(word):
            _put(found, each, BEGINNING + LONGER * len(word) / len(each.term))
    return found
