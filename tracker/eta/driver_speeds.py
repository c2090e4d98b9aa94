"""Driver speeds: each driver's recent speed factor, stored so that it survives a restart of the node.

Recomputing it from the fixes of the last half hour would need the routes of that time. It would also match
every driver's track just when all of them reconnect. Storing two numbers per driver every 30 s costs one
statement. A node that is killed loses 30 s of a 15-minute average.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import batched
from typing import Final

import msgspec

from tracker.database import Database
from tracker.database.eta.model import select_speed_factor, upsert_speed_factors
from tracker.domain.eta.speed_factor import SpeedFactor

KEPT_EVERY: Final = 30.0  # seconds
VALID_FOR: Final = timedelta(minutes=30)  # an older one says nothing about the current traffic
ROWS: Final = 2_000  # per statement


class DriverSpeeds:
    """Stores speed factors. Skips unchanged ones, so that parked drivers cost nothing."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database, self._now = database, now
        self._written: dict[int, SpeedFactor] = {}

    async def of(self, driver: int) -> SpeedFactor:
        """Return the driver's stored speed factor, or a new one if it is older than VALID_FOR.

        Raises StorageUnavailable.
        """
        return await select_speed_factor(self._database, driver, self._now() - VALID_FOR) or SpeedFactor()

    async def keep(self, factors: Mapping[int, SpeedFactor]) -> None:
        """Store the changed speed factors, keyed by drivers.number. Raises StorageUnavailable."""
        now = self._now()
        changed = [
            (driver, factor) for driver, factor in factors.items() if self._written.get(driver) != factor
        ]
        for batch in batched(changed, ROWS):
            copies = {driver: msgspec.structs.replace(factor) for driver, factor in batch}
            await upsert_speed_factors(self._database, copies, now)
            self._written |= copies
        self._written = {driver: factor for driver, factor in self._written.items() if driver in factors}
