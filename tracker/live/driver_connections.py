"""Connections: one for each driver who is connected to this node, the newest."""

import asyncio
from typing import Final

from tracker.errors import RateLimited
from tracker.live.trip import ConnectedDriver
from tracker.metrics import Metrics
from tracker.rate_limits import RateLimit

REPLACED_AT_ONCE: Final = 5  # connections of one driver by a newer one
REPLACED_PER_S: Final = 0.1


class DriverConnections:
    """By driver; counted in the metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._by_driver: dict[str, ConnectedDriver] = {}
        self._replacements = RateLimit(REPLACED_AT_ONCE, REPLACED_PER_S)

    def __contains__(self, driver_id: str) -> bool:
        return driver_id in self._by_driver

    def get(self, driver_id: str) -> ConnectedDriver | None:
        return self._by_driver.get(driver_id)

    def connect(self, driver_id: str, connection: ConnectedDriver) -> None:
        """The newest connection wins: an older one of the same driver is told that it was replaced.

        Raises RateLimited where two devices with one token keep replacing each other: then the one that is
        there stays.
        """
        older = self._by_driver.get(driver_id)
        now = asyncio.get_running_loop().time()
        if older is not None and not self._replacements.try_take(driver_id, 1.0, now):
            raise RateLimited("Another connection of this driver is open; too many came in a short time.")
        self._by_driver[driver_id] = connection
        self._count()
        if older is not None:
            older.replace()

    def disconnect(self, driver_id: str, connection: ConnectedDriver) -> None:
        """Forgets a connection, unless a newer one has taken its place."""
        if self._by_driver.get(driver_id) is connection:
            del self._by_driver[driver_id]
        self._count()

    def revoke(self, driver_id: str) -> None:
        """The driver's token is worth nothing any more."""
        if (connection := self._by_driver.pop(driver_id, None)) is not None:
            connection.revoke()

    async def drain(self) -> None:
        """Acknowledges what is in flight, and sends everybody away with 1012."""
        await asyncio.gather(*(connection.drain() for connection in list(self._by_driver.values())))

    def _count(self) -> None:
        self._metrics.drivers.set(len(self._by_driver))
