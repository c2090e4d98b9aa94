"""The order in which stops are served."""

from itertools import permutations
from math import hypot, inf
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.domain.stops.schedule import Timing, schedule_cost
from tracker.domain.stops.stop_sequence import EXACT, best_sequence, driving_s, insertion, is_feasible


def town(seed: int, count: int, pairs: int) -> tuple[list[float], list[list[float]], dict[int, int]]:
    """Places in a square with one-way streets; the first `pairs` stops are pickups of the next `pairs`."""
    random = Random(seed)
    places = [(random.uniform(0, 1000), random.uniform(0, 1000)) for _ in range(count + 1)]
    seconds = [[hypot(a[0] - b[0], a[1] - b[1]) * random.uniform(1.0, 1.6) for b in places] for a in places]
    start = seconds[-1][:-1]
    return start, [row[:-1] for row in seconds[:-1]], {pairs + n: n for n in range(pairs)}


@given(st.integers(0, 100_000), st.integers(0, 6), st.integers(0, 3))
def test_the_best_sequence_is_the_best(seed: int, count: int, pairs: int) -> None:
    """No feasible sequence is quicker, by exhaustive search."""
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
    """Above EXACT stops: feasible, and far quicker than in the order of arrival."""
    start, seconds, before = town(seed, 24, 12)
    found = best_sequence(start, seconds, before)
    assert found is not None
    assert sorted(found) == list(range(24))
    assert is_feasible(found, before)
    as_they_came = [stop for n in range(12) for stop in (n, 12 + n)]
    assert driving_s(found, start, seconds) < 0.6 * driving_s(as_they_came, start, seconds)


@pytest.mark.parametrize("seed", range(10))
def test_the_good_sequence_is_close_to_the_best(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It exceeds the optimum by at most 10 % on average and 25 % at worst."""
    start, seconds, before = town(seed, 10, 5)
    best = best_sequence(start, seconds, before)
    monkeypatch.setattr("tracker.domain.stops.stop_sequence.EXACT", 0)
    good = best_sequence(start, seconds, before)
    assert best is not None
    assert good is not None
    assert driving_s(good, start, seconds) <= 1.25 * driving_s(best, start, seconds)


def test_where_there_is_no_way_there_is_no_sequence() -> None:
    """One stop is unreachable, among few stops and among many."""
    for count in (3, EXACT + 2):
        seconds = [[inf if b == 1 else 1.0 for b in range(count)] for _ in range(count)]
        start = [inf if b == 1 else 1.0 for b in range(count)]
        assert best_sequence(start, seconds, {}) is None
    assert best_sequence([], [], {}) == []


@given(st.integers(0, 100_000), st.integers(1, 8))
def test_an_insertion_disturbs_nobody(seed: int, count: int) -> None:
    """Other stops keep their sequence, the first stays first, and the pickup precedes its dropoff."""
    start, seconds, _ = town(seed, count + 2, 0)
    old, new = list(range(count)), [count, count + 1]
    found = insertion(old, new, start, seconds, fixed=1)
    assert found[0] == 0
    assert [stop for stop in found if stop in old] == old
    assert [stop for stop in found if stop in new] == new
    appended = driving_s([*old, *new], start, seconds)
    assert driving_s(found, start, seconds) <= appended


def test_an_insertion_on_the_way_is_found() -> None:
    """On a street, a stop between others is served in passing; of equal places the latest is taken."""
    at = [0.0, 100.0, 40.0, 60.0]
    seconds = [[abs(a - b) for b in at] for a in at]
    assert insertion([0, 1], [2, 3], [abs(a + 10.0) for a in at], seconds, fixed=1) == [0, 2, 3, 1]
    same = [[0.0] * 4 for _ in range(4)]
    assert insertion([0, 1], [2, 3], [0.0] * 4, same, fixed=1) == [0, 1, 2, 3]


DAY = 86_400.0


def times(count: int, opens: dict[int, float] = {}, closes: dict[int, float] = {}) -> Timing:  # noqa: B006
    """Of stops that are open for ever but for these, seconds from now."""
    return Timing(
        opens=[opens.get(stop, -inf) for stop in range(count)],
        closes=[closes.get(stop, inf) for stop in range(count)],
        service=[60.0] * count,
    )


def some_times(seed: int, count: int) -> Timing:
    """Half of the stops open some time in the next hour, half of them close within another."""
    random = Random(seed)
    opens = [random.choice([-inf, random.uniform(-600, 3_600), DAY * random.random()]) for _ in range(count)]
    closes = [random.choice([inf, max(at, 0.0) + random.uniform(-900, 3_600)]) for at in opens]
    return Timing(opens=opens, closes=closes, service=[random.uniform(0, 300) for _ in range(count)])


@given(st.integers(0, 100_000), st.integers(0, 6), st.integers(0, 3))
def test_the_best_sequence_in_time_is_the_best(seed: int, count: int, pairs: int) -> None:
    """No feasible sequence costs less, by exhaustive search."""
    pairs = min(pairs, count // 2)
    start, seconds, before = town(seed, count, pairs)
    timing = some_times(seed + 1, count)
    found = best_sequence(start, seconds, before, timing)
    assert found is not None
    assert sorted(found) == list(range(count))
    assert is_feasible(found, before)
    ways = [way for way in permutations(range(count)) if is_feasible(way, before)]
    if timing.matters:
        least = min(schedule_cost(way, start, seconds, timing) for way in ways)
        assert schedule_cost(found, start, seconds, timing) == pytest.approx(least)
    else:
        assert driving_s(found, start, seconds) == pytest.approx(
            min(driving_s(way, start, seconds) for way in ways)
        )


@pytest.mark.parametrize("seed", range(3))
def test_many_stops_with_times_get_a_good_sequence(seed: int) -> None:
    """Above EXACT stops: complete, feasible, and far cheaper than a sequence that ignores the times."""
    start, seconds, before = town(seed, 24, 12)
    random = Random(seed)
    opens = {stop: random.uniform(0, 20_000) for stop in range(12, 24)}
    timing = times(24, opens, {stop: at + 1_200 for stop, at in opens.items()})
    found, blind = best_sequence(start, seconds, before, timing), best_sequence(start, seconds, before)
    assert found is not None
    assert blind is not None
    assert sorted(found) == list(range(24))
    assert is_feasible(found, before)
    cost = schedule_cost(found, start, seconds, timing)
    assert cost < 0.7 * schedule_cost(blind, start, seconds, timing)


@pytest.mark.parametrize("seed", range(10))
def test_the_good_sequence_in_time_is_close_to_the_best(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It exceeds the optimum by at most 25 %."""
    start, seconds, before = town(seed, 9, 4)
    timing = some_times(seed, 9)
    best = best_sequence(start, seconds, before, timing)
    monkeypatch.setattr("tracker.domain.stops.stop_sequence.EXACT", 0)
    good = best_sequence(start, seconds, before, timing)
    assert best is not None
    assert good is not None
    costs = [schedule_cost(way, start, seconds, timing) for way in (good, best)]
    assert costs[0] <= 1.25 * costs[1]


@settings(max_examples=40)
@given(st.integers(0, 100_000), st.integers(2, 15), st.integers(0, 14))
def test_a_stop_of_tomorrow_is_served_last(seed: int, count: int, tomorrow: int) -> None:
    """No stop of today waits for it, wherever it lies."""
    start, seconds, _ = town(seed, count, 0)
    tomorrow %= count
    found = best_sequence(start, seconds, {}, times(count, {tomorrow: DAY}))
    assert found is not None
    assert found[-1] == tomorrow


def test_who_would_be_late_is_served_first() -> None:
    """A far stop comes first if its window ends soon, though the route is longer."""
    at = [100.0, 200.0, 300.0, 1_000.0]
    seconds = [[abs(a - b) for b in at] for a in at]
    assert best_sequence(at, seconds, {}) == [0, 1, 2, 3]
    due = msgspec.structs.replace(times(4, closes={3: 1_000.0}), service=[300.0] * 4)
    found = best_sequence(at, seconds, {}, due)
    assert found is not None
    assert found[0] == 3


def test_an_order_that_is_not_ready_is_fetched_later() -> None:
    """The nearby pickup is ready in half an hour; the other order is delivered first."""
    at = [0.0, 500.0, 100.0, 600.0]  # two pickups, their dropoffs
    seconds = [[abs(a - b) for b in at] for a in at]
    before = {2: 0, 3: 1}
    found = best_sequence([1.0, 501.0, 101.0, 601.0], seconds, before, times(4, {0: 1_800.0}))
    assert found == [1, 3, 0, 2]


def test_a_new_order_is_inserted_where_nobody_waits_for_tomorrow() -> None:
    """It comes before a stop of tomorrow, even if that is first, but after an open one."""
    at = [0.0, 50.0, 100.0]
    seconds = [[abs(a - b) for b in at] for a in at]
    tomorrow = times(3, {0: DAY})
    assert insertion([0], [1, 2], [5.0, 45.0, 95.0], seconds, fixed=0, timing=tomorrow) == [1, 2, 0]
    assert insertion([0], [1, 2], [5.0, 45.0, 95.0], seconds, fixed=1, timing=times(3)) == [0, 1, 2]


def test_where_there_is_no_way_there_is_no_sequence_in_time() -> None:
    """Few stops and many, as without times."""
    for count in (3, EXACT + 2):
        seconds = [[inf if b == 1 else 1.0 for b in range(count)] for _ in range(count)]
        start = [inf if b == 1 else 1.0 for b in range(count)]
        assert best_sequence(start, seconds, {}, times(count, {0: 50.0})) is None
