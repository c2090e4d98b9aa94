"""OrderSource: creates a courier's orders, between real addresses with a route between them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import Any, Final

import msgspec

from driver_sim.couriers.assignments import Assignment, choose_assignment
from driver_sim.merchant_api import ApiError, MerchantApi, NewOrder
from tracker.domain.geo import LonLat
from tracker.domain.order import Place, Vehicle

MAX_ATTEMPTS: Final = 20  # pairs of addresses to try before failing
FIRST_ORDER_CHOICES: Final = 5  # reachable pairs to choose a courier's first order from
RETRY: Final = 3.0  # seconds between attempts

OnError = Callable[[Exception], None]


class Budget:
    """The number of orders that a run may still create; None for no limit."""

    def __init__(self, limit: int | None) -> None:
        self._left = limit

    def grant(self, count: int) -> int:
        """Take up to *count* orders from the budget. Return the number taken."""
        if self._left is None:
            return count
        granted = min(count, self._left)
        self._left -= granted
        return granted


class PlacedOrder(msgspec.Struct, frozen=True):
    """A new order and its assignment."""

    order: NewOrder
    assignment: Assignment

    @property
    def where(self) -> str:
        return f"{self.assignment.pickup.address} to {self.assignment.dropoff.address}"


class OrderSource:
    """The orders of one courier."""

    def __init__(
        self,
        api: MerchantApi,
        addresses: Sequence[Place],
        budget: Budget,
        seed: str,
        *,
        first_needs: Mapping[str, Any] | None = None,
    ) -> None:
        """Create a source. *first_needs* are the requirements of its first order."""
        self._api = api
        self._addresses = addresses
        self._budget = budget
        self._seed = seed
        self._random = Random(f"customers {seed}")
        self.on_error: OnError = lambda error: None  # called for each error before a retry
        self._placed = 0
        self._first_needs = first_needs

    def placed(self, reference: str | None) -> bool:
        """Whether an order with this reference comes from here, in this run or an earlier one."""
        return reference is not None and reference.startswith(f"{self._seed}-")

    async def order(self, count: int, driver_id: str, vehicle: Vehicle, here: LonLat) -> list[PlacedOrder]:
        """Create up to *count* orders for the driver, none at the end of the budget. Raises ApiError."""
        granted = self._budget.grant(count)
        return [await self._place_order(driver_id, vehicle, here) for _ in range(granted)]

    async def _place_order(self, driver_id: str, vehicle: Vehicle, here: LonLat) -> PlacedOrder:
        assignment = await self._choose_reachable(vehicle, here)
        self._placed += 1
        reference = f"{self._seed}-{int(time.time()) % 1_000_000}-{self._placed}"
        needs = self._first_needs if self._placed == 1 else None
        order = await retry_while_unavailable(
            lambda: self._api.create_order(
                assignment.pickup,
                assignment.dropoff,
                driver_id=driver_id,
                reference=reference,
                requirements=needs,
            ),
            self.on_error,
        )
        return PlacedOrder(order, assignment)

    async def _choose_reachable(self, vehicle: Vehicle, here: LonLat) -> Assignment:
        """Choose an assignment with a route. A courier's first order has the nearest of several pickups.

        Raises ApiError if MAX_ATTEMPTS assignments have no route.
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
            raise ApiError(404, f"No route for {vehicle} between any of {MAX_ATTEMPTS} pairs of addresses")
        return min(found, key=lambda one: one[0])[1]

    async def _seconds_to(self, assignment: Assignment, vehicle: Vehicle, here: LonLat) -> float | None:
        """Return the seconds to the pickup, or None if the pickup or the dropoff is unreachable."""
        places = (here, assignment.pickup.lonlat, assignment.dropoff.lonlat)
        try:
            legs = await retry_while_unavailable(lambda: self._api.route(places, vehicle), self.on_error)
        except ApiError as error:
            if error.status != 404:
                raise
            return None
        return legs[0].duration_s


async def retry_while_unavailable[T](request: Callable[[], Awaitable[T]], on_error: OnError) -> T:
    """Repeat a request while the service is unreachable or overloaded. Raises ApiError otherwise."""
    while True:
        try:
            return await request()
        except ApiError as error:
            if 0 < error.status < 500 and error.status != 429:
                raise
            on_error(error)
        await asyncio.sleep(RETRY)
