"""Orders: the orders of a load test, and the customers who watch them."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from itertools import count
from random import Random
from time import time
from typing import Final
from urllib.parse import urlsplit

from driver_sim.couriers.order_source import retry_while_unavailable
from driver_sim.load.driver import LoadDriver
from driver_sim.load.watcher import Watcher
from driver_sim.merchant_api import MerchantApi

WATCHERS_OF_ADDRESS: Final = 900  # the service accepts 1,000 customers from one address


class Orders:
    """Gives drivers one order after another."""

    def __init__(self, api: MerchantApi, seed: int, watchers: int, on_seen: Callable[[float], None]) -> None:
        """Each order has *watchers*. *on_seen* is called with the seconds from a due fix to its customer."""
        self._api, self._watchers, self._on_seen = api, watchers, on_seen
        self._random = Random(f"watchers {seed}")
        self._run = f"load-{seed}-{time():.0f}"
        self._placed, self._watching = count(1), count()
        self._is_loopback = (urlsplit(api.url).hostname or "").startswith("127.")

    async def give_next(self, driver: LoadDriver) -> None:
        """End the driver's order, and create the order of its present leg. Raises ApiError."""
        await self.end(driver)
        pickup, dropoff = driver.ends
        reference = f"{self._run}-{next(self._placed)}"
        order = await self._request(
            lambda: self._api.create_order(pickup, dropoff, driver_id=driver.id, reference=reference)
        )
        driver.order_id = order.id
        await self._request(lambda: self._api.set_status(order.id, "picked_up"))
        link_token = order.tracking_url.rsplit("/", 1)[1]
        driver.watchers = [self._watcher(driver, link_token) for _ in range(self._watchers)]

    async def end(self, driver: LoadDriver) -> None:
        """Report the driver's order as delivered. Raises ApiError."""
        order_id, driver.order_id = driver.order_id, ""
        if order_id:
            await self._request(lambda: self._api.set_status(order_id, "delivered"))

    async def _request[T](self, request: Callable[[], Awaitable[T]]) -> T:
        return await retry_while_unavailable(request, lambda error: None)

    def _watcher(self, driver: LoadDriver, link_token: str) -> Watcher:
        def seen(recorded_at: datetime) -> None:
            age = driver.age(recorded_at)
            if age is not None:
                self._on_seen(age)

        return Watcher(self._api.url, link_token, seen, address=self._next_address(), random=self._random)

    def _next_address(self) -> str | None:
        """Return the local address of the next customer: on one machine, each address has its own limit."""
        number = next(self._watching) // WATCHERS_OF_ADDRESS
        return f"127.0.{number // 250}.{1 + number % 250}" if self._is_loopback else None
