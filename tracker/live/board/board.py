"""Board: keeps the state of the whole fleet while a dispatcher watches, and shares facts with other nodes.

Without a dispatcher on any node it does nothing. A node with dispatchers asks the others every three seconds
for the facts of the trips that they own. They send those that have changed, once a second.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from datetime import datetime
from itertools import batched
from time import monotonic
from typing import Any, Final

from tracker.database import Database
from tracker.errors import StorageUnavailable, TooManyConnections
from tracker.live.board.facts import DriverFacts, FactCollector
from tracker.live.board.reader import BoardReader
from tracker.live.board.state import BoardState
from tracker.live.board.subscription import FleetSubscription
from tracker.live.drivers.silence import SilenceWatch
from tracker.live.drivers.trips import LiveTrips
from tracker.live.nodes.exchange import Exchange
from tracker.live.nodes.forecasts import Forecasts
from tracker.live.nodes.leases import Leases
from tracker.live.nodes.messages import FleetFacts, WatchFleet
from tracker.messages import rfc3339
from tracker.orders.changes import OrderChange

TICK_S: Final = 1.0
POLL_EVERY_S: Final = 5.0
READ_PAUSE_S: Final = 0.1  # so that many changes are read together
ASK_EVERY_S: Final = 3.0
WATCH_LASTS_S: Final = 10.0  # without another WatchFleet
STREAMS_PER_KEY: Final = 50
KEPT_S: Final = 60.0  # after the last dispatcher has left, for those who reconnect
FACTS_PER_MESSAGE: Final = 1_000  # about 120 kB; a NATS server takes 1 MB


class Board:
    """The board of one node."""

    def __init__(  # noqa: PLR0917 - all of them are different types
        self,
        database: Database,
        trips: LiveTrips,
        leases: Leases,
        exchange: Exchange,
        silence: SilenceWatch,
        etas: Forecasts,
        now: Callable[[], datetime],
    ) -> None:
        self._database, self._leases, self._exchange = database, leases, exchange
        self._silence, self._etas, self._now = silence, etas, now
        self._collector = FactCollector(trips, lambda id_: leases.alone or leases.owns(id_))
        self._state = BoardState(now)
        self._reader = BoardReader(database, self._state, etas)
        self._subscriptions: dict[FleetSubscription, str] = {}  # and the API keys of their dispatchers
        self._watchers: dict[str, float] = {}  # nodes with dispatchers, and until when, by `monotonic`
        self._opening, self._collecting = asyncio.Lock(), asyncio.Lock()
        self._is_open = False
        self._left_at = self._asked_at = 0.0
        self._stale_drivers: set[str] = set()
        self._stale_orders: set[str] = set()
        self._has_stale = asyncio.Event()

    def __len__(self) -> int:
        """Return how many dispatchers watch on this node."""
        return len(self._subscriptions)

    # --- dispatchers

    async def subscribe(self, key_id: str) -> FleetSubscription:
        """Open a view of the whole fleet for a dispatcher with this API key.

        Raises TooManyConnections, StorageUnavailable.
        """
        if sum(one == key_id for one in self._subscriptions.values()) >= STREAMS_PER_KEY:
            raise TooManyConnections(f"At most {STREAMS_PER_KEY} streams at a time with one API key.")
        async with self._opening:
            if not self._is_open:
                await self._open()
            else:
                self._left_at = monotonic()  # so that it stays open meanwhile
                with suppress(StorageUnavailable):  # what is in memory is shown
                    await self._reader.poll()
                await self._collect()
        subscription = FleetSubscription(self._state.rows, lambda: rfc3339(self._now()))
        self._subscriptions[subscription] = key_id
        return subscription

    def unsubscribe(self, subscription: FleetSubscription) -> None:
        self._subscriptions.pop(subscription, None)
        self._left_at = monotonic()

    def close(self) -> None:
        """End all subscriptions, because this node is about to stop."""
        for subscription in self._subscriptions:
            subscription.close()

    async def _open(self) -> None:
        """Read everything. What changes meanwhile is read again by the next tick."""
        self._state = BoardState(self._now)
        self._reader = BoardReader(self._database, self._state, self._etas)
        await self._reader.poll()
        if not self._watchers:
            self._collector.reset()  # it has not looked for long
        for facts in self._collector.all():
            self._state.take_facts(facts)
        self._is_open, self._left_at = True, monotonic()
        self._ask(whole=True)
        await self._collect()
        self._state.take_silences(self._silence.silent)
        await self._reader.sweep()

    # --- what has changed

    def order_changed(self, change: OrderChange) -> None:
        """Read an order that was changed, and its drivers, again."""
        if self._is_open:
            self._stale_orders.add(change.order_id)
            self._stale_drivers.update(change.driver_ids)
            self._has_stale.set()

    def driver_changed(self, driver_id: str) -> None:
        """Read a driver again."""
        if self._is_open:
            self._stale_drivers.add(driver_id)
            self._has_stale.set()

    def driver_revoked(self, driver_id: str) -> None:
        """Show nothing of a driver, who may be erased, until they are read again."""
        self._state.drop_driver(driver_id)
        self._notify()
        self.driver_changed(driver_id)

    # --- other nodes

    def watch(self, request: WatchFleet) -> None:
        """Send the facts of owned trips to another node with dispatchers, from now on."""
        is_new, is_idle = request.node not in self._watchers, not (self._watchers or self._is_open)
        self._watchers[request.node] = monotonic() + WATCH_LASTS_S
        if is_idle:
            self._collector.reset()  # the next tick finds, and sends, everything
        elif request.whole or is_new:
            self._send([request.node], self._collector.all())

    def take(self, message: FleetFacts) -> None:
        """Take the facts of trips that another node owns."""
        if self._is_open:
            for facts in message.facts:
                self._state.take_facts(facts)

    def _ask(self, *, whole: bool = False) -> None:
        self._asked_at = monotonic()
        for node in self._leases.others:
            self._exchange.publish_node(node, WatchFleet(self._exchange.node, whole))

    def _send(self, nodes: Collection[str], facts: Collection[DriverFacts]) -> None:
        for some in batched(facts, FACTS_PER_MESSAGE):
            for node in nodes:
                self._exchange.publish_node(node, FleetFacts(list(some)))

    # --- time

    def work(self) -> list[Coroutine[Any, Any, None]]:
        """Return what is to run for as long as the node does."""
        return [self._tick_forever(), self._read_forever()]

    async def _tick_forever(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            now = monotonic()
            self._watchers = {node: until for node, until in self._watchers.items() if until > now}
            if self._is_open and not self._subscriptions and now - self._left_at > KEPT_S:
                self._is_open, self._state = False, BoardState(self._now)
            if self._is_open or self._watchers:
                await self._collect()
            if self._is_open:
                self._review()

    def _review(self) -> None:
        if monotonic() - self._asked_at > ASK_EVERY_S:
            self._ask()
        self._state.take_silences(self._silence.silent)
        self._state.review()
        if self._state.doubtful:
            self._stale_drivers |= self._state.doubtful
            self._state.doubtful.clear()
            self._has_stale.set()
        self._notify()

    async def _collect(self) -> None:
        """Take the facts that have changed on this node, for the board here and on other nodes."""
        async with self._collecting:
            for changed in self._collector.collect():
                self._send(self._watchers, changed)
                if self._is_open:
                    for facts in changed:
                        self._state.take_facts(facts)
                await asyncio.sleep(0)

    def _notify(self) -> None:
        for subscription in self._subscriptions:
            subscription.notify()

    async def _read_forever(self) -> None:
        """Read what has changed, at once where that is known, and otherwise by polling."""
        polled_at = swept_at = 0.0
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._has_stale.wait()
            if self._is_open:
                with suppress(StorageUnavailable):  # the next poll repeats it
                    await self._read_stale()
                    if monotonic() - polled_at > POLL_EVERY_S:
                        polled_at = monotonic()
                        await self._reader.poll()
                    if monotonic() - swept_at > TICK_S:
                        swept_at = monotonic()
                        await self._reader.sweep()
                self._notify()
            await asyncio.sleep(READ_PAUSE_S)

    async def _read_stale(self) -> None:
        drivers, self._stale_drivers = self._stale_drivers, set()
        orders, self._stale_orders = self._stale_orders, set()
        self._has_stale.clear()
        await self._reader.read(orders, drivers)
        self._notify()
        await self._reader.forecast(drivers)
