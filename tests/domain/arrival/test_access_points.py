"""Access points: where drivers stop for an address."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.arrival.access_points import (
    AGREE,
    ENOUGH,
    KEPT_PER_ADDRESS,
    REACH,
    AccessPoint,
    add_stop,
    place_key,
    routing_target,
    stopping_place,
    usual_dwell,
)
from tracker.domain.geo import LonLat, Plane, distance
from tracker.domain.order import Place
from tracker.domain.tracks.fix import Fix

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PLANE = Plane(LonLat(24.9450, 60.1700))
GIVEN = PLANE.to_lonlat(0.0, 0.0)


def fix(seconds: float, east: float, accuracy: float | None = 8.0) -> Fix:
    lon, lat = PLANE.to_lonlat(east, 0.0)
    return Fix(NOW + timedelta(seconds=seconds), lat, lon, accuracy)


def after(*metres_east: float) -> list[AccessPoint]:
    points: list[AccessPoint] = []
    for east in metres_east:
        points = add_stop(points, PLANE.to_lonlat(east, 0.0), 60.0)
    return points


def test_three_who_agree_move_the_target() -> None:
    """Three stops within 40 m give the mean of them; two are not enough."""
    assert routing_target(after(80.0, 90.0), GIVEN) == GIVEN
    assert distance(routing_target(after(80.0, 90.0, 100.0), GIVEN), PLANE.to_lonlat(90.0, 0.0)) < 1.0


def test_those_who_disagree_move_nothing() -> None:
    """Three deliveries at three doors are three access points of one stop each."""
    points = after(-60.0, 0.0, 60.0)
    assert [point.n for point in points] == [1, 1, 1]
    assert routing_target(points, GIVEN) == GIVEN


def test_what_is_too_far_is_never_the_target() -> None:
    """A stop more than 150 m from the present coordinate was for somebody else."""
    points = after(140.0, 140.0, 140.0)
    assert routing_target(points, GIVEN) != GIVEN
    elsewhere = PLANE.to_lonlat(-20.0, 0.0)
    assert routing_target(points, elsewhere) == elsewhere


def test_the_better_known_access_point_wins() -> None:
    """Of two doors, the target is the one with more stops."""
    points = after(*[60.0] * 3, *[-60.0] * 5)
    assert distance(routing_target(points, GIVEN), PLANE.to_lonlat(-60.0, 0.0)) < 1.0


def test_the_time_at_the_door_is_added_up() -> None:
    """A delivery without a known arrival counts as a stop, not as a duration."""
    (point,) = add_stop(add_stop([], GIVEN, 90.0), GIVEN, None)
    assert (point.n, point.dwells, point.dwell_s) == (2, 1, 90.0)


def test_how_long_they_stay_is_of_the_address_whichever_door() -> None:
    """Durations and stops are summed over both doors of an address."""
    usual = usual_dwell(add_stop(add_stop([], GIVEN, 90.0), PLANE.to_lonlat(100.0, 0.0), 30.0))
    assert (usual.observed, usual.expected) == (120.0, 2.0)
    assert usual_dwell([]).expected == 0.0


@given(st.lists(st.floats(-500, 500), max_size=40))
def test_an_address_costs_a_few_rows(east: list[float]) -> None:
    """The number of access points is bounded, and the target is within reach."""
    points = after(*east)
    assert len(points) <= KEPT_PER_ADDRESS
    assert all(point.n >= 1 and point.dwells == point.n for point in points)
    found = routing_target(points, GIVEN)
    assert distance(found, GIVEN) <= REACH
    assert found == GIVEN or any(point.at == found and point.n >= ENOUGH for point in points)


@given(st.lists(st.floats(-20, 20), min_size=3, max_size=30))
def test_a_pin_is_where_its_stops_are(east: list[float]) -> None:
    """An access point is the mean of its stops, to the metre."""
    (point,) = after(*east)
    assert point.n == len(east)
    assert distance(point.at, PLANE.to_lonlat(sum(east) / len(east), 0.0)) < 1.0


def test_the_driver_stood_where_two_fixes_agree() -> None:
    """The place is the middle of both fixes shortly before the reported delivery."""
    here = stopping_place([fix(0, 50), fix(5, 54)], GIVEN, NOW + timedelta(seconds=20))
    assert here is not None
    assert distance(here, PLANE.to_lonlat(52.0, 0.0)) < 0.1


@pytest.mark.parametrize(
    ("fixes", "told_s"),
    [
        ([], 5.0),
        ([fix(0, 50)], 5.0),
        ([fix(0, 0), fix(5, 50)], 5.0),
        ([fix(0, 50), fix(5, 50, accuracy=80.0)], 5.0),
        ([fix(0, 50), fix(5, 50, accuracy=None)], 5.0),
        ([fix(0, 50), fix(5, 50)], 300.0),
        ([fix(0, 400), fix(5, 400)], 5.0),
    ],
    ids=["unheard", "heard once", "moving", "inaccurate", "accuracy unknown", "long ago", "elsewhere"],
)
def test_a_doubtful_stand_is_none(fixes: list[Fix], told_s: float) -> None:
    """A delivery reported from the office has no stopping place."""
    assert stopping_place(fixes, GIVEN, NOW + timedelta(seconds=told_s)) is None


def test_the_key_is_the_address_without_telling_it() -> None:
    """Spellings share a key, stairways do not, and the key holds no street name."""
    place = Place(60.171312, 24.944012, "Kasarmikatu 36  B")
    assert place_key(place) == place_key(msgspec.structs.replace(place, address="kasarmikatu 36 b"))
    assert place_key(place) != place_key(msgspec.structs.replace(place, address="Kasarmikatu 36 A"))
    assert "asarmi" not in place_key(place)
    assert place_key(msgspec.structs.replace(place, address=None)) == "60.1713,24.9440"
    assert AGREE < REACH
