"""Places that no street leads to: the rest of a matrix or a route without them."""

from collections.abc import Callable, Sequence
from math import inf
from time import monotonic
from typing import Final

from tracker.domain.geo import LonLat
from tracker.errors import NoRoute

type Rows = Sequence[Sequence[float]]

SEARCH_WITHIN: Final = 3.0  # seconds; the ways not found until then count as none, so that an answer comes


def matrix_of_parts(
    matrix: Callable[[Sequence[LonLat]], Rows], places: Sequence[LonLat]
) -> tuple[tuple[float, ...], ...]:
    """*matrix* of each group of places that are connected; infinite from group to group.

    Raises RouterUnavailable.
    """
    seconds = [[inf] * len(places) for _ in places]
    for group in _groups(matrix, places):
        try:
            rows = matrix([places[n] for n in group])
        except NoRoute:
            continue
        for source, row in zip(group, rows, strict=True):
            for target, value in zip(group, row, strict=True):
                seconds[source][target] = value
    return tuple(map(tuple, seconds))


def ways_of_parts[T](
    ways: Callable[[Sequence[LonLat], int], Sequence[T | None]], places: Sequence[LonLat], begin: int
) -> list[T | None]:
    """*ways* through the places, one for each two; None where none leads.

    *ways* is called with some of the places and the index of the first of them, counted from *begin*. It
    raises NoRoute where one of them has no way. Raises RouterUnavailable.
    """
    until = monotonic() + SEARCH_WITHIN

    def through(first: int, last: int) -> list[T | None]:
        if monotonic() >= until:
            return [None] * (last - first)
        try:
            return list(ways(places[first : last + 1], begin + first))
        except NoRoute:
            if last - first == 1:
                return [None]
        middle = (first + last) // 2
        return through(first, middle) + through(middle, last)

    return through(0, len(places) - 1)


def _groups(matrix: Callable[[Sequence[LonLat]], Rows], places: Sequence[LonLat]) -> list[list[int]]:
    """The places that can be asked about together, by index; those without a street are in none."""
    groups = []
    rest = list(range(len(places)))
    while rest:
        first, *others = rest
        rest = others
        if not _answers(matrix, [places[first]]):
            continue
        group = [first, *(n for n in others if _answers(matrix, [places[first], places[n]]))]
        rest = [n for n in others if n not in group]
        groups.append(group)
    return groups


def _answers(matrix: Callable[[Sequence[LonLat]], Rows], places: Sequence[LonLat]) -> bool:
    try:
        matrix(places)
    except NoRoute:
        return False
    return True
