"""Cost of forecasts: Python time for a fix, also with many trips in memory, and CPU time for a route."""

import gc
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from random import Random
from statistics import median
from time import process_time

from bench.node import Node
from bench.rows import Row
from tracker.config import Config
from tracker.domain.eta.live_traffic import LiveTraffic
from tracker.domain.eta.model import EtaModels
from tracker.domain.eta.progress import RouteProgress
from tracker.domain.geo import LonLat
from tracker.domain.order import Driver, Order, OrderStatus, Place
from tracker.domain.route import Leg, Route, Stop
from tracker.domain.route_choice.observed_streets import NO_STREETS, ObservedStreets
from tracker.domain.route_choice.preference import LAWFUL, RoutePreference
from tracker.domain.tracks.fix import Fix
from tracker.domain.trip import Trip
from tracker.errors import NoRoute
from tracker.eta.evaluation.recorded_trips import read_trips
from tracker.map.extract import find_map
from tracker.routing import Router

TRIPS = 10_000
FIXES = 4  # for each trip; shorter than any route
ROUTES = 200  # and the number of trips in the small measurement
TOGETHER = 100  # trips whose fixes are timed together
PASSES = 12  # of the small measurement, each over new trips
FIX_LIMIT = 50.0  # microseconds
ROUTE_LIMIT = 15.0  # milliseconds
STEP = 30.0  # metres between two fixes
TRAINING_TRIPS = sorted((Path(__file__).parent / "trips").glob("*-s1.jsonl.gz"))
BEGIN = datetime(2026, 11, 22, 12, tzinfo=UTC)
WEST, SOUTH, EAST, NORTH = 24.932, 60.163, 24.955, 60.176  # within the demo area


async def measure_forecast(_: Node) -> list[Row]:
    """Measure the core, without the service, on real routes through the demo area with two stops."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        async with Router.open(find_map(Config(data_dir=Path(folder))), lambda _: None) as router:
            routes, per_route = await _compute_routes(router, LAWFUL)
            per_learned_route = (await _compute_routes(router, "short_near_side"))[1]
            per_preferred_route = (await _compute_routes(router, LAWFUL, await _learn_streets(router)))[1]
    learned = EtaModels()
    traffic = LiveTraffic()
    fresh = ([_trip(route, learned, traffic) for route in routes] for _ in range(PASSES))
    per_fix = median(chain.from_iterable(map(_per_fix, fresh)))
    many = [_trip(routes[n % len(routes)], learned, traffic) for n in range(TRIPS)]
    gc.collect()
    per_fix_of_many = median(_per_fix(many))
    fix, route = partial(_row, unit="µs", limit=FIX_LIMIT), partial(_row, unit="ms", limit=ROUTE_LIMIT)
    ratio = f"{per_fix_of_many / per_fix:.2f} x that of {ROUTES} trips"
    core = "position on the route, speed factor, live traffic, one customer's forecast"
    return [
        fix("forecast, Python for a fix", per_fix, core),
        fix(f"the same, {TRIPS:,} trips in memory", per_fix_of_many, ratio),
        route("CPU for a route", per_route, "engine with streets, and the learned seconds of each street"),
        route(
            "the same with another route preference",
            per_learned_route,
            "the shortest path to one side of the street, as drivers may prefer",
        ),
        route(
            "the same with learned streets",
            per_preferred_route,
            "the streets that drivers took on 200 recorded trips",
        ),
    ]


def _row(name: str, value: float, detail: str, *, unit: str, limit: float) -> Row:
    return Row(name=name, value=value, unit=unit, against="limit", reference=limit, detail=detail)


async def _learn_streets(router: Router) -> ObservedStreets:
    """Learn the streets that the drivers of the recorded trips took."""
    streets = ObservedStreets()
    for trip in chain.from_iterable(map(read_trips, TRAINING_TRIPS)):
        stop = trip.as_stops()[-1].at
        passages = await router.match_streets([LonLat(fix.lon, fix.lat) for fix in trip.fixes], trip.vehicle)
        streets.learn(passages, stop, trip.ends_at.date())
    return streets


async def _compute_routes(
    router: Router, preference: RoutePreference, streets: ObservedStreets = NO_STREETS
) -> tuple[list[Route], float]:
    """Return routes through two stops, and the CPU milliseconds of one, summed over all threads."""
    random, routes, learned = Random(1), list[Route](), EtaModels()
    started = process_time()
    while len(routes) < ROUTES:
        places = [LonLat(random.uniform(WEST, EAST), random.uniform(SOUTH, NORTH)) for _ in range(3)]
        try:
            legs = await router.route(
                places, "car", edges=True, heading=90.0, preference=preference, streets=streets
            )
        except NoRoute:
            continue
        routes.append(_make_route(places, legs, learned))
    return routes, (process_time() - started) * 1e3 / ROUTES


def _make_route(places: Sequence[LonLat], legs: tuple[Leg, ...], learned: EtaModels) -> Route:
    """Make a route and start a trip on it, so that the cost includes the learned seconds of its streets."""
    stops = tuple(Stop(f"ord_{n}", "dropoff", place, 60.0) for n, place in enumerate(places[1:]))
    route = Route(stops, legs)
    _trip(route, learned, LiveTraffic())
    return route


def _trip(route: Route, learned: EtaModels, traffic: LiveTraffic) -> Trip:
    driver = Driver(id="drv", number=1, name="Aino", vehicle="car", created_at=BEGIN)
    trip = Trip(driver, learned=learned)
    trip.route_progress.traffic = traffic
    trip.replan([_order(stop) for stop in route.stops], route.stops)
    trip.receive_fix(_fix(route, 0), BEGIN)
    trip.take_route(route)
    return trip


def _order(stop: Stop) -> Order:
    place = Place(stop.at.lat, stop.at.lon)
    return Order(
        id=stop.order_id, status=OrderStatus.PICKED_UP, created_at=BEGIN, pickup=place, dropoff=place
    )


def _fix(route: Route, number: int) -> Fix:
    """Return fix *number* of a drive along the route, every STEP metres."""
    at = route.between(min(number * STEP, 0.9 * route.length_m), route.length_m)[0]
    return Fix(BEGIN + timedelta(seconds=5 * number), at.lat, at.lon, 8.0, 6.0)


def _per_fix(trips: Sequence[Trip]) -> list[float]:
    """Return the microseconds to process a fix and forecast the next stop, one figure per group.

    A group is TOGETHER trips. Takes one fix of each trip in turn, then the next. The median of the figures
    is robust against other load on the machine.
    """
    moves = [
        (trip.route_progress, _fix(trip.route, number), _fix(trip.route, number - 1))
        for number in range(1, FIXES + 1)
        for trip in trips
        if trip.route
    ]
    seconds_by_group = [0.0] * (len(trips) // TOGETHER)
    for begin in range(0, len(moves), TOGETHER):
        seconds_by_group[begin // TOGETHER % len(seconds_by_group)] += _cpu_seconds(
            moves[begin : begin + TOGETHER]
        )
    return [seconds * 1e6 / TOGETHER / FIXES for seconds in seconds_by_group]


def _cpu_seconds(moves: Sequence[tuple[RouteProgress, Fix, Fix]]) -> float:
    """Return the CPU seconds of these moves."""
    started = process_time()
    for route_progress, fix, before in moves:
        route_progress.move(fix, before)
        route_progress.note_forecasts(fix)
        route_progress.forecast(0, fix).eta(now=fix.recorded_at, last_fix_at=fix.recorded_at, stops_before=0)
    return process_time() - started
