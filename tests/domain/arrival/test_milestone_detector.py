"""Milestones of an order: each once, in sequence, and never from a single fix."""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tracker.domain.arrival import milestone_detector
from tracker.domain.arrival.milestone import Milestone, MilestoneReached
from tracker.domain.arrival.milestone_detector import MilestoneDetector
from tracker.domain.geo import LonLat, Plane, distance
from tracker.domain.order import Driver, Order, OrderStatus, Place, Vehicle
from tracker.domain.route import Leg, Route, Stop
from tracker.domain.tracks.fix import Fix
from tracker.domain.trip import Trip

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PLANE = Plane(LonLat(24.9450, 60.1700))
PICKUP, DROPOFF = 0.0, 3_000.0  # metres east, on one street
ALL: list[Milestone] = ["arrived_at_pickup", "departed_pickup", "approaching", "arrived_at_dropoff"]


def place(east: float, north: float = 0.0) -> LonLat:
    return PLANE.to_lonlat(east, north)


def fix(
    seconds: float, east: float, north: float = 0.0, accuracy: float | None = 5.0, speed: float | None = None
) -> Fix:
    lon, lat = place(east, north)
    return Fix(NOW + timedelta(seconds=seconds), lat, lon, accuracy, speed)


def order(name: str = "ord_1", pickup: float = PICKUP, dropoff: float = DROPOFF, **more: object) -> Order:
    ends = [Place(place(east).lat, place(east).lon) for east in (pickup, dropoff)]
    fields = {"status": OrderStatus.ASSIGNED, "driver_id": "drv_1", "assigned_at": NOW, **more}
    return Order(id=name, created_at=NOW, pickup=ends[0], dropoff=ends[1], **fields)  # type: ignore[arg-type]


def fetched(one: Order, seconds: float) -> Order:
    at = NOW + timedelta(seconds=seconds)
    return msgspec.structs.replace(one, status=OrderStatus.PICKED_UP, picked_up_at=at)


def stops_of(orders: Iterable[Order]) -> list[Stop]:
    return [
        Stop(one.id, kind, one.pickup.lonlat if kind == "pickup" else one.dropoff.lonlat, 0.0)
        for one in orders
        for kind in ("pickup", "dropoff")
        if kind == "dropoff" or one.status is OrderStatus.ASSIGNED
    ]


class Ride:
    """A trip, its milestone detector, and the detected milestones."""

    def __init__(self, *orders: Order, vehicle: Vehicle = "car", told: Sequence[Milestone] = ()) -> None:
        self.trip = Trip(Driver(id="drv_1", number=1, name="Aino", vehicle=vehicle, created_at=NOW))
        self.milestones = MilestoneDetector()
        self.events: list[MilestoneReached] = []
        self.told = {one.id: dict.fromkeys(told, NOW) for one in orders}
        self.plan(*orders)

    def plan(self, *orders: Order) -> None:
        self.trip.replan(orders, stops_of(orders))
        self.milestones.begin(self.told, [one.id for one in orders])

    def route(self, *detours: LonLat, begin: float = -1_000.0) -> None:
        """Route the trip straight from stop to stop; the first leg passes the detours."""
        places = [place(begin), *(stop.at for stop in self.trip.ahead)]
        legs = []
        for n, (a, b) in enumerate(pairwise(places)):
            line = (a, *(detours if n == 0 else ()), b)
            metres = sum(distance(c, d) for c, d in pairwise(line))
            legs.append(Leg(line, metres, metres / 8.0))
        self.trip.take_route(Route(self.trip.ahead, tuple(legs)))

    def drive(self, fixes: Iterable[Fix]) -> list[Milestone]:
        """Return the new milestones of these fixes."""
        begun = len(self.events)
        for one in fixes:
            before = self.trip.track.newest
            self.trip.receive_fix(one, one.recorded_at)
            if self.trip.track.newest is not before:
                self.events += self.milestones.observe(self.trip, one, one.recorded_at)
        return [event.kind for event in self.events[begun:]]


def stretch(
    begin_s: float, from_m: float, to_m: float, speed: float = 8.0, every: float = 5.0, **more: float
) -> list[Fix]:
    """Return the fixes of a driver on the street between two places."""
    metres = abs(to_m - from_m)
    count = int(metres / speed / every)
    return [
        fix(begin_s + n * every, from_m + (to_m - from_m) * n / max(count, 1), **more)
        for n in range(count + 1)
    ]


def standing(begin_s: float, at_m: float, seconds: float, every: float = 5.0, **more: float) -> list[Fix]:
    return [fix(begin_s + n * every, at_m, **more) for n in range(int(seconds / every) + 1)]


def delivery(every: float, dwell: float, noise: float = 0.0, seed: int = 0) -> list[Fix]:
    """Return the fixes of a delivery at 8 m/s with a halt at both stops, *every* so many seconds."""
    ends = [
        (0.0, -1_000.0),
        (125.0, 0.0),
        (125.0 + dwell, 0.0),
        (500.0 + dwell, 3_000.0),
        (500.0 + 2 * dwell, 3_000.0),
    ]
    random, fixes, t = Random(seed), [], 0.0
    while t <= ends[-1][0]:
        (t0, x0), (t1, x1) = next((a, b) for a, b in pairwise(ends) if a[0] <= t <= b[0])
        east = x0 + (x1 - x0) * (t - t0) / (t1 - t0)
        fixes.append(fix(t, east + random.gauss(0, noise), random.gauss(0, noise), 4.0 + noise))
        t += every
    return fixes


@pytest.mark.parametrize("routed", [True, False])
@pytest.mark.parametrize("every", [1.0, 5.0, 10.0, 20.0, 30.0])
def test_a_delivery_shows_each_milestone_once_and_in_sequence(every: float, routed: bool) -> None:
    """At any reporting interval, with and without a route."""
    ride = Ride(order())
    if routed:
        ride.route()
    assert ride.drive(delivery(every, dwell=60.0)) == ALL
    arrived, departed, approaching, there = (event.at for event in ride.events)
    assert abs((arrived - NOW).total_seconds() - 125.0) <= every + 8.0
    assert abs((departed - NOW).total_seconds() - 185.0) <= 2 * every + 20.0
    assert abs((there - NOW).total_seconds() - 560.0) <= every + 8.0
    assert 0.0 < (there - approaching).total_seconds() <= 400.0


def test_the_drivers_word_is_a_second_witness() -> None:
    """With a reported pickup, one fix near it at about that time is enough."""
    ride = Ride(order())
    assert ride.drive([*stretch(0, -800, -80), fix(100, 0)]) == []
    ride.plan(fetched(order(), 101))
    assert ride.drive([fix(105, 40)]) == ["arrived_at_pickup"]
    assert ride.drive(stretch(110, 80, 1_500)) == ["departed_pickup"]


def test_a_false_fix_at_the_door_causes_nothing() -> None:
    """A fix 200 m off with a claimed accuracy of 2 m, at any reporting interval."""
    for every in (1.0, 5.0, 30.0):
        ride = Ride(fetched(order(), 0), told=["arrived_at_pickup", "departed_pickup", "approaching"])
        ride.route(begin=2_000)
        waiting = standing(0, 2_800, 4 * every, every)
        false = fix(5 * every, 3_000, accuracy=2.0)
        assert ride.drive([*waiting, false, *standing(6 * every, 2_800, 4 * every, every)]) == []


def test_a_false_fix_at_the_pickup_is_no_departure() -> None:
    """While the driver stands there, one fix far away changes nothing; two in a row do."""
    ride = Ride(order(), told=["arrived_at_pickup"])
    assert ride.drive([*standing(0, 0, 20), fix(25, 200, accuracy=2.0), *standing(30, 0, 20)]) == []
    assert ride.drive([fix(55, 150), fix(60, 190)]) == ["departed_pickup"]
    assert ride.events[0].at == NOW + timedelta(seconds=55)


def test_one_fix_that_is_near_the_end_is_no_approach() -> None:
    """Two fixes in a row are an approach, at the time of the first."""
    ride = Ride(fetched(order(dropoff=6_000), 0), told=["arrived_at_pickup", "departed_pickup"])
    ride.route(begin=0)
    ride.trip.receive_fix(fix(0, 2_000), NOW)
    assert ride.drive([fix(1, 2_005), fix(2, 2_010), fix(30, 5_800, accuracy=2.0), fix(31, 2_100)]) == []
    assert ride.drive([fix(500, 5_600), fix(505, 5_640)]) == ["approaching"]
    assert ride.events[0].at == NOW + timedelta(seconds=500)


def test_an_inaccurate_fix_confirms_nothing() -> None:
    """Any number of fixes at the door with an accuracy of 150 m."""
    ride = Ride(order())
    assert ride.drive(standing(0, 0, 120, accuracy=150.0)) == []
    assert ride.drive(standing(130, 0, 10, accuracy=20.0)) == ["arrived_at_pickup"]


@pytest.mark.parametrize("every", [1.0, 5.0, 10.0])
@pytest.mark.parametrize(
    ("vehicle", "speed"), [("car", 8.0), ("bicycle", 4.5), ("scooter", 6.0), ("foot", 1.3)]
)
def test_driving_past_on_a_parallel_street_is_no_arrival(
    vehicle: Vehicle, speed: float, every: float
) -> None:
    """A driver at this speed does not stand, however near the stop is."""
    ride = Ride(order(), vehicle=vehicle)
    assert ride.drive(stretch(0, -600, 600, speed, every, north=40.0)) == []


def test_a_neighbours_door_is_theirs() -> None:
    """Two open stops are 55 m apart; a driver who stands at one has not arrived at the other."""
    first = fetched(order("ord_1", dropoff=3_000), 0)
    second = fetched(order("ord_2", dropoff=3_055), 0)
    ride = Ride(first, second, told=["arrived_at_pickup", "departed_pickup"])
    ride.drive([*stretch(0, 2_000, 3_000), *standing(130, 3_000, 40)])
    assert [event.order_id for event in ride.events if event.kind == "arrived_at_dropoff"] == ["ord_1"]
    ride.plan(second)
    ride.drive(standing(200, 3_055, 10))
    assert [event.order_id for event in ride.events if event.kind == "arrived_at_dropoff"] == [
        "ord_1",
        "ord_2",
    ]


def test_far_by_route_is_not_there_yet() -> None:
    """In the street behind the block, a minute at a red light is no arrival; parking is."""
    ride = Ride(order())
    ride.route(place(-1_000, 50), place(200, 50), place(200, 0))
    light = [fix(0, -300, 50), fix(10, -200, 50), *[fix(20 + n, 0, 50) for n in range(60)]]
    assert ride.drive(light) == []
    assert ride.drive([fix(80 + 5 * n, 0, 50) for n in range(10)]) == ["arrived_at_pickup"]


def test_a_stop_between_two_fixes_is_seen() -> None:
    """With one report a minute, passing with time for a stop counts after the next fix."""
    ride = Ride(order())
    assert ride.drive([fix(0, -700), fix(60, -250)]) == []
    assert ride.drive([fix(120, 200)]) == []
    assert ride.drive([fix(180, 600)]) == ["arrived_at_pickup"]
    assert ride.drive([fix(240, 900)]) == ["departed_pickup"]
    assert 60 < (ride.events[0].at - NOW).total_seconds() < 120


def test_a_stop_passed_without_time_to_stop_is_not() -> None:
    """At motorway speed, or if the driver turns back before the stop."""
    fast = Ride(order())
    assert fast.drive([fix(0, -1_600), fix(60, -400), fix(120, 800), fix(180, 1_600)]) == []
    back = Ride(order())
    assert (
        back.drive([fix(0, -700), fix(60, -200), fix(120, 150, accuracy=2.0), fix(180, -200), fix(240, -210)])
        == []
    )


def test_passing_the_dropoff_on_the_way_to_the_pickup_is_no_arrival() -> None:
    """A delivery needs a pickup first."""
    ride = Ride(order(pickup=0, dropoff=-500))
    assert ride.drive([*stretch(0, -1_000, -500), *standing(70, -500, 30), *stretch(105, -500, -100)]) == []


def test_late_fixes_show_nothing() -> None:
    """The backlog of a dead zone reaches no milestone."""
    ride = Ride(order())
    ride.drive([fix(1_000, -800)])
    assert ride.drive(delivery(5.0, 60.0)[:100]) == []


def test_what_stands_in_the_timeline_never_comes_again() -> None:
    """After a restart, only the remaining milestones are detected."""
    way = delivery(5.0, 60.0)
    for cut in range(0, len(way), 7):
        first = Ride(order())
        first.drive(way[:cut])
        told = [event.kind for event in first.events]
        second = Ride(order(), told=told)
        second.drive(way[cut:])
        assert sorted([*told, *(event.kind for event in second.events)]) == sorted(ALL), cut


def test_a_fix_from_long_before_the_assignment_is_not_about_the_order() -> None:
    """A late fix from the driver's lunch at the restaurant does not affect a later order."""
    ride = Ride(order(assigned_at=NOW + timedelta(hours=1)))
    assert ride.drive(standing(0, 0, 60)) == []
    ride = Ride(order(assigned_at=NOW + timedelta(seconds=30)))
    assert ride.drive(standing(0, 0, 60)) == ["arrived_at_pickup"]
    assert ride.events[0].at == NOW + timedelta(seconds=30)


@given(st.integers(0, 10_000), st.sampled_from([1.0, 2.0, 5.0, 10.0]), st.floats(40, 300), st.floats(0, 8))
@example(337, 10.0, 40.0, 7.0)  # five fixes at the pickup, each 20 m or more from the one before
def test_noise_repeats_nothing_and_keeps_the_sequence(
    seed: int, every: float, dwell: float, noise: float
) -> None:
    """Each milestone once, in sequence, none earlier than the one before, none ahead of the last fix."""
    ride = Ride(order())
    way = delivery(every, dwell, noise, seed)
    seen = ride.drive(way)
    assert seen == [kind for kind in ALL if kind in seen]
    if noise <= 6.0:
        assert seen == ALL
    times = [event.at for event in ride.events]
    assert times == sorted(times)
    assert all(at <= way[-1].recorded_at for at in times)


def test_a_poor_receiver_hides_few_arrivals() -> None:
    """With 8 m of noise and four fixes per halt, 99 of 100 deliveries reach all milestones."""
    seen = [Ride(order()).drive(delivery(10.0, 45.0, 8.0, seed)) for seed in range(300)]
    assert seen.count(ALL) >= 297


@given(st.integers(0, 10_000), st.lists(st.integers(1, 139), unique=True, min_size=1, max_size=8))
def test_single_false_fixes_add_nothing(seed: int, wrong: list[int]) -> None:
    """A driver who waits 400 m off reaches no milestone, though single fixes lie at the stops.

    The first fix is true: if the first and the third lie at a stop, the second looks like the false one.
    """
    random = Random(seed)
    ride = Ride(order(dropoff=500))
    way = [fix(5.0 * n, 250 + random.gauss(0, 4), 400 + random.gauss(0, 4)) for n in range(140)]
    for n in wrong:
        if n - 1 not in wrong and n + 1 not in wrong:
            way[n] = fix(5.0 * n, random.choice([0.0, 500.0]), accuracy=2.0)
    assert ride.drive(way) == []


@given(st.permutations(delivery(10.0, 60.0)))
def test_in_whatever_sequence_fixes_come_nothing_happens_twice(fixes: list[Fix]) -> None:
    """Late fixes are ignored, so milestones stay in sequence."""
    ride = Ride(order())
    kinds = ride.drive(fixes)
    assert len(kinds) == len(set(kinds))
    assert [event.at for event in ride.events] == sorted(event.at for event in ride.events)


@given(
    every=st.sampled_from([1.0, 3.0, 7.0, 16.0]),
    noise=st.sampled_from([0.0, 6.0, 12.0]),
    seed=st.integers(0, 10_000),
    changes=st.lists(st.integers(0, 600), max_size=4),
    routed=st.booleans(),
)
def test_fixes_far_from_all_stops_change_nothing(
    every: float, noise: float, seed: int, changes: list[int], routed: bool
) -> None:
    """The detector finds the same milestones as one that examines every fix, also after changes."""
    way = delivery(every, 40.0, noise, seed)
    seen = []
    for quick in (True, False):
        with (
            nullcontext()
            if quick
            else patch(f"{milestone_detector.__name__}._quiet_around", return_value=None)
        ):
            seen.append(_with_changes(way, {n: Random(seed + n) for n in changes}, routed))
    assert seen[0] == seen[1]


def _with_changes(
    way: list[Fix], changes: dict[int, Random], routed: bool
) -> list[tuple[int, MilestoneReached]]:
    """Drive; a change moves the dropoff, reports the pickup, forgets the fixes, or puts one fix elsewhere."""
    one = order()
    ride = Ride(one)
    events = []
    for n, each in enumerate(way):
        if random := changes.get(n):
            kind = random.choice(["dropoff", "picked_up", "jump", "elsewhere"])
            if kind == "dropoff":
                moved = place(random.uniform(-500.0, 3_500.0))
                one = msgspec.structs.replace(one, dropoff=Place(moved.lat, moved.lon))
            elif kind == "picked_up":
                one = fetched(one, (each.recorded_at - NOW).total_seconds())
            elif kind == "jump":
                ride.milestones.forget_fixes()
            else:
                each = msgspec.structs.replace(each, lat=each.lat + random.uniform(-0.01, 0.01))  # noqa: PLW2901
            ride.plan(one)
            if routed:
                ride.route()
        begun = len(ride.events)
        ride.drive([each])
        events += [(n, event) for event in ride.events[begun:]]
    return events
