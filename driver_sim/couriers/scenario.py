"""A run: couriers are hired (or met again), given orders that renew themselves, and sent home at the end."""

import asyncio
import signal
from collections.abc import Callable
from random import Random
from typing import Final

import msgspec

from driver_sim.client.client import DriverClient
from driver_sim.couriers.assignments import Identity, identity
from driver_sim.couriers.courier import Courier
from driver_sim.couriers.events import EventSink
from driver_sim.couriers.order_source import Budget, OrderSource
from driver_sim.couriers.phone import Tempo
from driver_sim.errors import first_of
from driver_sim.merchant_api import ApiError, KnownDriver, MerchantApi
from tracker.domain.geo import LonLat
from tracker.domain.order import Place

ADDRESSES: Final = 300
RETRY: Final = 1.0  # seconds between knocks at a service that is still starting


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What `driver-sim run` was asked for."""

    url: str
    api_key: str
    drivers: int = 3
    seed: int = 1
    tempo: Tempo = Tempo()
    duration: float | None = None  # seconds
    orders: int | None = None  # that are made in all
    wait: float = 30.0  # seconds for the service to answer


class Scenario:
    """All couriers of one run."""

    def __init__(self, settings: Settings, tell: EventSink) -> None:
        self.couriers: list[Courier] = []
        self.over = asyncio.Event()
        self._settings = settings
        self._tell = tell
        self._budget = Budget(settings.orders)

    async def run(self) -> None:
        """Returns when `over` is set, the time is up or the orders are delivered. Raises ApiError."""
        async with MerchantApi(self._settings.url, self._settings.api_key) as api:
            addresses = await self._answering(api)
            if len(addresses) < 2:
                raise ApiError(404, "The map of the service has no addresses", "orders need at least two")
            known = await _known(api)
            timer = asyncio.get_running_loop().call_later(self._settings.duration or 1e9, self.over.set)
            try:
                await self._work(api, addresses, known)
            except* ApiError as errors:
                raise first_of(errors) from None
            finally:
                timer.cancel()

    async def _work(self, api: MerchantApi, addresses: list[Place], known: dict[str, KnownDriver]) -> None:
        """Couriers start one after the other: the first moves while the last is being hired."""
        async with asyncio.TaskGroup() as tasks:
            for n in range(self._settings.drivers):
                if self.over.is_set():
                    return
                courier = await self._hire(api, identity(self._settings.seed, n), addresses, known)
                self.couriers.append(courier)
                tasks.create_task(courier.run(self.over))

    async def _answering(self, api: MerchantApi) -> list[Place]:
        """The map's addresses, as soon as the service is up."""
        tries = int(self._settings.wait / RETRY)
        while True:
            try:
                return await api.addresses(limit=ADDRESSES, seed=self._settings.seed)
            except ApiError as error:
                if tries <= 0 or error.status not in {0, 502, 503}:
                    raise
            tries -= 1
            await asyncio.sleep(RETRY)

    async def _hire(
        self, api: MerchantApi, who: Identity, addresses: list[Place], known: dict[str, KnownDriver]
    ) -> Courier:
        """A courier of an earlier run is taken again, where it stood; its old token ends."""
        random = Random(f"start {who.reference}")
        start = random.choice(addresses).lonlat
        again = known.get(who.reference)
        if again is None:
            driver = await api.create_driver(who.name, who.vehicle, who.reference)
            driver_id, token = driver.id, driver.token
        else:
            driver_id, token = again.id, await api.new_token(again.id)
            who = Identity(who.reference, again.name, again.vehicle)
            start = _within(again, addresses) or start
        client = DriverClient(self._settings.url, token, random=random)
        customers = OrderSource(api, addresses, self._budget, who.reference)
        tempo, tell = self._settings.tempo, self._tell
        return Courier(who, driver_id, client, api, customers=customers, start=start, tempo=tempo, tell=tell)


def _within(driver: KnownDriver, addresses: list[Place]) -> LonLat | None:
    """Where a driver was last seen, if that is on this map."""
    if driver.last_fix is None:
        return None
    lons, lats = [place.lon for place in addresses], [place.lat for place in addresses]
    lon, lat = driver.last_fix.lonlat
    on_map = min(lons) <= lon <= max(lons) and min(lats) <= lat <= max(lats)
    return driver.last_fix.lonlat if on_map else None


async def _known(api: MerchantApi) -> dict[str, KnownDriver]:
    """The simulated drivers that the service has from earlier runs, by reference."""
    return {
        driver.reference: driver
        async for driver in api.drivers()
        if driver.reference is not None and driver.reference.startswith("sim-")
    }


def end_on_signals(stop: Callable[[], None]) -> None:
    """Ctrl-C and SIGTERM end a run in order."""
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
