"""Where drivers are found and shown on the demo area's streets: loops, out and back, parallel streets."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import cos, radians, sin
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from tracker.config import Config
from tracker.domain.geo import LonLat, Plane, bearing, distance
from tracker.domain.order import Driver, Order, OrderStatus, Place
from tracker.domain.route import Route, Stop
from tracker.domain.tracks.fix import Fix
from tracker.domain.trip import Trip
from tracker.map.extract import find_map
from tracker.routing import Router

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOISE = 4.0  # metres, on each axis
SPEED, EVERY = 8.0, 5.0  # m/s; seconds
STATION, CATHEDRAL = LonLat(24.9414, 60.1710), LonLat(24.9522, 60.1695)
ESPLANADE_NORTH, ESPLANADE_SOUTH = LonLat(24.9460, 60.16775), LonLat(24.9460, 60.16700)
BULEVARDI, PUNAVUORI = LonLat(24.9390, 60.1650), LonLat(24.9400, 60.1625)
WAYS = {
    "out and back": (STATION, CATHEDRAL, STATION),
    "loop": (STATION, CATHEDRAL, BULEVARDI, STATION),
    "the same loop twice": (
        BULEVARDI,
        ESPLANADE_NORTH,
        ESPLANADE_SOUTH,
        BULEVARDI,
        ESPLANADE_NORTH,
        ESPLANADE_SOUTH,
    ),
    "both sides of the park": (ESPLANADE_NORTH, ESPLANADE_SOUTH, ESPLANADE_NORTH),
    "there and back in one street": (PUNAVUORI, BULEVARDI, STATION, BULEVARDI, PUNAVUORI),
}


class Moment(NamedTuple):
    """Where the driver was, and what was made of it."""

    along_m: float
    true: LonLat
    fix: Fix
    shown: Fix
    found_m: float


@pytest.fixture
async def router(data_dir: Path) -> AsyncIterator[Router]:
    async with Router.open(find_map(Config(data_dir=data_dir)), lambda _: None) as router:
        yield router


def order_to(place: LonLat) -> Order:
    return Order(
        id="ord_1",
        created_at=NOW,
        status=OrderStatus.PICKED_UP,
        driver_id="drv_1",
        pickup=Place(place.lat, place.lon),
        dropoff=Place(place.lat, place.lon),
        visibility={"position": "always"},
    )


def timetable(route: Route) -> Iterator[tuple[float, float]]:
    """Metres along the route and the speed, every 5 s; half a minute's halt at each stop on the way."""
    halts = [route.stop_at_m(n) for n in range(len(route.stops) - 1)]
    along = 1.0
    while along < route.length_m:
        yield along, SPEED
        if halts and along + SPEED * EVERY > halts[0]:
            yield from [(halts.pop(0), 0.0)] * 7
        along += SPEED * EVERY


def drive(route: Route, seed: int, noise: float = NOISE) -> Iterator[Moment]:
    """From the beginning to the end; each fix is off by the noise."""
    random, trip = Random(seed), Trip(Driver(id="drv_1", number=1, name="A", vehicle="car", created_at=NOW))
    trip.replan([order_to(route.stops[-1].at)], route.stops)
    for n, (along, speed) in enumerate(timetable(route)):
        before, true = route.between(max(along - 2.0, 0.0), along)[-2:]
        lon, lat = Plane(true).to_lonlat(random.gauss(0, noise), random.gauss(0, noise))
        at = NOW + timedelta(seconds=n * EVERY)
        fix = Fix(at, lat, lon, accuracy=2.0 * noise, speed=speed, heading=bearing(before, true))
        trip.receive_fix(fix, at)
        if trip.route is None:
            trip.take_route(route)
            continue
        shown = trip.view("ord_1", at).position
        assert shown is not None
        assert trip.progress is not None
        yield Moment(along, true, fix, shown, trip.progress.along_m)


async def route_through(router: Router, places: tuple[LonLat, ...]) -> Route:
    legs = await router.route(places, "car", edges=True)
    *others, last = [leg.line[-1] for leg in legs]
    stops = [Stop(f"ord_{n + 2}", "pickup", place) for n, place in enumerate(others)]
    return Route((*stops, Stop("ord_1", "dropoff", last)), legs)


@pytest.mark.parametrize("way", WAYS)
async def test_a_driver_is_found_where_they_are(router: Router, way: str) -> None:
    """Progress stays on the right part of the line, and no place is taken for another that looks like it."""
    route = await route_through(router, WAYS[way])
    for seed in range(3):
        moments = list(drive(route, seed))
        assert len(moments) >= 10
        assert all(abs(moment.found_m - moment.along_m) <= 30.0 for moment in moments), way
        assert all(b.found_m >= a.found_m - 15.0 for a, b in pairwise(moments))


@pytest.mark.parametrize("way", WAYS)
async def test_on_the_street_a_driver_is_shown_more_truly(router: Router, way: str) -> None:
    """Most fixes are snapped; what is shown is nearer to the truth than what was measured."""
    route = await route_through(router, WAYS[way])
    moments = [moment for seed in range(5) for moment in drive(route, seed)]
    snapped = [moment for moment in moments if moment.shown.lonlat != moment.fix.lonlat]
    assert len(snapped) >= 0.7 * len(moments)
    shown = sum(distance(moment.shown.lonlat, moment.true) for moment in snapped) / len(snapped)
    measured = sum(distance(moment.fix.lonlat, moment.true) for moment in snapped) / len(snapped)
    assert shown < 0.85 * measured
    assert all(distance(moment.shown.lonlat, moment.fix.lonlat) <= 20.0 for moment in snapped)


@pytest.mark.parametrize(("beside", "turned"), [(35.0, 0.0), (-35.0, 0.0), (0.0, 180.0), (0.0, 90.0)])
async def test_a_driver_beside_the_route_is_never_put_on_it(
    router: Router, beside: float, turned: float
) -> None:
    """In the parallel street, on the other carriageway, crossing: the fix is shown as it was measured."""
    route = await route_through(router, (ESPLANADE_NORTH, CATHEDRAL))
    trip = Trip(Driver(id="drv_1", number=1, name="A", vehicle="car", created_at=NOW))
    trip.replan([order_to(CATHEDRAL)], route.stops)
    trip.receive_fix(Fix(NOW, route.line[0].lat, route.line[0].lon, accuracy=5.0), NOW)
    trip.take_route(route)
    for n in range(1, 12):
        before, true = route.between(40.0 * n - 2.0, 40.0 * n)[-2:]
        ahead = bearing(before, true)
        lon, lat = Plane(true).to_lonlat(beside * cos(radians(ahead)), -beside * sin(radians(ahead)))
        at = NOW + timedelta(seconds=n * EVERY)
        fix = Fix(at, lat, lon, accuracy=8.0, speed=SPEED, heading=(ahead + turned) % 360.0)
        trip.receive_fix(fix, at)
        shown = trip.view("ord_1", at).position
        assert shown is not None
        assert shown == fix


async def test_three_fixes_off_the_route_ask_for_another(router: Router) -> None:
    """Two are noise; the third in a row beyond 45 m is another way."""
    route = await route_through(router, (STATION, CATHEDRAL))
    trip = Trip(Driver(id="drv_1", number=1, name="A", vehicle="car", created_at=NOW))
    trip.replan([order_to(CATHEDRAL)], route.stops)
    trip.receive_fix(Fix(NOW, route.line[0].lat, route.line[0].lon, accuracy=5.0), NOW)
    trip.take_route(route)
    for n in range(1, 4):
        at = NOW + timedelta(seconds=20 + 5 * n)
        lon, lat = Plane(STATION).to_lonlat(-150.0 - 30.0 * n, 100.0)
        trip.receive_fix(Fix(at, lat, lon, accuracy=5.0, speed=SPEED, heading=270.0), at)
        assert trip.wants_route(at) == (n == 3)
