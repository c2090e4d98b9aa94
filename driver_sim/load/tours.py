"""Tours: rounds between addresses, which drivers drive one leg after another."""

from collections.abc import Sequence
from random import Random
from typing import Final

import msgspec

from driver_sim.merchant_api import ApiError, MerchantApi
from tracker.domain.order import Place, Vehicle
from tracker.domain.route import Leg

STOPS: Final = 6  # of a tour
MAX_ATTEMPTS: Final = 20  # samples of addresses to try for one tour


class Tour(msgspec.Struct, frozen=True):
    """A round of addresses: `legs[n]` leads from `places[n]` to the next place, the last leg to the first."""

    places: tuple[Place, ...]
    legs: tuple[Leg, ...]

    def ends(self, number: int) -> tuple[Place, Place]:
        """Return where a leg begins and ends. *number* may be larger than the number of legs."""
        return self.places[number % len(self.places)], self.places[(number + 1) % len(self.places)]

    def leg(self, number: int) -> Leg:
        return self.legs[number % len(self.legs)]


async def plan_tour(api: MerchantApi, addresses: Sequence[Place], vehicle: Vehicle, random: Random) -> Tour:
    """Choose addresses with routes between them. Raises ApiError, also if MAX_ATTEMPTS samples have none."""
    for _ in range(MAX_ATTEMPTS):
        places = tuple(random.sample(addresses, min(STOPS, len(addresses))))
        try:
            legs = await api.route([place.lonlat for place in (*places, places[0])], vehicle)
        except ApiError as error:
            if error.status != 404:
                raise
            continue
        if all(leg.distance_m > 0.0 for leg in legs):
            return Tour(places, legs)
    raise ApiError(404, f"No round trip for {vehicle} between any of {MAX_ATTEMPTS} samples of addresses")
