"""Fleet: the trips that are live on this node. Joins the core, the router, the hub and the recorder."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any, Final

import structlog

from tracker.audience import Audience
from tracker.connections import Connections
from tracker.database import Database, drivers, fixes, orders
from tracker.domain.arrival import Event
from tracker.domain.eta import Eta
from tracker.domain.link import Link
from tracker.domain.order import Driver, Order
from tracker.domain.policy import Policy
from tracker.domain.route import Stop
from tracker.domain.track import Fix, Refusal
from tracker.domain.trip import Trip
from tracker.domain.view import View, view_without_trip
from tracker.errors import NotFound, StorageUnavailable
from tracker.hindsight import Hindsight
from tracker.hub import Hub
from tracker.live_trip import DriverConnection, Judged, LiveTrip, Receipt
from tracker.mailbox import Outgoing, Subscription
from tracker.messages import (
    End,
    NoteToDriver,
    Orders,
    PolicyChange,
    Snapshot,
    rfc3339,
)
from tracker.metrics import Metrics
from tracker.order_change import Note, OrderChange
from tracker.recorder import Recorder
from tracker.remembered import Remembered
from tracker.routing import Router
from tracker.shown import assigned_order
from tracker.witness import Witness

TICK: Final = 1.0  # seconds
AT_A_TIME: Final = 50  # trips looked at before the loop goes on with what came meanwhile
IDLE_AFTER: Final = timedelta(minutes=10)  # a trip that nobody needs leaves the memory
HEARD_LATELY: Final = timedelta(seconds=60)

log = structlog.get_logger()


class Fleet:
    """Everybody who is on the road, as far as this node has to know."""

    def __init__(
        self,
        *,
        database: Database,
        recorder: Recorder,
        router: Router,
        hub: Hub,
        hindsight: Hindsight,
        witness: Witness,
        metrics: Metrics,
        retention: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._database, self._recorder, self._router = database, recorder, router
        self._hub, self._metrics, self._now, self._retention = hub, metrics, now, retention
        self._hindsight, self._witness = hindsight, witness
        self._live: dict[str, LiveTrip] = {}
        self._loading: dict[str, asyncio.Lock] = {}
        self._connections = Connections(metrics)
        self._audience = Audience(hub, self._shown)
        self._remembered = Remembered(database, hub)
        self._untold: list[OrderChange] = []  # committed, but the database went away before it could be told
        self._errands: set[asyncio.Task[Any]] = set()
        self._tasks: asyncio.TaskGroup
        self.draining = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Owns the routing tasks, the timer, and what has to be finished though its socket has gone."""
        async with asyncio.TaskGroup() as self._tasks:
            timer = self._tasks.create_task(self._tick_forever())
            keeper = self._tasks.create_task(self._hindsight.keep(self._trips))
            try:
                yield
            finally:
                timer.cancel()
                keeper.cancel()
                await asyncio.gather(*self._errands, return_exceptions=True)

    async def to_the_end[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Waits for work that goes on even if the one who waits is cancelled."""
        errand = asyncio.create_task(work)
        self._errands.add(errand)
        errand.add_done_callback(self._errands.discard)
        return await asyncio.shield(errand)

    async def drain(self) -> None:
        """Takes no new connection, acknowledges what is in flight, and sends everybody away with 1012."""
        self.draining = True
        self._hub.restart()
        await self._connections.drain()

    # --- drivers

    async def receive_fixes(self, driver: Driver, readings: Sequence[Fix | Refusal]) -> Receipt:
        """Judges, shows and stores; returns after the commit. StorageUnavailable: nothing is promised.

        Live does not wait for history: customers see the driver move before the commit.
        """
        now = self._now()
        judged = await self._show(driver, readings, now)
        begun = perf_counter()
        recorded = await self._recorder.record(
            driver.number, judged.fixes, now, judged.doubts, judged.correction
        )
        self._metrics.commit.observe(perf_counter() - begun)
        self._metrics.count_fixes(recorded.stored, recorded.duplicates, len(judged.rejected))
        return Receipt(recorded.stored, recorded.duplicates, judged.rejected)

    async def _show(self, driver: Driver, readings: Sequence[Fix | Refusal], now: datetime) -> Judged:
        live = await self._of(driver)
        before = live.trip.track.newest
        judged = live.receive_fixes(readings, now=now, retention=self._retention)
        if live.trip.track.newest is not before:
            self._publish(live.trip, now)
            self._consider_route(live, now)
            self._write_down(live.take_seen())
        return judged

    def _write_down(self, seen: Iterable[Event] = ()) -> None:
        """Into the timelines, without waiting for it."""
        self._witness.saw(seen)
        if self._witness.has_work:
            self._tasks.create_task(self._witness.write())

    def connect(self, driver_id: str, connection: DriverConnection) -> None:
        """The newest connection of a driver wins. Raises RateLimited where they keep replacing each other."""
        self._connections.connect(driver_id, connection)

    def disconnect(self, driver_id: str, connection: DriverConnection) -> None:
        """Forgets a connection, unless a newer one has taken its place."""
        self._connections.disconnect(driver_id, connection)

    def policy(self, driver_id: str) -> Policy:
        """How often the driver's device should report now."""
        live = self._live.get(driver_id)
        return Policy() if live is None else live.given.policy

    def online(self, driver_id: str) -> bool:
        """Whether the driver is connected, or was heard in the last minute."""
        live = self._live.get(driver_id)
        heard = live is not None and live.heard_at is not None and self._now() - live.heard_at < HEARD_LATELY
        return driver_id in self._connections or heard

    async def driver_revoked(self, driver_id: str) -> None:
        """The driver's token was changed, or the driver erased: ends the connection and forgets the trip."""
        self._live.pop(driver_id, None)
        self._connections.revoke(driver_id)

    # --- orders

    async def order_changed(self, change: OrderChange) -> None:
        """Tells everybody concerned: drivers their orders, customers their order's new state.

        Where the database goes away in between, nothing of these drivers is shown until it is back.
        """
        try:
            await self._order_changed(change)
        except StorageUnavailable:
            for driver_id in change.driver_ids:
                self._live.pop(driver_id, None)
            self._remembered.forget(change.order_id)
            self._untold.append(change)
            raise

    async def _order_changed(self, change: OrderChange) -> None:
        order = await self._remembered.reread(change.order_id)
        self._take_away(order, change.driver_ids)
        lives = [self._live[driver_id] for driver_id in change.driver_ids if driver_id in self._live]
        await self._hindsight.order_changed(order, [live.trip for live in lives])
        self._witness.order_changed(order, lives)
        self._write_down()
        for driver_id in change.driver_ids:
            await self._replan(driver_id)
        if change.note is not None:
            self._pass_on(order, change.note)
        view, now = await self._view(change.order_id), self._now()
        self._audience.publish(view, now)
        if view.order.ended_at is not None:
            self._hub.finish(order.id, End(view.order.status.value))  # type: ignore[arg-type]  # one of the ended

    def _take_away(self, order: Order, driver_ids: Sequence[str]) -> None:
        """At once: nothing may lie between the change and the moment from which nothing more is shown."""
        for driver_id in driver_ids:
            live = self._live.get(driver_id)
            if live is not None and (driver_id != order.driver_id or order.ended_at is not None):
                live.trip.release(order.id)

    async def _tell_untold(self) -> None:
        untold, self._untold = self._untold, []
        for change in untold:
            with suppress(StorageUnavailable, NotFound):
                await self.order_changed(change)

    def _pass_on(self, order: Order, note: Note) -> None:
        if note.sender == "driver":
            self._hub.note(order.id, note.text, rfc3339(note.at))
        elif (connection := self._connections.get(order.driver_id or "")) is not None:
            connection.push(NoteToDriver(order.id, note.text, rfc3339(note.at)))

    async def _replan(self, driver_id: str) -> None:
        """One at a time for each driver, so that no plan read earlier overwrites a later one."""
        async with self._loading.setdefault(driver_id, asyncio.Lock()):
            live, connection = self._live.get(driver_id), self._connections.get(driver_id)
            if live is None and connection is None:
                return
            todo = await self._plan(driver_id)
            if live is not None:
                await self._witness.follow(live, *todo)
                self._consider_route(live, self._now())
                self._publish(live.trip, self._now())
        if connection is not None:
            connection.push(Orders([assigned_order(order) for order in todo[0]]))

    async def assigned_orders(self, driver_id: str) -> list[Order]:
        """What the driver has to do, in stop sequence."""
        return (await self._plan(driver_id))[0]

    def eta(self, order_id: str) -> Eta | None:
        """The forecast for an order that is on the road on this node."""
        for live in self._live.values():
            if order_id in live.trip.orders:
                eta = live.trip.eta(order_id, self._now())
                self._hindsight.shown(live.trip, order_id, eta)
                return eta
        return None

    # --- customers

    async def order(self, order_id: str) -> Order:
        """Without a read where customers look at it. NotFound."""
        return await self._remembered.order(order_id)

    async def link(self, link_id: str) -> Link | None:
        """Without a read where somebody has come by it lately."""
        return await self._remembered.link(link_id)

    def link_revoked(self, link_id: str) -> None:
        """Ends every live view that was opened with this link."""
        self._remembered.link_changed(link_id)
        self._hub.revoke(link_id)

    async def subscribe(
        self, order_id: str, link_id: str, *, cursor: str = "", address: str = ""
    ) -> tuple[Subscription, list[Outgoing]]:
        """Begins a live view: what to tell first, and the mailbox of what comes.

        First comes what was missed since the cursor, or a snapshot. NotFound, TooManyConnections.
        """
        subscription = self._hub.subscribe(order_id, link_id, address)
        try:
            view, now = await self._view(order_id), self._now()
        except BaseException:
            self.unsubscribe(order_id, subscription)
            raise
        self._metrics.subscribers.set(len(self._hub))
        self._audience.refresh(view, now)
        missed = None if view.shown == "ended" else self._hub.missed(order_id, cursor, rfc3339(now))
        subscription.start(self._hub.cursor(order_id), notes_too=missed is not None)
        if missed is None:
            return subscription, [Outgoing(self._hub.snapshot(order_id, rfc3339(now)))]
        return subscription, missed

    def unsubscribe(self, order_id: str, subscription: Subscription) -> None:
        self._hub.unsubscribe(order_id, subscription)
        self._metrics.subscribers.set(len(self._hub))

    async def snapshot(self, order_id: str) -> Snapshot:
        """One look, without watching. NotFound."""
        self._hub.open(order_id)
        view, now = await self._view(order_id), self._now()
        self._hub.open(order_id)
        self._audience.refresh(view, now)
        return self._hub.snapshot(order_id, rfc3339(now))

    async def _view(self, order_id: str) -> View:
        """What the order's customer may see, of its newest version."""
        while True:
            order = await self._remembered.order(order_id)
            if order.driver_id is None or order.ended_at is not None:
                return view_without_trip(order)
            live = self._live.get(order.driver_id) or await self._load(order.driver_id)
            if self._remembered.is_newest(order):
                return (
                    live.trip.view(order_id, self._now())
                    if order_id in live.trip.orders
                    else view_without_trip(order)
                )

    # --- telling

    def _trips(self) -> list[Trip]:
        return [live.trip for live in self._live.values()]

    def _shown(self, view: View) -> None:
        live = self._live.get(view.order.driver_id or "")
        if live is not None and view.eta is not None:
            self._hindsight.shown(live.trip, view.order.id, view.eta)

    def _publish(self, trip: Trip, now: datetime) -> None:
        for order_id in trip.orders:
            if self._hub.watches(order_id):
                self._audience.publish(trip.view(order_id, now), now)

    async def _tick_forever(self) -> None:
        """Freshness changes by itself, and a silent driver's forecast grows old."""
        while True:
            await asyncio.sleep(TICK)
            await self._look_at_all()
            self._forget_idle(self._now())
            for order_id in self._hub.prune():
                self._audience.forget(order_id)
                self._remembered.forget(order_id)
            await self._tell_untold()
            self._write_down()

    async def _look_at_all(self) -> None:
        for number, driver_id in enumerate(list(self._live)):
            if number % AT_A_TIME == 0:
                await asyncio.sleep(0)
            if (live := self._live.get(driver_id)) is not None:
                self._look_at(live, self._now())

    def _look_at(self, live: LiveTrip, now: datetime) -> None:
        watched = [order_id for order_id in live.trip.orders if self._hub.watches(order_id)]
        for order_id in watched:
            self._audience.look(live.trip, order_id, now)
        if live.reconsider_policy(now, watched=bool(watched)):
            connection = self._connections.get(live.trip.driver.id)
            if connection is not None:
                connection.push(PolicyChange(live.given.policy))

    def _forget_idle(self, now: datetime) -> None:
        for driver_id, live in list(self._live.items()):
            looked_at = any(self._hub.knows(order_id) for order_id in live.trip.orders)  # they may come back
            idle = live.heard_at is None or now - live.heard_at > IDLE_AFTER
            if idle and not looked_at and driver_id not in self._connections:
                del self._live[driver_id]
                self._loading.pop(driver_id, None)

    # --- loading

    async def _of(self, driver: Driver) -> LiveTrip:
        return self._live.get(driver.id) or await self._load(driver.id)

    async def _load(self, driver_id: str) -> LiveTrip:
        async with self._loading.setdefault(driver_id, asyncio.Lock()):
            if driver_id not in self._live:
                driver = await drivers.select_driver(self._database, driver_id)
                if driver is None:
                    raise NotFound("driver")
                newest = await fixes.newest_states(self._database, [driver.number])
                state = newest.get(driver.number)
                trip = await self._hindsight.new_trip(driver, None if state is None else state.fix)
                live = LiveTrip(trip)
                await self._witness.follow(live, *await self._plan(driver_id))
                self._live[driver_id] = live
                self._consider_route(live, self._now())
        return self._live[driver_id]

    async def _plan(self, driver_id: str) -> tuple[list[Order], list[Stop]]:
        return await orders.select_plan(self._database, driver_id)

    # --- routing

    def _consider_route(self, live: LiveTrip, now: datetime) -> None:
        if not live.routing and live.trip.wants_route(now):
            live.routing = True
            live.trip.routing_begun(now)
            self._tasks.create_task(self._route(live))

    async def _route(self, live: LiveTrip) -> None:
        try:
            await self._witness.route(live, self._router)
        finally:
            live.routing = False
        self._publish(live.trip, self._now())
        self._consider_route(live, self._now())
