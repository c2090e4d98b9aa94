"""Replay: run recorded trips concurrently through the service's own trips on a virtual clock."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final, NamedTuple

from tracker.domain.eta.live_traffic import LiveTraffic
from tracker.domain.eta.model import ArrivalSample, EtaModels
from tracker.domain.geo import distance
from tracker.domain.order import Driver, Order, OrderStatus, Place, Vehicle
from tracker.domain.route import Route, Stop
from tracker.domain.route_choice.observed_streets import NO_STREETS
from tracker.domain.route_choice.preference import LAWFUL
from tracker.domain.tracks.fix import Fix, rejection_reason
from tracker.domain.trip import Trip
from tracker.errors import NoRoute, RoutingError
from tracker.eta.evaluation.baselines import BaselineInput, Baselines
from tracker.eta.evaluation.recorded_trips import RecordedTrip
from tracker.routing.drive_analysis import Routes, analyse_drive

LEAST: Final = 30.0  # seconds to go; nearer forecasts are not counted
METHODS: Final = ("tracker", "router", "router_scaled", "straight_line")
RETENTION: Final = timedelta(days=30)
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


class MethodForecast(NamedTuple):
    """One method's forecast: seconds to go, and the interval if the method has one."""

    seconds: float
    low: float | None = None
    high: float | None = None


class Moment(NamedTuple):
    """Every method's forecast for one stop at one time, and the actual seconds."""

    trip: int  # index of the trip
    stop: int
    at: datetime
    real: float  # seconds
    forecasts: dict[str, MethodForecast]


class _TripPair(NamedTuple):
    """One trip as the service drives it, and its copy on the router's own routes for the baselines."""

    trip: Trip
    lawful: Trip


class _Event(NamedTuple):
    at: datetime
    trip: int
    stop: int  # the index of the stop reached; -1 for a fix
    fix: Fix | None


class Replay:
    """One run. The caller holds the learned models and the baselines, and passes them from run to run."""

    def __init__(self, router: Routes, learned: EtaModels, baselines: Baselines) -> None:
        self._router, self._learned, self._baselines = router, learned, baselines
        self._traffic: defaultdict[Vehicle, LiveTraffic] = defaultdict(LiveTraffic)
        self._pairs: dict[int, _TripPair] = {}
        self._arrivals: dict[int, list[ArrivalSample]] = {}

    async def run(
        self, trips: Sequence[RecordedTrip], on_progress: Callable[[int], None] = lambda _: None
    ) -> list[Moment]:
        """Return every forecast with at least 30 s to go. Train on each trip only after its end."""
        moments: list[Moment] = []
        done = 0
        for event in _events(trips):
            recorded = trips[event.trip]
            if event.fix is not None:
                moments += await self._receive_fix(event.trip, recorded, event.fix)
            elif await self._arrive(event.trip, event.stop, event.at, last=len(recorded.stops) - 1):
                done += 1
                on_progress(done)
        return moments

    async def _receive_fix(self, number: int, recorded: RecordedTrip, fix: Fix) -> list[Moment]:
        now = fix.recorded_at
        pair = self._pairs.get(number)
        if pair is None:
            if number in self._arrivals:
                return []  # the trip has ended
            pair = _TripPair(_new_trip(recorded, self._learned), _new_trip(recorded, EtaModels()))
            pair.trip.route_progress.traffic = self._traffic[recorded.vehicle]
            self._pairs[number] = pair
            self._arrivals[number] = []
        if rejection_reason(fix, now=now, retention=RETENTION) is not None:
            return []
        for trip in pair:
            trip.receive_fix(fix, now)
            if trip.wants_route(now):
                await self._route(trip, now, lawful=trip is pair.lawful)
        return [
            Moment(number, index, now, real, self._forecasts_of(pair, index, now))
            for index, reached in enumerate(recorded.arrived_at)
            if (real := (reached - now).total_seconds()) >= LEAST
        ]

    async def _route(self, trip: Trip, now: datetime, *, lawful: bool) -> None:
        trip.note_route_request(now)
        newest, stops = trip.track.newest, trip.ahead
        assert newest is not None
        places = [newest.lonlat, *(stop.at for stop in stops)]
        try:
            legs = await self._router.route(
                places,
                trip.vehicle,
                edges=True,
                heading=trip.heading,
                preference=LAWFUL if lawful else trip.route_preference,
                streets=NO_STREETS if lawful else trip.streets,
            )
        except RoutingError as error:
            trip.handle_no_route(unroutable=isinstance(error, NoRoute))
            return
        trip.take_route(Route(stops, legs))

    def _forecasts_of(self, pair: _TripPair, index: int, now: datetime) -> dict[str, MethodForecast]:
        eta = pair.trip.eta(f"{index}", now)
        assert eta.arrives_at is not None
        assert eta.earliest is not None
        assert eta.latest is not None
        low, middle, high = (
            (each - now).total_seconds() for each in (eta.earliest, eta.arrives_at, eta.latest)
        )
        return {"tracker": MethodForecast(middle, low, high)} | {
            name: MethodForecast(seconds)
            for name, seconds in self._baselines.forecasts(
                pair.trip.vehicle, _baseline_input(pair.lawful, index)
            ).items()
        }

    async def _arrive(self, number: int, stop: int, at: datetime, *, last: int) -> bool:
        """Process an arrival; return whether the trip has ended."""
        pair = self._pairs.get(number)
        if pair is not None and (arrival := pair.trip.arrived(f"{stop}", "dropoff", at)) is not None:
            self._arrivals[number].append(await analyse_drive(arrival, self._router))
        if stop != last:
            return False
        for arrival in self._arrivals.setdefault(number, []):
            self._learned.learn(arrival)
        self._arrivals[number] = []
        self._pairs.pop(number, None)
        return True


def _events(trips: Sequence[RecordedTrip]) -> Iterator[_Event]:
    """Yield the events in order of time. An arrival precedes a fix of the same time."""
    events = [
        _Event(at, number, stop, None)
        for number, trip in enumerate(trips)
        for stop, at in enumerate(trip.arrived_at)
    ]
    events += [
        _Event(fix.recorded_at, number, -1, fix) for number, trip in enumerate(trips) for fix in trip.fixes
    ]
    yield from sorted(events, key=lambda each: (each.at, each.fix is not None, each.trip, each.stop))


def _new_trip(recorded: RecordedTrip, learned: EtaModels) -> Trip:
    driver = Driver(id="drv", number=1, name="", vehicle=recorded.vehicle, created_at=_EPOCH)
    trip = Trip(driver, learned=learned)
    stops = recorded.as_stops()
    trip.replan([_order(stop) for stop in stops], stops)
    return trip


def _order(stop: Stop) -> Order:
    place = Place(stop.at.lat, stop.at.lon, service_s=stop.service_s)
    return Order(
        id=stop.order_id,
        status=OrderStatus.PICKED_UP,
        created_at=_EPOCH,
        driver_id="drv",
        pickup=place,
        dropoff=place,
    )


def _baseline_input(trip: Trip, index: int) -> BaselineInput:
    newest, on_route, left = trip.track.newest, trip.route_progress.on_route(index), trip.route_progress.left
    assert newest is not None
    places = [newest.lonlat, *(stop.at for stop in trip.stops[left : index + 1])]
    straight = sum(distance(a, b) for a, b in pairwise(places))
    since = trip.route_progress.dwell.since
    served = 0.0 if since is None else (newest.recorded_at - since).total_seconds()
    services = [stop.service_s or 0.0 for stop in trip.stops[left:index]]
    service = sum(services) - min(served, services[0]) if services else 0.0
    if trip.route is None or on_route is None or trip.progress is None:
        return BaselineInput(None, straight, service)
    return BaselineInput(trip.route.remaining(trip.progress, on_route)[1], straight, service)
