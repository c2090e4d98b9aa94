"""Manners: what it takes until drivers are believed to choose their way otherwise than the law says."""

import msgspec
import pytest

from tracker.domain.geo import LonLat
from tracker.domain.route_choice.preference import (
    LAWFUL,
    MAX_ERROR,
    MIN_LEGS,
    DrivenPath,
    RoutePreferences,
    length_error,
)

WAY = DrivenPath(LonLat(24.94, 60.17), 90.0, 1_000.0)


def after(ways: int, *, lawful: float, short: float) -> RoutePreferences:
    preferences = RoutePreferences()
    for _ in range(ways):
        preferences.learn({"lawful": lawful, "short": short})
    return preferences


def test_a_fresh_installation_expects_the_lawful_way() -> None:
    """Nothing learned, nothing assumed; and a way that nobody judged teaches nothing."""
    preferences = RoutePreferences()
    preferences.learn({})
    assert preferences.usual == LAWFUL


def test_a_preference_is_believed_after_enough_ways_and_not_before() -> None:
    """However clear the first ones are."""
    assert after(MIN_LEGS - 1, lawful=0.2, short=0.0).usual == LAWFUL
    assert after(MIN_LEGS, lawful=0.2, short=0.0).usual == "short"


def test_a_preference_that_is_hardly_better_is_not_believed() -> None:
    """The evidence has to be clear."""
    assert after(60, lawful=0.100, short=0.099).usual == LAWFUL
    assert after(60, lawful=0.0, short=0.2).usual == LAWFUL


def test_drivers_who_change_are_followed() -> None:
    """What was seen long ago counts less."""
    preferences = after(200, lawful=0.2, short=0.0)
    for _ in range(600):
        preferences.learn({"lawful": 0.0, "short": 0.2})
    assert preferences.usual == LAWFUL


def test_preferences_survive_a_restart() -> None:
    """They are plain values."""
    preferences = after(30, lawful=0.2, short=0.0)
    again = msgspec.json.decode(msgspec.json.encode(preferences), type=RoutePreferences)
    assert again == preferences and again.usual == "short"


def test_a_way_far_off_is_no_worse_than_another_way() -> None:
    """One driver who went shopping decides nothing."""
    assert length_error(1_000.0, WAY) == 0.0
    assert length_error(1_100.0, WAY) == pytest.approx(0.091, abs=0.001)
    assert length_error(9_000.0, WAY) == length_error(None, WAY) == MAX_ERROR
