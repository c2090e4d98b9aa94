"""The receiver's errors are of the promised size and last as long as promised."""

from datetime import UTC, datetime, timedelta
from math import exp
from random import Random
from statistics import fmean, median

from hypothesis import given, settings
from hypothesis import strategies as st

from driver_sim.motion.gps_noise import RADIUS_68, GaussMarkov, Receiver
from driver_sim.motion.ride import Motion
from tracker.domain.geo import LonLat, distance
from tracker.domain.tracks.fix import Fix

HERE = LonLat(24.94, 60.17)
START = datetime(2026, 11, 22, 12, tzinfo=UTC)
DRIVING = Motion(HERE, 8.0, 90.0, 0.0)


def read(receiver: Receiver, motion: Motion, count: int, dt: float = 1.0) -> list[Fix]:
    return [receiver.read(motion, START + timedelta(seconds=dt * i), dt) for i in range(count)]


@settings(max_examples=6)
@given(st.integers(0, 10_000), st.floats(30, 60), st.sampled_from([0.5, 1.0, 5.0]))
def test_the_error_wanders_with_its_time_constant(seed: int, tau: float, dt: float) -> None:
    """Variance is 1 and autocorrelation falls as exp(-lag / tau), whatever the interval."""
    wander = GaussMarkov(Random(seed), tau)
    values = [wander.advance(dt) for _ in range(60_000)]
    mean = fmean(values)
    variance = fmean((value - mean) ** 2 for value in values)
    lag = round(tau / dt)
    pairs = zip(values, values[lag:], strict=False)
    correlation = fmean((a - mean) * (b - mean) for a, b in pairs) / variance
    assert 0.7 < variance < 1.35
    assert abs(correlation - exp(-1)) < 0.2


def test_errors_are_as_large_as_the_accuracy_says() -> None:
    """About 68 % of fixes lie within the accuracy they claim."""
    fixes = [fix for seed in range(60) for fix in read(Receiver(seed), DRIVING, 200, 5.0)]
    within = fmean(distance(fix.lonlat, HERE) <= (fix.accuracy or 0.0) for fix in fixes)
    assert 0.6 < within < 0.76
    assert 4.0 < median(fix.accuracy or 0.0 for fix in fixes) < 12.0


def test_some_patches_are_worse() -> None:
    """Between buildings the accuracy gets worse for a while, and recovers."""
    fixes = read(Receiver(5, sigma=5.0), DRIVING, 3600)
    usual = RADIUS_68 * 5.0
    bad = fmean((fix.accuracy or 0.0) > 2 * usual for fix in fixes)
    assert 0.01 < bad < 0.3


@given(st.integers(0, 1000), st.floats(0, 30), st.floats(0, 359.9))
def test_every_fix_is_plausible(seed: int, speed: float, heading: float) -> None:
    """No fix carries a value that the service would refuse; a standing phone has no heading."""
    for fix in read(Receiver(seed), Motion(HERE, speed, heading, 0.0), 20):
        assert fix.accuracy is not None and 3.0 <= fix.accuracy < 100.0
        assert fix.speed is not None and fix.speed >= 0.0
        assert (fix.heading is None) == (speed < 0.3)
        assert fix.heading is None or 0.0 <= fix.heading < 360.0
        assert fix.battery is not None and 0.0 < fix.battery <= 1.0


def test_the_same_seed_reads_the_same() -> None:
    """A run can be repeated exactly."""
    assert read(Receiver(9), DRIVING, 50) == read(Receiver(9), DRIVING, 50)
    assert read(Receiver(9), DRIVING, 50) != read(Receiver(10), DRIVING, 50)


def test_the_battery_only_drains() -> None:
    """A day of driving empties the battery, slowly, and never below what keeps the phone alive."""
    levels = [fix.battery or 0.0 for fix in read(Receiver(2), DRIVING, 1440, 60.0)]
    assert levels == sorted(levels, reverse=True)
    assert 0.0 < levels[-1] < levels[0]
