"""Search for the order in which a driver serves their stops.

Stops are numbered. `seconds[a][b]` is the driving time from stop `a` to stop `b`, infinite where no route
exists; `start[b]` is that from the driver's position. `before[b]` is the stop that must precede `b`, if any.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import inf
from typing import Final

from tracker.domain.stops.schedule import MIN_GAIN_S, UNREACHABLE_S, Matrix, Timing, cheapest, schedule_cost

EXACT: Final = 12  # stops; up to this number the sequence is optimal, above it only good
MAX_MOVES: Final = 30_000  # tried at most, for stops with times: six rounds of 40 stops, a second of work


def driving_s(sequence: Sequence[int], start: Sequence[float], seconds: Matrix) -> float:
    """Return the driving time of the whole sequence in seconds."""
    if not sequence:
        return 0.0
    return start[sequence[0]] + sum(seconds[a][b] for a, b in pairwise(sequence))


def is_feasible(sequence: Sequence[int], before: Mapping[int, int]) -> bool:
    """Return whether every pickup comes before its dropoff."""
    place = {stop: n for n, stop in enumerate(sequence)}
    return all(place[first] < place[then] for then, first in before.items() if {first, then} <= place.keys())


def best_sequence(
    start: Sequence[float], seconds: Matrix, before: Mapping[int, int], timing: Timing | None = None
) -> list[int] | None:
    """Return the quickest feasible sequence of all stops, or the cheapest one if they have times.

    None if no route leads through all of them. Optimal for up to EXACT stops, good above that.
    """
    if timing is not None and timing.matters:
        return _best_schedule(start, seconds, before, timing)
    if len(start) <= EXACT:
        return _exact(start, seconds, before)
    found = _insert_one_by_one(start, seconds, before)
    found = _improve(found, start, seconds, before)
    return found if driving_s(found, start, seconds) < inf else None


def _best_schedule(
    start: Sequence[float], seconds: Matrix, before: Mapping[int, int], timing: Timing
) -> list[int] | None:
    good = _insert_one_by_one(start, seconds, before, timing)
    good = _improve_schedule(good, start, seconds, before, timing)
    if len(start) <= EXACT:
        bound = schedule_cost(good, start, seconds, timing)
        good = cheapest(start, seconds, before, timing, bound - MIN_GAIN_S) or good
    return good if driving_s(good, start, seconds) < inf else None


def _insert_one_by_one(
    start: Sequence[float], seconds: Matrix, before: Mapping[int, int], timing: Timing | None = None
) -> list[int]:
    """Build a sequence by inserting each pickup with its dropoff; orders that close first come first."""
    orders = [
        [stop, *(then for then, first in before.items() if first == stop)]
        for stop in range(len(start))
        if stop not in before
    ]
    if timing is not None:
        orders.sort(key=lambda order: timing.closes[order[-1]])
    found: list[int] = []
    for order in orders:
        found = insertion(found, order, start, seconds, timing=timing)
    return found


def insertion(
    sequence: Sequence[int],
    new: Sequence[int],
    start: Sequence[float],
    seconds: Matrix,
    *,
    fixed: int = 0,
    timing: Timing | None = None,
) -> list[int]:
    """Insert the *new* stops, in their order, where they cost least; the first *fixed* stops stay first.

    Of equally good places it takes the latest, so that customers who already wait do not wait longer.
    """
    candidates = _insertions(list(sequence), list(new), fixed)
    if timing is not None and timing.matters:
        return min(
            reversed(candidates), key=lambda candidate: schedule_cost(candidate, start, seconds, timing)
        )
    return min(reversed(candidates), key=lambda candidate: driving_s(candidate, start, seconds))


def _insertions(sequence: list[int], new: list[int], begin: int) -> list[list[int]]:
    if not new:
        return [sequence]
    return [
        candidate
        for place in range(min(begin, len(sequence)), len(sequence) + 1)
        for candidate in _insertions([*sequence[:place], new[0], *sequence[place:]], new[1:], place + 1)
    ]


def _exact(start: Sequence[float], seconds: Matrix, before: Mapping[int, int]) -> list[int] | None:
    """Return the quickest sequence by the Held-Karp algorithm; None if no route leads through all stops."""
    count = len(start)
    needs = [1 << before[stop] if stop in before else 0 for stop in range(count)]
    reached: dict[tuple[int, int], tuple[float, int]] = {
        (1 << stop, stop): (start[stop], -1) for stop in range(count) if not needs[stop] and start[stop] < inf
    }
    layer = list(reached)
    for _ in range(count - 1):
        layer = _next_layer(layer, reached, seconds, needs)
    last = min(layer, key=lambda key: reached[key][0], default=None)
    return [] if count == 0 else None if last is None else _backtrack(last, reached)


def _next_layer(
    layer: list[tuple[int, int]],
    reached: dict[tuple[int, int], tuple[float, int]],
    seconds: Matrix,
    needs: list[int],
) -> list[tuple[int, int]]:
    """Extend each partial sequence by one stop and return the new keys."""
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


def _backtrack(last: tuple[int, int], reached: Mapping[tuple[int, int], tuple[float, int]]) -> list[int]:
    stops = []
    served, stop = last
    while stop >= 0:
        stops.append(stop)
        served, stop = served & ~(1 << stop), reached[served, stop][1]
    return stops[::-1]


def _improve(
    found: list[int], start: Sequence[float], seconds: Matrix, before: Mapping[int, int]
) -> list[int]:
    """Move runs of up to three stops for as long as the sequence becomes quicker (Or-opt)."""

    def link(a: int | None, b: int | None) -> float:
        return 0.0 if b is None else min(start[b] if a is None else seconds[a][b], UNREACHABLE_S)

    stops, has_moved = found, True
    while has_moved:
        has_moved = False
        for length in (1, 2, 3):
            for begin in range(len(stops) - length + 1):
                better = _best_move(stops, begin, length, link)
                if better is not None and is_feasible(better, before):
                    stops, has_moved = better, True
    return stops


def _best_move(
    stops: list[int], begin: int, length: int, link: Callable[[int | None, int | None], float]
) -> list[int] | None:
    """Return the sequence with this run where it costs least; None if that is its present place."""
    run, rest = stops[begin : begin + length], stops[:begin] + stops[begin + length :]
    ends: list[int | None] = [None, *rest, None]

    def cost(place: int) -> float:
        a, b = ends[place], ends[place + 1]
        return link(a, run[0]) + link(run[-1], b) - link(a, b)

    place = min(range(len(rest) + 1), key=cost)
    return [*rest[:place], *run, *rest[place:]] if cost(place) < cost(begin) - MIN_GAIN_S else None


def _improve_schedule(
    found: list[int], start: Sequence[float], seconds: Matrix, before: Mapping[int, int], timing: Timing
) -> list[int]:
    """Improve as `_improve` does, by the cost of the whole schedule: a move delays all later stops."""
    stops, cost, left = found, schedule_cost(found, start, seconds, timing), MAX_MOVES
    has_moved = True
    while has_moved:
        has_moved = False
        for length in (1, 2, 3):
            for begin in range(len(stops) - length + 1):
                for other in _moves(stops, begin, length):
                    spent, left = schedule_cost(other, start, seconds, timing), left - 1
                    if spent < cost - MIN_GAIN_S and is_feasible(other, before):
                        stops, cost, has_moved = other, spent, True
                if left <= 0:
                    return stops
    return stops


def _moves(stops: list[int], begin: int, length: int) -> Iterator[list[int]]:
    """Yield the sequence with this run of stops in every other place."""
    run, rest = stops[begin : begin + length], stops[:begin] + stops[begin + length :]
    return ([*rest[:place], *run, *rest[place:]] for place in range(len(rest) + 1) if place != begin)
