"""Healing: every three seconds, find in PostgreSQL what the bus did not tell this node.

The cost grows with what this node's customers watch and the drivers that it knows. A node that is alone
reads nothing.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import batched
from time import monotonic
from typing import Final

from tracker.database import Database
from tracker.database.nodes.healing import (
    DriverMark,
    WatchedOrder,
    select_driver_marks,
    select_driver_notes,
    select_revoked_links,
    select_valid_tokens,
    select_watched_orders,
)
from tracker.errors import BusUnavailable, NotFound, StorageUnavailable
from tracker.live.changes import Changes
from tracker.live.delivery.hub import Hub
from tracker.live.drivers.connections import DriverConnections
from tracker.live.drivers.trips import LiveTrips
from tracker.live.nodes.exchange import Exchange
from tracker.live.nodes.leases import Leases
from tracker.live.nodes.messages import Policies, WantedPolicies
from tracker.live.nodes.view_receiver import ViewReceiver
from tracker.live.views import LiveViews
from tracker.messages import DutyChange, PolicyChange
from tracker.orders.changes import OrderChange

POLL_EVERY_S: Final = 3.0
ORDERS_AT_ONCE: Final = 20
ANSWER_WITHIN_S: Final = 0.5
NOTES_SINCE: Final = timedelta(seconds=10)  # before the poll; three polls see each note


class Healing:
    """Compares what this node holds with PostgreSQL, and applies what differs."""

    def __init__(  # noqa: PLR0917 - all of them are different types
        self,
        database: Database,
        trips: LiveTrips,
        views: LiveViews,
        hub: Hub,
        connections: DriverConnections,
        leases: Leases,
        exchange: Exchange,
        receiver: ViewReceiver,
        changes: Changes,
        now: Callable[[], datetime],
    ) -> None:
        self._database, self._trips, self._views, self._hub = database, trips, views, hub
        self._connections, self._leases, self._exchange = connections, leases, exchange
        self._receiver = receiver
        self._changes, self._now = changes, now
        self._marks: dict[str, DriverMark] = {}
        self._due = asyncio.Event()

    async def poll_forever(self) -> None:
        """Heal until cancelled."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._due.wait(), POLL_EVERY_S)
            self._due.clear()
            if not self._leases.alone:
                with suppress(StorageUnavailable, NotFound):  # the next poll repeats it
                    await self.heal()

    def poll_now(self) -> None:
        """Poll without delay, because the bus is back and the owners may answer again."""
        self._receiver.ask_again()
        self._due.set()

    async def heal(self) -> None:
        """Read what this node holds, and apply what differs. Raises StorageUnavailable, NotFound."""
        for order_id in self._receiver.refresh():  # its owner is silent
            await self._views.publish_order(order_id)
        await self._heal_credentials()
        await self._heal_drivers()
        watched = self._hub.watched()
        if not watched:
            return
        orders = await select_watched_orders(self._database, watched)
        for some in batched(orders, ORDERS_AT_ONCE):
            await asyncio.gather(*(self._heal_order(order) for order in some))
        for note in await select_driver_notes(self._database, watched, self._now() - NOTES_SINCE):
            self._changes.deliver_to_customers(note.order_id, note.text, note.at)

    async def _heal_credentials(self) -> None:
        """End views of revoked links, and connections with revoked tokens."""
        if links := self._hub.links():
            for link_id in await select_revoked_links(self._database, links):
                self._views.end_link(link_id)
        if tokens := self._connections.tokens():
            valid = await select_valid_tokens(self._database, list(tokens))
            for token_hash, driver_id in tokens.items():
                if token_hash not in valid:
                    self._connections.revoke(driver_id, token_hash)

    async def _heal_drivers(self) -> None:
        """Read again the plans of drivers about whom something has changed, and their devices' states."""
        since, known = monotonic(), {live.trip.driver.id for live in self._trips}
        known |= set(self._connections.drivers())
        marks = await select_driver_marks(self._database, list(known)) if known else {}
        for driver_id, mark in marks.items():
            if (before := self._marks.get(driver_id)) is None or before.text != mark.text:
                await self._trips.driver_changed(driver_id)
                await self._changes.replan(driver_id, if_changed=True)
        for driver_id in known - marks.keys():  # erased
            self._trips.forget(driver_id)
            self._leases.forget(driver_id)
        self._marks = marks
        elsewhere = {id_: mark for id_, mark in marks.items() if mark.owner != self._leases.node}
        await self._heal_duties(elsewhere, since)
        await self._heal_policies(elsewhere, since)

    async def _heal_duties(self, marks: dict[str, DriverMark], since: float) -> None:
        """Take over the duties that other nodes have changed, for customers and devices here."""
        for driver_id, mark in marks.items():
            self._connections.restate(driver_id, DutyChange.of(mark.duty), since)
            live = self._trips.get(driver_id)
            if live is not None and live.trip.duty.now != mark.duty:
                self._trips.reload(driver_id)
                for order_id in self._views.watched_orders_of(driver_id):
                    await self._views.publish_order(order_id)

    async def _heal_policies(self, marks: dict[str, DriverMark], since: float) -> None:
        """Ask the owners for the policies of drivers who are connected here."""
        wanted: dict[str, list[str]] = {}
        for driver_id, mark in marks.items():
            if driver_id in self._connections and mark.owner is not None:
                wanted.setdefault(mark.owner, []).append(driver_id)
        for node, driver_ids in wanted.items():
            with suppress(BusUnavailable):
                answer = await self._exchange.ask(node, WantedPolicies(driver_ids), ANSWER_WITHIN_S)
                for driver_id, policy in answer.policies.items() if isinstance(answer, Policies) else ():
                    self._connections.restate(driver_id, PolicyChange(policy), since)

    async def _heal_order(self, order: WatchedOrder) -> None:
        cached = self._views.cached(order.id)
        if cached is not None and cached.version < order.version:
            drivers = {cached.driver_id, order.driver_id} - {None}
            change = OrderChange(order.id, tuple(sorted(one for one in drivers if one is not None)))
            await self._changes.apply(change, from_here=False)
            return
        if order.driver_id is None or (cached is not None and cached.ended_at is not None):
            return
        is_elsewhere = order.owner is not None and order.owner != self._leases.node
        if is_elsewhere != self._receiver.follows(order.id, order.owner):
            self._receiver.stop(order.id)
            await self._views.publish_order(order.id)
        if not self._receiver.follows(order.id) and not self._leases.owns(order.driver_id):
            await self._reread_trip(order)

    async def _reread_trip(self, order: WatchedOrder) -> None:
        """Read a trip again that nobody owns, or whose owner is silent, if it has newer fixes."""
        live = self._trips.get(order.driver_id or "")
        if live is None or order.received_at is None:
            return
        newest = live.trip.track.last_believed
        if newest is None or newest.received_at < order.received_at:
            self._trips.reload(order.driver_id or "")
            await self._views.publish_order(order.id)
