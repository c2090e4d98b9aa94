"""Route progress: one driver's place on the route through the stops, their speed, and the forecasts."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from tracker.domain.eta.device_eta import DeviceEta, EtaPair
from tracker.domain.eta.dwell import DwellDetector
from tracker.domain.eta.estimate import Forecast
from tracker.domain.eta.forecast import StopForecasts
from tracker.domain.eta.leg_observations import LONGEST_STEP, LegObservations, StopKey, key_of
from tracker.domain.eta.live_traffic import LiveTraffic
from tracker.domain.eta.model import ArrivalSample, Dwell, EtaModel
from tracker.domain.eta.ratio import Ratio
from tracker.domain.eta.speed_factor import SpeedFactor
from tracker.domain.eta.travel_time import RouteSection, TravelTime
from tracker.domain.order import StopKind, Vehicle
from tracker.domain.route import Progress, Route, Stop
from tracker.domain.tracks.fix import Fix
from tracker.domain.tracks.track import TOP_SPEED

OFF_ROUTE: Final = 45.0  # metres; measured: 0.9 false alarms per 100 km on real GPS, 1.9 at 30 m
BACKWARDS: Final = 120.0  # degrees between the driver's heading and the route's; beyond, off the route
ACROSS: Final = 45.0  # degrees; beyond, on another street if also beyond BESIDE
BESIDE: Final = 20.0  # metres from the route
LOST: Final = 400.0  # metres from the route; the router finds no street further than 300 m away
SLACK: Final = 100.0  # metres beyond the reach at top speed: route lines cut corners
MOVING: Final = 2.0  # m/s; below it, a receiver's heading is noise


class RouteProgress:
    """Stops, route, progress, speed factor and dwell of one driver. Has no clock."""

    __slots__ = (
        "_forecasts",
        "_left",
        "_travel_s",
        "_with_opening",
        "device_eta",
        "dwell",
        "left",
        "model",
        "observations",
        "off_route",
        "progress",
        "speed_factor",
        "stops",
        "traffic",
        "travel_time",
        "usual",
        "vehicle",
    )

    def __init__(self, vehicle: Vehicle, model: EtaModel) -> None:
        self.vehicle: Final = vehicle
        self.model = model
        self.stops: tuple[Stop, ...] = ()
        self._with_opening: tuple[int, ...] = ()  # indices of the stops with an opening time
        self.usual: Mapping[Stop, Ratio] | None = None  # observed seconds and stops by place
        self.travel_time: TravelTime | None = None  # of the current route
        self.progress: Progress | None = None
        self.off_route = 0  # consecutive fixes off the route
        self.device_eta: DeviceEta | None = None  # for the next stop
        self.speed_factor = SpeedFactor()
        self.traffic = LiveTraffic()  # shared by the trips of such vehicles on this node
        self.dwell = DwellDetector()
        self.observations = LegObservations()
        self.left = 0  # number of leading stops served and left, whatever their orders' status
        self._left: set[StopKey] = set()
        self._forecasts: StopForecasts | None = None  # from the newest fix; every change clears it
        self._travel_s: float | None = None  # expected from the start to `progress`; None off the route

    @property
    def route(self) -> Route | None:
        return None if self.travel_time is None else self.travel_time.route

    @property
    def ahead(self) -> tuple[Stop, ...]:
        """The remaining stops, which a route must pass through."""
        return self.stops[self.left :]

    def take_stops(self, stops: tuple[Stop, ...]) -> None:
        """Replace the stops. Keep the route if it still passes through those ahead."""
        was_next = self.ahead[:1]
        self.stops, self._forecasts = stops, None
        self._with_opening = tuple(index for index, stop in enumerate(stops) if stop.opens_at is not None)
        self._left &= {key_of(stop) for stop in stops}
        self._count_left()
        self.observations.keep_only(stops)
        if not _same_places(self.ahead[:1], was_next):
            self.dwell.reset()
            self.device_eta = None
        route = self.route
        if route is None or not self.ahead or not _same_places(route.stops[-len(self.ahead) :], self.ahead):
            self.take_route(None, None)

    def take_route(self, route: Route | None, fix: Fix | None) -> None:
        """Replace the route; None if there is none."""
        if self.route is not None:
            self.observations.route_ends(self.route)
        self._forecasts = None
        self.travel_time = None if route is None else TravelTime(route, self.model.ratio)
        self.progress, self.off_route, self._travel_s = None, 0, None
        if self.travel_time is not None and fix is not None and not self.is_beside_streets:
            self.progress = self.travel_time.route.locate(fix.lonlat)
            self._travel_s = self.travel_time.at(self.progress.along_m)

    @property
    def is_beside_streets(self) -> bool:
        """Whether no street leads to the next stop, so that its leg is a straight line."""
        route = self.route
        if route is None or not route.is_bridged:
            return False
        leg = self.on_route(self.left)
        return leg is not None and leg < len(route.legs) and route.legs[leg].straight

    def stop_at(self, order_id: str, kind: StopKind) -> int | None:
        """Return the index of this stop; None if it is not among the stops."""
        for index, stop in enumerate(self.stops):
            if stop.order_id == order_id and stop.kind == kind:
                return index
        return None

    def stops_before(self, index: int) -> int:
        """Return how many stops of other orders come before `stops[index]`."""
        order_id = self.stops[index].order_id
        return sum(stop.order_id != order_id for stop in self.stops[:index])

    def on_route(self, index: int) -> int | None:
        """Return the route's index of `stops[index]`; None if the route does not lead there."""
        route = self.route
        if route is None:
            return None
        found = index - len(self.stops) + len(route.stops)
        return found if found >= 0 else None

    def move(self, fix: Fix, before: Fix | None) -> None:
        """Process a believed fix that is newer than all earlier ones; *before* is the previous one.

        Drop the route at once if the fix is too far from it for a useful forecast.
        """
        self._forecasts = None
        self._detect_dwell(fix, before)
        travel_time = self.travel_time
        if travel_time is None:
            return
        if self.is_beside_streets:
            self.progress, self.off_route, self._travel_s = None, 0, None
            return
        passed = 0.0 if before is None else (fix.recorded_at - before.recorded_at).total_seconds()
        after = self.progress.along_m if self.progress else 0.0
        until = self._farthest(travel_time.route, after, passed)
        heading = heading_of(fix)
        found = travel_time.route.locate(fix.lonlat, after_m=after, until_m=until, heading=heading)
        if _is_off(found, heading):
            self.off_route += 1
            self._travel_s = None
            if found.offset_m > LOST + 2.0 * (fix.accuracy or 0.0):
                self.take_route(None, None)
            return
        self.off_route = 0
        self.progress = found
        self._measure(travel_time, RouteSection(after, found.along_m, passed), fix.recorded_at)

    def restart(self, fix: Fix) -> bool:
        """Restart at this fix, to which the driver has not driven; return whether it is on the route.

        Discard the path and the halt before it: they were wrong or have no end.
        """
        self._forecasts = self._travel_s = self.progress = None
        self.off_route = 0
        self.dwell.reset()
        self.observations.begin_leg(fix, heading_of(fix))
        if self.travel_time is None:
            return True
        found = self.travel_time.route.locate(fix.lonlat, heading=heading_of(fix))
        if _is_off(found, heading_of(fix)):
            return False
        self.progress = found
        return True

    def forecast(self, index: int, fix: Fix) -> Forecast:
        """Return the forecast for `stops[index]` from the newest fix."""
        forecasts = self._forecasts_from(fix)
        forecast = forecasts.to(index)
        if self.device_eta is None:
            return forecast
        device_s = self.device_eta.seconds(fix.recorded_at)
        if device_s is None or (next_stop := self.left) > index:
            return forecast
        pair = EtaPair(forecasts.to(next_stop).seconds, device_s)
        later = self.model.navigator.combine(pair) - pair.ours
        return forecast.with_delay(later, pair if index == next_stop else None)

    def _forecasts_from(self, fix: Fix) -> StopForecasts:
        """Return the forecasts without the device ETA, cached because one fix needs them several times."""
        forecasts = self._forecasts
        if (
            forecasts is None
            or forecasts.fix is not fix
            or forecasts.model is not self.model
            or forecasts.speed_factor is not self.speed_factor
            or forecasts.usual is not self.usual
        ):
            forecasts = self._forecasts = StopForecasts(
                fix=fix,
                stops=self.stops,
                travel_time=self.travel_time,
                progress=self.progress,
                left=self.left,
                since=self.dwell.since,
                vehicle=self.vehicle,
                model=self.model,
                speed_factor=self.speed_factor,
                traffic=self.traffic,
                network=self.traffic.network(fix.recorded_at),
                usual=self.usual,
                with_opening=self._with_opening,
            )
        return forecasts

    def note_forecasts(self, fix: Fix) -> None:
        """Keep the current forecasts until the arrivals are known."""
        if self.travel_time is None or not self.observations.wants_forecasts(fix.recorded_at):
            return
        for index in range(self.left, len(self.stops)):
            forecast = self.forecast(index, fix)
            if forecast.to_go(fix.recorded_at) <= forecast.seconds:  # a wait teaches nothing about driving
                self.observations.add_forecast(self.stops[index], forecast.as_sample(fix.recorded_at))

    def arrived(self, index: int, at: datetime) -> ArrivalSample:
        """End the leg at `stops[index]` and return its sample. Call it once per stop."""
        return self.observations.end_leg(self.stops[index], at, self.vehicle, self.route)

    def _detect_dwell(self, fix: Fix, before: Fix | None) -> None:
        left = self.left
        if left < len(self.stops) and self.dwell.move(fix, before, self.stops[left].at, self._to_go):
            if left + 1 < len(self.stops):  # after the last stop there is no other one
                self._leave(self.stops[left], fix)
            else:
                self.dwell.reset()
        if not self.observations.add_fix(fix) and self.dwell.since is None:
            self.observations.begin_leg(fix, heading_of(fix))

    def _farthest(self, route: Route, after_m: float, passed: float) -> float:
        """Return the furthest reachable metre of the route after *passed* seconds.

        The limits are the top speed, and the next stop until the driver has been there.
        """
        reach = after_m + SLACK + TOP_SPEED[self.vehicle] / 2.0 * passed * (1 + self.off_route)
        leg = self.left - len(self.stops) + len(route.stops)
        if self.dwell.reached or not 0 <= leg < len(route.stops):
            return reach
        return min(reach, route.stop_at_m(leg))

    def _to_go(self) -> float:
        """Return the metres of route to the next stop; 0 without a route."""
        leg = self.on_route(self.left)
        if self.route is None or self.progress is None or leg is None or self.off_route:
            return 0.0
        return self.route.remaining(self.progress, leg)[0]

    def _leave(self, stop: Stop, fix: Fix) -> None:
        self._left.add(key_of(stop))
        self._count_left()
        self.device_eta = None  # it was for this stop
        served_s = self.dwell.served_s(stop.opens_at)
        self.observations.dwell = Dwell(served_s, stop.service_s) if served_s > 0.0 else None
        self.dwell.reset()
        self.observations.begin_leg(fix, heading_of(fix))

    def _count_left(self) -> None:
        ahead = (count for count, stop in enumerate(self.stops) if key_of(stop) not in self._left)
        self.left = next(ahead, len(self.stops))

    def _measure(self, travel_time: TravelTime, driven: RouteSection, at: datetime) -> None:
        """Add the actual and the expected time since the previous fix."""
        before, self._travel_s = self._travel_s, (travel_s := travel_time.at(driven.to_m))
        if before is None or self.dwell.since is not None or not 0.0 < driven.seconds <= LONGEST_STEP:
            return
        self.observations.add_section(driven)
        if not travel_time.is_parked(driven):
            self.speed_factor.add(driven.seconds, travel_s - before)
            self.traffic.add(travel_time.street_at(driven.to_m), driven.seconds, travel_s - before, at)


def _is_off(found: Progress, heading: float | None) -> bool:
    """Return whether the driver is too far from the route, on another street beside it, or in reverse."""
    turned = 0.0 if heading is None else abs((heading - found.heading + 180.0) % 360.0 - 180.0)
    return found.offset_m > OFF_ROUTE or turned > BACKWARDS or (turned > ACROSS and found.offset_m > BESIDE)


def _same_places(some: tuple[Stop, ...], others: tuple[Stop, ...]) -> bool:
    """Return whether these are the same stops, whatever their times."""
    return [(*key_of(stop), stop.at) for stop in some] == [(*key_of(stop), stop.at) for stop in others]


def heading_of(fix: Fix) -> float | None:
    """Return the heading in degrees; None if the driver is too slow for a reliable one."""
    return fix.heading if (fix.speed or 0.0) >= MOVING else None
