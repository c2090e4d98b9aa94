"""The shown arrival stays for small differences."""

from datetime import UTC, datetime, timedelta

from tracker.domain.eta.smoothing import DEAD_BAND, DEAD_BAND_SHARE, SmoothedEta

NOW = datetime(2026, 11, 22, 16, 43, tzinfo=UTC)


def second(n: float) -> datetime:
    return NOW + timedelta(seconds=n)


def shown(first_s: float, then_s: float, after_s: float) -> float:
    """The shown arrival, after two forecasts of it so far apart, all in seconds from NOW."""
    smoothed = SmoothedEta()
    smoothed.follow(second(first_s), NOW)
    return (smoothed.follow(second(then_s), second(after_s)) - NOW).total_seconds()


def test_a_small_difference_moves_nothing() -> None:
    for off in (-DEAD_BAND, DEAD_BAND):
        assert shown(600.0, 600.0 + off, 60.0) == 600.0


def test_what_exceeds_it_is_followed() -> None:
    """Both ways, up to the edge of the band."""
    assert 600.0 < shown(600.0, 600.0 + DEAD_BAND + 5.0, 60.0) <= 605.0
    assert 595.0 <= shown(600.0, 600.0 - DEAD_BAND - 5.0, 60.0) < 600.0


def test_shortly_before_the_arrival_less_is_small() -> None:
    """A tenth of the time to go."""
    left = 0.5 * DEAD_BAND / DEAD_BAND_SHARE
    assert shown(left, left + 0.9 * DEAD_BAND, 0.5 * left) > left
