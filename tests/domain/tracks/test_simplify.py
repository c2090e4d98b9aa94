"""Simplified lines stay within the tolerance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import LineString, hausdorff_distance

from tracker.domain.geo import LonLat, Plane
from tracker.domain.tracks.simplify import kept_places

HERE = LonLat(24.94, 60.17)

places = st.tuples(st.floats(-5_000, 5_000), st.floats(-5_000, 5_000)).map(
    lambda m: Plane(HERE).to_lonlat(*m)
)


@given(st.lists(places, min_size=2, max_size=60), st.floats(0.5, 500))
def test_no_place_is_further_from_the_simple_line_than_allowed(line: list[LonLat], metres: float) -> None:
    """The reverse holds as well, and both ends stay."""
    kept = kept_places(line, metres)
    assert (kept[0], kept[-1]) == (0, len(line) - 1)
    assert kept == sorted(set(kept))
    plane = Plane(HERE)
    true = LineString([plane.to_metres(place) for place in line])
    simple = LineString([plane.to_metres(line[index]) for index in kept])
    assert hausdorff_distance(true, simple, densify=0.05) <= metres * 1.001


def test_a_straight_line_needs_its_ends_only() -> None:
    """A thousand places on a straight line become two."""
    line = [LonLat(24.94 + index * 1e-5, 60.17) for index in range(1_000)]
    assert kept_places(line, 1.0) == [0, 999]


@pytest.mark.parametrize("metres", [0.0, -1.0])
def test_no_tolerance_leaves_everything(metres: float) -> None:
    """Without tolerance, every place stays."""
    line = [LonLat(24.94, 60.17), LonLat(24.95, 60.17), LonLat(24.96, 60.17)]
    assert kept_places(line, metres) == [0, 1, 2]


def test_a_standstill_keeps_its_ends() -> None:
    """Many readings of one place keep two places, so that the line stays valid."""
    assert kept_places([HERE] * 10, 5.0)[0] == 0
    assert kept_places([HERE] * 10, 5.0)[-1] == 9
