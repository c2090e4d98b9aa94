"""Analysis of a finished drive: its streets, and which route preference would have predicted it.

It runs off the hot path.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from tracker.domain.eta.model import ArrivalSample
from tracker.domain.geo import LonLat
from tracker.domain.order import Vehicle
from tracker.domain.route import Leg
from tracker.domain.route_choice.observed_streets import NO_STREETS, ObservedStreets, StreetPassage
from tracker.domain.route_choice.preference import (
    LAWFUL,
    OTHER_PREFERENCES,
    DrivenPath,
    RoutePreference,
    length_error,
)
from tracker.errors import NoRoute, RouterUnavailable


class Routes(Protocol):
    """The calls of the router that the analysis needs."""

    async def route(
        self,
        places: Sequence[LonLat],
        vehicle: Vehicle,
        *,
        edges: bool = False,
        heading: float | None = None,
        preference: RoutePreference = LAWFUL,
        streets: ObservedStreets = NO_STREETS,
    ) -> tuple[Leg, ...]: ...

    async def match_streets(
        self, places: Sequence[LonLat], vehicle: Vehicle
    ) -> tuple[StreetPassage, ...]: ...


async def analyse_drive(arrival: ArrivalSample, router: Routes) -> ArrivalSample:
    """Replace the driven path of an arrival sample by its streets and by the error of each route preference.

    The path goes because it says where the driver was. If the router is unavailable, the rest stays empty.
    """
    path = arrival.way
    if path is None:
        return arrival
    arrival = msgspec.structs.replace(arrival, way=None)
    try:
        return msgspec.structs.replace(
            arrival,
            off=await _errors(path, arrival, router),
            streets=await router.match_streets(path.places, arrival.vehicle),
        )
    except RouterUnavailable:
        return arrival


async def _errors(path: DrivenPath, arrival: ArrivalSample, router: Routes) -> dict[RoutePreference, float]:
    """Return, for each route preference, by how much its route misses the driven path."""
    errors: dict[RoutePreference, float] = {}
    for preference in (LAWFUL, *OTHER_PREFERENCES):
        try:
            (leg,) = await router.route(
                (path.begin, arrival.at), arrival.vehicle, heading=path.heading, preference=preference
            )
        except NoRoute:
            errors[preference] = length_error(None, path)
        else:
            errors[preference] = length_error(leg.distance_m, path)
    return errors
