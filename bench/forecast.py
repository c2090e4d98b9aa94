"""What a forecast costs: Python for each fix, CPU for each route, and whether many drivers make it dearer."""

import gc
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from random import Random
from statistics import median
from time import process_time

from bench.node import Node
from bench.rows import Row
from tracker.config import Config
from tracker.domain.eta.model import Learned
from tracker.domain.eta.progress import RouteProgress
from tracker.domain.geo import LonLat
from tracker.domain.order import Driver, Order, OrderStatus, Place
from tracker.domain.route import Leg, Route, Stop
from tracker.domain.route_choice.observed_streets import NONE, ObservedStreets
from tracker.domain.route_choice.preference import LAWFUL, RoutePreference
from tracker.domain.tracks.track import Fix
from tracker.domain.trip import Trip
from tracker.errors import NoRoute
from tracker.eta.evaluation.recorded_trips import read_trips
from tracker.map.extract import find_map
from tracker.routing import Router

TRIPS = 10_000
FIXES = 4  # for each of them: shorter than any route
ROUTES = 200  # and as many trips, where they are few
TOGETHER = 100  # trips whose fixes are timed together
PASSES = 12  # over fresh trips, where they are few
FIX_LIMIT = 50.0  # microseconds
ROUTE_LIMIT = 15.0  # milliseconds
STEP = 30.0  # metres between two fixes
SEEN = sorted((Path(__file__).parent / "trips").glob("*-s1.jsonl.gz"))
BEGIN = datetime(2026, 11, 22, 12, tzinfo=UTC)
WEST, SOUTH, EAST, NORTH = 24.932, 60.163, 24.955, 60.176  # within the demo area


async def measure_forecast(_: Node) -> list[Row]:
    """Real routes through the demo area with two stops; the service is not asked, only its core."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        async with Router.open(find_map(Config(data_dir=Path(folder))), lambda _: None) as router:
            ways, per_route = await _routed(router, LAWFUL)
            per_learned_route = (await _routed(router, "short_near_side"))[1]
            per_usual_way = (await _routed(router, LAWFUL, await _seen(router)))[1]
    learned = Learned()
    fresh = ([_trip(way, learned) for way in ways] for _ in range(PASSES))
    alone = median(chain.from_iterable(map(_per_fix, fresh)))
    many = [_trip(ways[n % len(ways)], learned) for n in range(TRIPS)]
    gc.collect()
    crowd = median(_per_fix(many))
    return [
        _row(
            "forecast, Python for a fix",
            alone,
            "µs",
            FIX_LIMIT,
            "place on the route, pace, a forecast for its customer",
        ),
        _row(
            f"the same, {TRIPS:,} trips in memory",
            crowd,
            "µs",
            FIX_LIMIT,
            f"{crowd / alone:.2f} x that of {ROUTES} trips",
        ),
        _row(
            "CPU for a route",
            per_route,
            "ms",
            ROUTE_LIMIT,
            "engine with streets, and the learned seconds of each",
        ),
        _row(
            "the same in another manner",
            per_learned_route,
            "ms",
            ROUTE_LIMIT,
            "the shortest way to one side of the street, as drivers may have been seen to choose it",
        ),
        _row(
            "the same with learned streets",
            per_usual_way,
            "ms",
            ROUTE_LIMIT,
            "as drivers were seen to go, on 200 recorded trips",
        ),
    ]


def _row(name: str, value: float, unit: str, limit: float, detail: str) -> Row:
    return Row(name=name, value=value, unit=unit, against="limit", reference=limit, detail=detail)


async def _seen(router: Router) -> ObservedStreets:
    """The streets that the drivers of the recorded trips were seen to take."""
    streets = ObservedStreets()
    for trip in chain.from_iterable(map(read_trips, SEEN)):
        stop = trip.as_stops()[-1].at
        walked = await router.matched([LonLat(fix.lon, fix.lat) for fix in trip.fixes], trip.vehicle)
        streets.learn(walked, stop, trip.ends_at.date())
    return streets


async def _routed(
    router: Router, manner: RoutePreference, streets: ObservedStreets = NONE
) -> tuple[list[Route], float]:
    """Routes through two stops, and the milliseconds of CPU for one of them, in all threads together."""
    random, routes, knowledge = Random(1), list[Route](), Learned()
    begun = process_time()
    while len(routes) < ROUTES:
        places = [LonLat(random.uniform(WEST, EAST), random.uniform(SOUTH, NORTH)) for _ in range(3)]
        try:
            legs = await router.route(places, "car", edges=True, heading=90.0, manner=manner, streets=streets)
        except NoRoute:
            continue
        routes.append(_followed(places, legs, knowledge))
    return routes, (process_time() - begun) * 1e3 / ROUTES


def _followed(places: Sequence[LonLat], legs: tuple[Leg, ...], learned: Learned) -> Route:
    stops = tuple(Stop(f"ord_{n}", "dropoff", place, 60.0) for n, place in enumerate(places[1:]))
    route = Route(stops, legs)
    _trip(route, learned)
    return route


def _trip(route: Route, learned: Learned) -> Trip:
    driver = Driver(id="drv", number=1, name="Aino", vehicle="car", created_at=BEGIN)
    trip = Trip(driver, learned=learned)
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
    """On the line."""
    at = route.between(min(number * STEP, 0.9 * route.length_m), route.length_m)[0]
    return Fix(BEGIN + timedelta(seconds=5 * number), at.lat, at.lon, 8.0, 6.0)


def _per_fix(trips: Sequence[Trip]) -> list[float]:
    """Microseconds to place a fix on the course and to forecast the next stop: one fix of each trip in turn,
    then the next; a figure for every so many trips.

    Their median is not moved by a moment in which the machine had something else to do.
    """
    moves = [
        (trip.course, _fix(trip.route, number), _fix(trip.route, number - 1))
        for number in range(1, FIXES + 1)
        for trip in trips
        if trip.route
    ]
    spent = [0.0] * (len(trips) // TOGETHER)
    for begin in range(0, len(moves), TOGETHER):
        spent[begin // TOGETHER % len(spent)] += _spent(moves[begin : begin + TOGETHER])
    return [seconds * 1e6 / TOGETHER / FIXES for seconds in spent]


def _spent(moves: Sequence[tuple[RouteProgress, Fix, Fix]]) -> float:
    """Seconds of the processor."""
    begun = process_time()
    for course, fix, before in moves:
        course.move(fix, before)
        course.note_forecasts(fix)
        course.foresee(0, fix).eta(now=fix.recorded_at, last_fix_at=fix.recorded_at, stops_before=0)
    return process_time() - begun
