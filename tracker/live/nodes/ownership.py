"""Ownership: which node owns a driver's trip, how this node becomes the owner, and how it gives a trip up."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from time import monotonic
from typing import Final

from tracker.errors import BusUnavailable, NotFound, OwnerUnavailable, RateLimited, StorageUnavailable
from tracker.live.drivers.connections import DriverConnections
from tracker.live.drivers.trip import LiveTrip
from tracker.live.drivers.trips import LiveTrips
from tracker.live.nodes.exchange import Exchange
from tracker.live.nodes.leases import Leases
from tracker.live.nodes.messages import Answer, Done, Refused, ReleaseTrip, SetDuty, TripOwned
from tracker.live.nodes.view_receiver import ViewReceiver

RELEASE_WITHIN_S: Final = 3.0  # the commits in flight
RELEASE_RETRY_S: Final = 5.0  # after an owner has refused to release a trip
OWNERS_KEPT: Final = 10_000
IDLE_AFTER: Final = timedelta(seconds=60)
IDLE_AFTER_LEAVING: Final = timedelta(seconds=5)  # of a driver whose connection has ended


class Ownership:
    """The trips of this node and, for all others, the nodes that own them."""

    def __init__(  # noqa: PLR0917 - all of them are different types
        self,
        trips: LiveTrips,
        connections: DriverConnections,
        leases: Leases,
        exchange: Exchange,
        views: ViewReceiver,
        now: Callable[[], datetime],
    ) -> None:
        self._trips, self._connections = trips, connections
        self._leases, self._exchange, self._views, self._now = leases, exchange, views, now
        self._elsewhere: dict[str, str] = {}  # the owners of other nodes' trips, by driver
        self._release_after: dict[str, float] = {}  # when to ask such an owner again, by driver
        self._taking: dict[str, asyncio.Lock] = {}

    def owns(self, driver_id: str) -> bool:
        """Whether this node owns the driver's trip."""
        return self._leases.owns(driver_id)

    async def trip_or_owner(self, driver_id: str) -> LiveTrip | str:
        """Return the trip, owned and ready for fixes; or the node that owns it.

        Raises NotFound, StorageUnavailable.
        """
        while True:
            owner = "" if self._leases.owns(driver_id) else await self._find_owner(driver_id)
            if owner:
                return owner
            live = await self._trips.of(driver_id)
            if live.duty_lock.locked():  # a change of duty, or a release
                async with live.duty_lock:
                    continue
            if self._leases.owns(driver_id) or self._leases.alone:
                return live

    async def _find_owner(self, driver_id: str) -> str:
        """Return the other node that owns the trip; "" if this one does now."""
        lock = self._taking.setdefault(driver_id, asyncio.Lock())
        try:
            async with lock:
                if self._leases.owns(driver_id):
                    return ""
                known, wanted = self._elsewhere.get(driver_id), self._is_wanted(driver_id)
                if known is not None and not wanted:
                    return known
                return await self._take(driver_id, wanted=wanted)
        finally:
            if not lock.locked():
                self._taking.pop(driver_id, None)

    def _is_wanted(self, driver_id: str) -> bool:
        """Whether to ask the owner for the trip: its driver's position source is connected here."""
        if not self._connections.has_source(driver_id):
            return False
        return self._release_after.get(driver_id, 0.0) <= monotonic()

    async def _take(self, driver_id: str, *, wanted: bool) -> str:
        try:
            owner = await self._leases.take(driver_id)
            if owner.node != self._exchange.node and wanted:
                await self._ask_for_release(owner.node, driver_id)
                owner = await self._leases.take(driver_id)
                if owner.node != self._exchange.node:
                    self._release_after[driver_id] = monotonic() + RELEASE_RETRY_S
        except StorageUnavailable:
            if self._leases.alone and self._trips.get(driver_id) is not None:
                return ""  # nothing can be stored, but customers see the driver move
            raise
        if owner.node != self._exchange.node:
            if len(self._elsewhere) >= OWNERS_KEPT:
                self._elsewhere.clear()
                self._release_after.clear()
            self._elsewhere[driver_id] = owner.node
            return owner.node
        self.forget_owner(driver_id)
        self._views.stop_driver(driver_id)
        live = self._trips.get(driver_id)
        if live is not None and live.generation not in (owner.generation, owner.generation - 1):
            self._trips.reload(driver_id)  # another node has owned it since it was read
        elif live is not None:
            live.generation = owner.generation
        self._exchange.publish_driver(driver_id, TripOwned(driver_id, owner.node))
        return ""

    async def release_idle(self) -> None:
        """Give up trips whose drivers have neither a connection here nor sent a fix lately.

        A driver who has left may be connected to a node that cannot ask for the trip, because the bus is
        away for it or for this node.
        """
        if self._leases.alone:
            return
        idle = [one for one in self._leases.owned if self._is_idle(one)]
        with suppress(StorageUnavailable):
            await self._leases.release(idle)

    async def release(self, driver_ids: Iterable[str]) -> None:
        """Give up those trips whose fixes are stored, because this node is about to stop."""
        trips = {driver_id: self._trips.get(driver_id) for driver_id in driver_ids}
        with suppress(StorageUnavailable):
            await self._leases.release(
                driver_id for driver_id, live in trips.items() if live is None or not live.recording
            )

    def _is_idle(self, driver_id: str) -> bool:
        live = self._trips.get(driver_id)
        if driver_id in self._connections or (live is not None and live.recording):
            return False
        has_left = self._connections.departure(driver_id) is not None or not self._exchange.bus.connected
        idle_after = IDLE_AFTER_LEAVING if has_left else IDLE_AFTER
        return live is None or live.heard_at is None or self._now() - live.heard_at > idle_after

    def lose(self, driver_id: str) -> None:
        """Drop a trip that another node owns now."""
        self._leases.forget(driver_id)
        self._trips.reload(driver_id)

    def forget_owner(self, driver_id: str) -> None:
        """Forget which other node owns the driver's trip, so that the next fix asks the database."""
        self._elsewhere.pop(driver_id, None)
        self._release_after.pop(driver_id, None)

    def ask_again(self) -> None:
        """Ask owners again that did not release a trip."""
        self._release_after.clear()

    # --- between nodes

    async def ask_owner(self, node: str, request: SetDuty) -> None:
        """Have a request carried out by the owner of the trip.

        Raises NotFound, RateLimited, StorageUnavailable.
        """
        try:
            answer = await self._exchange.ask(node, request)
        except BusUnavailable:
            raise OwnerUnavailable from None
        match answer:
            case Done():
                return
            case Refused(why="unknown"):
                raise NotFound("driver")
            case Refused(why="rate"):
                raise RateLimited("Too many changes of duty; retry in a minute.")
        raise OwnerUnavailable

    async def _ask_for_release(self, node: str, driver_id: str) -> None:
        """Return once the owner has answered, or has stopped."""
        with suppress(BusUnavailable):
            await self._exchange.ask(node, ReleaseTrip(driver_id))

    async def answer_release(self, request: ReleaseTrip) -> Answer:
        """Give the trip up to the node whose connection its driver uses, once what is in flight is stored."""
        driver_id = request.driver_id
        if not self._leases.owns(driver_id):
            return Done()
        if self._connections.has_source(driver_id):
            return Refused("connected")
        try:
            async with asyncio.timeout(RELEASE_WITHIN_S), self._trips.held(driver_id) as live:
                while live.recording:  # noqa: ASYNC110 - an event for each trip would cost memory
                    await asyncio.sleep(0.01)
                await self._leases.release([driver_id])
                self._trips.reload(driver_id)
        except (StorageUnavailable, TimeoutError):
            return Refused("storage")
        except NotFound:
            return Refused("unknown")
        return Done()
