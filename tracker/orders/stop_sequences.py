"""StopSequences: sets a driver's stop sequence as requested, optimised, or with a new order inserted."""

from collections.abc import Sequence
from datetime import datetime

from tracker.database import Database
from tracker.database import drivers as driver_rows
from tracker.database import orders as rows
from tracker.database.fixes import newest_states
from tracker.domain.geo import LonLat
from tracker.domain.order import Driver
from tracker.domain.order_rules import check_sequence
from tracker.errors import Conflict, InvalidFields, NotFound
from tracker.orders.sequencer import Sequencer, StopKey


class StopSequences:
    """Sets stop sequences; without a sequencer, appended stops stay last."""

    def __init__(self, database: Database, sequencer: Sequencer | None) -> None:
        self._database, self._sequencer = database, sequencer

    async def set(self, driver_id: str, sequence: Sequence[StopKey]) -> None:
        """Set the driver's stop sequence.

        Raises NotFound for an unknown driver, InvalidFields that names missing, foreign and misplaced stops.
        """
        async with self._database.transaction() as connection:
            if driver_id not in await driver_rows.lock_drivers(connection, [driver_id]):
                raise NotFound("driver")
            stops = await rows.select_stops(connection, driver_id)
            check_sequence(sequence, [(stop.order_id, stop.kind) for stop in stops])
            await rows.update_stop_sequence(connection, driver_id, sequence)

    async def optimize(self, driver_id: str, now: datetime) -> Sequence[StopKey]:
        """Set the sequence that takes least driving and return it; return () if there are under two stops.

        Raises NotFound, NoSequence, RouterUnavailable, Conflict if the stops changed in the meantime.
        """
        driver = await driver_rows.select_driver(self._database, driver_id)
        if driver is None:
            raise NotFound("driver")
        stops = await rows.select_stops(self._database, driver_id)
        if self._sequencer is None or len(stops) < 2:
            return ()
        at = await self._position(driver)
        sequence = await self._sequencer.best(stops, driver.vehicle, at, now)
        try:
            await self.set(driver_id, sequence)
        except InvalidFields as error:
            raise Conflict("The driver's stops changed in the meantime; retry.") from error
        return sequence

    async def place(self, driver_id: str, order_ids: Sequence[str], now: datetime) -> None:
        """Move the appended stops of these orders to where they add least driving.

        Without a route they stay last. Raises NoSequence, RouterUnavailable.
        """
        if self._sequencer is None:
            return
        driver = await driver_rows.select_driver(self._database, driver_id)
        stops = await rows.select_stops(self._database, driver_id)
        if driver is None or len({stop.order_id for stop in stops}) < 2:
            return
        opens_at = [stop.opens_at for stop in stops if stop.order_id not in order_ids][:1]
        waits = not opens_at or (opens_at[0] is not None and opens_at[0] > now)
        at = await self._position(driver) if waits else None
        sequence = await self._sequencer.insert(stops, order_ids, driver.vehicle, now, at)
        async with self._database.transaction() as connection:
            await driver_rows.lock_drivers(connection, [driver.id])
            if await rows.select_stops(connection, driver.id) == stops:  # otherwise another change came first
                await rows.update_stop_sequence(connection, driver.id, sequence)

    async def _position(self, driver: Driver) -> LonLat | None:
        """Return the position of the newest believed fix, or None."""
        newest = (await newest_states(self._database, [driver.number])).get(driver.number)
        return None if newest is None else newest.fix.lonlat
