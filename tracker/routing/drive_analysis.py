"""Judging: the streets of a finished way, and which manner would have foretold it. Off the hot path."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from tracker.domain.eta.model import ArrivalSample
from tracker.domain.geo import LonLat
from tracker.domain.order import Vehicle
from tracker.domain.route import Leg
from tracker.domain.route_choice.observed_streets import NONE, ObservedStreets, StreetPassage
from tracker.domain.route_choice.preference import LAWFUL, OTHERS, DrivenPath, RoutePreference, off_by
from tracker.errors import NoRoute, RouterUnavailable


class Routes(Protocol):
    """What is needed of the router."""

    async def route(
        self,
        places: Sequence[LonLat],
        vehicle: Vehicle,
        *,
        edges: bool = False,
        heading: float | None = None,
        manner: RoutePreference = LAWFUL,
        streets: ObservedStreets = NONE,
    ) -> tuple[Leg, ...]: ...

    async def matched(self, places: Sequence[LonLat], vehicle: Vehicle) -> tuple[StreetPassage, ...]: ...


async def judged(arrival: ArrivalSample, router: Routes) -> ArrivalSample:
    """The same without its way, which says where the driver was: with its streets, and with how far off each
    manner was.

    Without those where the router does not answer.
    """
    way = arrival.way
    if way is None:
        return arrival
    arrival = msgspec.structs.replace(arrival, way=None)
    try:
        return msgspec.structs.replace(
            arrival,
            off=await _off(way, arrival, router),
            streets=await router.matched(way.places, arrival.vehicle),
        )
    except RouterUnavailable:
        return arrival


async def _off(way: DrivenPath, arrival: ArrivalSample, router: Routes) -> dict[RoutePreference, float]:
    off: dict[RoutePreference, float] = {}
    for manner in (LAWFUL, *OTHERS):
        try:
            (leg,) = await router.route(
                (way.begin, arrival.at), arrival.vehicle, heading=way.heading, manner=manner
            )
        except NoRoute:
            off[manner] = off_by(None, way)
        else:
            off[manner] = off_by(leg.distance_m, way)
    return off
