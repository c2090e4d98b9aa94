"""Ride: a vehicle on one leg, at real speeds, with corners, red lights and short stops.

Pure and seeded. The same leg, seed and start time give the same ride for any step size.
"""

from math import inf
from random import Random
from typing import Final

import msgspec

from driver_sim.motion.speed_profile import TICK, Caps, SpeedProfile
from driver_sim.motion.traffic_lights import red_for
from tracker.domain.geo import LonLat
from tracker.domain.route import Leg

ARRIVED: Final = 0.5  # metres before the end that count as arrived
CREEP: Final = 0.4  # metres per second; keeps a braking vehicle from stopping before its target
HARD_BRAKING: Final = 1.6  # factor of the usual braking; no vehicle brakes harder for a light
STOPS_PER_KM: Final = 0.5  # for pedestrians, double-parked vans and the phone
STOP_SECONDS: Final = (3.0, 14.0)


class Motion(msgspec.Struct, frozen=True):
    """The true position and speed at one moment, without GPS errors."""

    at: LonLat
    speed: float  # metres per second
    heading: float  # degrees
    along_m: float


class Halt(msgspec.Struct, frozen=True):
    """A place on the leg where the vehicle may have to stop."""

    along_m: float
    light: LonLat | None  # None for a short stop
    wait_s: float = 0.0


class Ride:
    """The ride of one vehicle along one leg. Call `advance` until `arrived`."""

    def __init__(self, leg: Leg, caps: Caps, *, seed: int | str, started_at: float) -> None:
        """Start a ride at the leg's begin. *started_at* is seconds since 1970, for the lights."""
        random = Random(f"ride {seed}")
        self.speed_limit = inf  # metres per second, of the traffic around the vehicle; may change at any time
        self._profile = SpeedProfile(leg, caps, eagerness=random.uniform(0.95, 1.15))
        self._halts = _find_halts(self._profile, random)
        self._clock = started_at
        self._pending = 0.0
        self._along = 0.0
        self._speed = 0.0
        self._stopped_until = 0.0

    @property
    def length_m(self) -> float:
        return self._profile.length_m

    @property
    def to_go_m(self) -> float:
        return max(0.0, self.length_m - self._along)

    @property
    def arrived(self) -> bool:
        return self.to_go_m <= ARRIVED

    @property
    def profile(self) -> SpeedProfile:
        """The speed limits along the leg."""
        return self._profile

    def motion(self) -> Motion:
        at, heading = self._profile.at(self._along)
        return Motion(at, self._speed, heading, self._along)

    def advance(self, dt: float) -> Motion:
        """Drive for *dt* seconds in whole ticks. The remainder counts in the next call."""
        self._pending += dt
        while self._pending >= TICK - 1e-9:
            self._pending -= TICK
            self._step()
        return self.motion()

    def _step(self) -> None:
        self._clock += TICK
        caps = self._profile.caps
        slowest = max(0.0, self._speed - caps.braking * HARD_BRAKING * TICK)
        fastest = self._speed + caps.acceleration * TICK
        self._speed = max(slowest, min(fastest, self._target_speed()))
        self._along = min(self.length_m, self._along + self._speed * TICK)

    def _target_speed(self) -> float:
        if self.arrived or self._clock < self._stopped_until:
            return 0.0
        self._pass_halts()
        allowed = max(CREEP, min(self._profile.safe_speed(self._along), self.speed_limit))
        return min(allowed, self._speed_before_halt(self._halts[0])) if self._halts else allowed

    def _speed_before_halt(self, halt: Halt) -> float:
        """Return the speed that can stop at the halt. No limit if its light is green or too close."""
        ahead = halt.along_m - self._along
        if halt.light is not None:
            braking_distance = self._speed**2 / (2 * self._profile.caps.braking * HARD_BRAKING)
            if ahead < braking_distance or red_for(halt.light, self._clock) == 0.0:
                return inf
        return 0.0 if ahead <= ARRIVED else max(CREEP, self._profile.speed_to_brake_to(0.0, ahead))

    def _pass_halts(self) -> None:
        """Drop the halts that are reached: pass green lights, and begin short stops."""
        while self._halts and self._halts[0].along_m - self._along <= ARRIVED:
            halt = self._halts[0]
            passed = halt.along_m <= self._along
            if halt.light is not None and not passed and red_for(halt.light, self._clock) > 0.0:
                return
            self._halts.pop(0)
            if halt.light is None:
                self._stopped_until = self._clock + halt.wait_s


def _find_halts(profile: SpeedProfile, random: Random) -> list[Halt]:
    """Return the lights and short stops of a leg, ordered by distance."""
    halts = [Halt(profile.along[vertex], profile.place(vertex)) for vertex in profile.signals]
    along = random.expovariate(STOPS_PER_KM / 1000.0)
    while along < profile.length_m - 20.0:
        halts.append(Halt(along, None, random.uniform(*STOP_SECONDS)))
        along += random.expovariate(STOPS_PER_KM / 1000.0)
    return sorted(halts, key=lambda halt: halt.along_m)
