"""Streets: what drives teach of them, where they are found again, and what is forgotten."""

from collections.abc import Iterable
from datetime import date, timedelta
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.domain.eta.model import EtaModel
from tracker.domain.geo import LonLat, Plane, distance
from tracker.domain.route_choice import observed_streets as module
from tracker.domain.route_choice.observed_streets import (
    FORGOTTEN_AFTER,
    SURE,
    Beside,
    ObservedStreets,
    StreetPassage,
    beside,
    line_between,
)

HELSINKI, SVALBARD, FIJI = LonLat(24.945, 60.17), LonLat(15.63, 78.22), LonLat(180.0, -16.8)
PLANE = Plane(HELSINKI)
TODAY = date(2026, 11, 22)
NEAR = 25.0  # metres


def place(x: float, y: float = 0.0) -> LonLat:
    return PLANE.to_lonlat(x, y)


FAR = place(9_000.0, 9_000.0)
EAST = (place(0), place(100))  # a street
ON = (place(100), place(100, 100))  # and one that goes on from it
BACK = (place(100), place(0))  # its other direction


def walked(
    key: str,
    line: Iterable[LonLat] = EAST,
    *,
    seconds: float = 10.0,
    whole: bool = True,
    joined: bool = True,
) -> StreetPassage:
    return StreetPassage(key, tuple(line) if whole else (), seconds, whole, joined)


def learned(*ways: tuple[StreetPassage, ...], stop: LonLat = FAR, day: date = TODAY) -> ObservedStreets:
    streets = ObservedStreets()
    for way in ways:
        streets.learn(way, stop, day)
    return streets


def arrivals(count: int, stop: LonLat) -> ObservedStreets:
    return learned(*[(walked("east"),)] * count, stop=stop)


# --- what a drive teaches


def test_a_way_that_nobody_could_match_teaches_nothing() -> None:
    """No streets, no sides."""
    streets = learned((), stop=place(50, 3))
    assert (streets.known, streets.right, streets.left) == ({}, 0.0, 0.0)


def test_a_street_is_known_after_one_passage_and_its_passages_are_counted() -> None:
    """Once, with the mean of the engine's seconds."""
    streets = learned(*((walked("east", seconds=seconds),) for seconds in (10.0, 20.0, 60.0)))
    assert list(streets.known) == ["east"]
    street = streets.known["east"]
    assert (street.line, street.passed, street.day) == (EAST, 3, TODAY.toordinal())
    assert street.length_m == pytest.approx(100, abs=0.1)
    assert street.seconds == pytest.approx(30.0)


def test_drivers_go_on_from_one_street_into_the_next() -> None:
    """Only in the direction in which they went, and with the day on which they last did."""
    before = TODAY - timedelta(days=3)
    streets = learned((walked("east"), walked("on", ON)), day=before)
    streets.learn((walked("east"), walked("on", ON)), FAR, TODAY)
    streets.learn((walked("east"), walked("on", ON)), FAR, before)  # a lesson that comes late
    assert streets.known["east"].onward == {"on": TODAY.toordinal()}
    assert streets.known["on"].onward == {}


def test_over_a_gap_nobody_went_on() -> None:
    """The engine lost the way in between."""
    streets = learned((walked("east"), walked("on", ON, joined=False)))
    assert streets.known["east"].onward == {}


def test_a_part_of_a_street_is_no_street() -> None:
    """It has no line of its own, becomes known when somebody drives the whole, and is no end of a way."""
    part = walked("east", whole=False)
    streets = learned((part, walked("on", ON)), (walked("on", ON), part), stop=place(50, 3))
    assert list(streets.known) == ["on"]
    assert (streets.right, streets.left) == (0.0, 0.0)
    streets.learn((walked("east"),), FAR, TODAY)
    assert streets.known["east"].line == EAST


def test_a_way_that_ends_within_a_street_still_turned_into_it() -> None:
    """Where drivers stop for a parcel, they were seen to go in."""
    streets = learned((walked("east"), walked("on", whole=False)))
    assert list(streets.known["east"].onward) == ["on"]


def test_a_street_does_not_lead_into_itself() -> None:
    """Twice the same one is a matcher's doubt."""
    assert learned((walked("east"), walked("east"))).known["east"].onward == {}


# --- finding them again


coordinates = st.tuples(st.floats(-400, 400), st.floats(-400, 400))
lines = st.lists(coordinates, min_size=2, max_size=5)


def brute_force(streets: ObservedStreets, at: LonLat) -> list[Beside]:
    found = (beside(key, street.line, at) for key, street in streets.known.items())
    return sorted(one for one in found if one.offset_m <= NEAR)


@pytest.mark.parametrize("where", [HELSINKI, SVALBARD, FIJI, LonLat(-0.0005, 0.0)])
@settings(max_examples=60)
@given(st.lists(lines, max_size=12), st.lists(lines, max_size=4), st.lists(coordinates, min_size=1))
def test_all_streets_around_a_place_are_found(
    where: LonLat,
    before: list[list[tuple[float, float]]],
    after: list[list[tuple[float, float]]],
    places: list[tuple[float, float]],
) -> None:
    """Those that a search through all would find, no others; also those that were learned after the first
    search, far in the north, and on both sides of the antimeridian."""
    plane, streets = Plane(where), ObservedStreets()

    def at(x: float, y: float) -> LonLat:
        lon, lat = plane.to_lonlat(x, y)
        return LonLat((lon + 180.0) % 360.0 - 180.0, lat)

    for name, some in (("a", before), ("b", after)):
        for number, line in enumerate(some):
            way = walked(f"{name}{number}", (at(*each) for each in line))
            streets.learn((way,), FAR, TODAY)
        for each in places:
            assert sorted(streets.around(at(*each), NEAR)) == brute_force(streets, at(*each))


def test_a_ferry_of_a_hundred_kilometres_is_found_along_its_way() -> None:
    """Without an entry for every place between its ports' corners."""
    ferry = (place(0), place(70_000, -70_000))
    streets = learned((walked("ferry", ferry),))
    assert [one.key for one in streets.around(place(35_000, -35_010), NEAR)] == ["ferry"]
    assert list(streets.around(place(35_000, -30_000), NEAR)) == []
    assert len(streets._cells) < 10_000


def test_where_a_place_is_beside_a_street() -> None:
    """Metres along and beside it, the way it goes there, and the side."""
    found = beside("bent", (*EAST, ON[1]), place(104, 50))
    assert found.offset_m == pytest.approx(4, abs=0.01)
    assert found.along_m == pytest.approx(150, abs=0.1)
    assert min(found.heading, 360.0 - found.heading) == pytest.approx(0, abs=0.1)
    assert found.left_m == pytest.approx(-4, abs=0.01)
    assert beside("bent", EAST, place(50, 3)).left_m == pytest.approx(3, abs=0.01)


def test_a_street_of_no_length_is_beside_nothing() -> None:
    """Two equal places are no line."""
    assert beside("point", (place(0), place(0)), place(0)).offset_m == float("inf")


@given(st.lists(coordinates, min_size=2, max_size=6), st.floats(0, 1), st.floats(0, 1))
def test_a_piece_of_a_street_is_as_long_as_it_should_be(
    line: list[tuple[float, float]], one: float, other: float
) -> None:
    """From so many metres to so many; nothing where that is nothing."""
    places = tuple(place(*each) for each in line)
    whole = sum(distance(a, b) for a, b in pairwise(places))
    begin, end = sorted((one * whole, other * whole))
    piece = line_between(places, begin, end)
    assert sum(distance(a, b) for a, b in pairwise(piece)) == pytest.approx(end - begin, abs=0.05)
    assert line_between(places, end + 1.0, begin) == []


# --- sides


@pytest.mark.parametrize("side", [1, -1])
def test_a_side_is_believed_after_enough_arrivals(side: int) -> None:
    """Then drivers avoid the stops on the other one; left is the mirror of right."""
    usual, other = place(50, 4 * side), beside("east", EAST, place(50, -4 * side))
    assert not arrivals(int(SURE) - 1, usual).wrong_side(other)
    streets = arrivals(int(SURE), usual)
    assert streets.wrong_side(other)
    assert not streets.wrong_side(beside("east", EAST, usual))
    assert not streets.wrong_side(beside("back", BACK, place(50, -4 * side)))


@pytest.mark.parametrize("side", [1, -1])
def test_a_side_that_is_hardly_more_frequent_is_not_believed(side: int) -> None:
    """It has to be more than twice as often."""
    streets = arrivals(40, place(50, 4 * side))
    for _ in range(20):
        streets.learn((walked("east"),), place(50, -4 * side), TODAY)
    assert not streets.wrong_side(beside("east", EAST, place(50, -4 * side)))
    streets.learn((walked("east"),), place(50, 4 * side), TODAY)
    assert streets.wrong_side(beside("east", EAST, place(50, -4 * side)))


@pytest.mark.parametrize("off", [0.0, 0.9, -0.9, 8.5, -8.5])
def test_a_stop_in_the_middle_or_far_off_teaches_no_side(off: float) -> None:
    """Nobody can tell."""
    streets = arrivals(60, place(50, off))
    assert (streets.right, streets.left) == (0.0, 0.0)


@given(st.floats(-0.99, 0.99), st.floats(0, 1_000), st.floats(0, 1_000))
def test_a_stop_in_the_middle_is_never_on_the_wrong_side(off: float, right: float, left: float) -> None:
    """Whatever drivers prefer."""
    assert not ObservedStreets(right=right, left=left).wrong_side(Beside("east", abs(off), 50.0, 90.0, off))


# --- forgetting, and being kept


def test_what_nobody_takes_any_more_is_forgotten() -> None:
    """Streets, and turns: a gate was closed."""
    streets = learned((walked("east"), walked("on", ON)))
    later = TODAY + timedelta(days=FORGOTTEN_AFTER)
    streets.learn((walked("east"),), FAR, later)
    assert set(streets.known) == {"east", "on"}
    assert list(streets.known["east"].onward) == ["on"]
    streets.learn((), FAR, later + timedelta(days=1))
    assert list(streets.known) == ["east"]
    assert streets.known["east"].onward == {}


def test_a_sample_that_comes_late_forgets_nothing() -> None:
    """Its day is not the newest one."""
    streets = learned((walked("east"),))
    streets.learn((walked("on", ON),), FAR, TODAY - timedelta(days=10))
    assert set(streets.known) == {"east", "on"}


def test_of_too_many_streets_those_go_that_nobody_took_for_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The index knows of it."""
    monkeypatch.setattr(module, "KEPT", 50)
    streets = ObservedStreets()
    for number in range(200):
        line = (place(10 * number), place(10 * number, 100))
        streets.learn((walked(f"s{number}", line),), FAR, TODAY + timedelta(days=number // 10))
        at = place(10 * number + 3, 50)
        assert sorted(streets.around(at, NEAR)) == brute_force(streets, at)
        assert len(streets.known) <= 55
    assert "s199" in streets.known and "s0" not in streets.known
    assert list(streets.around(place(0, 50), NEAR)) == []


def test_streets_survive_a_restart() -> None:
    """They are plain values, and the index is none of them."""
    streets = learned((walked("east"), walked("on", ON)), stop=place(103, 50))
    assert list(streets.around(place(50), NEAR))
    again = msgspec.json.decode(msgspec.json.encode(streets), type=ObservedStreets)
    assert again == streets
    assert sorted(again.around(place(98, 3), NEAR)) == sorted(streets.around(place(98, 3), NEAR))


def test_a_model_of_the_version_before_knows_no_streets() -> None:
    """It is read, and learns them."""
    written = msgspec.to_builtins(EtaModel())
    del written["streets"]
    knowledge = msgspec.json.decode(msgspec.json.encode(written), type=EtaModel)
    assert knowledge == EtaModel()
    knowledge.streets.learn((walked("east"),), FAR, TODAY)
    assert list(knowledge.streets.known) == ["east"]
    assert EtaModel().streets.known == {}
