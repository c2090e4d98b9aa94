"""LiveTrips: the live trips of this node, loaded on demand, routed, and unloaded when idle."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

import structlog

from tracker.database import Database, drivers, fixes, orders
from tracker.database.access_points import select_access_points
from tracker.database.plans import Plan, select_plan
from tracker.domain.area import Area
from tracker.domain.arrival.access_points import AccessPoint, place_key, routing_target, usual_dwell
from tracker.domain.order import Driver
from tracker.domain.privacy.other_dropoffs import ENDED_KEPT
from tracker.domain.route import Route, Stop
from tracker.domain.tracks.fix import JudgedFix
from tracker.domain.tracks.track import WINDOW
from tracker.domain.tracks.verdict_memory import VerdictMemory
from tracker.domain.trip import Trip
from tracker.errors import NoRoute, NotFound, RoutingError, StorageUnavailable
from tracker.eta.feedback import EtaFeedback
from tracker.live.delivery.publisher import Publisher
from tracker.live.drivers.milestones import MilestoneWriter
from tracker.live.drivers.trip import JudgedBatch, LiveTrip, Recalled
from tracker.routing import Router

ENDED_LOOKBACK: Final = timedelta(hours=72)  # before the newest fix; no driver stays longer at one door
IDLE_AFTER: Final = timedelta(minutes=10)  # then an unneeded trip is unloaded
VERDICTS_KEPT: Final = 100  # drivers

log = structlog.get_logger()


class LiveTrips:
    """The live trips by driver."""

    def __init__(  # noqa: PLR0917 - all of them are different types
        self,
        database: Database,
        router: Router,
        feedback: EtaFeedback,
        milestones: MilestoneWriter,
        publisher: Publisher,
        tasks: asyncio.TaskGroup,
        area: Callable[[], Area | None],
        now: Callable[[], datetime],
    ) -> None:
        self._database, self._router, self._now = database, router, now
        self._feedback, self._milestones, self._publisher = feedback, milestones, publisher
        self._area, self._tasks = area, tasks
        self._live: dict[str, LiveTrip] = {}
        self._verdicts: dict[str, VerdictMemory] = {}  # of unstored fixes, by driver whose trip was unloaded
        self._loading: dict[str, asyncio.Lock] = {}

    def __iter__(self) -> Iterator[LiveTrip]:
        return iter(list(self._live.values()))

    def get(self, driver_id: str) -> LiveTrip | None:
        """Return the driver's trip if it is live."""
        return self._live.get(driver_id)

    async def of(self, driver_id: str) -> LiveTrip:
        """Return the driver's trip; load it if it is not live. Raises NotFound, StorageUnavailable."""
        return self._live.get(driver_id) or await self._load(driver_id)

    def of_order(self, order_id: str) -> LiveTrip | None:
        """Return the live trip with this order."""
        return next((live for live in self._live.values() if order_id in live.trip.orders), None)

    def forget(self, driver_id: str) -> None:
        """Unload the driver's trip and its verdicts."""
        self._live.pop(driver_id, None)
        self._verdicts.pop(driver_id, None)

    def reload(self, driver_id: str) -> None:
        """Unload the trip, but keep the verdicts of fixes that are not stored yet."""
        live = self._live.pop(driver_id, None)
        if live is not None and live.verdicts.unstored():
            self._verdicts[driver_id] = live.verdicts
            if len(self._verdicts) > VERDICTS_KEPT:
                del self._verdicts[next(iter(self._verdicts))]

    async def driver_changed(self, driver_id: str) -> LiveTrip | None:
        """Set the driver's new name on the live trip; reload the trip if the vehicle changed. None: not live.

        Speeds, routes and the ETA model depend on the vehicle. Raises NotFound, StorageUnavailable.
        """
        async with self._lock(driver_id):
            live = self._live.get(driver_id)
            if live is None or (driver := await drivers.select_driver(self._database, driver_id)) is None:
                return None
            if live.trip.vehicle == driver.vehicle:
                live.trip.driver = driver
                return live
            self.reload(driver_id)
        return await self.of(driver_id)

    def forget_idle(self, is_needed: Callable[[LiveTrip], bool]) -> None:
        now = self._now()
        for driver_id, live in list(self._live.items()):
            idle = live.heard_at is None or now - live.heard_at > IDLE_AFTER
            if idle and not is_needed(live) and not self._lock(driver_id).locked():
                del self._live[driver_id]
                self._loading.pop(driver_id, None)

    async def _load(self, driver_id: str) -> LiveTrip:
        async with self._lock(driver_id):
            if driver_id not in self._live:
                found = await drivers.select_driver_to_load(self._database, driver_id)
                if found is None:
                    raise NotFound("driver")
                driver, generation = found
                live = await self._new_live(driver)
                live.generation = generation
                live.trip.change_duty(await drivers.select_duty_times(self._database, driver.number))
                await self._set_plan(live, await select_plan(self._database, driver_id))
                await self._restore_doors(live.trip)
                self._live[driver_id] = live
                self._verdicts.pop(driver_id, None)
                self._consider_route(live)
        return self._live[driver_id]

    async def _new_live(self, driver: Driver) -> LiveTrip:
        """Create a trip from the newest stored fixes and the kept verdicts of unstored ones."""
        stored = await fixes.newest_judged(self._database, driver.number, WINDOW)
        verdicts = self._verdicts.get(driver.id) or VerdictMemory()
        by_key = {judged.sent_at: verdicts.first(judged.sent_at) or judged for judged in stored}
        verdicts.stored(by_key.values())
        by_key |= {judged.sent_at: judged for judged in verdicts.unstored() if judged.judged}
        moving = [judged for judged in by_key.values() if not judged.aside]
        latest = sorted(moving, key=lambda judged: judged.at)[-WINDOW:]
        live = LiveTrip(await self._feedback.new_trip(driver, latest), verdicts)
        live.clock.restore([judged.correction for judged in latest])
        return live

    async def drop_stored(self, live: LiveTrip, batch: JudgedBatch) -> None:
        """Drop those of the batch's unknown fixes that are stored already."""
        keys = {judged.sent_at for judged in batch.unknown}
        number = live.trip.driver.number
        live.drop_stored(batch, await live.stored_keys.find(self._database, number, keys))

    async def recall(self, live: LiveTrip, unknown: Sequence[JudgedFix]) -> Recalled | None:
        """Return the stored fixes around *unknown* (oldest first); None if they are in memory.

        Return no fixes while the database is unavailable.
        """
        if all(map(live.trip.track.covers, unknown)):
            return None
        span = unknown[0].at, unknown[-1].at
        try:
            return Recalled(*await fixes.judged_around(self._database, live.trip.driver.number, *span))
        except StorageUnavailable:
            return Recalled([], span)

    async def _restore_doors(self, trip: Trip) -> None:
        """Read the doors that the driver may not have left; call it after the plan, to miss none."""
        newest = trip.track.newest
        since = (self._now() if newest is None else newest.recorded_at) - ENDED_LOOKBACK
        ended = await orders.select_ended_doors(self._database, trip.driver.number, since, ENDED_KEPT)
        trip.doors.restore(ended, newest)

    @asynccontextmanager
    async def held(self, driver_id: str) -> AsyncIterator[LiveTrip]:
        """Yield the live trip; meanwhile its fixes wait and it is not loaded again. Raises as `of`.

        Reload it if the block fails: the database may hold what the trip does not.
        """
        while True:
            live = await self.of(driver_id)
            async with self._lock(driver_id), live.duty_lock:
                if self._live.get(driver_id) is live:
                    yield live
                    return

    def _lock(self, driver_id: str) -> asyncio.Lock:
        """Return the lock for reading a driver's plan, so that no earlier plan overwrites a later one."""
        return self._loading.setdefault(driver_id, asyncio.Lock())

    # --- publishing

    def publish(self, live: LiveTrip) -> None:
        """Publish the views of the trip's watched orders, and request a route if the trip needs one."""
        self._feedback.record_views(live.trip, self._publisher.publish(live.trip, self._now()))
        self._consider_route(live)

    def review(self, live: LiveTrip, now: datetime) -> None:
        """Publish what time alone has changed; the router may be back although the driver sends nothing."""
        if live.trip.drop_outdated_route(now):
            self.publish(live)
        else:
            self._feedback.record_views(live.trip, self._publisher.review(live.trip, now))
            self._consider_route(live)

    # --- plans and routes

    async def plan(self, driver_id: str) -> Plan:
        """Return what the driver has to do.

        `replan` returns every later change, if the driver is connected before the caller awaits anything.
        """
        async with self._lock(driver_id):
            return await select_plan(self._database, driver_id)

    async def replan(self, driver_id: str, *, is_connected: Callable[[], bool]) -> Plan | None:
        """Return the driver's plan and set it on the live trip; None without live trip and connection."""
        async with self._lock(driver_id):
            live = self._live.get(driver_id)
            if live is None and not is_connected():
                return None
            plan = await select_plan(self._database, driver_id)
            if live is not None:
                await self._set_plan(live, plan)
                self.publish(live)
        return plan

    async def _set_plan(self, live: LiveTrip, plan: Plan) -> None:
        """Set the trip's orders and stops; read the earlier milestones of orders that are new to it.

        Raises StorageUnavailable.
        """
        order_ids = [order.id for order in plan.orders]
        unwatched = {order_id for order_id in order_ids if not live.milestones.watches(order_id)}
        recorded = await self._milestones.recorded(unwatched)
        area = self._area()
        live.trip.replan(plan.orders, plan.stops if area is None else area.far_last(plan.stops))
        live.milestones.begin(recorded, order_ids)
        live.note_arrivals()

    def _consider_route(self, live: LiveTrip) -> None:
        """Request a route if the trip needs one and no request is pending."""
        now = self._now()
        if not live.routing and live.trip.wants_route(now):
            live.routing = True
            live.trip.note_route_request(now)
            self._tasks.create_task(self._route(live))

    async def _route(self, live: LiveTrip) -> None:
        before = live.trip.route
        try:
            await self._find_route(live.trip)
        finally:
            live.routing = False
        if self._live.get(live.trip.driver.id) is not live:
            return  # unloaded in the meantime
        if live.trip.route is before:
            self._consider_route(live)
        else:
            self.publish(live)

    async def _find_route(self, trip: Trip) -> None:
        """Route the trip through the access points of its stops.

        A leg without a path is a straight line. If the router fails, drop a route that the driver has left.
        """
        stops, newest = trip.ahead, trip.track.newest
        if newest is None:
            return
        points = await self._access_points(trip, stops)
        places = [newest.lonlat, *(routing_target(points.get(stop, ()), stop.at) for stop in stops)]
        try:
            legs = await self._router.route(
                places,
                trip.vehicle,
                edges=True,
                heading=trip.heading,
                preference=trip.route_preference,
                streets=trip.streets,
                bridge_m_s=trip.route_progress.model.rates(trip.vehicle).straight,
            )
        except RoutingError as error:
            log.info("route_failed", driver=trip.driver.id, why=type(error).__name__, stops=len(stops))
            if trip.ahead == stops:
                trip.handle_no_route(unroutable=isinstance(error, NoRoute))
            return
        if trip.ahead == stops:
            trip.route_progress.usual = {stop: usual_dwell(found) for stop, found in points.items()}
            trip.take_route(Route(stops, legs))

    async def _access_points(self, trip: Trip, stops: Sequence[Stop]) -> dict[Stop, list[AccessPoint]]:
        """Return the access points of stops that have any; none while the database is unavailable."""
        orders = trip.orders
        keys = {
            stop: place_key(orders[stop.order_id].place(stop.kind))
            for stop in stops
            if stop.order_id in orders
        }
        try:
            points = await select_access_points(self._database, set(keys.values())) if keys else {}
        except StorageUnavailable:
            return {}
        return {stop: points[key] for stop, key in keys.items() if key in points}
