"""DriverConnections: the newest connection of each driver who is connected to this node."""

import asyncio
from typing import Final

from tracker.errors import RateLimited
from tracker.live.trip import ConnectedDriver
from tracker.metrics import Metrics
from tracker.rate_limits import RateLimit

REPLACED_AT_ONCE: Final = 5  # replaced connections of one driver
REPLACED_PER_S: Final = 0.1


class DriverConnections:
    """The connections by driver; the metrics count them."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._by_driver: dict[str, ConnectedDriver] = {}
        self._replacements = RateLimit(REPLACED_AT_ONCE, REPLACED_PER_S)

    def __contains__(self, driver_id: str) -> bool:
        return driver_id in self._by_driver

    def get(self, driver_id: str) -> ConnectedDriver | None:
        return self._by_driver.get(driver_id)

    def connect(self, driver_id: str, connection: ConnectedDriver) -> None:
        """Register a connection and close the driver's older one as replaced.

        Raises RateLimited if two devices with one token keep replacing each other; the older one stays.
        """
        older = self._by_driver.get(driver_id)
        now = asyncio.get_running_loop().time()
        if older is not None and not self._replacements.try_take(driver_id, 1.0, now):
            raise RateLimited(
                "Another connection of this driver is open, and too many replaced it; retry later."
            )
        self._by_driver[driver_id] = connection
        self._count()
        if older is not None:
            older.replace()

    def disconnect(self, driver_id: str, connection: ConnectedDriver) -> None:
        """Remove a connection, unless a newer one has replaced it."""
        if self._by_driver.get(driver_id) is connection:
            del self._by_driver[driver_id]
        self._count()

    def revoke(self, driver_id: str) -> None:
        """Close the driver's connection, because its token is no longer valid."""
        if (connection := self._by_driver.pop(driver_id, None)) is not None:
            connection.revoke()

    async def drain(self) -> None:
        """Acknowledge what is in flight and close every connection with 1012."""
        await asyncio.gather(*(connection.drain() for connection in list(self._by_driver.values())))

    def _count(self) -> None:
        self._metrics.drivers.set(len(self._by_driver))
