"""Fleet: everybody on the road. Joins connections, live trips, what is seen of them, and the recorder."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any, Final

import structlog

from tracker.database import Database
from tracker.domain.arrival.milestone import MilestoneReached
from tracker.domain.eta.device_eta import FARTHEST
from tracker.domain.eta.estimate import Eta
from tracker.domain.order import Driver, Order
from tracker.domain.reporting_policy import Policy
from tracker.domain.tracks.track import Fix, Rejection
from tracker.errors import NotFound, StorageUnavailable
from tracker.eta.feedback import EtaFeedback
from tracker.live.driver_connections import DriverConnections
from tracker.live.hub import Hub
from tracker.live.milestones import MilestoneWriter
from tracker.live.trip import ConnectedDriver, JudgedBatch, LiveTrip, Receipt
from tracker.live.trips import LiveTrips
from tracker.live.views import LiveViews
from tracker.messages import End, NoteToDriver, Orders, PolicyChange, rfc3339
from tracker.messages.conversions import assigned_order
from tracker.metrics import Metrics
from tracker.orders.changes import Note, OrderChange
from tracker.recorder import Recorder
from tracker.routing import Router

TICK: Final = 1.0  # seconds
TRIPS_PER_YIELD: Final = 50  # trips looked at before the loop goes on with what came meanwhile
ONLINE_FOR: Final = timedelta(seconds=60)

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
        feedback: EtaFeedback,
        milestones: MilestoneWriter,
        metrics: Metrics,
        retention: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._recorder, self._metrics, self._now, self._retention = recorder, metrics, now, retention
        self._hub, self._feedback, self._milestones = hub, feedback, milestones
        self._connections = DriverConnections(metrics)
        self._trips = LiveTrips(database, router, feedback, milestones, now)
        self.views = LiveViews(database, hub, self._trips, feedback, now)
        metrics.subscribers.set_function(lambda: len(hub))
        self._undelivered: list[OrderChange] = []  # committed, not yet published
        self._shielded: set[asyncio.Task[Any]] = set()
        self._tasks: asyncio.TaskGroup
        self.draining = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Owns the routing tasks, the timer, and what has to be finished though its socket has gone."""
        async with asyncio.TaskGroup() as self._tasks:
            self._trips.use(self._tasks, self.views.publish)
            timer = self._tasks.create_task(self._tick_forever())
            keeper = self._tasks.create_task(self._feedback.keep(lambda: [live.trip for live in self._trips]))
            try:
                yield
            finally:
                timer.cancel()
                keeper.cancel()
                await asyncio.gather(*self._shielded, return_exceptions=True)

    async def shield[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Waits for work that goes on even if the one who waits is cancelled."""
        task = asyncio.create_task(work)
        self._shielded.add(task)
        task.add_done_callback(self._shielded.discard)
        try:
            return await asyncio.shield(task)
        finally:
            del task  # its error's traceback holds this frame: with the task in it they would hold each other

    async def drain(self) -> None:
        """Takes no new connection, acknowledges what is in flight, and sends everybody away with 1012."""
        self.draining = True
        self._hub.restart()
        await self._connections.drain()

    # --- drivers

    async def receive(self, driver: Driver, readings: Sequence[Fix | Rejection]) -> JudgedBatch:
        """Judge fixes once and publish what they show; `record` stores them.

        Live does not wait for history: customers see the driver move before the commit.
        Raises NotFound, StorageUnavailable; after that nothing was judged.
        """
        now = self._now()
        live = await self._trips.of(driver.id)
        before = live.trip.track.newest
        batch = live.receive_fixes(readings, now=now, retention=self._retention)
        if live.trip.track.newest is not before:
            self._publish(live)
        if batch.unknown:
            await self._judge_late(live, batch, now)
        return batch

    async def record(self, driver: Driver, batch: JudgedBatch) -> Receipt:
        """Store judged fixes; return after the commit.

        Raises StorageUnavailable; then nothing is promised, and the same call again is safe.
        """
        begun, live = perf_counter(), self._trips.get(driver.id)
        newest_fix = (lambda: live.trip.track.last_believed) if live and batch.doubts_newest else None
        recorded = await self._recorder.record(driver.number, batch.fixes, batch.rejudged, newest_fix)
        self._metrics.commit.observe(perf_counter() - begun)
        self._metrics.count_fixes(recorded.stored, recorded.duplicates, len(batch.rejected))
        if live is not None:
            live.verdicts.stored(batch.fixes)
        return Receipt(recorded.stored, recorded.duplicates, batch.rejected)

    async def _judge_late(self, live: LiveTrip, batch: JudgedBatch, now: datetime) -> None:
        """Judge late fixes by what is stored around them, or among themselves while the database is away."""
        async with live.recall_lock:
            before = live.trip.track.newest
            known, span = await self._trips.recall(live, [judged.at for judged in batch.unknown])
            live.judge_late(batch, known, span, now)
        if live.trip.track.newest is not before:
            self._publish(live)

    def _publish(self, live: LiveTrip) -> None:
        self.views.publish(live.trip)
        self._trips.consider_route(live)
        self._write_milestones(live.take_milestones())

    async def set_device_arrival(self, driver_id: str, arrives_at: datetime | None) -> None:
        """When the driver is at the next stop, by the clock of the device and its own navigation."""
        live, now = await self._trips.of(driver_id), self._now()
        to_go = None if arrives_at is None else arrives_at - now - live.clock.ahead
        live.trip.set_device_arrival(
            now + to_go if to_go is not None and abs(to_go) <= FARTHEST else None, now
        )

    def clock_ahead(self, driver_id: str) -> timedelta:
        """How far the clock of the driver's device is ahead of ours, as its fixes showed; zero if unknown."""
        live = self._trips.get(driver_id)
        return timedelta(0) if live is None else live.clock.ahead

    def _write_milestones(self, seen: Iterable[MilestoneReached] = ()) -> None:
        """Into the timelines, without waiting for it."""
        self._milestones.add(seen)
        if self._milestones.has_work:
            self._tasks.create_task(self._milestones.write())

    def connect(self, driver_id: str, connection: ConnectedDriver) -> None:
        """The newest connection of a driver wins. Raises RateLimited where they keep replacing each other."""
        self._connections.connect(driver_id, connection)

    def disconnect(self, driver_id: str, connection: ConnectedDriver) -> None:
        """Forgets a connection, unless a newer one has taken its place."""
        self._connections.disconnect(driver_id, connection)

    def policy(self, driver_id: str) -> Policy:
        """How often the driver's device should report now."""
        live = self._trips.get(driver_id)
        return Policy() if live is None else live.policy_state.policy

    def online(self, driver_id: str) -> bool:
        """Whether the driver is connected, or was heard in the last minute."""
        live = self._trips.get(driver_id)
        heard = live is not None and live.heard_at is not None and self._now() - live.heard_at < ONLINE_FOR
        return driver_id in self._connections or heard

    async def driver_revoked(self, driver_id: str) -> None:
        """The driver's token was changed, or the driver erased: ends the connection and forgets the trip."""
        self._trips.forget(driver_id)
        self._connections.revoke(driver_id)

    async def driver_changed(self, driver_id: str) -> None:
        """Show watchers the driver's new name and vehicle."""
        live = await self._trips.driver_changed(driver_id)
        if live is not None:
            self.views.publish(live.trip)

    # --- orders

    async def notes_erased(self, order_id: str) -> None:
        """Forget what this node remembers of a driver's words or a customer's data that were erased."""
        try:
            await self.views.notes_erased(order_id)
        except (StorageUnavailable, NotFound):
            self.views.forget(order_id)

    async def order_changed(self, change: OrderChange) -> None:
        """Tells everybody concerned: drivers their orders, customers their order's new state.

        Where the database goes away in between, nothing of these drivers is shown until it is back.
        """
        try:
            await self._order_changed(change)
        except StorageUnavailable:
            for driver_id in change.driver_ids:
                self._trips.reload(driver_id)
            self.views.forget(change.order_id)
            self._undelivered.append(change)
            raise

    async def _order_changed(self, change: OrderChange) -> None:
        order = await self.views.order_changed(change.order_id)
        self._release(order, change.driver_ids)
        known = [self._trips.get(driver_id) for driver_id in change.driver_ids]
        lives = [live for live in known if live is not None]
        await self._feedback.order_changed(order, [live.trip for live in lives])
        self._milestones.order_changed(order, lives)
        self._write_milestones()
        for driver_id in change.driver_ids:
            await self._replan(driver_id)
        if change.note is not None:
            self._deliver_note(order, change.note)
        view = await self.views.tell(change.order_id)
        if view.order.ended_at is not None:
            self._hub.finish(order.id, End(view.order.status.value))  # type: ignore[arg-type]  # one of the ended

    def _release(self, order: Order, driver_ids: Sequence[str]) -> None:
        """At once: nothing may lie between the change and the moment from which nothing more is shown."""
        for driver_id in driver_ids:
            live = self._trips.get(driver_id)
            if live is not None and (driver_id != order.driver_id or order.ended_at is not None):
                live.trip.release(order.id)

    async def _retry_undelivered(self) -> None:
        undelivered, self._undelivered = self._undelivered, []
        for change in undelivered:
            with suppress(StorageUnavailable, NotFound):
                await self.order_changed(change)

    def _deliver_note(self, order: Order, note: Note) -> None:
        if note.sender == "driver":
            self._hub.note(order.id, note.text, rfc3339(note.at))
        elif (connection := self._connections.get(order.driver_id or "")) is not None:
            connection.push(NoteToDriver(order.id, note.text, rfc3339(note.at)))

    async def _replan(self, driver_id: str) -> None:
        todo = await self._trips.replan(driver_id, is_connected=lambda: driver_id in self._connections)
        connection = self._connections.get(driver_id)
        if todo is not None and connection is not None:
            connection.push(Orders([assigned_order(order) for order in todo[0]]))

    async def assigned_orders(self, driver_id: str) -> list[Order]:
        """What the driver has to do, in stop sequence."""
        return (await self._trips.plan(driver_id))[0]

    def eta(self, order_id: str) -> Eta | None:
        """The forecast for an order that is on the road on this node."""
        live = self._trips.carrier(order_id)
        if live is None:
            return None
        eta = live.trip.eta(order_id, self._now())
        self._feedback.shown(live.trip, order_id, eta)
        return eta

    # --- time

    async def _tick_forever(self) -> None:
        """Freshness changes by itself, and a silent driver's forecast grows old."""
        while True:
            await asyncio.sleep(TICK)
            await self._refresh_trips()
            self._trips.forget_idle(self._is_needed)
            self.views.prune()
            await self._retry_undelivered()
            self._write_milestones()

    async def _refresh_trips(self) -> None:
        for number, live in enumerate(self._trips):
            if number % TRIPS_PER_YIELD == 0:
                await asyncio.sleep(0)
            if live is self._trips.get(live.trip.driver.id):
                self._look_at(live, self._now())

    def _look_at(self, live: LiveTrip, now: datetime) -> None:
        if live.trip.drop_outdated_route(now):
            self.views.publish(live.trip)
        self._trips.consider_route(live)  # the router may be back, though the driver sends nothing
        is_watched = self.views.look(live.trip, now)
        if live.reconsider_policy(now, watched=is_watched):
            connection = self._connections.get(live.trip.driver.id)
            if connection is not None:
                connection.push(PolicyChange(live.policy_state.policy))

    def _is_needed(self, live: LiveTrip) -> bool:
        return live.trip.driver.id in self._connections or self.views.has_channel(live.trip)
