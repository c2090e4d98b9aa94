"""When a delivery is sent again."""

from itertools import pairwise

import pytest

from tracker.domain.events.webhook import LONGEST_WISH_S, PAUSES_S, Result, pause_s

HOUR = 3_600.0


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_pauses_grow_and_end(share: float) -> None:
    """Each is longer than the one before, whatever the random shares; after the last one there is none."""
    pauses = [pause_s(attempts, share) for attempts in range(1, len(PAUSES_S) + 1)]
    assert all(before < after for before, after in pairwise(map(float, (one or 0.0 for one in pauses))))
    assert pause_s(len(PAUSES_S) + 1, share) is None


def test_pauses_never_overlap_but_are_spread() -> None:
    """The longest of one attempt is the shortest of the next, so they grow; each has room for chance."""
    assert [most for _, most in PAUSES_S[:-1]] == [least for least, _ in PAUSES_S[1:]]
    assert all(most >= 2 * least for least, most in PAUSES_S)
    assert PAUSES_S[0][1] <= 5.0
    assert sum(least for least, _ in PAUSES_S) >= 17 * HOUR
    assert sum(most for _, most in PAUSES_S) <= 42 * HOUR


def test_a_receiver_may_ask_for_more_time() -> None:
    """Retry-After makes a pause longer, never shorter, and by an hour at most."""
    assert pause_s(1, 0.0, 60.0) == 60.0
    assert pause_s(4, 0.0, 60.0) == PAUSES_S[3][0]
    assert pause_s(1, 0.0, 1e9) == LONGEST_WISH_S


def test_only_410_says_that_a_receiver_is_gone() -> None:
    assert Result(410, "http_status").is_gone
    assert not Result(404, "http_status").is_gone
    assert not Result(error="timed_out").is_gone
