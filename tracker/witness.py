"""Witness: what drivers' positions show goes into timelines; where they stop is remembered, and routed to.

Off the hot path: what was seen waits here, and is written by one task at a time. With the database away it
goes on waiting.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import structlog

from tracker.database import Database
from tracker.database.milestones import select_milestones
from tracker.database.pins import lock_pins, replace_pins, select_pins
from tracker.domain.arrival import Event, Milestone
from tracker.domain.geo import LonLat
from tracker.domain.order import Order
from tracker.domain.pins import learned, place_key, stood_at, target
from tracker.domain.route import Route, Stop
from tracker.errors import RoutingError, StorageUnavailable
from tracker.live_trip import LiveTrip
from tracker.metrics import Metrics
from tracker.routing import Router

WAITING: Final = 10_000  # events; beyond, the oldest are given up

log = structlog.get_logger()


class _Lesson(NamedTuple):
    """One delivery: to which place, and where the driver stood for how long."""

    place: str
    at: LonLat
    dwell_s: float | None


class Witness:
    """`note` writes one event and says whether it was new."""

    def __init__(
        self,
        database: Database,
        note: Callable[[str, Milestone, datetime], Awaitable[bool]],
        metrics: Metrics,
    ) -> None:
        self._database, self._note, self._metrics = database, note, metrics
        self._waiting: deque[Event] = deque(maxlen=WAITING)
        self._lessons: deque[_Lesson] = deque(maxlen=WAITING)
        self._writing = False

    def saw(self, events: Iterable[Event]) -> None:
        """To be written soon; never waits."""
        self._waiting.extend(events)

    @property
    def has_work(self) -> bool:
        """Whether something waits that nobody is writing."""
        return bool(self._waiting or self._lessons) and not self._writing

    async def write(self) -> None:
        """Everything that waits, the oldest first; what cannot be written now waits for the next call."""
        if self._writing:
            return
        self._writing = True
        try:
            while self._waiting:
                order_id, kind, at = self._waiting[0]
                if await self._note(order_id, kind, at):
                    self._metrics.milestones.labels(kind).inc()
                self._waiting.popleft()
            while self._lessons:
                await self._learn(self._lessons[0])
                self._lessons.popleft()
        except StorageUnavailable:
            log.warning("milestones_wait", events=len(self._waiting), lessons=len(self._lessons))
        finally:
            self._writing = False

    async def follow(self, live: LiveTrip, orders: Sequence[Order], stops: Sequence[Stop]) -> None:
        """This is to be done from now on; of orders that are new here, it is read what was seen before."""
        order_ids = [order.id for order in orders]
        told = await self._told({one for one in order_ids if not live.milestones.knows(one)})
        live.trip.replan(orders, stops)
        live.milestones.begin(told, order_ids)

    def order_changed(self, order: Order, lives: Iterable[LiveTrip]) -> None:
        """Delivered, says the driver too: what positions show is sure now, and teaches where drivers stop."""
        if (at := order.delivered_at) is None:
            return
        for live in lives:
            self.saw(live.milestones.delivered(order, at))
            stood = stood_at(live.milestones.fixes, order.dropoff.lonlat, at)
            if stood is not None:
                arrived = live.milestones.arrived_at(order.id)
                dwell_s = None if arrived is None else max((at - arrived).total_seconds(), 0.0)
                self._lessons.append(_Lesson(place_key(order.dropoff), stood, dwell_s))

    async def route(self, live: LiveTrip, router: Router) -> None:
        """Gives the trip a route through its stops, to where drivers really stop for them."""
        trip, stops = live.trip, live.trip.ahead
        newest = trip.track.newest
        if newest is None:
            return
        try:
            places = [newest.lonlat, *await self._targets(stops, trip.orders)]
            legs = await router.route(
                places, trip.vehicle, edges=True, heading=trip.heading, manner=trip.manner
            )
        except RoutingError as error:
            log.info("no_route", driver=trip.driver.id, why=type(error).__name__, stops=len(stops))
            return
        if trip.ahead == stops:
            trip.take_route(Route(stops, legs))

    async def _told(self, order_ids: set[str]) -> dict[str, dict[Milestone, datetime]]:
        """What the timelines of these orders hold, and what waits to be written there."""
        found = await select_milestones(self._database, order_ids) if order_ids else {}
        for order_id, kind, at in self._waiting:
            if order_id in order_ids:
                found.setdefault(order_id, {}).setdefault(kind, at)
        return found

    async def _learn(self, lesson: _Lesson) -> None:
        async with self._database.transaction() as connection:
            pins = await lock_pins(connection, lesson.place)
            await replace_pins(connection, lesson.place, learned(pins, lesson.at, lesson.dwell_s))

    async def _targets(self, stops: Sequence[Stop], orders: Mapping[str, Order]) -> list[LonLat]:
        """Where to route for each stop: where drivers really stop for it, or the place as it was given."""
        keys = {
            stop.order_id: place_key(orders[stop.order_id].dropoff)
            for stop in stops
            if stop.kind == "dropoff" and stop.order_id in orders
        }
        try:
            pins = await select_pins(self._database, set(keys.values())) if keys else {}
        except StorageUnavailable:
            pins = {}
        return [
            target(pins.get(keys.get(stop.order_id, ""), ()), stop.at) if stop.kind == "dropoff" else stop.at
            for stop in stops
        ]
