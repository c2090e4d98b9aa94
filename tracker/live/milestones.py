"""Witness: what drivers' positions show goes into timelines; where they stop is remembered, and routed to.

Off the hot path: what was seen waits here, and is written by one task at a time. With the database away it
goes on waiting.
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

WAITING: Final = 10_000  # events; beyond, the oldest are given up

log = structlog.get_logger()


class _StopSample(NamedTuple):
    """One stop: for which place, and where the driver stood for how long."""

    place: str
    at: LonLat
    dwell_s: float | None


class MilestoneWriter:
    """`note` writes one event and says whether it was new; `area` is what the map covers, once known."""

    def __init__(
        self,
        database: Database,
        insert: Callable[[str, Milestone, datetime], Awaitable[bool]],
        metrics: Metrics,
        area: Callable[[], Area | None] = lambda: None,
    ) -> None:
        self._database, self._insert, self._metrics, self._area = database, insert, metrics, area
        self._waiting: deque[MilestoneReached] = deque(maxlen=WAITING)
        self._samples: deque[_StopSample] = deque(maxlen=WAITING)
        self._writing = False

    def add(self, events: Iterable[MilestoneReached]) -> None:
        """To be written soon; never waits."""
        self._waiting.extend(events)

    @property
    def has_work(self) -> bool:
        """Whether something waits that nobody is writing."""
        return bool(self._waiting or self._samples) and not self._writing

    async def write(self) -> None:
        """Everything that waits, the oldest first; what cannot be written now waits for the next call."""
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
        """This is to be done from now on; of orders that are new here, it is read what was seen before."""
        order_ids = [order.id for order in orders]
        reached = await self._select_milestones(
            {one for one in order_ids if not live.milestones.watches(one)}
        )
        area = self._area()
        live.trip.replan(orders, stops if area is None else area.far_last(stops))
        live.milestones.begin(reached, order_ids)
        live.note_arrivals()

    def order_changed(self, order: Order, lives: Iterable[LiveTrip]) -> None:
        """Fetched or delivered, says the driver too: what positions show is sure now, and teaches.

        To be reached before the stop leaves the trip.
        """
        for live in lives:
            if (at := order.delivered_at) is not None:
                self.add(live.milestones.confirm_delivery(order, at))
            self._samples.extend(_samples(order, live))

    async def route(self, live: LiveTrip, router: Router) -> None:
        """Give the trip a route through its stops, to where drivers really stop for them.

        Where no way leads to a stop, or from it, that leg is a straight line.
        If the router gives none, a route that the driver has left is dropped.
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
                manner=trip.manner,
                streets=trip.streets,
                bridge_m_s=trip.course.model.rates(trip.vehicle).straight,
            )
        except RoutingError as error:
            log.info("route_failed", driver=trip.driver.id, why=type(error).__name__, stops=len(stops))
            if trip.ahead == stops:
                trip.handle_no_route(unroutable=isinstance(error, NoRoute))
            return
        if trip.ahead == stops:
            trip.course.usual = {stop: usual_dwell(found) for stop, found in pins.items()}
            trip.take_route(Route(stops, legs))

    async def _select_milestones(self, order_ids: set[str]) -> dict[str, dict[Milestone, datetime]]:
        """What the timelines of these orders hold, and what waits to be written there."""
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
        """Where drivers really stop for each of these, as far as that is known."""
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
    """Seconds that the stop took: what a driver waits for it to open is no part of them."""
    begun = arrived if stop.opens_at is None else max(arrived, stop.opens_at)
    return max((served_at - begun).total_seconds(), 0.0)


def _samples(order: Order, live: LiveTrip) -> Iterator[_StopSample]:
    """Of the stops that the trip still has, though the order says that they are served."""
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
