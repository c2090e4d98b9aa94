"""In what order stops are served."""

from itertools import permutations
from math import hypot, inf
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.sequence import EXACT, best_sequence, driving_s, insertion, is_feasible


def town(seed: int, count: int, pairs: int) -> tuple[list[float], list[list[float]], dict[int, int]]:
    """Places in a square with one-way streets; the first `pairs` stops are pickups of the next `pairs`."""
    random = Random(seed)
    places = [(random.uniform(0, 1000), random.uniform(0, 1000)) for _ in range(count + 1)]
    seconds = [[hypot(a[0] - b[0], a[1] - b[1]) * random.uniform(1.0, 1.6) for b in places] for a in places]
    start = seconds[-1][:-1]
    return start, [row[:-1] for row in seconds[:-1]], {pairs + n: n for n in range(pairs)}


@given(st.integers(0, 100_000), st.integers(0, 6), st.integers(0, 3))
def test_the_best_sequence_is_the_best(seed: int, count: int, pairs: int) -> None:
    """No feasible one is quicker: all of them are tried."""
    pairs = min(pairs, count // 2)
    start, seconds, before = town(seed, count, pairs)
    found = best_sequence(start, seconds, before)
    assert found is not None
    assert sorted(found) == list(range(count))
    assert is_feasible(found, before)
    least = min(
        driving_s(way, start, seconds) for way in permutations(range(count)) if is_feasible(way, before)
    )
    assert driving_s(found, start, seconds) == pytest.approx(least)


@pytest.mark.parametrize("seed", range(3))
def test_many_stops_get_a_good_sequence(seed: int) -> None:
    """Beyond the exact ones: every pickup first, and far quicker than as the orders came."""
    start, seconds, before = town(seed, 24, 12)
    found = best_sequence(start, seconds, before)
    assert found is not None
    assert sorted(found) == list(range(24))
    assert is_feasible(found, before)
    as_they_came = [stop for n in range(12) for stop in (n, 12 + n)]
    assert driving_s(found, start, seconds) < 0.6 * driving_s(as_they_came, start, seconds)


@pytest.mark.parametrize("seed", range(10))
def test_the_good_sequence_is_close_to_the_best(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where both are known, within a tenth on average and a quarter at worst."""
    start, seconds, before = town(seed, 10, 5)
    best = best_sequence(start, seconds, before)
    monkeypatch.setattr("tracker.domain.sequence.EXACT", 0)
    good = best_sequence(start, seconds, before)
    assert best is not None
    assert good is not None
    assert driving_s(good, start, seconds) <= 1.25 * driving_s(best, start, seconds)


def test_where_there_is_no_way_there_is_no_sequence() -> None:
    """A stop that nobody gets to, with few stops and with many."""
    for count in (3, EXACT + 2):
        seconds = [[inf if b == 1 else 1.0 for b in range(count)] for _ in range(count)]
        start = [inf if b == 1 else 1.0 for b in range(count)]
        assert best_sequence(start, seconds, {}) is None
    assert best_sequence([], [], {}) == []


@given(st.integers(0, 100_000), st.integers(1, 8))
def test_an_insertion_disturbs_nobody(seed: int, count: int) -> None:
    """Those who were there keep their sequence, the first stays first, the pickup precedes its dropoff."""
    start, seconds, _ = town(seed, count + 2, 0)
    old, new = list(range(count)), [count, count + 1]
    found = insertion(old, new, start, seconds, fixed=1)
    assert found[0] == 0
    assert [stop for stop in found if stop in old] == old
    assert [stop for stop in found if stop in new] == new
    appended = driving_s([*old, *new], start, seconds)
    assert driving_s(found, start, seconds) <= appended


def test_an_insertion_on_the_way_is_found() -> None:
    """Stops on a street: what lies between is served in passing, and of equal places the latest is taken."""
    at = [0.0, 100.0, 40.0, 60.0]
    seconds = [[abs(a - b) for b in at] for a in at]
    assert insertion([0, 1], [2, 3], [abs(a + 10.0) for a in at], seconds, fixed=1) == [0, 2, 3, 1]
    same = [[0.0] * 4 for _ in range(4)]
    assert insertion([0, 1], [2, 3], [0.0] * 4, same, fixed=1) == [0, 1, 2, 3]
