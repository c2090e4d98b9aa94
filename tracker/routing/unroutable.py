"""Unroutable places: the matrix or the route of the other places."""

from collections.abc import Callable, Sequence
from math import inf
from time import monotonic
from typing import Final

from tracker.domain.geo import LonLat
from tracker.errors import NoRoute

type Rows = Sequence[Sequence[float]]

SEARCH_WITHIN: Final = 3.0  # seconds; a route not found by then counts as absent, so that an answer comes


def matrix_of_parts(
    matrix: Callable[[Sequence[LonLat]], Rows], places: Sequence[LonLat]
) -> tuple[tuple[float, ...], ...]:
    """Return the matrix of all places, by calling *matrix* for each group of connected places.

    It is infinite from group to group, and for places without a street.

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


def legs_of_parts[T](
    legs: Callable[[Sequence[LonLat], int], Sequence[T | None]], places: Sequence[LonLat], begin: int
) -> list[T | None]:
    """Return one leg between each two consecutive places, or None if they have no route.

    It calls *legs* with some of the places and the index of the first one, counted from *begin*. *legs*
    raises NoRoute if any leg has no route. Then it halves the places until each leg is found or ruled out.
    Raises RouterUnavailable.
    """
    until = monotonic() + SEARCH_WITHIN

    def through(first: int, last: int) -> list[T | None]:
        if monotonic() >= until:
            return [None] * (last - first)
        try:
            return list(legs(places[first : last + 1], begin + first))
        except NoRoute:
            if last - first == 1:
                return [None]
        middle = (first + last) // 2
        return through(first, middle) + through(middle, last)

    return through(0, len(places) - 1)


def _groups(matrix: Callable[[Sequence[LonLat]], Rows], places: Sequence[LonLat]) -> list[list[int]]:
    """Group the places that are connected, by index. A place without a street is in no group."""
    groups = []
    rest = list(range(len(places)))
    while rest:
        first, *others = rest
        rest = others
        if not _has_matrix(matrix, [places[first]]):
            continue
        group = [first, *(n for n in others if _has_matrix(matrix, [places[first], places[n]]))]
        rest = [n for n in others if n not in group]
        groups.append(group)
    return groups


def _has_matrix(matrix: Callable[[Sequence[LonLat]], Rows], places: Sequence[LonLat]) -> bool:
    try:
        matrix(places)
    except NoRoute:
        return False
    return True
