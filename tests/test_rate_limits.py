"""PairingLimit: attempts of one address, and of all together, so that many addresses guess no faster."""

import pytest

from tracker.rate_limits import (
    ALL_PAIRINGS_AT_ONCE,
    ALL_PAIRINGS_PER_S,
    PAIRINGS_AT_ONCE,
    PAIRINGS_PER_S,
    PairingLimit,
)


def test_one_address_waits_and_others_do_not() -> None:
    """The wait is until the next attempt, and each attempt after it is admitted at that pace."""
    limit = PairingLimit()
    assert [limit.take("a", 0.0) for _ in range(PAIRINGS_AT_ONCE)] == [0.0] * PAIRINGS_AT_ONCE
    wait_s = limit.take("a", 0.0)
    assert wait_s == pytest.approx(1.0 / PAIRINGS_PER_S)
    assert limit.take("b", 0.0) == 0.0
    assert limit.take("a", wait_s * 0.9) > 0.0
    assert limit.take("a", wait_s) == 0.0
    assert limit.take("a", wait_s) > 0.0


def test_all_addresses_together_wait() -> None:
    """With an address for each guess, a guesser gets no more than the limit of all; it recovers by itself."""
    limit = PairingLimit()
    assert all(limit.take(f"address {n}", 0.0) == 0.0 for n in range(ALL_PAIRINGS_AT_ONCE))
    wait_s = limit.take("a new one", 0.0)
    assert wait_s == pytest.approx(1.0 / ALL_PAIRINGS_PER_S)
    assert limit.take("another new one", wait_s) == 0.0
    assert limit.take("one more", wait_s) > 0.0
    later = ALL_PAIRINGS_AT_ONCE / ALL_PAIRINGS_PER_S + 1.0
    assert all(limit.take(f"later {n}", later) == 0.0 for n in range(ALL_PAIRINGS_AT_ONCE))


def test_an_address_over_its_limit_takes_nothing_from_the_others() -> None:
    """One guesser alone cannot stop everybody's pairing."""
    limit = PairingLimit()
    for _ in range(2 * ALL_PAIRINGS_AT_ONCE):
        limit.take("a", 0.0)
    left = ALL_PAIRINGS_AT_ONCE - PAIRINGS_AT_ONCE
    assert all(limit.take(f"address {n}", 0.0) == 0.0 for n in range(left))
