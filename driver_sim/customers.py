"""Customers: where new orders come from; between real addresses, and only where there is a way."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Final

import msgspec

from driver_sim.api import ApiError, MerchantApi, NewOrder
from driver_sim.work import Errand, errand
from tracker.domain.geo import LonLat
from tracker.domain.order import Place, Vehicle

TRIES: Final = 20  # pairs of addresses, before we say that the map has no routes
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
    errand: Errand

    @property
    def where(self) -> str:
        return f"{self.errand.pickup.address} to {self.errand.dropoff.address}"


class Customers:
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
        chosen = await self._reachable(vehicle, here)
        self._made += 1
        reference = f"{self._seed}-{int(time.time()) % 1_000_000}-{self._made}"
        order = await patiently(
            lambda: self._api.create_order(
                chosen.pickup, chosen.dropoff, driver_id=driver_id, reference=reference
            ),
            self.trouble,
        )
        return Made(order, chosen)

    async def _reachable(self, vehicle: Vehicle, here: LonLat) -> Errand:
        """Pairs without a route are thrown back. Raises ApiError where none of many has one."""
        for _ in range(TRIES):
            next_door = self._made == 0
            chosen = errand(self._addresses, here, vehicle, self._random, next_door=next_door)
            places = (here, chosen.pickup.lonlat, chosen.dropoff.lonlat)
            try:
                await patiently(lambda: self._api.route(places, vehicle), self.trouble)  # noqa: B023
            except ApiError as error:
                if error.status != 404:
                    raise
            else:
                return chosen
        raise ApiError(404, f"None of {TRIES} pairs of addresses has a route for {vehicle}")


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
