"""Paces: how fast each driver has been lately, kept so that a node that starts anew goes on with it.

Kept and not reckoned again from the last half hour's fixes: that would need the routes which were followed
then, and a matching of every driver's track at the moment when all of them come back at once. Two numbers a
driver, written every half minute, cost one statement; a node that is killed loses half a minute of an average
over fifteen.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import batched
from typing import Final

import msgspec

from tracker.database import Database
from tracker.database.eta_model import select_pace, upsert_paces
from tracker.domain.eta.speed_factor import SpeedFactor

KEPT_EVERY: Final = 30.0  # seconds
VALID_FOR: Final = timedelta(minutes=30)  # an older one tells nothing of the traffic now
ROWS: Final = 2_000  # of one statement


class DriverSpeeds:
    """Remembers what it has written, so that who stands still costs nothing."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database, self._now = database, now
        self._written: dict[int, SpeedFactor] = {}

    async def of(self, driver: int) -> SpeedFactor:
        """The driver's pace of the last half hour, or that of somebody unknown. Raises StorageUnavailable."""
        return await select_pace(self._database, driver, self._now() - VALID_FOR) or SpeedFactor()

    async def keep(self, paces: Mapping[int, SpeedFactor]) -> None:
        """Writes those that have changed, by drivers.number. Raises StorageUnavailable."""
        now = self._now()
        changed = [(driver, pace) for driver, pace in paces.items() if self._written.get(driver) != pace]
        for batch in batched(changed, ROWS):
            copies = {driver: msgspec.structs.replace(pace) for driver, pace in batch}
            await upsert_paces(self._database, copies, now)
            self._written |= copies
        self._written = {driver: pace for driver, pace in self._written.items() if driver in paces}
