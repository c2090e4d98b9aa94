"""BoardReader: reads for the board what no live trip says. It polls, so what the bus loses is healed."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from itertools import batched
from typing import Final

from tracker.database import Database
from tracker.database.dispatch.board import (
    DriverMark,
    OrderMark,
    select_board_drivers,
    select_board_orders,
    select_driver_marks,
    select_order_marks,
)
from tracker.live.board.state import BoardState
from tracker.live.nodes.forecasts import Forecasts

ROWS_AT_ONCE: Final = 500
DRIVERS_AT_ONCE: Final = 50  # whose forecasts are computed before the event loop runs other tasks
SWEEP_S: Final = 10  # seconds in which the forecasts of all drivers are renewed
NEWER: Final = timedelta(seconds=3)  # a stored fix is so much newer than what was read: messages were lost


class BoardReader:
    """Reads into one BoardState."""

    def __init__(self, database: Database, state: BoardState, etas: Forecasts) -> None:
        self._database, self._state, self._etas = database, state, etas
        self._driver_marks: dict[str, DriverMark] = {}
        self._order_marks: dict[str, OrderMark] = {}
        self._sweep: list[str] = []
        self._reading = asyncio.Lock()  # so that no earlier row replaces a later one

    async def poll(self) -> None:
        """Read what has changed since the last poll; the first one reads everything.

        Raises StorageUnavailable.
        """
        async with self._reading:
            await self._poll()
        self._state.review_windows()

    async def read(self, order_ids: Iterable[str], driver_ids: Iterable[str]) -> None:
        """Read these orders and drivers. Raises StorageUnavailable."""
        async with self._reading:
            await self._read_orders(order_ids)
            await self._read_drivers(driver_ids)

    async def _poll(self) -> None:
        orders = await select_order_marks(self._database)
        known = self._order_marks
        await self._read_orders(
            [id_ for id_ in known.keys() | orders.keys() if known.get(id_) != orders.get(id_)]
        )
        self._order_marks = orders
        drivers = await select_driver_marks(self._database)
        before = self._driver_marks
        await self._read_drivers(
            [id_ for id_ in before.keys() | drivers.keys() if self._is_newer(id_, drivers.get(id_))]
        )
        self._driver_marks = drivers

    def _is_newer(self, driver_id: str, mark: DriverMark | None) -> bool:
        """Whether the board does not know what the database has."""
        before = self._driver_marks.get(driver_id)
        if before is None or mark is None or before.mark != mark.mark:
            return True
        heard_at = self._state.heard_at(driver_id)
        return mark.received_at is not None and (heard_at is None or mark.received_at - heard_at > NEWER)

    async def _read_drivers(self, driver_ids: Iterable[str]) -> None:
        """Read these drivers; those that do not exist go."""
        for ids in batched(driver_ids, ROWS_AT_ONCE):
            found = await select_board_drivers(self._database, ids)
            for id_ in ids:
                if id_ in found:
                    self._state.take_driver(*found[id_])
                else:
                    self._state.drop_driver(id_)

    async def _read_orders(self, order_ids: Iterable[str]) -> None:
        """Read these orders; those that are over go."""
        for ids in batched(order_ids, ROWS_AT_ONCE):
            found = await select_board_orders(self._database, ids)
            for id_ in ids:
                if id_ in found:
                    self._state.take_order(found[id_])
                else:
                    self._state.drop_order(id_)

    async def forecast(self, driver_ids: Iterable[str]) -> None:
        """Ask the owners of these drivers' trips for the forecasts of their orders."""
        for ids in batched(driver_ids, DRIVERS_AT_ONCE):
            if wanted := self._state.orders_of(ids):
                for order_id, eta in (await self._etas.of_drivers(wanted, recorded=False)).items():
                    self._state.take_eta(order_id, eta)
                await asyncio.sleep(0)

    async def sweep(self) -> None:
        """Renew the forecasts of a tenth of the drivers."""
        if not self._sweep:
            self._sweep = list(self._state.drivers)
        share = -(-len(self._state.drivers) // SWEEP_S)
        some, self._sweep = self._sweep[:share], self._sweep[share:]
        await self.forecast(some)
