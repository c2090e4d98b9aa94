"""Driven: the engine's legs as drivers who know the streets would go. Only forecasts follow them."""

from collections.abc import Sequence
from itertools import pairwise

from tracker.domain.geo import LonLat
from tracker.domain.leg import Leg
from tracker.domain.order import Vehicle
from tracker.domain.route_choice.observed_streets import ObservedStreets
from tracker.domain.route_choice.preference import RoutePreference
from tracker.domain.route_choice.preferred_route import Search
from tracker.routing.backends import Backend
from tracker.routing.map_matching import along


def as_driven(
    actor: Backend,
    places: Sequence[LonLat],
    legs: Sequence[Leg],
    vehicle: Vehicle,
    *,
    streets: ObservedStreets,
    heading: float | None,
    manner: RoutePreference,
) -> tuple[Leg, ...]:
    """Each leg by the streets that drivers take; as it is where none are known, or they lead far around."""
    driven: list[Leg] = []
    entering = ""  # the street on which the leg before ended
    for number, (leg, (begin, end)) in enumerate(zip(legs, pairwise(places), strict=True)):
        if leg.straight:
            driven.append(leg)
            entering = ""
            continue
        search = Search(streets, leg, by_time=not manner.startswith("short"))
        way = search.way(begin, end, heading=None if number else heading, entering=entering)
        found: Leg | None = leg
        if way is not None and way.streets != tuple(edge.key for edge in leg.edges):
            found = along(actor, way.line, vehicle)
        driven.append(found or leg)
        entering = way.streets[-1] if way is not None and found is not None else ""
    return tuple(driven)
