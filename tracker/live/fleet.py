"""Fleet: connects the drivers' connections, live trips, views, milestones and the recorder."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, Final, get_args

from tracker.database import Database
from tracker.database.plans import Plan
from tracker.domain.area import Area
from tracker.domain.eta.device_eta import FARTHEST
from tracker.domain.eta.estimate import Eta
from tracker.domain.order import Note, Order
from tracker.domain.reporting_policy import Policy
from tracker.domain.tracks.fix import Rejection
from tracker.errors import NotFound, StorageUnavailable
from tracker.eta.feedback import EtaFeedback
from tracker.fix_recorder import FixRecorder
from tracker.live.delivery.hub import Hub
from tracker.live.delivery.publisher import Publisher
from tracker.live.drivers.connections import DriverConnections
from tracker.live.drivers.milestones import MilestoneWriter
from tracker.live.drivers.silence import SilenceWatch
from tracker.live.drivers.states import DriverStates
from tracker.live.drivers.trip import LiveTrip
from tracker.live.drivers.trips import LiveTrips
from tracker.live.nodes.exchange import Exchange
from tracker.live.nodes.intake import FixIntake
from tracker.live.nodes.leases import Leases
from tracker.live.nodes.messages import Answer, Event, ForwardedFixes, ReleaseTrip, Request, TripOwned
from tracker.live.views import LiveViews
from tracker.messages import AssignedOrder, End, NoteToDriver, Orders, PolicyChange, rfc3339
from tracker.messages.conversions import assigned_order
from tracker.metrics import Metrics, begin_at_zero
from tracker.orders.changes import OrderChange
from tracker.routing import Router

TICK_S: Final = 1.0
TRIPS_PER_YIELD: Final = 50  # trips reviewed before the event loop runs other tasks
ONLINE_FOR: Final = timedelta(seconds=60)


class Fleet:
    """The drivers whose trips are live on this node."""

    def __init__(
        self,
        *,
        database: Database,
        recorder: FixRecorder,
        router: Router,
        hub: Hub,
        feedback: EtaFeedback,
        milestones: MilestoneWriter,
        leases: Leases,
        exchange: Exchange,
        area: Callable[[], Area | None],
        metrics: Metrics,
        retention: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._now = now
        self._hub, self._feedback, self._milestones = hub, feedback, milestones
        self.connections = DriverConnections(metrics)
        self._tasks, publisher = asyncio.TaskGroup(), Publisher(hub)
        self._trips = LiveTrips(
            database=database,
            router=router,
            feedback=feedback,
            milestones=milestones,
            area=area,
            publisher=publisher,
            tasks=self._tasks,
            now=now,
        )
        self._leases, self._exchange = leases, exchange
        self._intake = FixIntake(
            self._trips, self.connections, leases, exchange, recorder, milestones, metrics, retention, now
        )
        self.receive, self.record = self._intake.receive, self._intake.record
        exchange.listen(self._answer, self._receive_event)
        self.states = DriverStates(database, self._trips, self.connections, now, leases.outdate)
        self.silence = SilenceWatch(database, self._trips, self.connections, metrics, now)
        self.views = LiveViews(
            database=database, hub=hub, trips=self._trips, publisher=publisher, feedback=feedback, now=now
        )
        metrics.subscribers.set_function(lambda: len(hub))
        begin_at_zero(metrics.rejections, get_args(Rejection))
        self._undelivered: list[OrderChange] = []  # committed, not yet published
        self._shielded: set[asyncio.Task[Any]] = set()
        self.draining = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the routing tasks, the timer and the shielded work during the block."""
        async with self._tasks:
            feedback = self._feedback.keep(lambda: [live.trip for live in self._trips])
            forever = self._tick_forever(), self.silence.watch_forever(), feedback
            tasks = [self._tasks.create_task(work) for work in forever]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*self._shielded, return_exceptions=True)

    async def shield[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Await work that continues even if the caller is cancelled."""
        task = asyncio.create_task(work)
        self._shielded.add(task)
        task.add_done_callback(self._shielded.discard)
        try:
            return await asyncio.shield(task)
        finally:
            del task  # its error's traceback holds this frame: with the task in it they would hold each other

    async def drain(self) -> None:
        """Refuse new connections, acknowledge what is in flight and close every connection with 1012."""
        self.draining = True
        self._hub.restart()
        await self.connections.drain()

    # --- other nodes

    async def _answer(self, request: Request) -> Answer:
        match request:
            case ForwardedFixes():
                return await self.shield(self._intake.answer_fixes(request))
            case ReleaseTrip():
                return await self.shield(self._intake.answer_release(request))

    def _receive_event(self, event: Event) -> None:
        match event:
            case TripOwned(driver_id=driver_id):
                self._intake.lose(driver_id)

    # --- drivers

    async def set_device_arrival(self, driver_id: str, arrives_at: datetime | None) -> None:
        """Take the navigation app's arrival time at the next stop, by the device's clock; None clears it."""
        live, now = await self._trips.of(driver_id), self._now()
        is_off = live.trip.duty.now == "off"  # then the app navigates to a place of the driver's own
        remaining = None if arrives_at is None or is_off else arrives_at - now - live.clock.ahead
        live.trip.set_device_arrival(
            now + remaining if remaining is not None and abs(remaining) <= FARTHEST else None, now
        )

    def clock_ahead(self, driver_id: str) -> timedelta:
        """Return how far the device's clock is ahead of the server's, by its fixes; zero if unknown."""
        live = self._trips.get(driver_id)
        return timedelta(0) if live is None else live.clock.ahead

    def policy(self, driver_id: str) -> Policy:
        """Return how often the driver's device should report now."""
        live = self._trips.get(driver_id)
        return Policy() if live is None else live.policy_state.policy

    def online(self, driver_id: str) -> bool:
        """Whether the driver is connected, or sent a fix within the last minute."""
        live = self._trips.get(driver_id)
        recent = live is not None and live.heard_at is not None and self._now() - live.heard_at < ONLINE_FOR
        return driver_id in self.connections or recent

    async def driver_revoked(self, driver_id: str, token_hash: bytes | None = None) -> None:
        """Close the connections with this revoked token; without it, all, and drop the trip."""
        if token_hash is None:
            self._trips.forget(driver_id)
            self._leases.forget(driver_id)
        self.connections.revoke(driver_id, token_hash)

    async def driver_changed(self, driver_id: str) -> None:
        """Publish the driver's new name and vehicle to watchers."""
        live = await self._trips.driver_changed(driver_id)
        if live is not None:
            self._trips.publish(live)

    # --- orders

    async def order_changed(self, change: OrderChange) -> None:
        """Send drivers their orders, and customers their order's new state.

        If the database fails meanwhile, show nothing of these drivers until it is back, then retry.
        Raises NotFound, StorageUnavailable.
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
        found = [self._trips.get(driver_id) for driver_id in change.driver_ids]
        lives = [live for live in found if live is not None]
        for live in lives:  # at once, so that the customer sees nothing more of former drivers
            if live.trip.driver.id != order.driver_id or order.ended_at is not None:
                live.trip.release(order.id)
        await self._feedback.order_changed(order, [live.trip for live in lives])
        self._milestones.order_changed(order, lives)
        replanned = [await self._replan(driver_id) for driver_id in change.driver_ids]
        if change.note is not None:
            self._deliver_note(order, change.note)
        if not any(live is not None and order.id in live.trip.orders for live in replanned):
            await self.views.publish_order(order.id)  # no trip has published it
        if order.ended_at is not None:
            self._hub.finish(order.id, End(order.status.value))  # type: ignore[arg-type]  # one of the ended

    def _deliver_note(self, order: Order, note: Note) -> None:
        if note.sender == "driver":
            if (channel := self._hub.channel(order.id)) is not None:
                channel.note(note.text, rfc3339(note.at))
        else:
            self.connections.push(order.driver_id or "", NoteToDriver(order.id, note.text, rfc3339(note.at)))

    async def _replan(self, driver_id: str) -> LiveTrip | None:
        """Follow and send the driver's new plan; return their trip if it is live."""
        plan = await self._trips.replan(driver_id, is_connected=lambda: driver_id in self.connections)
        if plan is not None and driver_id in self.connections:
            self.connections.push(driver_id, Orders(_assigned(plan)))
        return self._trips.get(driver_id)

    async def assigned_orders(self, driver_id: str) -> list[AssignedOrder]:
        """Return the driver's orders in stop sequence. Raises StorageUnavailable.

        If the caller connects the driver before it awaits anything, it gets every later change.
        """
        return _assigned(await self._trips.plan(driver_id))

    def eta(self, order_id: str) -> Eta | None:
        """Return the forecast for an order on a live trip of this node; None if there is none."""
        live = self._trips.of_order(order_id)
        if live is None:
            return None
        eta = live.trip.eta(order_id, self._now())
        self._feedback.record_forecast(live.trip, order_id, eta)
        return eta

    # --- time

    async def _tick_forever(self) -> None:
        """Update every second what time alone changes, and retry undelivered changes."""
        while True:
            await asyncio.sleep(TICK_S)
            for driver_id in self._leases.take_lost():
                self._intake.lose(driver_id)
            if self._leases.is_sure:  # otherwise this node stood still, and others may own its trips
                await self._review_trips()
            self._trips.forget_idle(self._is_needed)
            await self._intake.release_idle()
            self.views.prune()
            undelivered, self._undelivered = self._undelivered, []
            for change in undelivered:
                with suppress(StorageUnavailable, NotFound):
                    await self.order_changed(change)

    async def _review_trips(self) -> None:
        for number, live in enumerate(self._trips):
            if number % TRIPS_PER_YIELD == 0:
                await asyncio.sleep(0)
            driver_id, now = live.trip.driver.id, self._now()
            if live is not self._trips.get(driver_id):
                continue
            self._trips.review(live, now)
            is_changed = live.reconsider_policy(now, watched=self._hub.is_watched(live.trip.orders))
            if is_changed:
                self.connections.push(driver_id, PolicyChange(live.policy_state.policy))

    def _is_needed(self, live: LiveTrip) -> bool:
        return live.trip.driver.id in self.connections or self._hub.has_channel(live.trip.orders)


def _assigned(plan: Plan) -> list[AssignedOrder]:
    return [assigned_order(order, plan.notes.get(order.id, ())) for order in plan.orders]
