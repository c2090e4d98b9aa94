"""LoadTest: drivers that send at a steady rate, and customers who watch their orders."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from random import Random
from typing import Any, Final

import msgspec

from driver_sim.client.reconnect import PermanentDisconnect
from driver_sim.load.driver import LoadDriver
from driver_sim.load.measurements import Measurements, Second
from driver_sim.load.orders import Orders
from driver_sim.load.pacer import Pacer
from driver_sim.load.preparation import OnProgress, Preparation
from driver_sim.load.result import Result
from driver_sim.load.tours import Tour
from driver_sim.load.watcher import Watcher
from driver_sim.merchant_api import DriverAccess, MerchantApi
from driver_sim.sources.protocols import WHOLE_SECONDS, Protocol, open_client, open_source
from tracker.domain.order import Vehicle

VEHICLE: Final[Vehicle] = "bicycle"
FLUSH_S: Final = 20.0  # for the last acknowledgements
CONVERGE_S: Final = 5.0  # until every customer sees its driver's newest position
CHECK_S: Final = 0.05

type OnSecond = Callable[[Second], None]


class LoadSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The options of `driver-sim load`."""

    url: str
    api_key: str
    drivers: int
    watchers: int  # of each order
    rate: float  # fixes a second of each driver
    duration: float  # seconds after the ramp
    ramp: float  # seconds during which the drivers join
    protocol: Protocol = "ws"
    seed: int = 1


class LoadTest:
    """One run: prepares drivers and orders, puts the load on the service, and ends the orders."""

    def __init__(self, settings: LoadSettings, on_progress: OnProgress, on_second: OnSecond) -> None:
        self._settings = settings
        self._on_progress, self._on_second = on_progress, on_second
        self._clock = asyncio.get_running_loop().time
        self._drivers: list[LoadDriver] = []
        self._measured = Measurements(self._drivers)
        self._disconnected = 0
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """End the load early, in an orderly way."""
        self._stop.set()

    async def run(self) -> Result:
        """Return what was measured. Raises ApiError, NoBroker."""
        begin = self._clock()
        async with MerchantApi(self._settings.url, self._settings.api_key) as api:
            preparation = Preparation(api, self._settings.seed, VEHICLE, self._on_progress)
            orders = Orders(api, self._settings.seed, self._settings.watchers, self._measured.to_customer.add)
            await self._prepare(preparation, orders)
            prepared_s = self._clock() - begin
            try:
                up_to_date = await self._load(orders)
            finally:
                await preparation.send("orders ended", self._drivers, orders.end)
        return self._result(prepared_s, up_to_date)

    # --- before the load

    async def _prepare(self, preparation: Preparation, orders: Orders) -> None:
        tours = await preparation.tours(self._settings.drivers)
        accesses = await preparation.drivers(self._settings.drivers)
        self._drivers.extend(
            self._open(number, access, tours[number % len(tours)]) for number, access in enumerate(accesses)
        )
        await preparation.send("orders", self._drivers, orders.give_next)

    def _open(self, number: int, access: DriverAccess, tour: Tour) -> LoadDriver:
        """Raises NoBroker."""
        url, protocol = self._settings.url, self._settings.protocol
        client = open_client(protocol, url, access, Random(f"load client {number}"))
        source = open_source(protocol, url, access, client, lambda error: None)
        driver = LoadDriver(number, access.id, source, tour, VEHICLE)
        driver.on_stored = self._measured.to_ack.add
        return driver

    # --- the load

    async def _load(self, orders: Orders) -> int:
        """Drive until the end. Return how many customers then see the newest position."""
        working: list[asyncio.Task[None]] = []
        measuring = asyncio.create_task(self._measured.run(self._on_second))
        joining = asyncio.create_task(self._join_all(working, orders))
        try:
            await self._pace()
            joining.cancel()
            return await self._settle()
        finally:
            await _cancel([measuring, joining, *working])

    async def _pace(self) -> None:
        """Send fixes until the end, or until `stop`."""
        settings = self._settings
        pacer = Pacer(
            self._drivers,
            settings.rate,
            whole_seconds=settings.protocol in WHOLE_SECONDS,
            on_late=self._measured.late.add,
        )
        pace = asyncio.create_task(pacer.run(settings.ramp + settings.duration))
        stop = asyncio.create_task(self._stop.wait())
        await asyncio.wait({pace, stop}, return_when=asyncio.FIRST_COMPLETED)
        await _cancel([pace, stop])

    async def _join_all(self, working: list[asyncio.Task[None]], orders: Orders) -> None:
        """Let the drivers and their customers connect, evenly over the ramp."""
        begin = self._clock()
        for number, driver in enumerate(self._drivers):
            await asyncio.sleep(begin + number * self._settings.ramp / len(self._drivers) - self._clock())
            driver.joined = True
            working.append(asyncio.create_task(self._send(driver)))
            working.append(asyncio.create_task(driver.drive(orders.give_next)))
        await asyncio.sleep(begin + self._settings.ramp - self._clock())
        self._measured.start_steady()

    async def _send(self, driver: LoadDriver) -> None:
        try:
            await driver.source.run()
        except PermanentDisconnect:
            self._disconnected += 1

    async def _settle(self) -> int:
        """Wait for the last acknowledgements and updates. Return how many customers are up to date."""
        await asyncio.gather(*(driver.source.flush(FLUSH_S) for driver in self._drivers if driver.joined))
        with suppress(TimeoutError):
            async with asyncio.timeout(CONVERGE_S):
                while not all(self._has_newest(*pair) for pair in self._watching()):  # noqa: ASYNC110
                    await asyncio.sleep(CHECK_S)
        return sum(self._has_newest(*pair) for pair in self._watching())

    def _watching(self) -> list[tuple[LoadDriver, Watcher]]:
        return [(driver, one) for driver in self._drivers if driver.joined for one in driver.watchers]

    @staticmethod
    def _has_newest(driver: LoadDriver, customer: Watcher) -> bool:
        """Whether the customer sees the driver's newest position, or the service hides it for privacy."""
        return customer.connected and (not customer.may_see or customer.newest == driver.newest)

    # --- after the load

    def _result(self, prepared_s: float, up_to_date: int) -> Result:
        settings, measured = self._settings, self._measured
        sources = [driver.source for driver in self._drivers]
        return Result(
            url=settings.url,
            protocol=settings.protocol,
            drivers=settings.drivers,
            watchers=settings.watchers,
            rate_hz=settings.rate,
            ramp_s=settings.ramp,
            duration_s=settings.duration,
            prepared_s=round(prepared_s, 1),
            fixes=measured.late.count(),
            acknowledged=sum(source.counts["acked"] for source in sources),
            unacknowledged=sum(source.unacked for source in sources),
            rejected=sum(source.counts["rejected"] for source in sources),
            duplicates=sum(source.counts["duplicates"] for source in sources),
            disconnected=self._disconnected,
            updates=measured.to_customer.count(),
            customers=len(self._watching()),
            hidden=sum(not customer.may_see for _, customer in self._watching()),
            up_to_date=up_to_date,
            fix_to_ack=measured.to_ack.steady(),
            fix_to_customer=measured.to_customer.steady(),
            late=measured.late.steady(),
            processor=measured.processor,
            seconds=measured.seconds,
        )


async def _cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel the tasks, and raise the first error of those that had ended with one."""
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result
