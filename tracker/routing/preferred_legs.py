"""Preferred legs: routes along the streets that local drivers take. Only forecasts use them."""

from collections.abc import Sequence
from itertools import pairwise

from tracker.domain.geo import LonLat
from tracker.domain.leg import Leg
from tracker.domain.order import Vehicle
from tracker.domain.route_choice.observed_streets import ObservedStreets
from tracker.domain.route_choice.preference import RoutePreference
from tracker.domain.route_choice.preferred_route import Search
from tracker.routing.backends import Backend
from tracker.routing.map_matching import leg_along


def prefer_observed_streets(
    backend: Backend,
    places: Sequence[LonLat],
    legs: Sequence[Leg],
    vehicle: Vehicle,
    *,
    streets: ObservedStreets,
    heading: float | None,
    preference: RoutePreference,
) -> tuple[Leg, ...]:
    """Replace each leg by one along observed streets.

    A leg stays as it is if no such streets are known, or if they are a long detour. Raises RouterUnavailable.
    """
    preferred: list[Leg] = []
    entering = ""  # key of the street on which the previous leg ended
    for number, (leg, (begin, end)) in enumerate(zip(legs, pairwise(places), strict=True)):
        if leg.straight:
            preferred.append(leg)
            entering = ""
            continue
        search = Search(streets, leg, by_time=not preference.startswith("short"))
        path = search.find(begin, end, heading=None if number else heading, entering=entering)
        found: Leg | None = leg
        if path is not None and path.streets != tuple(edge.key for edge in leg.edges):
            found = leg_along(backend, path.line, vehicle)
        preferred.append(found or leg)
        entering = path.streets[-1] if path is not None and found is not None else ""
    return tuple(preferred)
