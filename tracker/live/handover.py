"""Handover: how a node that stops gives its trips, drivers and customers to the other nodes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from itertools import batched
from typing import Final

from tracker.live.delivery.hub import Hub
from tracker.live.drivers.connections import DriverConnections
from tracker.live.nodes.leases import Leases
from tracker.live.nodes.ownership import Ownership
from tracker.live.restart import LEAVING_AT_MOST_S, Restart

STEP_S: Final = 0.05  # between two groups of clients
UNDER_WAY: Final = 25  # drivers for each other node who have left and have not arrived yet
ARRIVED_WITHIN_S: Final = 1.0  # then the next ones leave; a phone may be out of reach


class Handover:
    """Sends everybody away: drivers first, so that their trips are in memory where their customers arrive.

    The node stores a driver's fixes, then releases the trip, then closes the driver's connection. So the
    next node owns the trip at once. Customers who are still here see it move on there. They leave
    as fast as the drivers could: the other nodes may be slower than this one expects.
    """

    def __init__(
        self, hub: Hub, connections: DriverConnections, leases: Leases, ownership: Ownership, restart: Restart
    ) -> None:
        self._hub, self._connections, self._restart = hub, connections, restart
        self._leases, self._ownership = leases, ownership
        self._others = len(leases.others)
        self._deadline = asyncio.get_running_loop().time() + LEAVING_AT_MOST_S

    async def run(self) -> None:
        """Return once all are gone; at the end also those who connected meanwhile."""
        self._restart.begin(len(self._hub) + len(self._connections), self._others)
        drivers, loop = self._connections.drivers(), asyncio.get_running_loop()
        each_s, began = self._restart.each_s, loop.time()
        async with asyncio.TaskGroup() as moving:
            async for some in self._in_turn(drivers, each_s):
                await self._arrivals()
                moving.create_task(self._move(some))
        if drivers and self._others:
            each_s = max(each_s, (loop.time() - began) / len(drivers))
        async for subscriptions in self._in_turn(self._hub.subscriptions(), each_s):
            for one in subscriptions:
                one.restart()
        self._hub.restart()
        await self._move([one for one in self._connections.drivers() if one not in drivers])
        await self._ownership.release(self._leases.owned)

    async def _in_turn[T](self, clients: Sequence[T], each_s: float) -> AsyncIterator[Sequence[T]]:
        """Yield some clients at a time, and all at once if there is no time for that."""
        size = max(1, round(STEP_S / each_s)) if each_s else len(clients)
        for some in batched(clients, size or 1):
            yield some
            if asyncio.get_running_loop().time() < self._deadline:
                await asyncio.sleep(len(some) * each_s)

    async def _arrivals(self) -> None:
        """Wait while too many drivers are on their way to other nodes."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(
                min(self._deadline, asyncio.get_running_loop().time() + ARRIVED_WITHIN_S)
            ):
                while len(self._connections.sent_away) >= UNDER_WAY * self._others > 0:  # noqa: ASYNC110
                    await asyncio.sleep(STEP_S)
                return
        self._connections.sent_away.clear()

    async def _move(self, driver_ids: Sequence[str]) -> None:
        """Acknowledge what these drivers have in flight, give their trips up, and close with 1012."""
        if driver_ids:
            await self._connections.settle(driver_ids)
            await self._ownership.release(driver_ids)
            self._connections.restart(driver_ids)
