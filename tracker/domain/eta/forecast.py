"""Forecasts from one fix to each stop ahead."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from tracker.domain.eta.ensemble import OF_SERVICE, main_uncertainty, terms_of
from tracker.domain.eta.estimate import Forecast, OpeningWait
from tracker.domain.eta.interval import WIDEST, strain_of
from tracker.domain.eta.live_traffic import LiveTraffic, delay_of
from tracker.domain.eta.model import EtaModel, Rates
from tracker.domain.eta.ratio import Ratio
from tracker.domain.eta.speed_factor import SpeedFactor
from tracker.domain.eta.travel_time import TravelTime
from tracker.domain.geo import distance
from tracker.domain.order import Vehicle
from tracker.domain.route import Progress, Stop
from tracker.domain.tracks.fix import Fix

STILL_SERVING: Final = 15.0  # seconds; lower bound of the remaining service time at a stop
UNKNOWN: Final = Ratio()  # of a place without observed stops


class StopForecasts(msgspec.Struct, gc=False):
    """Forecasts from one driver's newest fix to each stop, made on demand. On the hot path of every fix."""

    fix: Fix
    stops: tuple[Stop, ...]
    travel_time: TravelTime | None = None  # of the route, which ends with these stops or the last of them
    progress: Progress | None = None  # on the route
    left: int = 0  # number of leading stops that are done
    since: datetime | None = None  # start of the halt at the next stop; None before it
    vehicle: Vehicle = "car"
    model: EtaModel = msgspec.field(default_factory=EtaModel)
    speed_factor: SpeedFactor = msgspec.field(default_factory=SpeedFactor)
    traffic: LiveTraffic = msgspec.field(default_factory=LiveTraffic)
    network: float = 1.0  # live per learned seconds in the whole network
    usual: Mapping[Stop, Ratio] | None = None  # observed seconds and stops by place
    with_opening: tuple[int, ...] = ()  # indices of the stops with an opening time
    _cache: dict[int, Forecast] = {}  # cache by stop index

    def to(self, index: int) -> Forecast:
        """Return the forecast for `stops[index]`, cached."""
        forecast = self._cache.get(index)
        if forecast is None:
            forecast = self._forecast(index)
            if self.with_opening:
                forecast = self._with_waits(forecast, index)
            self._cache[index] = forecast
        return forecast

    def _with_waits(self, forecast: Forecast, index: int) -> Forecast:
        """Add the waits until this stop and earlier ones open. Skip opening times in the past."""
        waits, opens_at = [], None
        for place in self.with_opening:
            at = self.stops[place].opens_at
            if at is None or at <= self.fix.recorded_at or not self.left <= place <= index:
                continue
            if place == index:
                opens_at = at
            else:
                waits.append(OpeningWait(at, max(forecast.seconds - self.to(place).seconds, 0.0)))
        return msgspec.structs.replace(forecast, waits=tuple(waits), opens_at=opens_at)

    def _forecast(self, index: int) -> Forecast:
        crow, rates = self._crow(index), self.model.rates(self.vehicle)
        straight = crow / rates.straight
        serving = 0.0 if index == self.left else self._serving(index)
        travel_time = self.travel_time
        if travel_time is None or (leg := index - len(self.stops) + len(travel_time.route.stops)) < 0:
            return Forecast(straight * self._delay(rates), serving, crow, "straight_line", WIDEST, ())
        first = max(leg - index + self.left, 0)
        if travel_time.route.is_straight(first, leg):
            return self._by_straight_legs(travel_time, first, leg, rates, serving)
        return self._by_route(travel_time, leg, rates, straight, serving)

    def _by_route(
        self, travel_time: TravelTime, leg: int, rates: Rates, straight: float, serving: float
    ) -> Forecast:
        """Forecast by the route.

        *straight*: seconds in a straight line. *serving*: seconds at earlier stops.
        """
        model, speed_factor, fix = self.model, self.speed_factor, self.fix
        progress = self.progress or travel_time.route.locate(fix.lonlat)
        metres, router = travel_time.route.remaining(progress, leg)
        streets = travel_time.to_stop(leg, progress.along_m)
        live = travel_time.delay(leg, progress.along_m, self.traffic, fix.recorded_at)
        delay = rates.believed(live)
        terms = terms_of(
            speed_factor.apply(streets, delay),
            router * rates.router * delay,
            metres / rates.route * delay,
            straight * delay,
            service=serving,
            speed=fix.speed,
        )
        weights = model.weights
        total, rest = weights.total(terms), weights.weights[OF_SERVICE] * serving
        spread = model.residuals.spread(total, main_uncertainty(terms))
        strain = strain_of(speed_factor.ratio, rates.believed(self.network))
        if strain != 1.0:
            spread = spread.widen(strain)
        return Forecast(total - rest, rest, metres, "route", spread, terms, strain=strain)

    def _by_straight_legs(
        self, travel_time: TravelTime, first: int, leg: int, rates: Rates, serving: float
    ) -> Forecast:
        """Forecast over the route's legs from *first* to *leg*, some of which are straight lines."""
        route, at, seconds, metres = travel_time.route, self.fix.lonlat, 0.0, 0.0
        for number in range(first, leg + 1):
            stop = route.stops[number]
            if route.legs[number].straight:
                crow = distance(at, stop.at)
                metres, seconds = metres + crow, seconds + crow / rates.straight
            elif number == first:
                progress = self.progress or route.locate(self.fix.lonlat)
                metres += route.remaining(progress, number)[0]
                seconds += travel_time.to_stop(number, progress.along_m)
            else:
                begin_m, end_m = route.stop_at_m(number - 1), route.stop_at_m(number)
                metres, seconds = (
                    metres + end_m - begin_m,
                    seconds + travel_time.at(end_m) - travel_time.at(begin_m),
                )
            at = stop.at
        return Forecast(seconds * self._delay(rates), serving, metres, "straight_line", WIDEST, ())

    def _delay(self, rates: Rates) -> float:
        """Return the delay of the whole network, see `delay_of`."""
        return delay_of(rates.believed(self.network))

    def _crow(self, index: int) -> float:
        """Return the straight-line metres through all stops ahead up to this one."""
        at, metres = self.fix.lonlat, 0.0
        for stop in self.stops[self.left : index + 1]:
            metres += distance(at, stop.at)
            at = stop.at
        return metres

    def _serving(self, index: int) -> float:
        """Return the service seconds at the stops ahead before this one, less those already spent."""
        usual, dwell_at, stops = self.usual, self.model.dwell_at, self.stops[self.left : index]
        if not stops:
            return 0.0
        whole = [dwell_at(stop.service_s, usual.get(stop, UNKNOWN) if usual else UNKNOWN) for stop in stops]
        if self.since is not None:
            begun = self.since if stops[0].opens_at is None else max(self.since, stops[0].opens_at)
            served = max((self.fix.recorded_at - begun).total_seconds(), 0.0)
            whole[0] = max(whole[0] - served, STILL_SERVING)
        return sum(whole)
