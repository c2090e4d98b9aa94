"""Distances, bearings, the plane and the cutting of lines."""

from itertools import pairwise
from math import isclose

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tracker.domain.geo import LonLat, Plane, bearing, distance, interpolate, steps, tail_outside

HELSINKI = LonLat(24.9450, 60.1700)
PLANE = Plane(HELSINKI)

near = st.builds(PLANE.to_lonlat, st.floats(-2_000, 2_000), st.floats(-2_000, 2_000))
lines = st.lists(near, min_size=2, max_size=12).map(tuple)


def east(metres: float, north: float = 0.0) -> LonLat:
    return PLANE.to_lonlat(metres, north)


def test_a_degree_of_latitude_is_111_kilometres() -> None:
    """Distances are metres on the mean sphere."""
    assert distance(LonLat(0, 0), LonLat(0, 1)) == pytest.approx(111_195, abs=1)


@pytest.mark.parametrize(
    ("to", "degrees"),
    [
        (LonLat(24.9450, 60.1800), 0),
        (LonLat(24.9550, 60.1700), 90),
        (LonLat(24.9450, 60.1600), 180),
        (LonLat(24.9350, 60.1700), 270),
        (HELSINKI, 0),
    ],
)
def test_bearings_turn_clockwise_from_north(to: LonLat, degrees: float) -> None:
    """North is 0, east 90; never 360."""
    assert bearing(HELSINKI, to) == pytest.approx(degrees, abs=0.01)


@given(near, near)
def test_the_plane_agrees_with_the_sphere(a: LonLat, b: LonLat) -> None:
    """Within a city the plane is exact to 0.1 %."""
    assert isclose(PLANE.distance(a, b), distance(a, b), rel_tol=1e-3, abs_tol=0.01)


anywhere = st.builds(LonLat, st.floats(-180, 180), st.floats(-89, 89))
a_step_on = st.tuples(st.floats(-0.3, 0.3), st.floats(-0.3, 0.3))


@given(anywhere, st.lists(a_step_on, max_size=8))
def test_the_steps_of_a_line_are_as_long_as_their_distances(
    place: LonLat, ahead: list[tuple[float, float]]
) -> None:
    """Equal to 0.001 %, near or far, also across the antimeridian."""
    line = [place]
    for east, north in ahead:
        lon = (line[-1].lon + east + 180.0) % 360.0 - 180.0
        line.append(LonLat(lon, min(max(line[-1].lat + north, -89.5), 89.5)))
    exactly = [distance(a, b) for a, b in pairwise(line)]
    assert steps(line) == pytest.approx(exactly, rel=1e-5, abs=1e-3)


@given(near)
def test_the_plane_leads_back_to_where_one_came_from(place: LonLat) -> None:
    """Converting to metres and back gives the same place."""
    assert distance(PLANE.to_lonlat(*PLANE.to_metres(place)), place) < 1e-3


def test_ways_across_the_antimeridian_are_short() -> None:
    """179.9 east and 179.9 west differ by 0.2 degrees, not 359.8."""
    a, b = LonLat(179.9, 0.0), LonLat(-179.9, 0.0)
    assert Plane(a).distance(a, b) == pytest.approx(distance(a, b), rel=1e-3)
    assert abs(interpolate(a, b, 0.5).lon) == pytest.approx(180.0)
    assert interpolate(a, b, 0.75).lon == pytest.approx(-179.95)


@given(near, near, st.floats(0, 1))
def test_a_place_part_way_divides_the_way(a: LonLat, b: LonLat, share: float) -> None:
    """*share* is the part of the line before the place."""
    assert distance(a, interpolate(a, b, share)) == pytest.approx(share * distance(a, b), rel=0.01, abs=0.01)


def test_a_line_is_cut_where_it_leaves_the_circle() -> None:
    """The cut lies on the segment, just outside the radius."""
    line = (east(-300), east(500), east(600))
    cut, *rest = tail_outside(line, [HELSINKI], 100)
    assert rest == [east(500), east(600)]
    assert distance(cut, HELSINKI) == pytest.approx(101.1, abs=0.2)
    assert cut.lat == pytest.approx(HELSINKI.lat)


def test_the_last_of_several_visits_counts() -> None:
    """A line that passes twice keeps nothing of the part between."""
    line = (east(-300), east(300), east(300, 400), east(-300, 400), east(-300, 50), east(300, 50), east(900))
    cut, *rest = tail_outside(line, [HELSINKI], 100)
    assert rest == [east(300, 50), east(900)]
    assert east(0).lon < cut.lon < east(300).lon


def test_the_last_of_several_places_counts() -> None:
    """The rest avoids every place, in any order of the places."""
    places = [east(0), east(500)]
    line = (east(-300), east(1_000))
    assert tail_outside(line, places, 100) == tail_outside(line, places[::-1], 100)
    assert tail_outside(line, places, 100)[0].lon > east(600).lon


def test_nothing_remains_of_a_line_that_ends_within() -> None:
    """A line that ends inside a circle becomes empty."""
    assert tail_outside((east(-300), east(50)), [HELSINKI], 100) == ()
    assert tail_outside((east(50),), [HELSINKI], 100) == ()
    assert tail_outside((), [HELSINKI], 100) == ()


def test_a_line_that_stays_away_is_whole() -> None:
    """Without places, or far from all of them, nothing is cut."""
    line = (east(200), east(300))
    assert tail_outside(line, [], 100) == line
    assert tail_outside(line, [HELSINKI], 100) == line


@given(lines, st.lists(near, max_size=4), st.floats(20, 500))
def test_no_part_of_what_remains_is_within_the_radius(
    line: tuple[LonLat, ...], places: list[LonLat], radius: float
) -> None:
    """Sampled every few metres and rounded to six decimals, the rest keeps clear of every place."""
    rest = tail_outside(line, places, radius)
    for a, b in pairwise(rest):
        for step in range(51):
            lon, lat = interpolate(a, b, step / 50)
            shown = LonLat(round(lon, 6), round(lat, 6))
            assert all(distance(shown, place) >= radius for place in places)


@given(lines, near, st.floats(20, 500))
def test_what_remains_is_the_end_of_the_line(line: tuple[LonLat, ...], place: LonLat, radius: float) -> None:
    """All but the cut itself are the line's own last places."""
    rest = tail_outside(line, [place], radius)
    assume(rest)
    assert rest == line or rest[1:] == line[len(line) - len(rest) + 1 :]
