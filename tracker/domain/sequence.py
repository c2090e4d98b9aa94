"""Sequence: in what order a driver serves their stops, by the seconds of driving between them.

Stops are numbered: `seconds[a][b]` is the way from stop `a` to stop `b`, infinite where there is none, and
`start[b]` that from where the driver is. `before[b]` is the stop to be served before `b`, if there is one.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import inf
from typing import Final

EXACT: Final = 12  # stops; up to here the best sequence is found, beyond a good one
WORTH: Final = 1e-6  # seconds; less is rounding

type Matrix = Sequence[Sequence[float]]


def driving_s(sequence: Sequence[int], start: Sequence[float], seconds: Matrix) -> float:
    """How long the whole way takes."""
    if not sequence:
        return 0.0
    return start[sequence[0]] + sum(seconds[a][b] for a, b in pairwise(sequence))


def is_feasible(sequence: Sequence[int], before: Mapping[int, int]) -> bool:
    """Whether every pickup comes before its dropoff."""
    place = {stop: n for n, stop in enumerate(sequence)}
    return all(place[first] < place[then] for then, first in before.items() if {first, then} <= place.keys())


def best_sequence(start: Sequence[float], seconds: Matrix, before: Mapping[int, int]) -> list[int] | None:
    """The quickest feasible way through all stops; None where no way leads through all of them."""
    if len(start) <= EXACT:
        return _exact(start, seconds, before)
    found: list[int] = []
    for stop in range(len(start)):
        if stop not in before:
            after = [then for then, first in before.items() if first == stop]
            found = insertion(found, [stop, *after], start, seconds)
    found = _improved(found, start, seconds, before)
    return found if driving_s(found, start, seconds) < inf else None


def insertion(
    sequence: Sequence[int], new: Sequence[int], start: Sequence[float], seconds: Matrix, *, fixed: int = 0
) -> list[int]:
    """`sequence` with the `new` stops, in their order, where they cost least; the first `fixed` stay first.

    Of equal places the latest is taken: who waits already does not wait longer for nothing.
    """
    ways = _insertions(list(sequence), list(new), fixed)
    return min(reversed(ways), key=lambda way: driving_s(way, start, seconds))


def _insertions(sequence: list[int], new: list[int], begin: int) -> list[list[int]]:
    if not new:
        return [sequence]
    return [
        way
        for place in range(min(begin, len(sequence)), len(sequence) + 1)
        for way in _insertions([*sequence[:place], new[0], *sequence[place:]], new[1:], place + 1)
    ]


def _exact(start: Sequence[float], seconds: Matrix, before: Mapping[int, int]) -> list[int] | None:
    """Held and Karp: for each set of stops served and the last of them, the quickest way there."""
    count = len(start)
    needs = [1 << before[stop] if stop in before else 0 for stop in range(count)]
    reached: dict[tuple[int, int], tuple[float, int]] = {
        (1 << stop, stop): (start[stop], -1) for stop in range(count) if not needs[stop] and start[stop] < inf
    }
    layer = list(reached)
    for _ in range(count - 1):
        layer = _next_layer(layer, reached, seconds, needs)
    last = min(layer, key=lambda key: reached[key][0], default=None)
    return [] if count == 0 else None if last is None else _way_back(last, reached)


def _next_layer(
    layer: list[tuple[int, int]],
    reached: dict[tuple[int, int], tuple[float, int]],
    seconds: Matrix,
    needs: list[int],
) -> list[tuple[int, int]]:
    """Every way of one more stop."""
    found: dict[tuple[int, int], tuple[float, int]] = {}
    for served, last in layer:
        spent, row = reached[served, last][0], seconds[last]
        for stop, need in enumerate(needs):
            if served >> stop & 1 or need & ~served:
                continue
            cost, key = spent + row[stop], (served | 1 << stop, stop)
            if cost < inf and (key not in found or cost < found[key][0]):
                found[key] = (cost, last)
    reached.update(found)
    return list(found)


def _way_back(last: tuple[int, int], reached: Mapping[tuple[int, int], tuple[float, int]]) -> list[int]:
    way = []
    served, stop = last
    while stop >= 0:
        way.append(stop)
        served, stop = served & ~(1 << stop), reached[served, stop][1]
    return way[::-1]


def _improved(
    found: list[int], start: Sequence[float], seconds: Matrix, before: Mapping[int, int]
) -> list[int]:
    """Moves runs of up to three stops elsewhere, and turns runs round, as long as the way becomes quicker."""
    best, cost = found, driving_s(found, start, seconds)
    better = True
    while better:
        better = False
        for way in _neighbours(best):
            way_cost = driving_s(way, start, seconds)
            if way_cost < cost - WORTH and is_feasible(way, before):
                best, cost, better = way, way_cost, True
                break
    return best


def _neighbours(way: list[int]) -> list[list[int]]:
    count = len(way)
    moved = [
        [*rest[:to], *run, *rest[to:]]
        for length in (1, 2, 3)
        for begin in range(count - length + 1)
        for run, rest in [(way[begin : begin + length], way[:begin] + way[begin + length :])]
        for to in range(len(rest) + 1)
        if to != begin
    ]
    turned = [
        [*way[:begin], *way[begin:end][::-1], *way[end:]]
        for begin in range(count - 1)
        for end in range(begin + 2, count + 1)
    ]
    return moved + turned
