"""Receiver: a phone's GPS with its errors. Pure and seeded.

The position error is a first-order Gauss-Markov process. It drifts with a time constant, as in real
receivers, so that filters meet realistic errors. White noise would average out.
"""

from datetime import datetime
from math import exp, log, sqrt
from random import Random
from typing import Final

from driver_sim.motion.ride import Motion
from tracker.domain.geo import Plane
from tracker.domain.tracks.fix import Fix

STANDING: Final = 0.3  # metres per second, below which a receiver has no heading
RADIUS_68: Final = sqrt(-2.0 * log(1.0 - 0.68))  # of a circular 2-D Gaussian, in sigmas: 1.51
PATCH_INTERVAL: Final = 240.0  # seconds between patches of poor reception (yards, tunnels, narrow streets)
PATCH_DURATION: Final = 25.0
PATCH_SCALE: Final = 3.0
SCALE_TAU: Final = 8.0  # seconds; time constant of the error's scale
BATTERY_PER_HOUR: Final = 0.09  # screen on, GPS on
MIN_BATTERY: Final = 0.04


class GaussMarkov:
    """A Gauss-Markov process of variance 1 and autocorrelation exp(-dt / tau)."""

    def __init__(self, random: Random, tau: float) -> None:
        self._random = random
        self._tau = tau
        self.value = random.gauss(0.0, 1.0)

    def advance(self, dt: float) -> float:
        correlation = exp(-dt / self._tau)
        self.value = correlation * self.value + sqrt(1.0 - correlation * correlation) * self._random.gauss(
            0.0, 1.0
        )
        return self.value


class Receiver:
    """The receiver of one phone: position error, reported accuracy, battery."""

    def __init__(self, seed: int | str, *, sigma: float | None = None, tau: float | None = None) -> None:
        """*sigma*: metres on each axis with open sky (default 4..6). *tau*: seconds (default 30..60)."""
        self._random = Random(f"receiver {seed}")
        self.sigma = self._random.uniform(4.0, 6.0) if sigma is None else sigma
        self.tau = self._random.uniform(30.0, 60.0) if tau is None else tau
        self._east = GaussMarkov(self._random, self.tau)
        self._north = GaussMarkov(self._random, self.tau)
        self._scale = 1.0
        self._in_patch = False
        self._battery = self._random.uniform(0.55, 1.0)

    def read(self, motion: Motion, recorded_at: datetime, dt: float) -> Fix:
        """Return the fix of this moment, *dt* seconds after the previous one."""
        self._update_patch(dt)
        sigma = self.sigma * self._scale
        east, north = sigma * self._east.advance(dt), sigma * self._north.advance(dt)
        measured = Plane(motion.at).to_lonlat(east, north)
        self._battery = max(MIN_BATTERY, self._battery - BATTERY_PER_HOUR * dt / 3600.0)
        return Fix(
            recorded_at=recorded_at,
            lat=round(measured.lat, 7),
            lon=round(measured.lon, 7),
            accuracy=self._read_accuracy(sigma),
            speed=self._read_speed(motion),
            heading=self._read_heading(motion),
            battery=round(self._battery, 2),
        )

    def _update_patch(self, dt: float) -> None:
        mean_duration = PATCH_DURATION if self._in_patch else PATCH_INTERVAL
        if self._random.random() < 1.0 - exp(-dt / mean_duration):
            self._in_patch = not self._in_patch
        target = PATCH_SCALE if self._in_patch else 1.0
        self._scale += (target - self._scale) * (1.0 - exp(-dt / SCALE_TAU))

    def _read_accuracy(self, sigma: float) -> float:
        """Return the reported 68 % radius: roughly right, with a floor of 3 m."""
        return round(max(3.0, RADIUS_68 * sigma * self._random.lognormvariate(0.0, 0.15)), 1)

    def _read_speed(self, motion: Motion) -> float:
        """Return the Doppler speed, far more precise than the position. 0 when standing."""
        if motion.speed < STANDING:
            return 0.0
        return round(max(0.0, motion.speed + self._random.gauss(0.0, 0.15)), 2)

    def _read_heading(self, motion: Motion) -> float | None:
        """Return the heading, noisier at low speed. None when standing."""
        if motion.speed < STANDING:
            return None
        heading = motion.heading + self._random.gauss(0.0, min(40.0, 2.0 + 12.0 / motion.speed))
        return round(heading % 360.0, 1) % 360.0
