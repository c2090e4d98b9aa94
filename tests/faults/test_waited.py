"""What the measurement of attacks concludes from its samples."""

from random import Random

import pytest

from tests.faults.verdict import CONTROL, QUIET, Measured, Stretch, verdict
from tests.faults.waited import Slower, Waited
from tests.faults.watching import Seen


def rounds(count: int, scale: float, seed: int) -> list[list[float]]:
    random = Random(seed)
    return [[scale * random.expovariate(1.0) for _ in range(200)] for _ in range(count)]


def test_the_ninety_ninth_is_of_all_rounds_together() -> None:
    """One percent of the samples are above it."""
    waited = Waited.of([[float(at) for at in range(50)], [float(at) for at in range(50, 101)]])
    assert (waited.fixes, waited.median_ms, waited.p99_ms) == (101, 50.0, 99.0)


def test_what_is_the_same_is_called_the_same_and_what_is_slower_slower() -> None:
    """By the interval, not by the figure alone."""
    same = Slower.of(rounds(20, 1.0, 1), rounds(20, 1.0, 2))
    assert same.least < 0.0 < same.most
    slower = Slower.of(rounds(20, 2.0, 3), rounds(20, 1.0, 4))
    assert slower.least > 0.5
    assert slower.most < 1.6


def test_one_bad_round_makes_it_unsure() -> None:
    """A spell of the machine's is no proof of anything."""
    spell = rounds(10, 1.0, 5)
    spell[3] = [took * 20 for took in spell[3]]
    found = Slower.of(spell, rounds(10, 1.0, 6))
    assert found.most - found.least > 2 * found.by / 3
    assert found.least < 0.2


@pytest.mark.parametrize(("stall", "left"), [((10.0, 10.02), 99), ((10.205, 10.206), 100), ((9.0, 9.9), 100)])
def test_a_fix_is_left_out_if_the_machine_stood_still_while_it_was_on_its_way(
    stall: tuple[float, float], left: int
) -> None:
    """Those before and after it are not."""
    seen = [Seen(10.0 + at * 0.1, 10.001 + at * 0.1) for at in range(100)]
    seen += [Seen(30.0 + at * 0.1, 30.002 + at * 0.1) for at in range(100)]
    stretches = [(QUIET, 0, Stretch(10.0, 19.99)), ("bomb", 0, Stretch(30.0, 39.99))]
    said = verdict(Measured(stretches, seen, 0, [stall])).splitlines()
    bomb, quiet = said[1].split(), said[2].split()
    assert bomb[:6] == ["bomb", "100", "2.00", "2.00", "+100%", "(+100%"]
    assert quiet[:5] == ["quiet", "100", "1.00", "1.00", str(left)]
    assert CONTROL not in said[1]
