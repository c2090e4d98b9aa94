"""Judging: by which manner of choosing a way a finished one would have been foretold. Off the hot path."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from tracker.domain.geo import LonLat
from tracker.domain.learning import Arrival
from tracker.domain.manners import LAWFUL, OTHERS, Manner, off_by
from tracker.domain.order import Vehicle
from tracker.domain.route import Leg
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
        manner: Manner = LAWFUL,
    ) -> tuple[Leg, ...]: ...


async def judged(arrival: Arrival, router: Routes) -> Arrival:
    """The same, with how far off each manner was; without that where the router does not answer."""
    way = arrival.way
    if way is None:
        return arrival
    off: dict[Manner, float] = {}
    for manner in (LAWFUL, *OTHERS):
        try:
            (leg,) = await router.route(
                (way.begin, arrival.at), arrival.vehicle, heading=way.heading, manner=manner
            )
        except NoRoute:
            off[manner] = off_by(None, way)
        except RouterUnavailable:
            return arrival
        else:
            off[manner] = off_by(leg.distance_m, way)
    return msgspec.structs.replace(arrival, off=off)
