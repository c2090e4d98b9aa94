"""Which readings can be stored as fixes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.tracks.fix import Fix, parse_fix, rejection_reason, without_impossible_values
from tracker.messages.codecs import read_time

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MONTH = timedelta(days=30)


def fix(seconds: float = 0.0, lat: float = 60.17, lon: float = 24.94, **more: float) -> Fix:
    return Fix(NOW + timedelta(seconds=seconds), lat, lon, **more)


@pytest.mark.parametrize(
    ("lat", "lon", "why"),
    [
        (90.0001, 24.0, "latitude_out_of_range"),
        (-91.0, 24.0, "latitude_out_of_range"),
        (60.0, 180.5, "longitude_out_of_range"),
        (60.0, -181.0, "longitude_out_of_range"),
        (float("nan"), 24.0, "not_a_number"),
        (60.0, float("inf"), "not_a_number"),
        (0.0, 0.0, "null_island"),
        (90.0, -180.0, None),
        (0.0, 0.1, None),
    ],
)
def test_places_that_cannot_be_are_refused_by_name(lat: float, lon: float, why: str | None) -> None:
    """Each wrong coordinate has its own reason, and the edges of the earth are on it."""
    assert rejection_reason(fix(lat=lat, lon=lon), now=NOW, retention=MONTH) == why


@pytest.mark.parametrize(
    ("seconds", "why"),
    [(59.0, None), (61.0, "in_the_future"), (-29 * 86_400.0, None), (-31 * 86_400.0, "too_old")],
)
def test_times_out_of_reach_are_refused_by_name(seconds: float, why: str | None) -> None:
    """A minute ahead is too far, and a fix older than the retention is not stored."""
    assert rejection_reason(fix(seconds), now=NOW, retention=MONTH) == why


def test_impossible_optional_values_never_cost_the_fix() -> None:
    """Many phones say -1 for unknown; 360 degrees is north."""
    cleaned = without_impossible_values(fix(speed=-1.0, heading=-1.0, accuracy=-1.0, battery=4.2))
    assert cleaned == fix()
    assert without_impossible_values(fix(heading=360.0)).heading == 0.0
    assert without_impossible_values(fix(speed=float("nan"))).speed is None


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
def test_anything_else_than_an_object_is_malformed(raw: object) -> None:
    """Any JSON value in the list of fixes gets a reason and raises nothing."""
    assert parse_fix(raw, read_time) == "malformed"


@given(
    st.dictionaries(
        st.sampled_from(["recorded_at", "lat", "lon", "speed", "accuracy", "other"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()),
    )
)
def test_wrong_types_are_malformed_and_numbers_are_fixes(raw: dict[str, object]) -> None:
    """Every JSON object gives a fix or a reason."""
    assert isinstance(parse_fix(raw, read_time), Fix | str)
