"""What one order's customer may see of the driver's trip: position, ETA, trail and a part of the route."""

from datetime import datetime

import msgspec

from tracker.domain.eta.estimate import Eta
from tracker.domain.eta.smoothing import SmoothedEta
from tracker.domain.geo import LonLat, tail_outside
from tracker.domain.order import Order, OrderStatus
from tracker.domain.privacy.other_dropoffs import HIDING_RADIUS, Doors
from tracker.domain.privacy.visibility import (
    Circumstances,
    Rules,
    VisibleFields,
    awaits_window,
    stuck_at,
    visible_fields,
)
from tracker.domain.route import Route
from tracker.domain.snapping import SnappedFix
from tracker.domain.tracks.fix import Fix
from tracker.domain.view import Arrival, Trail


class VisibleTrip:
    """One order of a trip, its rules, and what its customer has seen so far. `Trip` keeps it up to date."""

    __slots__ = (
        "_doors",
        "_line",
        "_line_begins_m",
        "_route_hidden",
        "_rules",
        "_smoothed_eta",
        "_stuck_at",
        "arrival",
        "order",
        "trail",
    )

    def __init__(self, order: Order, doors: Doors) -> None:
        self._doors = doors  # of the whole trip
        self._smoothed_eta = SmoothedEta()
        self._line: tuple[LonLat, ...] | None = None  # the visible part of the route, cached
        self._line_begins_m: float | None = None  # route metres; None: where the driver is
        self._route_hidden = False  # at the newest fix
        self.trail = Trail()
        self.arrival = Arrival()
        self.take(order, None)

    def take(self, order: Order, arrived_at: datetime | None) -> None:
        """Replace the order; *arrived_at* is when the driver arrived at its dropoff."""
        self.order = order
        if order.status is not OrderStatus.PICKED_UP:
            self.arrival = Arrival()
        self._rules = msgspec.convert(order.visibility, Rules)
        self.note_arrival(arrived_at)

    def note_arrival(self, arrived_at: datetime | None) -> None:
        """Set when the driver arrived at the dropoff; None: they have not."""
        self._stuck_at = stuck_at(self.order, arrived_at)
        is_there = self.order.status is OrderStatus.PICKED_UP
        self.arrival = Arrival(self.arrival.first_forecast, arrived_at if is_there else None)

    def fields(
        self, position: Fix | None, eta: Eta, now: datetime, *, is_working: bool = True
    ) -> VisibleFields:
        """Return which fields the customer may see now. *is_working*: on duty and no break."""
        circumstances = Circumstances(
            status=self.order.status,
            stops_before=eta.stops_before,
            eta_s=None if eta.arrives_at is None else (eta.arrives_at - now).total_seconds(),
            distance_m=eta.distance_m,
            near_other_dropoff=self._doors.hide(self.order.id, None if position is None else position.lonlat),
            awaits_window=awaits_window(self.order, eta.stops_before, now),
            is_stuck=now >= self._stuck_at,
            is_working=is_working,
        )
        return visible_fields(self._rules, circumstances)

    def smooth(self, eta: Eta) -> Eta:
        """Return the ETA to show, without visible jumps."""
        shown = self._smoothed_eta.eta(eta)
        if self.order.status is OrderStatus.PICKED_UP and self.arrival.first_forecast is None:
            self.arrival = Arrival(shown.arrives_at, self.arrival.at)
        return shown

    def position(self, fix: Fix | None, snapped: SnappedFix | None) -> Fix | None:
        """Return the snapped position, unless snapping moves it near another customer's door."""
        if snapped is None or self._doors.hide(self.order.id, snapped.fix.lonlat):
            return fix
        return snapped.fix

    def line(self, route: Route | None, on_route: int | None, along_m: float) -> tuple[LonLat, ...]:
        """Return the route to the dropoff, after it has left all other customers' dropoffs.

        *on_route* is the dropoff's index on the route; *along_m* is how much of it the driver has covered.
        """
        if route is None or on_route is None or route.is_straight(0, on_route):
            return ()
        if self._line is None:
            begins_m = along_m if self._line_begins_m is None else self._line_begins_m
            whole = route.between(begins_m, route.stop_at_m(on_route))
            self._line = tail_outside(whole, self._doors.others(self.order.id), HIDING_RADIUS)
        return self._line

    def change_route(self, along_m: float) -> None:
        """Follow another route, of which the driver covered *along_m* metres during the request."""
        self._line, self._line_begins_m = None, along_m
        self._smoothed_eta.reset()

    def change_doors(self) -> None:
        """Hide what lies near the trip's new doors; one of them may lie on the old trail."""
        self._line = None
        self._cut_trail()

    def leave_door(self, along_m: float) -> None:
        """Extend the visible part of the route after the driver left an ended door."""
        self._line, self._line_begins_m = None, max(self._line_begins_m or 0.0, along_m)

    def move(self, position: Fix | None, along_m: float, *, shows_route: bool) -> None:
        """Add the newest position to the trail; None: it is hidden."""
        if not shows_route or self._route_hidden:
            self._line, self._line_begins_m = (
                None,
                along_m,
            )  # a section driven while hidden is never shown later
        self._route_hidden = not shows_route
        if position is None:
            self.trail.restart()
            return
        if self.trail.places and self._doors.hide_between(
            self.order.id, self.trail.places[-1], position.lonlat
        ):
            self.trail.restart()
        version = self.trail.version
        self.trail.grow(position.lonlat)
        if self.trail.version != version:  # thinned: its segments are longer and may pass a door
            self._cut_trail()

    def _cut_trail(self) -> None:
        """Cut the trail where it passes another customer's door."""
        places = tuple(self.trail.places)
        clear = tail_outside(places, self._doors.others(self.order.id), HIDING_RADIUS)
        if clear != places:
            self.trail.restart(clear)
