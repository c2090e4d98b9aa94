"""The length of a track: nothing while the driver stands, the true length while they move."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import exp, hypot, sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.geo import LonLat, Plane, distance
from tracker.domain.tracks.fix import Fix
from tracker.domain.tracks.odometer import Odometer

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PLANE = Plane(LonLat(24.94, 60.17))
BLOCKS = [
    (50.0 * n - 50.0 * (n % 2), 50.0 * n + 50.0 * (n % 2)) for n in range(9)
]  # metres; a corner every 100

type Noise = Callable[[Random], Callable[[float], tuple[float, float]]]


def uniform(metres: float) -> Noise:
    return lambda random: lambda _: (random.uniform(-metres, metres), random.uniform(-metres, metres))


def gauss(sigma: float) -> Noise:
    return lambda random: lambda _: (random.gauss(0.0, sigma), random.gauss(0.0, sigma))


def drift(sigma: float, tau: float = 40.0) -> Noise:
    """Noise of a real receiver: the error wanders."""

    def begin(random: Random) -> Callable[[float], tuple[float, float]]:
        at = [random.gauss(0.0, sigma), random.gauss(0.0, sigma)]

        def step(dt: float) -> tuple[float, float]:
            kept = exp(-dt / tau)
            for axis in (0, 1):
                at[axis] = kept * at[axis] + sqrt(1.0 - kept * kept) * random.gauss(0.0, sigma)
            return at[0], at[1]

        return step

    return begin


def fix(seconds: float, east: float, north: float, accuracy: float | None, speed: float | None) -> Fix:
    lon, lat = PLANE.to_lonlat(east, north)
    return Fix(NOW + timedelta(seconds=seconds), lat, lon, accuracy, speed)


def drive(
    corners: Sequence[tuple[float, float]],
    *,
    speed: float,
    every: float = 1.0,
    noise: Noise | None = None,
    accuracy: float | None = 12.0,
    told: bool = True,
    halts: Sequence[float] = (),
    seed: int = 0,
) -> Iterator[Fix]:
    """Along the corners; *halts*: metres along at which the driver stands for a minute."""
    error = (noise or (lambda _: lambda _: (0.0, 0.0)))(Random(seed))
    along, seconds, left = 0.0, 0.0, list(halts)
    while (place := place_at(corners, along)) is not None:
        stands = bool(left) and along >= left[0]
        for _ in range(round(60.0 / every) if stands else 1):
            east, north = error(every)
            tells = (0.0 if stands else speed) if told else None
            yield fix(seconds, place[0] + east, place[1] + north, accuracy, tells)
            seconds += every
        if stands:
            left.pop(0)
        along += speed * every


def place_at(corners: Sequence[tuple[float, float]], along: float) -> tuple[float, float] | None:
    for (ax, ay), (bx, by) in pairwise(corners):
        length = hypot(bx - ax, by - ay)
        if along <= length:
            return ax + (bx - ax) * along / length, ay + (by - ay) * along / length
        along -= length
    return None


def length_of(corners: Sequence[tuple[float, float]]) -> float:
    return sum(hypot(bx - ax, by - ay) for (ax, ay), (bx, by) in pairwise(corners))


def measured(fixes: Sequence[Fix]) -> Odometer:
    odometer = Odometer()
    for each in fixes:
        odometer.add(each)
    return odometer


def raw_length(fixes: Sequence[Fix]) -> float:
    return sum(distance(a.lonlat, b.lonlat) for a, b in pairwise(fixes))


@pytest.mark.parametrize("speed", [0.0, None, 0.6])
@pytest.mark.parametrize("accuracy", [12.0, None])
def test_a_parked_driver_goes_nowhere(accuracy: float | None, speed: float | None) -> None:
    """120 fixes in a minute within 9 m give no distance, at any reported speed."""
    for seed in range(50):
        error = uniform(9.0)(Random(seed))
        fixes = [fix(0.5 * n, *error(0.5), accuracy, speed) for n in range(120)]
        odometer = measured(fixes)
        assert raw_length(fixes) > 900.0
        assert (odometer.distance_m, odometer.moving_s) == (0.0, 0.0)


@pytest.mark.parametrize(("noise", "accuracy"), [(gauss(8.0), 12.0), (drift(8.0), 12.0), (drift(5.0), 8.0)])
def test_an_hour_parked_is_no_way_either(noise: Noise, accuracy: float) -> None:
    """Drift within the accuracy (its 68 % radius), wandering or jumping."""
    for seed in range(4):
        error = noise(Random(seed))
        odometer = measured([fix(n, *error(1.0), accuracy, None) for n in range(3_600)])
        assert (odometer.distance_m, odometer.moving_s) == (0.0, 0.0)


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("accuracy", [12.0, None])
@pytest.mark.parametrize("noise", [None, gauss(3.0), uniform(9.0), drift(5.0)])
def test_a_slow_walk_keeps_its_length(noise: Noise | None, accuracy: float | None, told: bool) -> None:
    """At 1 m/s, straight and around corners: within 5 % on average, all in motion."""
    for corners in ([(0.0, 0.0), (400.0, 0.0)], BLOCKS):
        runs = [
            measured(list(drive(corners, speed=1.0, noise=noise, accuracy=accuracy, told=told, seed=seed)))
            for seed in range(6 if noise else 1)
        ]
        true = length_of(corners)
        assert sum(run.distance_m for run in runs) / len(runs) == pytest.approx(true, rel=0.05)
        assert sum(run.moving_s for run in runs) / len(runs) == pytest.approx(true, rel=0.05)


@pytest.mark.parametrize("every", [1.0, 5.0])
@pytest.mark.parametrize("speed", [4.0, 10.0])
@pytest.mark.parametrize(
    ("noise", "accuracy", "told"),
    [(None, 5.0, True), (None, None, False), (drift(5.0), 8.0, True), (gauss(5.0), 8.0, True)],
)
def test_a_ride_with_halts_keeps_its_length(
    every: float, speed: float, noise: Noise | None, accuracy: float | None, told: bool
) -> None:
    """Three halts of a minute: neither distance nor motion; the rest within 6 %."""
    corners = [(2.0 * east, 2.0 * north) for east, north in BLOCKS]
    runs = [
        measured(
            list(
                drive(
                    corners,
                    speed=speed,
                    every=every,
                    noise=noise,
                    accuracy=accuracy,
                    told=told,
                    halts=(300.0, 700.0, 1_150.0),
                    seed=seed,
                )
            )
        )
        for seed in range(6 if noise else 1)
    ]
    true = length_of(corners)
    assert sum(run.distance_m for run in runs) / len(runs) == pytest.approx(true, rel=0.06)
    off = 0.12 if accuracy else 0.3  # rough where the device says nothing but where it is
    assert sum(run.moving_s for run in runs) / len(runs) == pytest.approx(true / speed, rel=off)


def test_who_parks_after_a_drive_adds_nothing_more() -> None:
    """A courier's day: drive, an hour at the shop, drive back."""
    there = list(drive([(0.0, 0.0), (1_000.0, 0.0)], speed=10.0, accuracy=8.0))
    error = drift(5.0)(Random(1))
    drifts = [error(1.0) for _ in range(3_600)]
    shop = [fix(100.0 + n, 1_000.0 + east, north, 8.0, 0.0) for n, (east, north) in enumerate(drifts[1:], 1)]
    back = [fix(3_700.0 + n, 1_000.0 - 10.0 * n, 0.0, 8.0, 10.0) for n in range(101)]
    odometer = measured([*there, *shop, *back])
    assert odometer.distance_m == pytest.approx(2_000.0, abs=40.0)
    assert odometer.moving_s == pytest.approx(200.0, abs=15.0)


def test_one_outlier_of_a_parked_driver_is_no_way() -> None:
    """A single fix beside the spot adds no distance."""
    fixes = [fix(n, 32.0 if n == 30 else 0.0, 0.0, 12.0, 0.0) for n in range(60)]
    assert measured(fixes).distance_m == 0.0


def test_a_gap_is_a_straight_line_and_no_motion() -> None:
    """Two kilometres in ten minutes without a fix."""
    fixes = [fix(0.0, 0.0, 0.0, 5.0, 8.0), fix(600.0, 2_000.0, 0.0, 5.0, 8.0)]
    odometer = measured(fixes)
    assert odometer.distance_m == pytest.approx(2_000.0, rel=1e-3)
    assert odometer.moving_s == 0.0


def test_the_antimeridian_is_crossed_the_short_way() -> None:
    """Both driving across and standing on it."""
    fixes = [
        Fix(NOW + timedelta(seconds=n), -16.8, (179.99 + 0.0001 * n + 180.0) % 360.0 - 180.0)
        for n in range(200)
    ]
    assert measured(fixes).distance_m == pytest.approx(raw_length(fixes), rel=0.02)
    stands = [Fix(NOW + timedelta(seconds=n), -16.8, (-180.0, 180.0, 179.99999)[n % 3]) for n in range(60)]
    assert measured(stands).distance_m == 0.0


readings = st.lists(
    st.tuples(
        st.floats(0.0, 200.0),
        st.floats(-3_000.0, 3_000.0),
        st.floats(-3_000.0, 3_000.0),
        st.none() | st.floats(0.0, 500.0),
        st.none() | st.floats(0.0, 40.0),
    ),
    max_size=150,
)


@given(readings, st.sampled_from([1.0, 0.05, 0.005]))
def test_it_is_never_more_than_the_line_through_the_fixes(
    given_readings: list[tuple[float, float, float, float | None, float | None]], scale: float
) -> None:
    """Nor does it shrink, and time in motion is never more than time without gaps."""
    fixes, seconds = [], 0.0
    for step, east, north, accuracy, speed in given_readings:
        seconds += step
        fixes.append(fix(seconds, scale * east, scale * north, accuracy, speed))
    odometer = Odometer()
    for n, each in enumerate(fixes):
        odometer.add(each)
        assert 0.0 <= odometer.distance_m <= raw_length(fixes[: n + 1]) + 1e-6
    steps = [(b.recorded_at - a.recorded_at).total_seconds() for a, b in pairwise(fixes)]
    assert 0.0 <= odometer.moving_s <= sum(each for each in steps if each <= 120.0) + 1e-6


def test_memory_is_bounded() -> None:
    """However long the driver stands or crawls within one spot."""
    odometer = measured([fix(n, 0.0001 * n, 0.0, 12.0, None) for n in range(5_000)])
    spot = odometer._spot
    assert spot is not None
    assert len(spot._points) <= 64
