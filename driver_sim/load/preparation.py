"""Preparation: creates the drivers and their first orders before the load begins."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from random import Random
from typing import Final

from driver_sim.couriers.order_source import OnError, retry_while_unavailable
from driver_sim.load.tours import Tour, plan_tour
from driver_sim.merchant_api import ApiError, DriverAccess, ExistingDriver, MerchantApi
from tracker.domain.order import Place, Vehicle

TOURS: Final = 40
ADDRESSES: Final = 300
REQUESTS_AT_ONCE: Final = 16

type OnProgress = Callable[[str, int, int], None]
"""Called with what is prepared, how many are ready, and how many there will be."""


class Preparation:
    """The requests before the load. Every method raises ApiError."""

    def __init__(self, api: MerchantApi, seed: int, vehicle: Vehicle, on_progress: OnProgress) -> None:
        self._api, self._seed, self._vehicle = api, seed, vehicle
        self._on_progress = on_progress
        self._on_error: OnError = lambda error: None

    async def tours(self, drivers: int) -> list[Tour]:
        """Return up to TOURS tours on the map's streets."""
        addresses = await self._addresses()
        wanted = [Random(f"tour {self._seed} {n}") for n in range(min(TOURS, drivers))]
        return await self._all(
            "tours", wanted, lambda random: plan_tour(self._api, addresses, self._vehicle, random)
        )

    async def drivers(self, count: int) -> list[DriverAccess]:
        """Create the drivers, or give those of an earlier run with the same seed a new token."""
        existing = {one.reference: one async for one in self._existing()}

        async def access(number: int) -> DriverAccess:
            reference = f"{self._prefix}{number}"
            if reference in existing:
                return await self._api.new_token(existing[reference].id)
            return await self._api.create_driver(f"Load {number}", self._vehicle, reference)

        return await self._all("drivers", range(count), access)

    async def send[T](self, what: str, items: Iterable[T], request: Callable[[T], Awaitable[None]]) -> None:
        """Send a request for each item."""
        await self._all(what, list(items), request)

    @property
    def _prefix(self) -> str:
        return f"load-{self._seed}-"

    async def _existing(self) -> AsyncIterator[ExistingDriver]:
        async for driver in self._api.drivers():
            if driver.reference is not None and driver.reference.startswith(self._prefix):
                yield driver

    async def _addresses(self) -> list[Place]:
        addresses = await self._api.addresses(limit=ADDRESSES, seed=self._seed)
        if len(addresses) < 2:
            raise ApiError(404, "The service's map has no addresses", "Orders need at least two")
        return addresses

    async def _all[T, R](
        self, what: str, items: Sequence[T], request: Callable[[T], Awaitable[R]]
    ) -> list[R]:
        """Send a request for each item, several at a time, and again while the service is overloaded."""
        free = asyncio.Semaphore(REQUESTS_AT_ONCE)
        ready = 0

        async def one(item: T) -> R:
            nonlocal ready
            async with free:
                result = await retry_while_unavailable(lambda: request(item), self._on_error)
            ready += 1
            self._on_progress(what, ready, len(items))
            return result

        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(one(item)) for item in items]
        return [task.result() for task in running]
