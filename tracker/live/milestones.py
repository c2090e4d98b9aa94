"""MilestoneWriter: writes milestones into timelines and learns access points and dwell times.

Both are queued, off the hot path, and written by one task at a time. While the database is unavailable they
stay queued.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import structlog

from tracker.database import Database
from tracker.database.access_points import lock_pins, replace_pins, select_pins
from tracker.database.milestones import select_milestones
from tracker.domain.area import Area
from tracker.domain.arrival.access_points import (
    AccessPoint,
    add_stop,
    place_key,
    routing_target,
    stopping_place,
    usual_dwell,
)
from tracker.domain.arrival.milestone import Milestone, MilestoneReached
from tracker.domain.geo import LonLat
from tracker.domain.order import Order, Place
from tracker.domain.route import Route, Stop
from tracker.errors import NoRoute, RoutingError, StorageUnavailable
from tracker.live.trip import LiveTrip
from tracker.metrics import Metrics
from tracker.routing import Router

MAX_QUEUED: Final = 10_000  # beyond, the oldest are dropped

log = structlog.get_logger()


class _StopSample(NamedTuple):
    """A served stop: the place, where the driver stopped and for how many seconds."""

    place: str
    at: LonLat
    dwell_s: float | None


class MilestoneWriter:
    """Writes milestones by *insert*, which returns whether one was new; *area* is the map's area."""

    def __init__(
        self,
        database: Database,
        insert: Callable[[str, Milestone, datetime], Awaitable[bool]],
        metrics: Metrics,
        area: Callable[[], Area | None] = lambda: None,
    ) -> None:
        self._database, self._insert, self._metrics, self._area = database, insert, metrics, area
        self._waiting: deque[MilestoneReached] = deque(maxlen=MAX_QUEUED)
        self._samples: deque[_StopSample] = deque(maxlen=MAX_QUEUED)
        self._writing = False

    def add(self, events: Iterable[MilestoneReached]) -> None:
        """Queue milestones; never wait."""
        self._waiting.extend(events)

    @property
    def has_work(self) -> bool:
        """Whether something is queued and no task is writing."""
        return bool(self._waiting or self._samples) and not self._writing

    async def write(self) -> None:
        """Write everything queued, oldest first; keep what fails for the next call."""
        if self._writing:
            return
        self._writing = True
        try:
            while self._waiting:
                order_id, kind, at = self._waiting[0]
                if await self._insert(order_id, kind, at):
                    self._metrics.milestones.labels(kind).inc()
                self._waiting.popleft()
            while self._samples:
                await self._store(self._samples[0])
                self._samples.popleft()
        except StorageUnavailable:
            log.warning("milestone_write_failed", events=len(self._waiting), samples=len(self._samples))
        finally:
            self._writing = False

    async def follow(self, live: LiveTrip, orders: Sequence[Order], stops: Sequence[Stop]) -> None:
        """Set the trip's plan; read the earlier milestones of orders that are new to it.

        Raises StorageUnavailable.
        """
        order_ids = [order.id for order in orders]
        reached = await self._select_milestones(
            {one for one in order_ids if not live.milestones.watches(one)}
        )
        area = self._area()
        live.trip.replan(orders, stops if area is None else area.far_last(stops))
        live.milestones.begin(reached, order_ids)
        live.note_arrivals()

    def order_changed(self, order: Order, lives: Iterable[LiveTrip]) -> None:
        """Confirm milestones and learn from stops once the order is picked up or delivered.

        Call it before the stop leaves the trip.
        """
        for live in lives:
            if (at := order.delivered_at) is not None:
                self.add(live.milestones.confirm_delivery(order, at))
            self._samples.extend(_samples(order, live))

    async def route(self, live: LiveTrip, router: Router) -> None:
        """Route the trip through the access points of its stops.

        A leg without a path is a straight line. If the router fails, drop a route that the driver has left.
        """
        trip, stops = live.trip, live.trip.ahead
        newest = trip.track.newest
        if newest is None:
            return
        try:
            pins = await self._pins(stops, trip.orders)
            places = [newest.lonlat, *(routing_target(pins.get(stop, ()), stop.at) for stop in stops)]
            legs = await router.route(
                places,
                trip.vehicle,
                edges=True,
                heading=trip.heading,
                manner=trip.route_preference,
                streets=trip.streets,
                bridge_m_s=trip.route_progress.model.rates(trip.vehicle).straight,
            )
        except RoutingError as error:
            log.info("route_failed", driver=trip.driver.id, why=type(error).__name__, stops=len(stops))
            if trip.ahead == stops:
                trip.handle_no_route(unroutable=isinstance(error, NoRoute))
            return
        if trip.ahead == stops:
            trip.route_progress.usual = {stop: usual_dwell(found) for stop, found in pins.items()}
            trip.take_route(Route(stops, legs))

    async def _select_milestones(self, order_ids: set[str]) -> dict[str, dict[Milestone, datetime]]:
        """Return the orders' milestones, stored and queued."""
        found = await select_milestones(self._database, order_ids) if order_ids else {}
        for order_id, kind, at in self._waiting:
            if order_id in order_ids:
                found.setdefault(order_id, {}).setdefault(kind, at)
        return found

    async def _store(self, sample: _StopSample) -> None:
        async with self._database.transaction() as connection:
            pins = await lock_pins(connection, sample.place)
            await replace_pins(connection, sample.place, add_stop(pins, sample.at, sample.dwell_s))

    async def _pins(
        self, stops: Sequence[Stop], orders: Mapping[str, Order]
    ) -> dict[Stop, list[AccessPoint]]:
        """Return the access points of stops that have any; none while the database is unavailable."""
        keys = {
            stop: place_key(_place(orders[stop.order_id], stop)) for stop in stops if stop.order_id in orders
        }
        try:
            pins = await select_pins(self._database, set(keys.values())) if keys else {}
        except StorageUnavailable:
            pins = {}
        return {stop: pins[key] for stop, key in keys.items() if key in pins}


def _place(order: Order, stop: Stop) -> Place:
    return order.pickup if stop.kind == "pickup" else order.dropoff


def _dwell_s(arrived: datetime, served_at: datetime, stop: Stop) -> float:
    """Return the seconds that the stop took, without the wait for it to open."""
    started = arrived if stop.opens_at is None else max(arrived, stop.opens_at)
    return max((served_at - started).total_seconds(), 0.0)


def _samples(order: Order, live: LiveTrip) -> Iterator[_StopSample]:
    """Return samples of the stops that the order has served and the trip still holds."""
    for stop in live.trip.stops:
        served_at = order.picked_up_at if stop.kind == "pickup" else order.delivered_at
        if stop.order_id != order.id or served_at is None:
            continue
        place = _place(order, stop)
        stood = stopping_place(live.milestones.fixes, place.lonlat, served_at)
        if stood is not None:
            arrived = live.milestones.arrived_at(order.id, stop.kind)
            dwell_s = None if arrived is None else _dwell_s(arrived, served_at, stop)
            yield _StopSample(place_key(place), stood, dwell_s)
