"""Queries: the words of an address as somebody writes it. Pure."""

from functools import lru_cache
from typing import Final

import msgspec

from tracker.map.geocoder.text.abbreviations import SHORT, WEAK
from tracker.map.geocoder.text.words import fold, pairs, split

MAX_WORDS: Final = 24
_LATIN_SUFFIXES: Final = {"bis", "ter", "quater"}  # of house numbers
_SHOWS_END: Final = " ,;\t\n"  # after one of these the last word is complete


class Token(msgspec.Struct, frozen=True):
    """One word or number of a query."""

    text: str  # folded
    before: str  # signs between the previous word and this one
    is_open: bool  # may be the beginning of a longer word

    @property
    def short(self) -> str:
        return SHORT.get(self.text, self.text)

    @property
    def is_number(self) -> bool:
        return self.text[0].isdigit()

    @property
    def weight(self) -> float:
        """How much the word says about the name that is meant."""
        return weight(self.short)


@lru_cache(maxsize=20_000)
def weight(word: str) -> float:
    """Return how much a word says about a name, 0.2 to 1."""
    if word in WEAK:
        return 0.2
    if word[0].isdigit() or len(word) == 1:
        return 0.5
    return 1.0


def parse_query(text: str, *, typing: bool) -> tuple[Token, ...]:
    """Return the words of a query; while somebody is *typing*, the last one may be incomplete."""
    folded = fold(text)
    found, end = [], 0
    for match in split(folded):
        before = folded[end : match.start()] or " "
        end = match.end()
        is_abbreviated = folded[end : end + 1] == "." and len(match[0]) > 1
        is_open = is_abbreviated or (typing and not folded[end:].strip(".") and text[-1] not in _SHOWS_END)
        parts = pairs(match[0])
        found += [Token(part, before if n == 0 else "", is_open) for n, part in enumerate(parts)]
    return tuple(found[:MAX_WORDS])


def number_labels(tokens: tuple[Token, ...], start: int) -> list[tuple[str, int]]:
    """Return the house numbers that begin with the token at *start*, the longest first, with their lengths.

    `12 A` is `12a` or `12`; `12-14` is `12-14` or `12`.
    """
    label = tokens[start].text
    found = [(label, 1)]
    for index in range(start + 1, min(start + 3, len(tokens))):
        token = tokens[index]
        sign = token.before.strip()
        if sign in {"-", "–", "/"} and (token.is_number or len(token.text) == 1):
            label += ("-" if sign == "–" else sign) + token.text
        elif not sign and (
            token.text in {"bis", "ter", "quater"} or (len(token.text) == 1 and token.text.isalpha())
        ):
            label += token.text
        else:
            break
        found.append((label, index - start + 1))
    return found[::-1]
