"""How often devices should report."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.reporting_policy import (
    CALM,
    IDLE,
    NEAR,
    NO_LONGER_NEAR,
    QUICK,
    USUAL,
    Need,
    PolicyState,
    next_policy,
)

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("need", "policy"),
    [
        (Need(), IDLE),
        (Need(busy=True), USUAL),
        (Need(busy=True, to_stop_m=NEAR + 1.0), USUAL),
        (Need(busy=True, to_stop_m=NEAR), QUICK),
        (Need(busy=True, watched=True, to_stop_m=9_000.0), QUICK),
    ],
)
def test_what_is_given_in_the_end(need: Need, policy: object) -> None:
    """The policy is fast while a customer watches or a stop is near, slow without stops."""
    given_now = PolicyState()
    for seconds in (0, 31):
        given_now = next_policy(given_now, need, NOW + timedelta(seconds=seconds))
    assert given_now.policy == policy


def test_quicker_comes_at_once_and_slower_only_after_a_while() -> None:
    """A customer who leaves and returns does not change the policy."""
    quick = next_policy(PolicyState(IDLE), Need(watched=True), NOW)
    assert quick.policy == QUICK
    resting = next_policy(quick, Need(busy=True), NOW)
    assert next_policy(resting, Need(busy=True), NOW + CALM / 2).policy == QUICK
    again = next_policy(resting, Need(watched=True), NOW + CALM / 2)
    later = next_policy(again, Need(busy=True), NOW + CALM)
    assert later.policy == QUICK
    assert next_policy(later, Need(busy=True), NOW + 2 * CALM).policy == USUAL


def test_a_driver_at_the_border_does_not_switch() -> None:
    """Near begins at 300 m and ends at 400 m."""
    between = Need(busy=True, to_stop_m=(NEAR + NO_LONGER_NEAR) / 2)
    assert next_policy(PolicyState(USUAL), between, NOW).policy == USUAL
    assert next_policy(PolicyState(QUICK), between, NOW) == PolicyState(QUICK)


@given(
    st.lists(
        st.tuples(st.builds(Need, watched=st.booleans(), busy=st.booleans()), st.integers(1, 20)),
        max_size=50,
    )
)
def test_no_device_is_slowed_twice_within_the_calm(needs: list[tuple[Need, int]]) -> None:
    """At least 30 s lie between two changes to a slower policy."""
    given_now, now, slowed = PolicyState(), NOW, []
    for need, seconds in needs:
        now += timedelta(seconds=seconds)
        before, given_now = given_now, next_policy(given_now, need, now)
        if given_now.policy.interval_s > before.policy.interval_s:
            slowed.append(now)
    assert all(later - earlier >= CALM for earlier, later in pairwise(slowed))
