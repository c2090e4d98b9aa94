"""Trip: one driver working through one route. Fixes go in; what each customer may see comes out."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from tracker.domain.eta import Eta, forecast
from tracker.domain.geo import LonLat, clear_tail, distance
from tracker.domain.order import ON_THE_ROAD, Driver, Order, Vehicle
from tracker.domain.route import Progress, Route, Stop
from tracker.domain.track import Doubt, Fix, Track
from tracker.domain.visibility import HIDING_RADIUS, Circumstances, Rules, visible

OFF_ROUTE: Final = 45.0  # metres; measured: 0.9 false alarms per 100 km on real GPS, 1.9 at 30 m
OFF_ROUTE_FIXES: Final = 3  # in a row
MOVING: Final = 2.0  # m/s; below, a receiver's heading means nothing
REROUTE_PAUSE: Final = timedelta(seconds=10)
LIVE_FOR: Final = 15.0  # seconds, at least
STALE_FOR: Final = 120.0  # seconds
REPORT_EVERY: Final = 5.0  # seconds; what a device is asked for
TRAIL_STEP: Final = 3.0  # metres between two places of a trail
TRAIL_LENGTH: Final = 1_000  # places; beyond, every other one goes

Freshness = Literal["live", "stale", "lost", "none"]
Shown = Literal["live", "hidden", "ended"]


class Trail:
    """The way travelled as one customer saw it: only places that were visible when the driver was there."""

    __slots__ = ("places", "version")

    def __init__(self) -> None:
        self.places: list[LonLat] = []
        self.version = 0  # changes whenever the trail does other than grow at its end

    def grow(self, place: LonLat) -> None:
        """Adds a place, unless it is where the trail ends already."""
        if self.places and distance(self.places[-1], place) < TRAIL_STEP:
            return
        self.places.append(place)
        if len(self.places) > TRAIL_LENGTH:
            self.places = [*self.places[:-1:2], self.places[-1]]
            self.version += 1

    def restart(self, places: Sequence[LonLat] = ()) -> None:
        """Forgets what was, as after a stretch that stays hidden."""
        if self.places or places:
            self.places = list(places)
            self.version += 1


class View(msgspec.Struct, frozen=True, kw_only=True):
    """All that one order's customer may see now; None where it is nothing or not for them."""

    order: Order
    driver: Driver | None = None
    position: Fix | None = None
    eta: Eta | None = None
    stops_before: int | None = None
    route: tuple[LonLat, ...] = ()
    trail: Trail | None = None
    shown: Shown = "hidden"
    freshness: Freshness = "none"


def view_without_trip(order: Order) -> View:
    """What is seen of an order that nobody carries: not yet, or not any more."""
    return View(order=order, shown="hidden" if order.ended_at is None else "ended")


class Trip:
    """One driver's orders, stops, route and track, as they are now. Holds no clock and does no I/O."""

    def __init__(self, driver: Driver, newest: Fix | None = None) -> None:
        self.driver = driver
        self.orders: dict[str, Order] = {}
        self.rules: dict[str, Rules] = {}
        self.stops: tuple[Stop, ...] = ()
        self.track = Track(driver.vehicle, newest)
        self.route: Route | None = None
        self.progress: Progress | None = None
        self.trails: dict[str, Trail] = {}
        self._lines: dict[str, tuple[LonLat, ...]] = {}  # an order's part of the route, cut once
        self._off_route = 0  # fixes in a row
        self._routed_at: datetime | None = None

    @property
    def vehicle(self) -> Vehicle:
        return self.driver.vehicle

    def replan(self, orders: Sequence[Order], stops: Sequence[Stop]) -> None:
        """Takes over what is to be done now; the route goes when the stops changed."""
        self.orders = {order.id: order for order in orders}
        self.rules = {order.id: msgspec.convert(order.visibility, Rules) for order in orders}
        self.trails = {order.id: self.trails.get(order.id) or Trail() for order in orders}
        if tuple(stops) != self.stops:
            self.stops = tuple(stops)
            self.take_route(None)

    def receive_fix(self, fix: Fix, now: datetime) -> Doubt | None:
        """Judges a fix; a believed one that is newer than all before moves the driver."""
        before = self.track.newest
        doubt = self.track.add(fix)
        if self.track.newest is not before:
            self._move(fix, now)
        return doubt

    def wants_route(self, now: datetime) -> bool:
        """Whether the router should be asked: stops but no route, or off the route; not too often."""
        if not self.stops or self.track.newest is None:
            return False
        if self._routed_at is not None and now - self._routed_at < REROUTE_PAUSE:
            return False
        return self.route is None or self._off_route >= OFF_ROUTE_FIXES

    def routing_begun(self, now: datetime) -> None:
        """Holds further wishes back until an answer had its time."""
        self._routed_at = now

    def take_route(self, route: Route | None) -> None:
        """Follows this route from now on; None: there is none."""
        self.route, self.progress, self._off_route = route, None, 0
        self._lines.clear()
        if route is None:
            self._routed_at = None
        elif self.track.newest is not None:
            self.progress = route.locate(self.track.newest.lonlat)

    def view(self, order_id: str, now: datetime) -> View:
        """What this order's customer may see now. KeyError where the driver does not carry it."""
        order, fix = self.orders[order_id], self.track.newest
        index = self._dropoff_index(order_id)
        stops_before = sum(stop.order_id != order_id for stop in self.stops[:index])
        eta = self._eta(index, stops_before, now)
        seen = visible(self.rules[order_id], self._circumstances(order, stops_before, eta, now))
        position = fix if seen.position else None
        return View(
            order=order,
            driver=self.driver if order.status in ON_THE_ROAD else None,
            position=position,
            eta=eta if seen.eta else None,
            stops_before=stops_before if seen.stops_before else None,
            route=self._line(order_id, index) if seen.route else (),
            trail=self.trails[order_id] if seen.position else None,
            shown="live" if seen.position else "hidden",
            freshness=self._freshness(position, now),
        )

    def eta(self, order_id: str, now: datetime) -> Eta:
        """The forecast for one order, whoever may see it. KeyError where the driver does not carry it."""
        index = self._dropoff_index(order_id)
        return self._eta(index, sum(stop.order_id != order_id for stop in self.stops[:index]), now)

    def _move(self, fix: Fix, now: datetime) -> None:
        if self.route is not None:
            after = self.progress.along_m if self.progress else 0.0
            heading = fix.heading if (fix.speed or 0.0) >= MOVING else None
            found = self.route.locate(fix.lonlat, after_m=after, heading=heading)
            self._off_route = self._off_route + 1 if found.offset_m > OFF_ROUTE else 0
            if not self._off_route:
                self.progress = found
        for order_id, trail in self.trails.items():
            if self.view(order_id, now).position is not None:
                trail.grow(fix.lonlat)
            else:
                trail.restart()

    def _dropoff_index(self, order_id: str) -> int:
        for index, stop in enumerate(self.stops):
            if stop.order_id == order_id and stop.kind == "dropoff":
                return index
        raise KeyError(order_id)

    def _eta(self, index: int, stops_before: int, now: datetime) -> Eta:
        fix = self.track.newest
        if fix is None:
            return Eta(
                arrives_at=None,
                earliest=None,
                latest=None,
                distance_m=None,
                stops_before=stops_before,
                computed_at=now,
                basis="none",
            )
        return forecast(
            route=self.route,
            progress=self.progress,
            at=fix.lonlat,
            stops=self.stops,
            index=index,
            now=now,
            last_fix_at=min(fix.recorded_at, now),
            vehicle=self.vehicle,
        )

    def _circumstances(self, order: Order, stops_before: int, eta: Eta, now: datetime) -> Circumstances:
        return Circumstances(
            status=order.status,
            stops_before=stops_before,
            eta_s=None if eta.arrives_at is None else (eta.arrives_at - now).total_seconds(),
            distance_m=eta.distance_m,
            near_other_dropoff=self._near_other_dropoff(order.id),
        )

    def _near_other_dropoff(self, order_id: str) -> bool:
        fix = self.track.newest
        return fix is not None and any(
            distance(fix.lonlat, place) <= HIDING_RADIUS for place in self._other_dropoffs(order_id)
        )

    def _other_dropoffs(self, order_id: str) -> list[LonLat]:
        return [stop.at for stop in self.stops if stop.kind == "dropoff" and stop.order_id != order_id]

    def _line(self, order_id: str, index: int) -> tuple[LonLat, ...]:
        """The route to this order's dropoff, from where it has left all other customers' dropoffs behind."""
        if self.route is None:
            return ()
        if order_id not in self._lines:
            whole = self.route.between(0.0, self.route.stop_at_m(index))
            self._lines[order_id] = clear_tail(whole, self._other_dropoffs(order_id), HIDING_RADIUS)
        return self._lines[order_id]

    def _freshness(self, position: Fix | None, now: datetime) -> Freshness:
        if position is None:
            return "none"
        age = (now - position.recorded_at).total_seconds()
        if age <= max(LIVE_FOR, 3.0 * max(REPORT_EVERY, self.track.median_interval or 0.0)):
            return "live"
        return "stale" if age <= STALE_FOR else "lost"
