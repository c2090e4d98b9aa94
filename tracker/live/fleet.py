"""Fleet: connects the drivers' connections, live trips, views, milestones and the recorder."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, Final

from tracker.database import Database
from tracker.domain.area import Area
from tracker.domain.driver.duty import Duty
from tracker.domain.eta.device_eta import FARTHEST
from tracker.domain.reporting_policy import Policy
from tracker.errors import StorageUnavailable
from tracker.eta.feedback import EtaFeedback
from tracker.fix_recorder import FixRecorder
from tracker.live.board.board import Board
from tracker.live.changes import Changes, assigned_orders
from tracker.live.delivery.hub import Hub
from tracker.live.delivery.publisher import Publisher
from tracker.live.drivers.connections import DriverConnections
from tracker.live.drivers.forecasts import ForecastWatch
from tracker.live.drivers.milestones import MilestoneWriter
from tracker.live.drivers.silence import SilenceWatch
from tracker.live.drivers.states import DriverStates
from tracker.live.drivers.trip import ConnectedDriver, LiveTrip
from tracker.live.drivers.trips import LiveTrips
from tracker.live.handover import Handover
from tracker.live.healing import Healing
from tracker.live.nodes.exchange import Exchange
from tracker.live.nodes.forecasts import Forecasts
from tracker.live.nodes.intake import FixIntake
from tracker.live.nodes.leases import Leases
from tracker.live.nodes.messages import (
    DriverChanged,
    DriverConnected,
    DriverRevoked,
    OrderChanged,
    SetDuty,
    ToDevices,
)
from tracker.live.nodes.ownership import Ownership
from tracker.live.nodes.view_receiver import ViewReceiver
from tracker.live.nodes.view_sender import ViewSender
from tracker.live.peers import Peers
from tracker.live.restart import Restart
from tracker.live.views import LiveViews
from tracker.messages import AssignedOrder, DutyChange, PolicyChange
from tracker.metrics import Metrics
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
        self._hub, self._feedback, self._leases, self._exchange = hub, feedback, leases, exchange
        self._now, self._tasks, self.restart = now, asyncio.TaskGroup(), Restart()
        self.connections = connections = DriverConnections(metrics)
        publisher, receiver = Publisher(hub), ViewReceiver(hub, leases, exchange, now)
        trips = LiveTrips(database, router, feedback, milestones, publisher, self._tasks, area, now)
        self._trips, self._sender = trips, ViewSender(hub, publisher, trips, leases, exchange, now)
        self._ownership = Ownership(trips, connections, leases, exchange, receiver, now)
        intake = FixIntake(trips, self._ownership, exchange, recorder, milestones, metrics, retention, now)
        self.receive, self.record = intake.receive, intake.record
        self.states = DriverStates(database, trips, connections, now, leases.outdate, self._push)
        self.silence = SilenceWatch(database, trips, connections, metrics, leases.owned_elsewhere, now)
        self.forecasts = ForecastWatch(database, trips, leases.owns, now)
        self.views = views = LiveViews(database, hub, trips, publisher, feedback, exchange, receiver, now)
        self._changes = changes = Changes(trips, views, hub, connections, leases, milestones, feedback)
        healed = database, trips, views, hub, connections, leases, exchange, receiver
        self._healing = Healing(*healed, changes, now)
        self.etas = Forecasts(database, trips, leases, exchange, feedback, now)
        self.board = Board(database, trips, leases, exchange, self.silence, self.etas, now)
        self._peers = Peers(
            *(trips, views, connections, self.states, leases, self._ownership, intake, self.board),
            *(changes, self.etas, self._sender, receiver, self._in_background),
        )
        exchange.listen(self._peers.answer, self._peers.receive)
        self.draining, self._had_bus, self._shielded = False, False, set[asyncio.Task[Any]]()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the routing tasks, the timer and the shielded work during the block."""
        async with self._tasks:
            feedback = self._feedback.keep(lambda: [live.trip for live in self._trips])
            healing, watches = self._healing.poll_forever(), (self.silence, self.forecasts)
            watching = (one.watch_forever() for one in watches)
            forever = self._tick_forever(), feedback, healing, *watching, *self.board.work()
            tasks = [self._tasks.create_task(work) for work in forever]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*self._shielded, return_exceptions=True)

    async def shield[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Await work that continues even if the caller is cancelled. It begins at once."""
        task = asyncio.Task(work, loop=asyncio.get_running_loop(), eager_start=True)
        try:
            return task.result() if task.done() else await asyncio.shield(self._kept(task))
        finally:
            del task  # its error's traceback holds this frame: with the task in it they would hold each other

    def _in_background[T](self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        return self._kept(asyncio.create_task(work))

    def _kept[T](self, task: asyncio.Task[T]) -> asyncio.Task[T]:
        self._shielded.add(task)
        task.add_done_callback(self._shielded.discard)
        return task

    async def drain(self) -> None:
        """Refuse new connections, acknowledge what is in flight and close every connection with 1012.

        Give up the trips, so that other nodes own them as soon as their drivers reconnect.
        """
        self.draining = True
        self.board.close()
        ends = self._hub, self.connections, self._leases, self._ownership, self.restart
        await Handover(*ends).run()

    # --- drivers

    @property
    def node(self) -> str:
        """The name of this node among those of its service."""
        return self._leases.node

    @property
    def bus_connected(self) -> bool:
        """Whether messages reach other nodes now."""
        return self._exchange.bus.connected

    def connect(self, driver_id: str, connection: ConnectedDriver) -> None:
        """Register a connection and close the driver's older one of its role, on any node, as replaced.

        Raises RateLimited if two devices with one role keep replacing each other; the older one stays.
        """
        since = self._now().timestamp(), self._leases.node
        self.connections.connect(driver_id, connection, since)
        self._exchange.publish_driver(driver_id, DriverConnected(driver_id, connection.role, since))

    def _push(self, driver_id: str, message: PolicyChange | DutyChange) -> None:
        """Send a message to the driver's devices, to whichever nodes they are connected."""
        self.connections.push(driver_id, message)
        self._exchange.publish_driver(driver_id, ToDevices(driver_id, message))

    async def set_duty(self, driver_id: str, duty: Duty) -> None:
        """Change the driver's duty from now on; return after the commit. Idempotent.

        Raises NotFound, RateLimited, StorageUnavailable.
        """
        owner = await self._leases.owner(driver_id)
        if owner is None:
            await self.states.set_duty(driver_id, duty)
        else:
            await self._ownership.ask_owner(owner.node, SetDuty(driver_id, duty))

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

    async def online(self, driver_ids: Collection[str]) -> set[str]:
        """Return the drivers who are connected to any node, or sent it a fix within the last minute."""
        found = {driver_id for driver_id in driver_ids if self._is_online(driver_id)}
        if not self._leases.alone:
            with suppress(StorageUnavailable):
                found |= await self._leases.owned_anywhere(driver_ids)
        return found

    def _is_online(self, driver_id: str) -> bool:
        live = self._trips.get(driver_id)
        recent = live is not None and live.heard_at is not None and self._now() - live.heard_at < ONLINE_FOR
        return driver_id in self.connections or recent

    async def driver_revoked(self, driver_id: str, token_hash: bytes | None = None) -> None:
        """Close the connections with this revoked token; without it, all, and drop the trip."""
        if token_hash is None:
            self._trips.forget(driver_id)
            self._leases.forget(driver_id)
            self.board.driver_revoked(driver_id)
        self.connections.revoke(driver_id, token_hash)
        self._exchange.publish_driver(driver_id, DriverRevoked(driver_id, token_hash))

    async def driver_changed(self, driver_id: str) -> None:
        """Publish the driver's new name and vehicle to watchers."""
        self._exchange.publish_driver(driver_id, DriverChanged(driver_id))
        self.board.driver_changed(driver_id)
        live = await self._trips.driver_changed(driver_id)
        if live is not None:
            self._trips.publish(live)

    # --- orders

    async def order_changed(self, change: OrderChange) -> None:
        """Send drivers their orders, and customers their order's new state, on every node.

        Raises NotFound, StorageUnavailable; then it is retried here.
        """
        self._exchange.publish_order(change.order_id, OrderChanged(change))
        for driver_id in change.driver_ids:
            self._exchange.publish_driver(driver_id, OrderChanged(change))
        self.board.order_changed(change)
        await self._changes.apply(change)

    async def assigned_orders(self, driver_id: str) -> list[AssignedOrder]:
        """Return the driver's orders in stop sequence. Raises StorageUnavailable.

        If the caller connects the driver before it awaits anything, it gets every later change.
        """
        return assigned_orders(await self._trips.plan(driver_id))

    # --- time

    async def _tick_forever(self) -> None:
        """Update every second what time alone changes, and retry undelivered changes."""
        while True:
            await asyncio.sleep(TICK_S)
            if self.bus_connected and not self._had_bus:
                self._ownership.ask_again()
                self._healing.poll_now()
            self._had_bus = self.bus_connected
            for node in self._leases.take_gone():
                self._exchange.give_up(node)
            for driver_id in self._leases.take_lost():
                self._ownership.lose(driver_id)
            if self._leases.take_return() and not self._leases.alone:
                self._healing.poll_now()
            if self._leases.is_sure:  # otherwise this node stood still, and others may own its trips
                await self._review_trips()
            self._trips.forget_idle(self._is_needed)
            await self._ownership.release_idle()
            self.views.prune()
            self._sender.prune()
            self._changes.forget_gone()
            await self._changes.retry()

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
                self._push(driver_id, PolicyChange(live.policy_state.policy))

    def _is_needed(self, live: LiveTrip) -> bool:
        return live.trip.driver.id in self.connections or self._hub.has_channel(live.trip.orders)
