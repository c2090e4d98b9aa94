"""Usual way: the streets that drivers take instead of the map's, and when the map's are believed."""

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from math import inf

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tracker.domain.geo import LonLat, Plane, distance, interpolate, steps
from tracker.domain.leg import Edge, Leg
from tracker.domain.route_choice.observed_streets import (
    NO_STREETS,
    Beside,
    ObservedStreets,
    StreetPassage,
    beside,
)
from tracker.domain.route_choice.preferred_route import (
    ALIKE,
    BACK,
    DOUBT,
    FIRST,
    LIKELY,
    LONGER,
    NEAR,
    SLACK,
    UNLIKELY,
    UNSEEN,
    PreferredRoute,
    Search,
)

PLANE = Plane(LonLat(24.9450, 60.1700))
TODAY = date(2026, 11, 22)
FAR = PLANE.to_lonlat(9_000.0, 9_000.0)


MILLIMETRE = 0.001  # metres; a shorter way has both its ends at one place


def place(x: float, y: float = 0.0) -> LonLat:
    return PLANE.to_lonlat(x, y)


# A town: from west to east on main street, M0 to M4, the map knows the way by north street only.
NODES = {
    **{f"M{n}": place(100.0 * n) for n in range(5)},
    **{f"N{n}": place(100.0 * n, 150.0) for n in range(5)},
    "V": place(150, 30),  # beside main street: over them it is 17, 37 and 66 m longer
    "X": place(150, 47),
    "Y": place(150, 66),
}


def line_of(key: str) -> tuple[LonLat, ...]:
    """Of the street from one crossing to the next one: `M0>M1`."""
    return tuple(NODES[each] for each in key.split(">"))


def keys(nodes: str) -> list[str]:
    return [f"{a}>{b}" for a, b in pairwise(nodes.split())]


def walked(key: str, *, joined: bool = True) -> StreetPassage:
    line = line_of(key)
    return StreetPassage(key, line, sum(steps(line)) / 10.0, True, joined)


def drive(nodes: str) -> list[StreetPassage]:
    return [walked(key) for key in keys(nodes)]


def learned(*ways: str) -> ObservedStreets:
    streets = ObservedStreets()
    for nodes in ways:
        streets.learn(drive(nodes), FAR, TODAY)
    return streets


def leg(nodes: str, begin: float = 0.0, end: float = 1.0, speed: float = 10.0) -> Leg:
    """Over these crossings, from `begin` (0..1) on its first street to `end` on its last one."""
    pieces = [list(line_of(key)) for key in keys(nodes)]
    first, last = pieces[0], pieces[-1]
    cut = interpolate(first[0], first[1], begin), interpolate(last[0], last[1], end)
    pieces[0][0], pieces[-1][1] = cut
    line = (pieces[0][0], *(piece[1] for piece in pieces))
    lengths = steps(line)
    edges = tuple(
        Edge(n, n + 1, length, length / speed, "residential", False, key)
        for n, (key, length) in enumerate(zip(keys(nodes), lengths, strict=True))
    )
    return Leg(line, sum(lengths), sum(lengths) / speed, edges)


AROUND = "M0 N0 N1 N2 N3 N4 M4"  # the map's way
STRAIGHT = "M0 M1 M2 M3 M4"  # the drivers'
A, B = place(10), place(390)


def way(
    streets: ObservedStreets, of: Leg, begin: LonLat = A, end: LonLat = B, heading: float | None = None
) -> PreferredRoute | None:
    return Search(streets, of, by_time=False).find(begin, end, heading=heading)


def length(line: Sequence[LonLat]) -> float:
    return sum(distance(a, b) for a, b in pairwise(line))


# --- which way


def test_where_nobody_was_seen_the_way_is_the_maps() -> None:
    """As long as it is not far dearer for being unseen."""
    one = leg("M0 M1 M2", 0.1, 0.9)
    found = way(NO_STREETS, one, place(10), place(190))
    assert found is not None
    assert found.streets == ("M0>M1", "M1>M2")
    assert length(found.line) == pytest.approx(180, abs=0.5)


@pytest.mark.parametrize("by_time", [True, False])
def test_a_way_that_drivers_know_is_taken(by_time: bool) -> None:
    """The map leads round by another street."""
    found = Search(learned(STRAIGHT), leg(AROUND), by_time=by_time).find(A, B)
    assert found is not None
    assert found.streets == tuple(keys(STRAIGHT))
    assert length(found.line) == pytest.approx(380, abs=0.5)
    assert distance(found.line[0], A) < 0.1 and distance(found.line[-1], B) < 0.1


def test_who_chooses_by_time_takes_the_faster_street() -> None:
    """And who chooses by length the shorter one."""
    straight = [
        StreetPassage(each.key, each.line, each.seconds * 4.0, each.whole, each.joined)
        for each in drive(STRAIGHT)
    ]
    streets = learned(AROUND)
    streets.learn(straight, FAR, TODAY)
    for by_time, nodes in ((True, AROUND), (False, STRAIGHT)):
        found = Search(streets, leg(AROUND), by_time=by_time).find(place(0), place(400))
        assert found is not None and found.streets == tuple(keys(nodes))


@pytest.mark.parametrize(("through", "around"), [("V", True), ("Y", False)])
def test_a_turn_that_nobody_took_counts_longer(through: str, around: bool) -> None:
    """Drivers were seen on either street, but only to turn into the one that leads round, 17 m or 66 m."""
    streets = learned("M0 M1", "M1 M2 M3", f"M0 M1 {through} M2 M3")
    found = way(streets, leg("M0 M1 M2 M3"), place(50), place(250))
    assert found is not None
    assert (f"M1>{through}" in found.streets) is around
    assert 17 < FIRST < 66


@pytest.mark.parametrize(("through", "around"), [("X", True), ("Y", False)])
def test_a_street_that_nobody_took_counts_longer(through: str, around: bool) -> None:
    """And the turn out of it: a way round that was seen is preferred by 37 m, and not by 66 m."""
    streets = learned("M0 M1 M2", f"M0 M1 {through} M2 M3")
    del streets.known["M1>M2"]
    found = way(streets, leg("M0 M1 M2 M3"), place(50), place(250))
    assert found is not None
    assert (f"M1>{through}" in found.streets) is around
    assert FIRST < 37 < FIRST + 100 * (UNSEEN - 1) < 66


def test_a_way_far_around_is_not_believed() -> None:
    """What was learned may lack the street that everybody takes."""
    streets = learned("M0 N0 N1 N2 N3 N4 M4")  # 700 m
    begin, end = place(0), place(400)
    assert way(streets, Leg((begin, end), 440.0, 44.0), begin, end) is None
    assert way(streets, Leg((begin, end), 450.0, 45.0), begin, end) is not None


# --- where it begins and ends


def test_where_nothing_is_near_there_is_no_way() -> None:
    """The beginning, or the end."""
    streets = learned(STRAIGHT)
    assert way(streets, leg(AROUND), place(10, 26), B) is None
    assert way(streets, leg(AROUND), A, place(290, 26)) is None
    assert way(streets, leg(AROUND), A, place(290, 24)) is not None


def test_a_driver_between_two_streets_begins_on_the_likelier_one() -> None:
    """The nearer one, unless the heading is that of the other."""
    streets = learned("M0 M1 M2", "M2 M1 M0", "M1 N1", "N1 M1 M2")
    of = leg("M0 M1 M2")
    begin = place(96, 12)  # 4 m from the street north, 12 m from main street
    north = way(streets, of, begin, place(190), heading=180.0)
    east = way(streets, of, begin, place(190), heading=80.0)
    west = way(streets, of, place(50, 1), place(190), heading=270.0)
    assert north is not None and north.streets == ("N1>M1", "M1>M2")
    assert east is not None and set(east.streets) <= {"M0>M1", "M1>M2"}
    assert west is None
    assert way(streets, of, place(50), place(190), heading=0.0) is None


def test_a_leg_goes_on_where_the_one_before_ended() -> None:
    """In the direction in which the driver came, though the other one is as near."""
    streets = learned("M0 M1 M2 M3", "M3 M2 M1 M0", "M2 N2 N1 M1", "M1 M0")
    streets.known["M1>M2"].onward["M2>N2"] = TODAY.toordinal()
    streets.known["N1>M1"].onward["M1>M0"] = TODAY.toordinal()
    search = Search(streets, leg("M2 M1 M0", 0.5), by_time=False)
    free = search.find(place(150), place(50))
    assert free is not None and free.streets == ("M2>M1", "M1>M0")
    search = Search(streets, Leg((place(150), place(50)), 400.0, 40.0), by_time=False)
    onward = search.find(place(150), place(50), entering="M1>M2")
    assert onward is not None and onward.streets == ("M1>M2", "M2>N2", "N2>N1", "N1>M1", "M1>M0")
    assert distance(onward.line[0], place(150)) < 0.1


def test_a_leg_goes_on_in_the_middle_of_a_street_that_nobody_knows() -> None:
    """The leg before knew its first part, this one the rest: no metre is left out."""
    streets = learned("M2 M3")
    found = Search(streets, leg("M1 M2 M3", 0.4), by_time=False).find(
        place(140), place(290), entering="M1>M2"
    )
    assert found is not None
    assert distance(found.line[0], place(140)) < 0.1
    assert length(found.line) == pytest.approx(150, abs=0.5)


def test_a_street_that_is_not_there_any_more_begins_nothing() -> None:
    """It was forgotten meanwhile, or is far off: the way begins at what is near."""
    search = Search(learned(STRAIGHT), leg(AROUND), by_time=False)
    for key in ("gone", "M3>M4"):
        found = search.find(A, B, entering=key)
        assert found is not None and found.streets == tuple(keys(STRAIGHT))


@pytest.mark.parametrize("side", [1, -1])
def test_a_stop_is_arrived_at_on_the_side_that_drivers_prefer(side: int) -> None:
    """Where both directions are there; they go round the block for it."""
    block = "M0 M1 M2 N2 N3 M3 M2 M1"
    streets = learned(block, "M0 M1 M2 M3", "N3 M3 M2")
    stop, begin = place(250, 4 * side), place(110)
    of = Leg((begin, stop), 400.0, 40.0)
    neutral = way(streets, of, begin, stop)
    assert neutral is not None and neutral.streets[-1] == "M2>M3"
    streets.right, streets.left = (30.0, 1.0) if side > 0 else (1.0, 30.0)
    preferred = way(streets, of, begin, stop)
    assert preferred is not None and preferred.streets[-1] == "M3>M2"
    streets.right, streets.left = streets.left, streets.right
    assert way(streets, of, begin, stop) == neutral


def test_in_a_one_way_street_every_side_will_do() -> None:
    """There is no other direction."""
    streets = learned(STRAIGHT)
    streets.right = 30.0
    found = way(streets, leg(AROUND), A, place(390, 4))
    assert found is not None and found.streets == tuple(keys(STRAIGHT))


def test_a_stop_just_passed_is_no_way_off() -> None:
    """A receiver errs by so much; who is further past it has to come round."""
    streets = learned(STRAIGHT)
    found = way(streets, leg(AROUND), place(150), place(148))
    assert found is not None and length(found.line) == 0.0
    assert way(streets, leg(AROUND), place(150), place(140)) is None


# --- what is odd


def test_a_way_never_jumps_into_the_middle_of_a_street() -> None:
    """Of the map's first street only the rest is known, and somebody was seen to turn into it."""
    streets = learned("N1 M1")
    streets.known["N1>M1"].onward["M1>M2"] = TODAY.toordinal()
    of = leg("M1 M2 M3", 0.6)
    found = way(streets, of, place(100, 20), place(290), heading=180.0)
    assert found is None


def test_a_leg_that_passes_its_last_street_twice_is_followed_whole() -> None:
    """Once round the block: only a part of the street is driven the second time."""
    of = leg("M0 M1 M2 N2 N1 M1 M2", 0.5, 0.3)
    found = Search(learned("M0 M1"), of, by_time=False).find(place(50), place(200, 100))
    assert found is not None
    assert found.streets == tuple(keys("M0 M1 M2 N2"))
    assert length(found.line) == pytest.approx(250, abs=0.5)


def test_a_driver_at_a_crossing_may_be_on_either_street() -> None:
    """Both cost the same, to the last digit."""
    streets = learned(STRAIGHT)
    for x in (0, 100, 200):
        found = way(streets, leg(AROUND), place(x), B)
        assert found is not None and length(found.line) == pytest.approx(390 - x, abs=0.5)


ODD_LEGS = {
    "without streets": Leg((A, B), 380.0, 38.0),
    "of no length": Leg((A, A), 0.0, 0.0, (Edge(0, 1, 0.0, 0.0, "service", False, "M0>M1"),)),
    "without an end": Leg((A,), 0.0, 0.0, (Edge(0, 0, 0.0, 0.0, "service", False, "x"),)),
    "without keys": Leg((A, B), 380.0, 38.0, (Edge(0, 1, 380.0, 38.0, "service", False),)),
    "in no time": Leg((A, B), 380.0, 0.0, (Edge(0, 1, 380.0, 0.0, "service", False, "x"),)),
}


@pytest.mark.parametrize("odd", list(ODD_LEGS))
@pytest.mark.parametrize("by_time", [True, False])
@pytest.mark.parametrize("ways", [(), (STRAIGHT,), ("M0 M1", "M3 M4")])
def test_odd_legs_are_no_errors(odd: str, by_time: bool, ways: tuple[str, ...]) -> None:
    """There is a way or there is none."""
    search = Search(learned(*ways), ODD_LEGS[odd], by_time=by_time)
    for begin, end in ((A, B), (A, A), (B, A), (FAR, B), (place(100), place(100))):
        for entering in ("", "M0>M1", "x"):
            found = search.find(begin, end, heading=90.0, entering=entering)
            assert found is None or len(found.line) >= 2


# --- any town


class Town:
    """Crossings in rows, not quite straight, and streets between neighbours."""

    def __init__(self, shifts: Sequence[float]) -> None:
        self.at = {
            (x, y): place(80.0 * x + shifts[2 * (3 * x + y)], 80.0 * y + shifts[2 * (3 * x + y) + 1])
            for x in range(4)
            for y in range(3)
        }

    def streets(self) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        return [(a, b) for a in self.at for b in self.at if abs(a[0] - b[0]) + abs(a[1] - b[1]) == 1]

    def line(self, street: tuple[tuple[int, int], tuple[int, int]]) -> tuple[LonLat, ...]:
        return self.at[street[0]], self.at[street[1]]


@st.composite
def towns(draw: st.DrawFn) -> tuple[ObservedStreets, Leg, LonLat, LonLat]:
    """What drivers know of a town, the map's way through it, and from where to where somebody wants to go."""
    town = Town(draw(st.lists(st.floats(-25, 25), min_size=24, max_size=24)))
    every = town.streets()
    streets = ObservedStreets()
    for street in draw(st.lists(st.sampled_from(every), max_size=40, unique=True)):
        line = town.line(street)
        streets.learn((StreetPassage(str(street), line, sum(steps(line)) / 8.0, True, False),), FAR, TODAY)
    for a in every:
        after = [b for b in every if b[0] == a[1]]
        if str(a) in streets.known:
            seen = draw(st.lists(st.sampled_from(after), max_size=3, unique=True))
            streets.known[str(a)].onward = {str(b): TODAY.toordinal() for b in seen}
    route = [draw(st.sampled_from(every))]
    for _ in range(draw(st.integers(0, 6))):
        route.append(draw(st.sampled_from([b for b in every if b[0] == route[-1][1]])))
    begin, end = draw(st.floats(0.0, 0.9)), draw(st.floats(0.1, 1.0))
    assume(len(route) > 1 or begin < end)
    first, last = town.line(route[0]), town.line(route[-1])
    line = (
        interpolate(first[0], first[1], begin),
        *(town.at[street[1]] for street in route[:-1]),
        interpolate(last[0], last[1], end),
    )
    lengths = steps(line)
    edges = tuple(
        Edge(n, n + 1, metres, metres / 10.0, "residential", False, str(street))
        for n, (street, metres) in enumerate(zip(route, lengths, strict=True))
    )
    off = st.floats(-12, 12)
    whole = sum(lengths) * draw(st.floats(1.0, 2.0))
    of = Leg(line, whole, whole / 10.0, edges)
    here, there = (Plane(each).to_lonlat(draw(off), draw(off)) for each in (line[0], line[-1]))
    return streets, of, here, there


class Judge:
    """The cheapest way by trying all of them, as the constants say what counts how much."""

    def __init__(self, streets: ObservedStreets, of: Leg, begin: LonLat, end: LonLat) -> None:
        self.streets = streets
        self.lines = {key: street.line for key, street in streets.known.items()}
        self.planned: dict[str, str] = {}
        for edge in of.edges:
            line = of.line[edge.begin : edge.end + 1]
            if edge.key not in streets.known and sum(steps(line)) > sum(
                steps(self.lines.get(edge.key, line[:1]))
            ):
                self.lines[edge.key] = line
        for a, b in pairwise(of.edges):
            if a.key != b.key:
                self.planned[a.key] = b.key
        self.starts, self.ends = self.near(begin), self.near(end)
        nearest = min((one.offset_m for one in self.starts.values()), default=0.0)
        self.starts = {k: one for k, one in self.starts.items() if one.offset_m < nearest + ALIKE}
        self.doubt = {k: DOUBT * (one.offset_m - nearest) for k, one in self.starts.items()}
        nearest = min((one.offset_m for one in self.ends.values()), default=0.0)
        self.ends = {k: one for k, one in self.ends.items() if one.offset_m <= nearest + LIKELY}
        self.unlikely = {k: UNLIKELY * (one.offset_m - nearest) for k, one in self.ends.items()}

    def near(self, at: LonLat) -> dict[str, Beside]:
        found = {key: beside(key, line, at) for key, line in self.lines.items()}
        return {key: one for key, one in found.items() if one.offset_m <= NEAR}

    def metres(self, key: str, metres: float) -> float:
        return max(metres, 0.0) * (1.0 if key in self.streets.known else UNSEEN)

    def turn(self, a: str, b: str) -> float:
        """What it costs to go on from one into the other; infinite where nobody would."""
        known = self.streets.known.get(a)
        if b not in self.lines or distance(self.lines[a][-1], self.lines[b][0]) > 1.0:
            return inf
        if known is not None and b in known.onward:
            return 0.0
        return FIRST if self.planned.get(a) == b else inf

    def cost(self, path: Sequence[str]) -> float:
        """Of going over these streets; infinite where that cannot be."""
        first, last = path[0], path[-1]
        if first not in self.starts or last not in self.ends:
            return inf
        begin, end = self.starts[first].along_m, self.ends[last].along_m
        cost = self.doubt[first] + self.unlikely[last]
        if len(path) == 1:
            return cost + self.metres(first, end - begin) if end >= begin - BACK else inf
        cost += self.metres(first, sum(steps(self.lines[first])) - begin)
        cost += sum(self.metres(key, sum(steps(self.lines[key]))) for key in path[1:-1])
        return cost + self.metres(last, end) + sum(self.turn(a, b) for a, b in pairwise(path))

    def best(self) -> float:
        """Of all ways."""
        to_end = {
            key: self.doubt[key] + self.metres(key, sum(steps(self.lines[key])) - one.along_m)
            for key, one in self.starts.items()
        }
        for _ in self.lines:
            for a, before in list(to_end.items()):
                for b in self.lines:
                    cost = before + self.turn(a, b) + self.metres(b, sum(steps(self.lines[b])))
                    if cost < to_end.get(b, inf):
                        to_end[b] = cost
        onto = (
            before + self.turn(a, b) + self.unlikely[b] + self.metres(b, one.along_m)
            for a, before in to_end.items()
            for b, one in self.ends.items()
        )
        at_once = (self.cost((key,)) for key in self.starts if key in self.ends)
        return min((*onto, *at_once), default=inf)

    def stands_still(self, best: float) -> bool:
        """Whether the cheapest way has no length: it ends where it begins, or up to BACK before."""
        return any(
            self.ends[key].along_m <= one.along_m + MILLIMETRE and self.cost((key,)) <= best + 0.5
            for key, one in self.starts.items()
            if key in self.ends
        )


@settings(max_examples=150)
@given(towns())
def test_no_way_is_cheaper_than_the_one_that_is_found(
    town: tuple[ObservedStreets, Leg, LonLat, LonLat],
) -> None:
    """Where there is one that is not far longer than the map's, it is found, and none beyond that."""
    streets, of, begin, end = town
    at_most = LONGER * of.distance_m + SLACK
    judge = Judge(streets, of, begin, end)
    best, found = judge.best(), Search(streets, of, by_time=False).find(begin, end)
    if found is None:
        assert best > at_most - 0.5 or judge.stands_still(best)
    else:
        assert judge.cost(found.streets) == pytest.approx(best, abs=0.5)
        assert best <= at_most + 0.5


@settings(max_examples=150)
@given(towns(), st.booleans(), st.none() | st.floats(0, 360), st.booleans())
def test_a_way_is_a_line_over_its_streets(
    town: tuple[ObservedStreets, Leg, LonLat, LonLat], by_time: bool, heading: float | None, sides: bool
) -> None:
    """From within NEAR of the beginning, along each street, to the place on the last one that is next to the
    stop; without a jump."""
    streets, of, begin, end = town
    streets.right = 50.0 if sides else 0.0
    found = Search(streets, of, by_time=by_time).find(begin, end, heading=heading)
    if found is None:
        return
    lines = Judge(streets, of, begin, end).lines
    assert distance(found.line[0], begin) <= NEAR + 0.1
    last = beside("last", lines[found.streets[-1]], end)
    assert distance(found.line[-1], end) <= last.offset_m + BACK + 0.1
    assert length(found.line) <= sum(length(lines[key]) for key in found.streets) + 0.5
    for at in found.line:
        assert min(beside(key, lines[key], at).offset_m for key in found.streets) < 0.1
    for one, other in pairwise(found.streets):
        assert distance(lines[one][-1], lines[other][0]) <= 1.0
    crossings = {each for key in found.streets for each in lines[key]}
    for at in found.line[1:-1]:
        assert min(distance(at, each) for each in crossings) <= 0.1
