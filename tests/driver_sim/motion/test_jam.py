"""A jam slows the vehicles inside, for as long as it lasts, and no others."""

from math import inf

from driver_sim.motion.jam import CRAWL, RADIUS, jam_among
from driver_sim.motion.ride import Ride
from driver_sim.motion.speed_profile import CAPS
from tracker.domain.geo import LonLat, Plane, distance
from tracker.domain.route import Leg

PLANE = Plane(LonLat(24.94, 60.17))
ENDS_AT = 1_000.0


def place(metres: float) -> LonLat:
    return PLANE.to_lonlat(metres, 0.0)


def test_a_jam_lies_in_the_middle_of_the_places_and_ends() -> None:
    jam = jam_among([place(-5_000.0), place(0.0), place(300.0)], ends_at=ENDS_AT)
    inside, outside = place(RADIUS - 5.0), place(RADIUS + 5.0)
    assert jam.speed_limit(inside, ENDS_AT - 1.0) == CRAWL
    assert jam.speed_limit(outside, ENDS_AT - 1.0) == jam.speed_limit(inside, ENDS_AT) == inf


def test_a_vehicle_crawls_while_its_speed_is_limited_and_then_goes_on() -> None:
    """It brakes as hard as it may, crawls, and reaches its usual speed again."""
    line = (place(0.0), place(2_000.0))
    ride = Ride(Leg(line, distance(*line), 200.0), CAPS["car"], seed=1, started_at=0.0)
    free = max(ride.advance(1.0).speed for _ in range(20))
    ride.speed_limit = CRAWL
    ride.advance(10.0)
    crawls = [ride.advance(1.0).speed for _ in range(30)]
    ride.speed_limit = inf
    later = max(ride.advance(1.0).speed for _ in range(60))
    assert max(crawls) <= CRAWL < 5.0 < min(free, later)
