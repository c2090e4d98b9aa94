"""The area of the map, and implausible places."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.area import FAR, FAR_OFF, NULL_ISLAND, SWAPPED, Area, place_error
from tracker.domain.geo import LonLat

HELSINKI = Area(24.92, 60.16, 24.97, 60.18)
FIJI = Area(177.0, -19.0, -179.0, -16.0)
WORLD = Area(-180.0, -90.0, 180.0, 90.0)


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ((24.944, 60.1713), None),
        ((24.40, 60.17), None),  # 30 km off
        ((0.0, 0.0), NULL_ISLAND),
        ((-0.0, 0.0), NULL_ISLAND),
        ((60.17, 24.94), SWAPPED),
        ((19.6, 60.17), FAR_OFF),  # 300 km off
        ((24.94, 90.0), FAR_OFF),
        ((24.94, -90.0), FAR_OFF),
        ((180.0, 60.17), FAR_OFF),
        ((0.0, 60.17), FAR_OFF),
        ((24.94, 0.0), FAR_OFF),
    ],
)
def test_a_place_that_nobody_can_mean_is_named(place: tuple[float, float], why: str | None) -> None:
    """A place just off the map is accepted."""
    found = place_error(LonLat(*place), HELSINKI)
    assert (found or "").startswith(why or "")
    assert (found is None) == (why is None)


def test_without_a_map_only_null_island_is_refused() -> None:
    """The area is unknown."""
    assert place_error(LonLat(60.17, 24.94), None) is None
    assert place_error(LonLat(0.0, 0.0), None) is not None
    assert place_error(LonLat(0.0, 0.0), WORLD) is not None


@pytest.mark.parametrize(
    ("area", "place", "metres"),
    [
        (FIJI, (179.9, -17.0), 0.0),
        (FIJI, (-180.0, -17.0), 0.0),
        (FIJI, (-178.0, -17.0), 106_000.0),
        (FIJI, (176.0, -17.0), 106_000.0),
        (Area(-179.9, 50.0, -179.0, 52.0), (179.9, 51.0), 14_000.0),
        (Area(170.0, 50.0, 179.9, 52.0), (-179.9, 51.0), 14_000.0),
        (WORLD, (-180.0, 89.0), 0.0),
        (HELSINKI, (24.94, 61.18), 111_195.0),
    ],
)
def test_the_way_to_the_box_is_the_short_one(area: Area, place: tuple[float, float], metres: float) -> None:
    """Also across the antimeridian."""
    assert area.distance_m(LonLat(*place)) == pytest.approx(metres, rel=0.01)
    assert area.holds(LonLat(*place)) == (metres == 0.0)


@given(st.floats(-180, 180), st.floats(-90, 90))
def test_a_place_in_the_box_is_never_refused(lon: float, lat: float) -> None:
    """Every other place gets an answer, too."""
    place = LonLat(lon, lat)
    for area in (HELSINKI, FIJI, WORLD):
        if area.holds(place) and place != (0.0, 0.0):
            assert place_error(place, area) is None
        assert area.is_far(place) == (area.distance_m(place) > FAR)
