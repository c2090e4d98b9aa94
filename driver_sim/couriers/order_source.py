"""Customers: where new orders come from; between real addresses, and only where there is a way."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Final

import msgspec

from driver_sim.couriers.assignments import Assignment, errand
from driver_sim.merchant_api import ApiError, MerchantApi, NewOrder
from tracker.domain.geo import LonLat
from tracker.domain.order import Place, Vehicle

TRIES: Final = 20  # pairs of addresses, before we say that the map has no routes
FIRST_CHOICE: Final = 5  # reachable pairs from which a courier's first order is chosen
RETRY: Final = 3.0  # seconds after the service failed us

Trouble = Callable[[Exception], None]


class Budget:
    """How many orders may still be made; None is no limit."""

    def __init__(self, limit: int | None) -> None:
        self._left = limit

    def grant(self, wanted: int) -> int:
        """Up to `wanted`; 0 at the end of the run."""
        if self._left is None:
            return wanted
        granted = min(wanted, self._left)
        self._left -= granted
        return granted


class Made(msgspec.Struct, frozen=True):
    """An order that was just made, and between which addresses."""

    order: NewOrder
    errand: Assignment

    @property
    def where(self) -> str:
        return f"{self.errand.pickup.address} to {self.errand.dropoff.address}"


class OrderSource:
    """Order from one courier."""

    def __init__(self, api: MerchantApi, addresses: Sequence[Place], budget: Budget, seed: str) -> None:
        self._api = api
        self._addresses = addresses
        self._budget = budget
        self._seed = seed
        self._random = Random(f"customers {seed}")
        self.trouble: Trouble = lambda error: None  # hears of every failure that is waited out
        self._made = 0

    async def order(self, wanted: int, driver_id: str, vehicle: Vehicle, here: LonLat) -> list[Made]:
        """Up to `wanted` orders, assigned to the driver; none at the end of the run. Raises ApiError."""
        granted = self._budget.grant(wanted)
        return [await self._order_one(driver_id, vehicle, here) for _ in range(granted)]

    async def _order_one(self, driver_id: str, vehicle: Vehicle, here: LonLat) -> Made:
        chosen = await self._chosen(vehicle, here)
        self._made += 1
        reference = f"{self._seed}-{int(time.time()) % 1_000_000}-{self._made}"
        order = await patiently(
            lambda: self._api.create_order(
                chosen.pickup, chosen.dropoff, driver_id=driver_id, reference=reference
            ),
            self.trouble,
        )
        return Made(order, chosen)

    async def _chosen(self, vehicle: Vehicle, here: LonLat) -> Assignment:
        """An errand with a way to it; the first of a courier is the one that is soonest fetched.

        Raises ApiError where none of many has a way.
        """
        wanted = 1 if self._made else FIRST_CHOICE
        found: list[tuple[float, Assignment]] = []
        for _ in range(TRIES):
            chosen = errand(self._addresses, here, vehicle, self._random, next_door=not self._made)
            to_pickup = await self._seconds_to(chosen, vehicle, here)
            if to_pickup is not None:
                found.append((to_pickup, chosen))
            if len(found) == wanted:
                break
        if not found:
            raise ApiError(404, f"None of {TRIES} pairs of addresses has a route for {vehicle}")
        return min(found, key=lambda one: one[0])[1]

    async def _seconds_to(self, chosen: Assignment, vehicle: Vehicle, here: LonLat) -> float | None:
        """To the pickup; None where there is no way to it, or none from it to the dropoff."""
        places = (here, chosen.pickup.lonlat, chosen.dropoff.lonlat)
        try:
            legs = await patiently(lambda: self._api.route(places, vehicle), self.trouble)
        except ApiError as error:
            if error.status != 404:
                raise
            return None
        return legs[0].duration_s


async def patiently[T](ask: Callable[[], Awaitable[T]], trouble: Trouble) -> T:
    """Asks again while the service is away or overloaded. Raises the ApiError that waiting does not mend."""
    while True:
        try:
            return await ask()
        except ApiError as error:
            if 0 < error.status < 500 and error.status != 429:
                raise
            trouble(error)
        await asyncio.sleep(RETRY)
