"""Segments of a track, and lines across the antimeridian."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.geo import LonLat, distance
from tracker.domain.tracks.fix import Fix
from tracker.domain.tracks.segments import SegmentCounter, crossing

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def segments(*steps: tuple[float, int]) -> list[int]:
    """Return the segments of fixes with these intervals in seconds and these drivers."""
    counter, at, found = SegmentCounter(), NOW, []
    for seconds, driver in steps:
        at += timedelta(seconds=seconds)
        found.append(counter.add(Fix(at, 60.17, 24.94), driver))
    return found


def test_a_gap_and_a_change_of_driver_begin_a_segment() -> None:
    """A gap exceeds 120 s; a change of driver counts even within a second."""
    assert segments((0, 1), (120, 1), (120.001, 1), (1, 1)) == [0, 0, 1, 1]
    assert segments((0, 1), (1, 2), (1, 2), (1, 1), (600, 2)) == [0, 1, 1, 2, 3]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((179.9, -16.0), (-179.9, -18.0), ((180.0, -17.0), (-180.0, -17.0), 0.5)),
        ((-179.9, 10.0), (179.7, 14.0), ((-180.0, 11.0), (180.0, 11.0), 0.25)),
        ((180.0, 1.0), (-179.9, 3.0), ((180.0, 1.0), (-180.0, 1.0), 0.0)),
        ((179.9, 1.0), (-180.0, 3.0), ((180.0, 3.0), (-180.0, 3.0), 1.0)),
        ((180.0, 1.0), (-180.0, 1.0), ((180.0, 1.0), (-180.0, 1.0), 0.0)),
        ((-1.0, 1.0), (1.0, 1.0), None),
        ((0.0, 1.0), (180.0, 1.0), None),
    ],
)
def test_a_line_is_cut_where_it_crosses(
    a: tuple[float, float],
    b: tuple[float, float],
    expected: tuple[tuple[float, float], tuple[float, float], float] | None,
) -> None:
    """Both halves end at 180 degrees, at the interpolated latitude."""
    found = crossing(LonLat(*a), LonLat(*b))
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert found[0] == pytest.approx(expected[0])
        assert found[1] == pytest.approx(expected[1])
        assert found[2] == pytest.approx(expected[2])


@given(st.floats(-180, 180), st.floats(-80, 80), st.floats(-1, 1), st.floats(-1, 1))
def test_a_cut_makes_no_line_longer(lon: float, lat: float, east: float, north: float) -> None:
    """Neither half spans the world."""
    a, b = LonLat(lon, lat), LonLat((lon + east + 180.0) % 360.0 - 180.0, lat + north)
    cut = crossing(a, b)
    if cut is not None:
        here, beyond, share = cut
        assert 0.0 <= share <= 1.0
        assert abs(here.lon - a.lon) <= 1.0 + 1e-9 and abs(beyond.lon - b.lon) <= 1.0 + 1e-9
        assert distance(a, here) + distance(beyond, b) <= distance(a, b) * 1.02 + 1.0
