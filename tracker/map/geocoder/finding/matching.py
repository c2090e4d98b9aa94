"""Matching: how well a street or place fits a query, and which words are left for its number. Pure."""

from typing import Final, NamedTuple

from tracker.map.geocoder.finding.expansion import Unit
from tracker.map.geocoder.finding.index import Doc
from tracker.map.geocoder.finding.query import Token, number_labels, weight
from tracker.map.geocoder.text.abbreviations import UNIT_WORDS

POSTCODE: Final = 4  # digits that a postcode has at least
POINT: Final = 0.06  # less for a point of interest, where a street fits as well


class Match(NamedTuple):
    """How a document fits a query."""

    doc: Doc
    name: float  # 0 to 1: how much of the document's name the query has, and how exactly
    left: tuple[int, ...]  # tokens that neither name nor area explains
    named: tuple[int, ...]  # tokens of the name
    located: tuple[int, ...]  # tokens that name its area


class Reading(NamedTuple):
    """A match with the part of the query that is the house number."""

    match: Match
    labels: tuple[str, ...]  # possible house numbers, the longest first; empty: none is wanted
    unexplained: tuple[int, ...]  # tokens that nothing explains
    score: float

    def is_explained(self, tokens: tuple[Token, ...]) -> bool:
        """Return whether the query means this and nothing else.

        If it names the city, words after that, and in other parts between commas, may be anything: a country,
        a company, a remark.
        """
        located = self.match.located
        return all(
            not tokens[n].is_number
            and located != ()
            and (n > max(located) or all(_is_apart(n, named, tokens) for named in self.match.named))
            for n in self.unexplained
        )


def _is_apart(one: int, other: int, tokens: tuple[Token, ...]) -> bool:
    """Return whether a comma or the end of a line stands between two tokens."""
    between = tokens[min(one, other) + 1 : max(one, other) + 1]
    return any(sign in token.before for token in between for sign in ",;\n")


def best_match(doc: Doc, units: list[Unit], tokens: tuple[Token, ...]) -> Match:
    """Return how the best spelling of a document's name fits."""
    spelled = (_match(spelling.split(" "), units) for spelling in doc.spellings.split("|"))
    name, used = max(spelled, key=lambda each: (each[0], len(each[1])))
    located = doc.located.split(" ")
    areas = _located(set(located), units, tokens, used)
    left = tuple(n for n in range(len(tokens)) if n not in used and n not in areas)
    return Match(doc, name, left, tuple(sorted(used)), tuple(sorted(areas)))


def _match(words: list[str], units: list[Unit]) -> tuple[float, set[int]]:
    """Return the share of the words that units match, and the tokens of these units."""
    used: set[int] = set()
    total = reached = 0.0
    for word in words:
        total += weight(word)
        best: tuple[float, int, Unit] | None = None
        for unit in units:
            quality = unit.terms.get(word)
            if quality is None or any(n in used for n in range(unit.first, unit.first + unit.length)):
                continue
            if best is None or (quality, unit.length) > best[:2]:
                best = quality, unit.length, unit
        if best is not None:
            reached += best[0] * weight(word)
            used.update(range(best[2].first, best[2].first + best[2].length))
    return reached / total, used


def _located(words: set[str], units: list[Unit], tokens: tuple[Token, ...], used: set[int]) -> set[int]:
    """Return the tokens that name the area: city, suburb or postcode."""
    found: set[int] = set()
    for unit in units:
        span = range(unit.first, unit.first + unit.length)
        if any(n in used or n in found for n in span) or words.isdisjoint(unit.terms):
            continue
        token = tokens[unit.first]
        if not token.is_number or len(token.text) >= POSTCODE:
            found.update(span)
    for n in range(len(tokens) - 1):  # a postcode in two parts
        if n not in used and n + 1 not in used and tokens[n].text + tokens[n + 1].text in words:
            found.update((n, n + 1))
    return found


def read(match: Match, tokens: tuple[Token, ...]) -> Reading:
    """Return which of the words that are left is the house number, and what remains unexplained."""
    left = list(match.left)
    labels: tuple[str, ...] = ()
    if match.doc.kind == "street" and match.named:
        start = _number_start(left, match.named, tokens)
        if start is not None:
            found = [(label, length) for label, length in number_labels(tokens, start)]
            labels = tuple(label for label, _ in found)
            longest = max(length for _, length in found)
            left = [n for n in left if not start <= n < start + longest]
            left = _without_units(left, start + longest, tokens)
    left = [n for n in left if not _is_unit(n, tokens)]
    missing = sum(tokens[n].weight for n in left)
    known = sum(token.weight for n, token in enumerate(tokens) if n not in left)
    share = known / (known + missing) if known else 0.0
    score = (0.55 * match.name + 0.45) * share * (1.0 if match.name > 0 else 0.0)
    if match.doc.kind == "poi":
        score -= POINT
    return Reading(match, labels, tuple(left), score)


def _number_start(left: list[int], named: tuple[int, ...], tokens: tuple[Token, ...]) -> int | None:
    """Return the number that is nearest to the street's name, rather after it than before."""
    numbers = [n for n in left if tokens[n].is_number and not _is_after_unit_word(n, tokens)]
    return min(numbers, key=lambda n: (min(abs(n - each) for each in named), -n), default=None)


def _without_units(left: list[int], after: int, tokens: tuple[Token, ...]) -> list[int]:
    """Leave out what follows a house number directly: a staircase and the number of a flat, `A 5`."""
    n = after
    while n in left and len(tokens[n].text) <= 3 and (tokens[n].is_number or len(tokens[n].text) == 1):
        left = [each for each in left if each != n]
        n += 1
    return left


def _is_unit(n: int, tokens: tuple[Token, ...]) -> bool:
    return tokens[n].text in UNIT_WORDS or _is_after_unit_word(n, tokens) or _is_before_unit_word(n, tokens)


def _is_after_unit_word(n: int, tokens: tuple[Token, ...]) -> bool:
    """`apt 5`, `Wohnung 3`."""
    return n > 0 and tokens[n - 1].text in UNIT_WORDS and (tokens[n].is_number or len(tokens[n].text) == 1)


def _is_before_unit_word(n: int, tokens: tuple[Token, ...]) -> bool:
    """`3. krs`, `2nd floor`."""
    return tokens[n].is_number and n + 1 < len(tokens) and tokens[n + 1].text in UNIT_WORDS and n > 0
