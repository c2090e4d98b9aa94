"""Rides stay on their line, within their caps, and are the same for the same seed."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from driver_sim.motion.ride import HARD_BRAKING, Ride
from driver_sim.motion.speed_profile import CAPS, TICK, Caps
from driver_sim.motion.traffic_lights import LONGEST_CYCLE, red_for
from tracker.domain.geo import LonLat, Plane, distance
from tracker.domain.route import Edge, Leg

HELSINKI = LonLat(24.94, 60.17)
CAP_CHOICES = st.sampled_from(list(CAPS.values()))


@st.composite
def legs(draw: st.DrawFn) -> Leg:
    """A leg of up to 25 streets with speeds, lights and corners of every angle."""
    plane = Plane(HELSINKI)
    east, north = 0.0, 0.0
    line, edges = [HELSINKI], []
    metres = st.floats(-150, 150, allow_nan=False)
    for index in range(draw(st.integers(1, 25))):
        east, north = east + draw(metres), north + draw(metres)
        line.append(plane.to_lonlat(east, north))
        length = distance(line[-2], line[-1])
        speed = draw(st.floats(0.5, 30))
        edges.append(Edge(index, index + 1, length, length / speed, "residential", draw(st.booleans())))
    return Leg(
        tuple(line), sum(e.length_m for e in edges), max(1.0, sum(e.duration_s for e in edges)), tuple(edges)
    )


def drive(ride: Ride, dt: float = 1.0, hours: float = 3.0) -> list[tuple[float, float]]:
    """(along, speed) after every step until the ride has arrived and stands."""
    seen = []
    for _ in range(int(hours * 3600 / dt)):
        motion = ride.advance(dt)
        seen.append((motion.along_m, motion.speed))
        if ride.arrived and motion.speed == 0.0:
            return seen
    raise AssertionError(f"did not arrive: {ride.to_go_m} m to go")


@settings(max_examples=60)
@given(legs(), CAP_CHOICES, st.integers(0, 1000))
def test_speed_stays_within_the_street_and_the_vehicle(leg: Leg, caps: Caps, seed: int) -> None:
    """A vehicle is never faster than the street, itself, or what its brakes and engine can do in a tick."""
    ride = Ride(leg, caps, seed=seed, started_at=0.0)
    seen = drive(ride, TICK)
    slack = 2 * caps.braking * TICK
    for along, speed in seen:
        assert 0.0 <= speed <= caps.top_speed
        assert speed <= ride.profile.limits[ride.profile.segment(along)] + slack
    for (_, before), (_, after) in pairwise(seen):
        assert after - before <= caps.acceleration * TICK + 1e-6
        assert before - after <= caps.braking * HARD_BRAKING * TICK + 1e-6


@settings(max_examples=60)
@given(legs(), CAP_CHOICES, st.integers(0, 1000))
def test_it_arrives_without_going_back(leg: Leg, caps: Caps, seed: int) -> None:
    """Every ride comes to its end, and never moves backwards on the way."""
    seen = drive(Ride(leg, caps, seed=seed, started_at=1e9))
    assert all(after >= before for (before, _), (after, _) in pairwise(seen))


@settings(max_examples=60)
@given(legs(), CAP_CHOICES, st.integers(0, 1000))
def test_it_never_leaves_the_line(leg: Leg, caps: Caps, seed: int) -> None:
    """The true place is on the leg's line (to a decimetre), wherever the ride stands."""
    ride = Ride(leg, caps, seed=seed, started_at=0.0)
    for _ in range(200):
        motion = ride.advance(3.0)
        offsets = []
        for a, b in pairwise(leg.line):
            plane = Plane(motion.at)
            (ax, ay), (bx, by) = plane.to_metres(a), plane.to_metres(b)
            square = (bx - ax) ** 2 + (by - ay) ** 2
            t = max(0.0, min(1.0, -(ax * (bx - ax) + ay * (by - ay)) / square)) if square else 0.0
            offsets.append(((ax + t * (bx - ax)) ** 2 + (ay + t * (by - ay)) ** 2) ** 0.5)
        assert min(offsets) < 0.1
        assert 0.0 <= motion.heading < 360.0


@settings(max_examples=30)
@given(legs(), CAP_CHOICES, st.integers(0, 1000), st.lists(st.floats(0.05, 4), min_size=1, max_size=30))
def test_the_same_seed_gives_the_same_ride(leg: Leg, caps: Caps, seed: int, steps: list[float]) -> None:
    """However the time is cut into steps, the same seed is at the same place."""
    one, other = (Ride(leg, caps, seed=seed, started_at=77.0) for _ in range(2))
    for dt in steps:
        one.advance(dt)
    other.advance(sum(steps))
    assert abs(one.motion().along_m - other.motion().along_m) <= caps.top_speed * TICK + 1e-6


def test_a_straight_street_is_driven_at_its_speed() -> None:
    """On a free straight street the vehicle reaches the router's speed, within a driver's temper."""
    line = (HELSINKI, Plane(HELSINKI).to_lonlat(0.0, 2000.0))
    ride = Ride(Leg(line, 2000.0, 200.0), CAPS["car"], seed=1, started_at=0.0)
    fastest = max(speed for _, speed in drive(ride))
    assert 9.5 <= fastest <= 11.5


def test_a_red_light_stops_and_a_green_one_does_not() -> None:
    """A vehicle stands before a red light until it turns green, and is never across it while it is red."""
    plane = Plane(HELSINKI)
    line = (HELSINKI, plane.to_lonlat(0.0, 100.0), plane.to_lonlat(0.0, 200.0))
    leg = Leg(
        line,
        200.0,
        20.0,
        (Edge(0, 1, 100.0, 10.0, "primary", True), Edge(1, 2, 100.0, 10.0, "primary", False)),
    )
    waits = 0
    for start in range(0, 90, 5):
        ride = Ride(leg, CAPS["car"], seed=3, started_at=float(start))
        clock = float(start)
        while not ride.arrived:
            before = ride.motion()
            after = ride.advance(TICK)
            clock += TICK
            if before.along_m < 100.0 - 0.5 <= after.along_m and before.speed < 2.0:
                waits += 1
            if before.along_m < 100.0 <= after.along_m:
                assert red_for(line[1], clock) == 0.0 or before.speed > 2.0
    assert waits > 0


@given(st.floats(0, 2e9), st.floats(-180, 180), st.floats(-85, 85))
def test_every_light_turns_green(at: float, lon: float, lat: float) -> None:
    """No light is red for longer than a cycle, and it is green when its wait is over."""
    place = LonLat(lon, lat)
    red = red_for(place, at)
    assert 0.0 <= red < LONGEST_CYCLE
    assert red_for(place, at + red + 0.001) == 0.0


def test_a_leg_without_length_is_over_at_once() -> None:
    """Two stops at one place need no driving."""
    ride = Ride(Leg((HELSINKI, HELSINKI), 0.0, 0.0), CAPS["foot"], seed=1, started_at=0.0)
    assert ride.arrived
    assert ride.advance(5.0).speed == 0.0
