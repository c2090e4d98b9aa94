"""Where on a route somebody is, and what is left of it."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tracker.domain.geo import LonLat, Plane, bearing, distance, interpolate
from tracker.domain.route import (
    AGAINST_COSTS,
    AHEAD,
    AHEAD_COSTS,
    BEHIND,
    BEHIND_COSTS,
    NEAR,
    Edge,
    Leg,
    Progress,
    Route,
    Stop,
)

PLANE = Plane(LonLat(24.9450, 60.1700))
BLOCK = 80.0  # metres


def place(x: float, y: float = 0.0) -> LonLat:
    return PLANE.to_lonlat(x, y)


def leg(*places: LonLat, seconds: float | None = None, edges: tuple[Edge, ...] = ()) -> Leg:
    metres = sum(distance(a, b) for a, b in pairwise(places))
    return Leg(places, metres, metres / 5.0 if seconds is None else seconds, edges)


def route(*legs: Leg) -> Route:
    stops = tuple(Stop(f"ord_{n}", "dropoff", leg.line[-1]) for n, leg in enumerate(legs))
    return Route(stops, legs)


def length(line: tuple[LonLat, ...]) -> float:
    return sum(distance(a, b) for a, b in pairwise(line))


@st.composite
def routes(draw: st.DrawFn) -> Route:
    """Walks along the streets of a chequered city; they turn back, cross themselves and go round blocks."""
    legs, x, y = [], 0, 0
    for _ in range(draw(st.integers(1, 4))):
        line = [place(x * BLOCK, y * BLOCK)]
        steps = draw(st.lists(st.sampled_from([(1, 0), (-1, 0), (0, 1), (0, -1)]), min_size=1, max_size=8))
        for dx, dy in steps:
            x, y = x + dx, y + dy
            line.append(place(x * BLOCK, y * BLOCK))
        legs.append(leg(*line))
    return route(*legs)


def test_a_route_has_a_leg_for_each_stop() -> None:
    """Anything else is a mistake of ours, told at once."""
    with pytest.raises(ValueError, match="2 stops need as many legs, not 1"):
        Route(
            (Stop("ord_1", "pickup", place(0)), Stop("ord_1", "dropoff", place(9))),
            (leg(place(0), place(9)),),
        )
    with pytest.raises(ValueError, match="0 stops"):
        Route((), ())


def test_legs_are_joined_without_doubling_the_stop() -> None:
    """The end of a leg and the beginning of the next are one place of the line."""
    joined = route(leg(place(0), place(100)), leg(place(100), place(100, 50)))
    assert joined.line == (place(0), place(100), place(100, 50))
    assert joined.length_m == pytest.approx(150, abs=0.5)
    assert joined.stop_at_m(0) == pytest.approx(100, abs=0.5)
    assert joined.stop_at_m(1) == joined.length_m


def test_a_route_of_no_length_is_still_a_line() -> None:
    """A driver who stands at the only stop has arrived."""
    standing = route(leg(place(0), place(0), seconds=0.0))
    assert len(standing.line) == 2
    assert standing.remaining(standing.locate(place(3)), 0) == (0.0, 0.0)
    assert standing.between(0, 10) == ()


def test_progress_is_the_nearest_place_on_the_line() -> None:
    """Metres along, metres off, the place itself and the way the line goes there."""
    progress = route(leg(place(0), place(300))).locate(place(120, 10))
    assert progress.along_m == pytest.approx(120, abs=0.5)
    assert progress.offset_m == pytest.approx(10, abs=0.1)
    assert distance(progress.at, place(120)) < 0.1
    assert progress.heading == pytest.approx(90, abs=0.1)


def test_off_the_route_the_offset_says_so() -> None:
    """A place that is near to no part of the line keeps the last progress and tells how far off it is."""
    progress = route(leg(place(0), place(3_000))).locate(place(500, 200), after_m=500)
    assert progress.offset_m == pytest.approx(200, abs=1)
    assert progress.along_m == pytest.approx(500, abs=5)


def test_after_a_long_gap_the_search_goes_further() -> None:
    """A driver who comes out of a dead zone two kilometres on is found there."""
    progress = route(leg(place(0), place(5_000))).locate(place(2_500, 5), after_m=100)
    assert progress.along_m == pytest.approx(2_500, abs=5)


def test_the_way_out_is_not_taken_for_the_way_back() -> None:
    """On a street driven out and back, progress stays on the half the driver is in."""
    there_and_back = route(leg(place(0), place(300)), leg(place(300), place(0)))
    assert there_and_back.locate(place(200, 4), after_m=150).along_m == pytest.approx(200, abs=1)
    assert there_and_back.locate(place(200, 4), after_m=350).along_m == pytest.approx(400, abs=1)


def test_the_heading_tells_the_ways_out_and_back_apart() -> None:
    """Just past the turn, where the last progress says little, the driver's heading decides."""
    there_and_back = route(leg(place(0), place(300)), leg(place(300), place(0)))
    assert there_and_back.locate(place(292), after_m=290, heading=270).along_m == pytest.approx(308, abs=1)
    assert there_and_back.locate(place(298), after_m=290, heading=90).along_m == pytest.approx(298, abs=1)


def test_a_loop_ends_at_its_end() -> None:
    """Where a round trip begins and ends at the same place, the last progress says which is meant."""
    loop = route(leg(place(0), place(100), place(100, 100), place(0, 100), place(0)))
    assert loop.locate(place(2)).along_m == pytest.approx(2, abs=0.5)
    assert loop.locate(place(0), after_m=380).along_m == pytest.approx(400, abs=1)


@given(routes(), st.lists(st.floats(1, 70), min_size=1, max_size=60))
def test_progress_never_runs_backwards_on_a_clean_track(driven: Route, steps: list[float]) -> None:
    """Driven along exactly, with the heading known, every place is found where it is."""
    true, after = 0.0, 0.0
    for step in steps:
        true = min(true + step, driven.length_m)
        a, b = driven.between(max(true - 0.5, 0.0), true)[-2:]
        progress = driven.locate(b, after_m=after, heading=bearing(a, b))
        assert progress.along_m >= after - 0.6
        assert progress.offset_m < 0.1
        after = progress.along_m


def turned(one: float, other: float) -> float:
    """Degrees between two headings."""
    return abs((one - other + 180.0) % 360.0 - 180.0)


def cost(found: Progress, after_m: float, heading: float | None) -> float:
    """Of a place on the line, in metres."""
    ahead = found.along_m - after_m
    against = heading is not None and turned(heading, found.heading) > 90.0
    return (
        found.offset_m
        + (ahead * AHEAD_COSTS if ahead > 0.0 else -ahead * BEHIND_COSTS)
        + (AGAINST_COSTS if against else 0.0)
    )


def nearest_places(driven: Route, at: LonLat, after_m: float) -> Iterator[Progress]:
    """The nearest place on each segment that has to be looked at, plainly; at the window's ends rounding
    decides."""
    begin_m = 0.0
    for begin, end in pairwise(driven.line):
        length_m = distance(begin, end)
        if after_m - BEHIND + 0.01 < begin_m + length_m and begin_m < after_m + AHEAD[0] - 0.01:
            (x, y), (dx, dy) = Plane(begin).to_metres(at), Plane(begin).to_metres(end)
            share = min(max((x * dx + y * dy) / (dx * dx + dy * dy), 0.0), 1.0)
            foot = interpolate(begin, end, share)
            offset_m = distance(foot, at)
            yield Progress(begin_m + share * length_m, offset_m, *foot, bearing(begin, end), 0.0)
        begin_m += length_m


@given(
    routes(),
    st.tuples(st.floats(-NEAR, NEAR), st.floats(-NEAR, NEAR)),
    st.floats(0, 1),
    st.floats(-70, 200),
    st.none() | st.floats(0, 359),
)
def test_what_the_search_leaves_out_costs_no_less(
    driven: Route, off: tuple[float, float], share: float, step: float, heading: float | None
) -> None:
    """It ends early, ahead and behind, and passes over what is far off."""
    if heading is not None:  # exactly across, rounding decides whether a segment runs against it
        assume(all(abs(turned(heading, bearing(*ends)) - 90.0) > 0.01 for ends in pairwise(driven.line)))
    after = share * driven.length_m
    true = driven.between(min(max(after + step, 0.0), driven.length_m - 1.0), driven.length_m)[0]
    x, y = PLANE.to_metres(true)
    at = place(x + off[0], y + off[1])
    found = driven.locate(at, after_m=after, heading=heading)
    best = min(nearest_places(driven, at, after), key=lambda each: cost(each, after, heading))
    if best.offset_m <= 0.99 * NEAR:  # else further ahead is searched, too
        assert cost(found, after, heading) <= cost(best, after, heading) + 0.2


@given(routes(), st.floats(-10, 3_000), st.floats(-10, 3_000))
def test_a_piece_of_the_line_is_as_long_as_it_should_be(driven: Route, a: float, b: float) -> None:
    """Metres along the route are metres of the line, whatever is cut out."""
    from_m, to_m = min(max(a, 0.0), driven.length_m), min(max(b, 0.0), driven.length_m)
    assert length(driven.between(a, b)) == pytest.approx(max(to_m - from_m, 0.0), abs=0.05)


@given(routes(), st.floats(0, 1))
def test_two_pieces_make_the_whole(driven: Route, share: float) -> None:
    """What was travelled and what remains meet."""
    at = share * driven.length_m
    travelled, left = driven.between(0.0, at), driven.between(at, driven.length_m)
    assert length(travelled) + length(left) == pytest.approx(driven.length_m, abs=0.05)
    if travelled and left:
        assert distance(travelled[-1], left[0]) < 0.01


@given(routes(), st.floats(0, 1), st.floats(0, 1))
def test_less_remains_the_further_one_is(driven: Route, a: float, b: float) -> None:
    """Metres and seconds to a stop fall along the route, from the whole to nothing."""
    whole = sum(leg.duration_s for leg in driven.legs)
    near, far = (
        driven.remaining(driven.locate(driven.between(0, at)[-1], after_m=at), len(driven.stops) - 1)
        for at in sorted((max(a, 0.01) * driven.length_m, max(b, 0.01) * driven.length_m))
    )
    assert far[0] <= near[0] + 0.01
    assert far[1] <= near[1] + 0.01
    assert 0 <= near[0] <= driven.length_m
    assert 0 <= near[1] <= whole + 1e-6


def test_the_seconds_are_spread_by_the_edges() -> None:
    """A slow street counts where it is, not evenly."""
    slow_then_fast = (Edge(0, 1, 100, 90, "service", True), Edge(1, 3, 200, 10, "primary", False))
    driven = route(leg(place(0), place(100), place(150), place(300), seconds=100, edges=slow_then_fast))
    assert driven.remaining(driven.locate(place(100)), 0)[1] == pytest.approx(10, abs=0.1)
    assert driven.remaining(driven.locate(place(50)), 0)[1] == pytest.approx(55, abs=0.5)
    assert driven.remaining(driven.locate(place(200), after_m=150), 0)[1] == pytest.approx(5, abs=0.1)


def test_a_stop_that_is_passed_is_no_way_off() -> None:
    """Remaining metres and seconds are never negative."""
    driven = route(leg(place(0), place(100)), leg(place(100), place(200)))
    assert driven.remaining(driven.locate(place(150)), 0) == (0.0, 0.0)


def test_routes_cross_the_antimeridian() -> None:
    """The line goes the short way round, and places are found on both sides."""
    a, b = LonLat(179.999, 0.0), LonLat(-179.998, 0.0)
    across = route(leg(a, b))
    assert across.length_m == pytest.approx(334, abs=1)
    assert across.locate(LonLat(-179.999, 0.0)).along_m == pytest.approx(222, abs=1)
    assert across.locate(LonLat(179.9995, 0.0)).along_m == pytest.approx(56, abs=1)


@given(routes(), st.floats(-30, 300), st.floats(-30, 300))
def test_the_direction_is_that_of_the_street_there(driven: Route, x: float, y: float) -> None:
    """Taken from the flat map, to a tenth of a degree as on the sphere; nobody is before the beginning."""
    found = driven.locate(place(x, y))
    exactly = [bearing(a, b) for a, b in pairwise(driven.line) if a != b]
    assert min(abs((each - found.heading + 180.0) % 360.0 - 180.0) for each in exactly) < 0.1
    assert 0.0 <= found.along_m <= driven.length_m
    assert found.along_s == pytest.approx(found.along_m / 5.0, abs=0.1)
