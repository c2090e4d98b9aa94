"""RecentTokens: one look-up a second, none after a revocation, and no growth."""

from datetime import UTC, datetime

from tracker.domain.order import Driver
from tracker.live.drivers.recent_tokens import KEPT_S, MOST_TOKENS, RecentTokens

ANNA = Driver(id="drv_a", number=1, name="A", vehicle="car", created_at=datetime(2026, 11, 22, tzinfo=UTC))


def test_a_look_up_counts_for_a_second() -> None:
    """Then, and after a revocation, the token is looked up again."""
    recent = RecentTokens()
    recent.add(b"anna", ANNA, 10.0)
    assert recent.get(b"anna", 10.0 + KEPT_S * 0.99) is ANNA
    assert recent.get(b"anna", 10.0 + KEPT_S) is None
    assert recent.get(b"other", 10.0) is None
    recent.clear()
    assert recent.get(b"anna", 10.0) is None


def test_old_look_ups_are_dropped() -> None:
    """Those of the last second stay, up to a bound."""
    recent = RecentTokens()
    for number in range(MOST_TOKENS + 5):
        recent.add(number.to_bytes(4), ANNA, 10.0)
    assert len(recent) == MOST_TOKENS
    recent.add(b"last", ANNA, 10.0 + KEPT_S)
    assert len(recent) == 1
