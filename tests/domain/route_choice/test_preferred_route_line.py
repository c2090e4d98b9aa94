"""The line of a usual way: the map's own places, as the engine can follow them best."""

from datetime import date
from itertools import pairwise

from tracker.domain.geo import LonLat, steps
from tracker.domain.leg import Edge, Leg
from tracker.domain.route_choice.observed_streets import ObservedStreets, StreetPassage
from tracker.domain.route_choice.preferred_route import Search

CORNERS = [LonLat(24.94 + 0.0013 * n, 60.17 + 0.0007 * (n % 3)) for n in range(7)]


def test_streets_join_in_the_maps_own_places() -> None:
    """Not in places a rounding's breadth from them, nor in two of these."""
    lines = list(pairwise(CORNERS))
    streets = ObservedStreets()
    walked = [StreetPassage(f"s{n}", line, 10.0, whole=True, joined=n > 0) for n, line in enumerate(lines)]
    streets.learn(walked, CORNERS[-1], date(2026, 6, 1))
    length = sum(steps(CORNERS))
    leg = Leg((CORNERS[0], CORNERS[-1]), length, 60.0, (Edge(0, 1, length, 60.0, "residential", False),))

    way = Search(streets, leg, by_time=False).find(CORNERS[0], CORNERS[-1], heading=60.0)

    assert way is not None
    assert way.streets == tuple(each.key for each in walked)
    assert way.line[:-1] == tuple(CORNERS[:-1])
    assert len(way.line) == len(CORNERS)
