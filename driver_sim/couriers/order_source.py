"""Customers: where new orders come from; between real addresses, and only where there is a way."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Final

import msgspec

from driver_sim.couriers.assignments import Assignment, choose_assignment
from driver_sim.merchant_api import ApiError, MerchantApi, NewOrder
from tracker.domain.geo import LonLat
from tracker.domain.order import Place, Vehicle

MAX_ATTEMPTS: Final = 20  # pairs of addresses, before we say that the map has no routes
FIRST_ORDER_CHOICES: Final = 5  # reachable pairs from which a courier's first order is chosen
RETRY: Final = 3.0  # seconds after the service failed us

OnError = Callable[[Exception], None]


class Budget:
    """How many orders may still be made; None is no limit."""

    def __init__(self, limit: int | None) -> None:
        self._left = limit

    def grant(self, count: int) -> int:
        """Up to `wanted`; 0 at the end of the run."""
        if self._left is None:
            return count
        granted = min(count, self._left)
        self._left -= granted
        return granted


class PlacedOrder(msgspec.Struct, frozen=True):
    """An order that was just made, and between which addresses."""

    order: NewOrder
    assignment: Assignment

    @property
    def where(self) -> str:
        return f"{self.assignment.pickup.address} to {self.assignment.dropoff.address}"


class OrderSource:
    """Order from one courier."""

    def __init__(self, api: MerchantApi, addresses: Sequence[Place], budget: Budget, seed: str) -> None:
        self._api = api
        self._addresses = addresses
        self._budget = budget
        self._seed = seed
        self._random = Random(f"customers {seed}")
        self.on_error: OnError = lambda error: None  # hears of every failure that is waited out
        self._placed = 0

    async def order(self, count: int, driver_id: str, vehicle: Vehicle, here: LonLat) -> list[PlacedOrder]:
        """Up to `wanted` orders, assigned to the driver; none at the end of the run. Raises ApiError."""
        granted = self._budget.grant(count)
        return [await self._place_order(driver_id, vehicle, here) for _ in range(granted)]

    async def _place_order(self, driver_id: str, vehicle: Vehicle, here: LonLat) -> PlacedOrder:
        assignment = await self._choose_reachable(vehicle, here)
        self._placed += 1
        reference = f"{self._seed}-{int(time.time()) % 1_000_000}-{self._placed}"
        order = await retry_while_unavailable(
            lambda: self._api.create_order(
                assignment.pickup, assignment.dropoff, driver_id=driver_id, reference=reference
            ),
            self.on_error,
        )
        return PlacedOrder(order, assignment)

    async def _choose_reachable(self, vehicle: Vehicle, here: LonLat) -> Assignment:
        """An errand with a way to it; the first of a courier is the one that is soonest fetched.

        Raises ApiError where none of many has a way.
        """
        count = 1 if self._placed else FIRST_ORDER_CHOICES
        found: list[tuple[float, Assignment]] = []
        for _ in range(MAX_ATTEMPTS):
            assignment = choose_assignment(
                self._addresses, here, vehicle, self._random, near=not self._placed
            )
            to_pickup = await self._seconds_to(assignment, vehicle, here)
            if to_pickup is not None:
                found.append((to_pickup, assignment))
            if len(found) == count:
                break
        if not found:
            raise ApiError(404, f"None of {MAX_ATTEMPTS} pairs of addresses has a route for {vehicle}")
        return min(found, key=lambda one: one[0])[1]

    async def _seconds_to(self, assignment: Assignment, vehicle: Vehicle, here: LonLat) -> float | None:
        """To the pickup; None where there is no way to it, or none from it to the dropoff."""
        places = (here, assignment.pickup.lonlat, assignment.dropoff.lonlat)
        try:
            legs = await retry_while_unavailable(lambda: self._api.route(places, vehicle), self.on_error)
        except ApiError as error:
            if error.status != 404:
                raise
            return None
        return legs[0].duration_s


async def retry_while_unavailable[T](request: Callable[[], Awaitable[T]], on_error: OnError) -> T:
    """Asks again while the service is away or overloaded. Raises the ApiError that waiting does not mend."""
    while True:
        try:
            return await request()
        except ApiError as error:
            if 0 < error.status < 500 and error.status != 429:
                raise
            on_error(error)
        await asyncio.sleep(RETRY)
