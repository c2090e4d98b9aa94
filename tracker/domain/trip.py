"""One driver on one route: it takes fixes and returns the view of each customer."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from tracker.domain.driver.duty import DutyTimes
from tracker.domain.eta.device_eta import DeviceEta
from tracker.domain.eta.estimate import Eta, unknown_eta
from tracker.domain.eta.model import ArrivalSample, EtaModels
from tracker.domain.eta.progress import RouteProgress, heading_of
from tracker.domain.order import ON_THE_ROAD, Driver, Order, StopKind, Vehicle
from tracker.domain.privacy.other_dropoffs import Doors
from tracker.domain.privacy.visibility import coarse
from tracker.domain.route import Progress, Route, Stop
from tracker.domain.route_choice.observed_streets import ObservedStreets
from tracker.domain.route_choice.preference import RoutePreference
from tracker.domain.route_requests import RouteRequests
from tracker.domain.snapping import SnappedFix, snap_to_street
from tracker.domain.tracks.fix import Doubt, Fix, JudgedFix
from tracker.domain.tracks.track import Track
from tracker.domain.view import CustomerView, Freshness, freshness_of
from tracker.domain.visible_trip import VisibleTrip

OFF_ROUTE_FIXES: Final = 3  # in a row, after which the driver has left the route
DROP_AFTER: Final = timedelta(seconds=5)  # after the driver leaves the route; then it is dropped
REPORT_EVERY: Final = 5.0  # seconds; the requested interval of reports
CLOCK_TOLERANCE: Final = timedelta(seconds=1)  # a device's clock may be so far ahead


class Trip:
    """One driver's present orders, stops, route and track. Has no clock and does no I/O."""

    def __init__(
        self, driver: Driver, judged_before: Sequence[JudgedFix] = (), learned: EtaModels | None = None
    ) -> None:
        self.driver = driver
        self.orders: dict[str, Order] = {}
        self.visible: dict[str, VisibleTrip] = {}  # by order
        self.track = Track(driver.vehicle, judged_before)
        self.route_progress = RouteProgress(driver.vehicle, (learned or EtaModels()).of(driver.vehicle))
        self.doors = Doors(None if self.track.newest is None else self.track.newest.lonlat)
        self._arrived_at: dict[str, datetime] = {}  # arrivals at the orders' dropoffs, by positions
        self._off_route_since: datetime | None = None  # when fixes first showed it
        self._requests = RouteRequests()
        self.position = self.track.newest  # the newest believed fix, never from the future
        self._snapped: SnappedFix | None = None  # the same, snapped to the route if that is certain
        self.report_every = REPORT_EVERY  # seconds; the interval requested from the device
        self.duty = DutyTimes()

    @property
    def vehicle(self) -> Vehicle:
        return self.driver.vehicle

    @property
    def stops(self) -> tuple[Stop, ...]:
        return self.route_progress.stops

    @property
    def ahead(self) -> tuple[Stop, ...]:
        """The stops of the next route: those not left yet, whatever the status of their orders."""
        return self.route_progress.ahead

    @property
    def route(self) -> Route | None:
        """The route. It may lack the first stops: its stops are the last ones of `stops`."""
        return self.route_progress.route

    @property
    def heading(self) -> float | None:
        """The driver's heading for the router; None if they stand."""
        return None if self.track.newest is None else heading_of(self.track.newest)

    @property
    def route_preference(self) -> RoutePreference:
        """The route preference of such drivers, for the router only."""
        return self.route_progress.model.manners.usual

    @property
    def streets(self) -> ObservedStreets:
        """The streets that such drivers take, for the router only."""
        return self.route_progress.model.streets

    @property
    def progress(self) -> Progress | None:
        return self.route_progress.progress

    def set_model(self, learned: EtaModels) -> None:
        """Forecast with this model from now on. Earlier routes keep the street times of the old model."""
        self.route_progress.model = learned.of(self.vehicle)

    def replan(self, orders: Sequence[Order], stops: Sequence[Stop]) -> None:
        """Replace the orders and stops; the route is dropped if the stops changed."""
        self.orders = {order.id: order for order in orders}
        before = self.visible
        self.visible = {one.id: before.get(one.id) or VisibleTrip(one, self.doors) for one in orders}
        if tuple(stops) != self.stops:
            self.route_progress.take_stops(tuple(stops))
            self._requests.unroutable = False
            self._route_changed()
        for order in orders:
            self.visible[order.id].take(order, self._arrived_at.get(order.id))
        if self.doors.take(orders, stops):
            for visible in self.visible.values():
                visible.change_doors()

    def note_arrivals(self, arrived_at: Mapping[str, datetime]) -> None:
        """Set when the driver arrived at the dropoffs of these orders; at the others they have not."""
        self._arrived_at = dict(arrived_at)
        for order_id, visible in self.visible.items():
            visible.note_arrival(arrived_at.get(order_id))

    def change_duty(self, duty: DutyTimes) -> None:
        """Set the driver's duty. A trail does not go on across a time off duty or a break."""
        self.duty = duty
        if not self._is_working:
            for visible in self.visible.values():
                visible.move(None, self._along_m, shows_route=False)

    @property
    def _is_working(self) -> bool:
        """Whether customers may see the position: on duty and no break, now and at the newest fix."""
        if self.duty.now != "on":
            return False
        return self.position is None or self.duty.at(self.position.recorded_at) == "on"

    def release(self, order_id: str) -> None:
        """Remove an order, so that its customer sees nothing more. `replan` removes its stops."""
        self.orders.pop(order_id, None)
        self.visible.pop(order_id, None)
        self.doors.end(order_id)

    def receive_fix(self, fix: Fix, now: datetime) -> Doubt | None:
        """Judge a fix with the device's own time; see `receive`."""
        judged = JudgedFix(fix, fix.recorded_at, now)
        self.receive(judged, now)
        return judged.doubt

    def receive(self, judged: JudgedFix, now: datetime) -> None:
        """Judge a fix. If it is believed and newer than all others, it moves the driver."""
        before = self.track.newest
        self.track.judge(judged)
        newest = self.track.newest
        if newest is None or newest is before:
            return
        if self.track.marker_jumped:
            self._restart_after_jump(newest)
        self._move(newest, None if self.track.marker_jumped else before, now)

    def set_device_arrival(self, arrives_at: datetime | None, now: datetime) -> None:
        """Set the arrival at the next stop by the phone's own navigation; None: it has ended."""
        self.route_progress.device_eta = None if arrives_at is None else DeviceEta(now, arrives_at)

    def arrived(self, order_id: str, kind: StopKind, at: datetime) -> ArrivalSample | None:
        """Return the arrival sample of this stop; None if it is not a stop of this trip.

        Call it once, before `replan` removes the stop.
        """
        index = self.route_progress.stop_at(order_id, kind)
        return None if index is None else self.route_progress.arrived(index, at)

    def wants_route(self, now: datetime) -> bool:
        """Return whether to request a route: there are stops but no route, or the driver is off it."""
        if not self.ahead or self.track.newest is None:
            return False
        if self.route is not None and not self.has_left_route and not self.route_progress.is_beside_streets:
            return False
        return self._requests.may_repeat(self.track.newest.lonlat, now)

    @property
    def has_left_route(self) -> bool:
        """Whether the driver is off the route by OFF_ROUTE_FIXES fixes in a row."""
        return self.route_progress.off_route >= OFF_ROUTE_FIXES

    def note_route_request(self, now: datetime) -> None:
        """Record a routing request, so that the next one waits for REROUTE_PAUSE."""
        self._requests.note(None if self.track.newest is None else self.track.newest.lonlat, now)

    def take_route(self, route: Route | None) -> None:
        """Follow this route from now on; None: there is none."""
        self.route_progress.take_route(route, self.track.newest)
        self._requests.unroutable = self.route_progress.is_beside_streets
        self._route_changed()

    def handle_no_route(self, *, unroutable: bool) -> None:
        """Handle a failed routing request. A route that the driver has left is dropped.

        *unroutable*: the router found no route, so it is not asked again before the driver has moved.
        """
        self._requests.unroutable = unroutable
        if self.has_left_route:
            requested_at = self._requests.at
            self._drop_route()
            self._requests.at = requested_at  # keep the pause before the next request

    def drop_outdated_route(self, now: datetime) -> bool:
        """Drop a route that the driver left DROP_AFTER ago. Return whether it was dropped."""
        if self._off_route_since is None or now - self._off_route_since < DROP_AFTER:
            return False
        self._drop_route()
        return True

    def _drop_route(self) -> None:
        self.route_progress.take_route(None, None)
        self._route_changed()

    def _route_changed(self) -> None:
        self._off_route_since = None
        for visible in self.visible.values():
            visible.change_route(self._along_m)
        if self.route is None:
            self._requests.at = None

    def view(self, order_id: str, now: datetime) -> CustomerView:
        """Return what this order's customer may see now. Raises KeyError if the driver does not have it."""
        visible = self.visible[order_id]
        eta = self._eta(visible, now)
        fields = visible.fields(self.position, eta, now, is_working=self._is_working)
        position = visible.position(self.position, self._snapped) if fields.position else None
        on_route = self.route_progress.on_route(self._dropoff_index(order_id)) if fields.route else None
        return CustomerView(
            order=visible.order,
            driver=self.driver if visible.order.status in ON_THE_ROAD else None,
            position=position,
            eta=(eta if fields.exact else coarse(eta)) if fields.eta else None,
            arrival=visible.arrival if fields.eta else None,
            stops_before=eta.stops_before if fields.stops_before else None,
            route=visible.line(self.route, on_route, self._along_m),
            trail=visible.trail if fields.position else None,
            visibility="live" if fields.position else "hidden",
            freshness=self.freshness(position, now),
        )

    def eta(self, order_id: str, now: datetime) -> Eta:
        """Return the ETA of one order, visible or not. Raises KeyError if the driver does not have it."""
        return self._eta(self.visible[order_id], now)

    def freshness(self, position: Fix | None, now: datetime) -> Freshness:
        """Classify the age of a position, by the time of its fix, so that no age is understated."""
        report_every = max(self.report_every, self.track.median_interval or 0.0)
        return freshness_of(position, now, report_every)

    def _restart_after_jump(self, fix: Fix) -> None:
        """Restart the trails and the route after the marker jumped: the driver did not drive there."""
        self._snapped = None
        for visible in self.visible.values():
            visible.trail.restart()
        if self.route_progress.restart(fix):
            self._route_changed()
        else:
            self._drop_route()

    def _move(self, fix: Fix, before: Fix | None, now: datetime) -> None:
        ahead = fix.recorded_at - now > CLOCK_TOLERANCE
        self.position = msgspec.structs.replace(fix, recorded_at=now) if ahead else fix
        self._move_on_route(fix, before, now)
        self.route_progress.note_forecasts(fix)
        located = None if self.route_progress.off_route else self.progress
        self._snapped = snap_to_street(self.position, located, self._snapped)
        if self.doors.move(fix, None if self.progress is None else self.progress.at):
            for visible in self.visible.values():
                visible.leave_door(self._along_m)
        for visible in self.visible.values():
            fields = visible.fields(self.position, self._eta(visible, now), now, is_working=self._is_working)
            position = visible.position(self.position, self._snapped) if fields.position else None
            visible.move(position, self._along_m, shows_route=fields.route)

    @property
    def _along_m(self) -> float:
        """Route metres that the driver has covered."""
        return 0.0 if self.progress is None else self.progress.along_m

    def _move_on_route(self, fix: Fix, before: Fix | None, now: datetime) -> None:
        route = self.route
        self.route_progress.move(fix, before)
        if self.route is not route:
            self._route_changed()
        if not self.has_left_route:
            self._off_route_since = None
        elif self._off_route_since is None:
            self._off_route_since = now
        else:
            self.drop_outdated_route(now)

    def _dropoff_index(self, order_id: str) -> int:
        index = self.route_progress.stop_at(order_id, "dropoff")
        if index is None:
            raise KeyError(order_id)
        return index

    def _eta(self, visible: VisibleTrip, now: datetime) -> Eta:
        index = self._dropoff_index(visible.order.id)
        fix, stops_before = self.track.newest, self.route_progress.stops_before(index)
        if fix is None:
            return unknown_eta(now, stops_before)
        forecast = self.route_progress.forecast(index, fix)
        last_fix_at = min(fix.recorded_at, now)
        return visible.smooth(forecast.eta(now=now, last_fix_at=last_fix_at, stops_before=stops_before))
