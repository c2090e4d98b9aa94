"""Detection of the milestones of all orders of one trip, fix by fix."""

from collections.abc import Collection, Mapping
from datetime import datetime
from math import inf
from typing import Final, NamedTuple

import msgspec

from tracker.domain.arrival.geofence import BRISK, LEAVE, SPARSE, Observation, StopArea, confirms
from tracker.domain.arrival.milestone import (
    SOON_M,
    SOON_S,
    Milestone,
    MilestoneReached,
    MilestoneState,
    confirm_delivery,
    observe,
    restore_state,
)
from tracker.domain.eta.progress import OFF_ROUTE
from tracker.domain.geo import METRES_PER_DEGREE, LonLat, distance
from tracker.domain.order import ON_THE_ROAD, Order, OrderStatus, StopKind, Vehicle
from tracker.domain.tracks.fix import Fix
from tracker.domain.trip import Trip

SLOT: Final = 4.0  # seconds; the distance to the dropoff is computed once in each
FAR: Final = 1_000.0  # metres; further away, the route to a stop does not matter
# Metres; a route that ends further from its stop does not show where drivers stop for it.
MAX_END_OFFSET: Final = 150.0
NEAR: Final = LEAVE + MAX_END_OFFSET  # metres; further from a stop, nothing happens at it


class _Quiet(NamedTuple):
    """A circle in which no fix brings a milestone of an order, as long as the order stays as it is."""

    order: Order
    centre: LonLat
    radius: float  # metres
    may_approach: bool  # the time left can show an approach, so one fix in each slot is examined

    def holds(self, order: Order, fix: Fix) -> bool:
        """Return whether the fix lies within, by an upper bound of its distance."""
        degrees = abs(fix.lon - self.centre.lon) + abs(fix.lat - self.centre.lat)
        return order is self.order and degrees * METRES_PER_DEGREE < self.radius


class MilestoneDetector:
    """The milestones of each order of a trip. Those in the timeline are loaded, so that none is repeated.

    Most fixes are far from all stops. For them, the circle of an earlier fix says so at little cost.
    """

    def __init__(self) -> None:
        self._states: dict[str, MilestoneState] = {}
        self._quiet: dict[str, _Quiet] = {}  # by order
        self.fixes: tuple[Fix, ...] = ()  # the newest four that can confirm, oldest first

    def watches(self, order_id: str) -> bool:
        return order_id in self._states

    def begin(self, recorded: Mapping[str, Mapping[Milestone, datetime]], orders: Collection[str]) -> None:
        """Watch exactly these orders; *recorded* holds the recorded milestones of those not watched yet."""
        self._states = {
            order_id: self._states.get(order_id) or restore_state(recorded.get(order_id, {}))
            for order_id in orders
        }
        self._quiet.clear()

    def observe(self, trip: Trip, fix: Fix, now: datetime) -> list[MilestoneReached]:
        """Return the new milestones after a fix that *trip* has received; none for a late fix."""
        if not confirms(fix) or (self.fixes and fix.recorded_at <= self.fixes[-1].recorded_at):
            return []
        self.fixes = (*self.fixes[-3:], fix)
        is_in_slot = len(self.fixes) > 1 and _same_slot(self.fixes[-2], fix)
        events: list[MilestoneReached] = []
        for order_id in self._states:
            order = trip.orders.get(order_id)
            if order is None or order.status not in ON_THE_ROAD:
                continue
            quiet = self._quiet.get(order_id)
            if quiet is None or not quiet.holds(order, fix) or (quiet.may_approach and not is_in_slot):
                events += self._examine(trip, order, now)
        return events

    def _examine(self, trip: Trip, order: Order, now: datetime) -> tuple[MilestoneReached, ...]:
        observation = _observation(trip, order.id, self._states[order.id], self.fixes, now)
        state, reached = observe(self._states[order.id], observation)
        self._states[order.id] = state
        if (quiet := _quiet_around(order, state, observation)) is None:
            self._quiet.pop(order.id, None)
        else:
            self._quiet[order.id] = quiet
        return reached

    def forget_fixes(self) -> None:
        """Forget earlier fixes after the marker jumped: they confirm nothing at the new position."""
        self.fixes = ()
        self._quiet.clear()
        for order_id, state in self._states.items():
            self._states[order_id] = msgspec.structs.replace(state, standstill=None, beyond=None, soon=None)

    def confirm_delivery(self, order: Order, at: datetime) -> tuple[MilestoneReached, ...]:
        """Return the milestones that a reported delivery confirms. The order stays until the next `begin`."""
        state = self._states.get(order.id)
        if state is None or not self.fixes:
            return ()
        self._states[order.id], reached = confirm_delivery(state, order, self.fixes[-1], at)
        self._quiet.pop(order.id, None)
        return reached

    def arrived_at(self, order_id: str, kind: StopKind) -> datetime | None:
        """Return when the driver arrived at this stop of the order; None once they have left."""
        state = self._states.get(order_id, MilestoneState())
        if kind == "pickup":
            return state.last_at if state.recorded == {"arrived_at_pickup"} else None
        return state.last_at if "arrived_at_dropoff" in state.recorded else None


def _quiet_around(order: Order, state: MilestoneState, observation: Observation) -> _Quiet | None:
    """Return the circle around the newest fix; None if the next fix may bring a milestone."""
    is_approaching = state.soon is not None and "approaching" not in state.recorded
    if state.standstill or is_approaching or _is_at_pickup(state):
        return None
    fixes = observation.fixes
    if len(fixes) > 1 and (fixes[-1].recorded_at - fixes[-2].recorded_at).total_seconds() >= SPARSE:
        return None  # the next fix may show that a stop was passed before the circle
    at = fixes[-1].lonlat
    to_dropoff = distance(order.dropoff.lonlat, at)
    radius = min(to_dropoff, distance(order.pickup.lonlat, at)) - NEAR
    if radius <= 0.0:
        return None
    is_far = to_dropoff - radius > _approach_m(observation.vehicle)
    return _Quiet(order, at, radius, may_approach=_awaits_approach(order, state) and not is_far)


def _awaits_approach(order: Order, state: MilestoneState) -> bool:
    """Return whether the order is picked up and its approach is not recorded."""
    picked_up = order.status is OrderStatus.PICKED_UP or "departed_pickup" in state.recorded
    return picked_up and "approaching" not in state.recorded


def _is_at_pickup(state: MilestoneState) -> bool:
    return "arrived_at_pickup" in state.recorded and "departed_pickup" not in state.recorded


def _approach_m(vehicle: Vehicle) -> float:
    """Return the metres to the dropoff beyond which the driver is not there soon."""
    return SOON_M + SOON_S * BRISK[vehicle]


def _observation(
    trip: Trip, order_id: str, state: MilestoneState, fixes: tuple[Fix, ...], now: datetime
) -> Observation:
    order = trip.orders[order_id]
    metres, seconds = _remaining(trip, order, state, fixes)
    return Observation(
        order_id=order_id,
        vehicle=trip.vehicle,
        fixes=fixes,
        pickup=_stop_area(trip, order, "pickup", fixes[-1]),
        dropoff=_stop_area(trip, order, "dropoff", fixes[-1]),
        others=tuple(stop.at for stop in trip.stops if stop.order_id != order_id),
        assigned_at=order.assigned_at,
        picked_up_at=order.picked_up_at if order.status is OrderStatus.PICKED_UP else None,
        left_m=metres,
        left_s=seconds,
        now=now,
    )


def _remaining(
    trip: Trip, order: Order, state: MilestoneState, fixes: tuple[Fix, ...]
) -> tuple[float | None, float | None]:
    """Return metres and seconds to the dropoff; None if nothing depends on them or it is too soon."""
    if not _awaits_approach(order, state):
        return None, None
    index, fix = trip.route_progress.stop_at(order.id, "dropoff"), fixes[-1]
    if index is None or (len(fixes) > 1 and _same_slot(fixes[-2], fix)):
        return None, None
    metres = distance(order.dropoff.lonlat, fix.lonlat)
    if metres > _approach_m(trip.vehicle):
        return metres, inf
    foreseen = trip.route_progress.forecast(index, fix)
    return foreseen.metres, foreseen.to_go(fix.recorded_at)


def _same_slot(before: Fix, fix: Fix) -> bool:
    """Return whether both fixes lie in the same slot."""
    return before.recorded_at.timestamp() // SLOT == fix.recorded_at.timestamp() // SLOT


def _stop_area(trip: Trip, order: Order, kind: StopKind, fix: Fix) -> StopArea:
    place = order.place(kind)
    index = trip.route_progress.stop_at(order.id, kind)
    if index is None:
        return StopArea((place.lonlat,))
    if distance(place.lonlat, fix.lonlat) > FAR:
        return StopArea((place.lonlat,), None, False)
    is_next = all(stop.order_id == order.id for stop in trip.stops[:index])
    leg = trip.route_progress.on_route(index)
    if trip.route is None or leg is None:
        return StopArea((place.lonlat,), None, is_next)
    route_end: LonLat = trip.route.legs[leg].line[-1]
    places = (
        (place.lonlat, route_end) if distance(route_end, place.lonlat) <= MAX_END_OFFSET else (place.lonlat,)
    )
    return StopArea(places, _route_m(trip, leg, fix), is_next)


def _route_m(trip: Trip, leg: int, fix: Fix) -> float | None:
    """Return the route metres left to the end of *leg*; None if the driver is not on the route."""
    if trip.route is None or trip.progress is None or distance(trip.progress.at, fix.lonlat) > OFF_ROUTE:
        return None
    return trip.route.remaining(trip.progress, leg)[0]
