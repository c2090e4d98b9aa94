"""Scenario: the couriers of one run, from their creation to an orderly end."""

import asyncio
import signal
import time
from collections.abc import Callable
from random import Random
from typing import Any, Final

import msgspec

from driver_sim.couriers.assignments import Identity, make_identity
from driver_sim.couriers.courier import Courier
from driver_sim.couriers.events import EventSink
from driver_sim.couriers.order_source import Budget, OrderSource
from driver_sim.couriers.phone import Tempo
from driver_sim.errors import NoBroker, first_error
from driver_sim.merchant_api import ApiError, ExistingDriver, MerchantApi
from driver_sim.motion.jam import jam_among
from driver_sim.sources.protocols import Protocol
from tracker.domain.geo import LonLat
from tracker.domain.order import Place

ADDRESSES: Final = 300
NEEDS: Final = {"dropoff": {"photo": True, "pin": True}}  # of the first order, if it needs proofs
RETRY: Final = 1.0  # seconds between attempts while the service starts


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The options of `driver-sim run`."""

    url: str
    api_key: str
    drivers: int = 3
    seed: int = 1
    tempo: Tempo = Tempo()
    jam: float = 0.0  # seconds from the start of the run during which there is a jam
    protocol: Protocol = "ws"
    duration: float | None = None  # seconds
    orders: int | None = None  # to create in total
    proofs: bool = False  # the first order needs a photo and the customer's PIN
    wait: float = 30.0  # seconds for the service to become ready


class Scenario:
    """The couriers of one run."""

    def __init__(self, settings: Settings, emit: EventSink) -> None:
        self.couriers: list[Courier] = []
        self.shutdown = asyncio.Event()
        self._settings = settings
        self._emit = emit
        self._budget = Budget(settings.orders)
        self._tempo = settings.tempo

    async def run(self) -> None:
        """Run until `shutdown` is set, the duration is over or all orders are delivered. Raises ApiError."""
        async with MerchantApi(self._settings.url, self._settings.api_key) as api:
            addresses = await self._wait_for_addresses(api)
            if len(addresses) < 2:
                raise ApiError(404, "The service's map has no addresses", "Orders need at least two")
            if self._settings.jam:
                jam = jam_among([one.lonlat for one in addresses], ends_at=time.time() + self._settings.jam)
                self._tempo = msgspec.structs.replace(self._tempo, jam=jam)
            existing = await _existing_drivers(api)
            timer = asyncio.get_running_loop().call_later(self._settings.duration or 1e9, self.shutdown.set)
            try:
                await self._work(api, addresses, existing)
            except* (ApiError, NoBroker) as errors:
                raise first_error(errors) from None
            finally:
                timer.cancel()

    async def _work(
        self, api: MerchantApi, addresses: list[Place], existing: dict[str, ExistingDriver]
    ) -> None:
        """Start the couriers one by one, so that the first moves while others are created."""
        async with asyncio.TaskGroup() as tasks:
            for n in range(self._settings.drivers):
                if self.shutdown.is_set():
                    return
                courier = await self._open_courier(
                    api, make_identity(self._settings.seed, n), addresses, existing
                )
                self.couriers.append(courier)
                tasks.create_task(courier.run(self.shutdown))

    def _first_needs(self) -> dict[str, Any] | None:
        """Return the requirements of the next courier's first order."""
        return NEEDS if self._settings.proofs and not self.couriers else None

    async def _wait_for_addresses(self, api: MerchantApi) -> list[Place]:
        """Return addresses of the map. Retries while the service starts."""
        tries = int(self._settings.wait / RETRY)
        while True:
            try:
                return await api.addresses(limit=ADDRESSES, seed=self._settings.seed)
            except ApiError as error:
                if tries <= 0 or error.status not in {0, 502, 503}:
                    raise
            tries -= 1
            await asyncio.sleep(RETRY)

    async def _open_courier(
        self,
        api: MerchantApi,
        identity: Identity,
        addresses: list[Place],
        existing: dict[str, ExistingDriver],
    ) -> Courier:
        """Create a courier. Reuse the driver of an earlier run, at its last position and with a new token."""
        random = Random(f"start {identity.reference}")
        start = random.choice(addresses).lonlat
        driver_found = existing.get(identity.reference)
        if driver_found is None:
            access = await api.create_driver(identity.name, identity.vehicle, identity.reference)
        else:
            access = await api.new_token(driver_found.id)
            identity = Identity(identity.reference, driver_found.name, driver_found.vehicle)
            start = _position_on_map(driver_found, addresses) or start
        return Courier(
            identity,
            access,
            api,
            protocol=self._settings.protocol,
            order_source=OrderSource(
                api, addresses, self._budget, identity.reference, first_needs=self._first_needs()
            ),
            start=start,
            tempo=self._tempo,
            emit=self._emit,
        )


def _position_on_map(driver: ExistingDriver, addresses: list[Place]) -> LonLat | None:
    """Return a driver's last position if the map covers it."""
    if driver.last_fix is None:
        return None
    lons, lats = [place.lon for place in addresses], [place.lat for place in addresses]
    lon, lat = driver.last_fix.lonlat
    on_map = min(lons) <= lon <= max(lons) and min(lats) <= lat <= max(lats)
    return driver.last_fix.lonlat if on_map else None


async def _existing_drivers(api: MerchantApi) -> dict[str, ExistingDriver]:
    """Return the simulated drivers of earlier runs by reference."""
    return {
        driver.reference: driver
        async for driver in api.drivers()
        if driver.reference is not None and driver.reference.startswith("sim-")
    }


def end_on_signals(stop: Callable[[], None]) -> None:
    """Call *stop* on SIGINT and SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
