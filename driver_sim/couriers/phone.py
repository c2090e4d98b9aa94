"""Phone: what travels with a courier; tells where it is, driving or standing."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from driver_sim.client.client import DriverClient
from driver_sim.motion.gps_noise import Receiver
from driver_sim.motion.ride import Motion, Ride
from driver_sim.motion.speed_profile import Caps
from tracker.domain.geo import LonLat
from tracker.domain.route import Leg


class Tempo(msgspec.Struct, frozen=True):
    """How a run goes: seconds between fixes, and how much faster than real the vehicles are."""

    interval: float = 1.0
    speed_up: float = 1.0


class Phone:
    """`carry` it all day; `drive` to get from place to place."""

    def __init__(self, client: DriverClient, receiver: Receiver, tempo: Tempo, start: LonLat) -> None:
        self.motion = Motion(start, 0.0, 0.0, 0.0)
        self._client = client
        self._receiver = receiver
        self._tempo = tempo
        self._ride: Ride | None = None
        self._moved = asyncio.Event()

    @property
    def to_go_m(self) -> float | None:
        """Metres to the end of the present drive; None while standing."""
        return None if self._ride is None else self._ride.to_go_m

    async def run(self) -> None:
        """A fix every interval."""
        clock = asyncio.get_running_loop().time
        due = before = clock()
        while True:
            dt, before = clock() - before, clock()
            self._move(dt)
            self._client.add(self._receiver.read(self.motion, now(), dt or self._tempo.interval))
            self._moved.set()
            due = max(due + self._tempo.interval, clock())
            await asyncio.sleep(due - clock())

    async def drive(self, leg: Leg, caps: Caps, *, seed: str, keep_going: Callable[[], bool]) -> bool:
        """Whether the leg's end was reached; ends where it is as soon as it is not `wanted` any more."""
        self._ride = Ride(leg, caps, seed=seed, started_at=time.time())
        try:
            while not self._ride.arrived and keep_going():
                self._moved.clear()
                await self._moved.wait()
            return self._ride.arrived
        finally:
            self._ride = None

    def _move(self, dt: float) -> None:
        """Speeds grow with the tempo, so that they fit the distances."""
        speed_up = self._tempo.speed_up
        moved = self.motion if self._ride is None else self._ride.advance(dt * speed_up)
        speed = 0.0 if self._ride is None else moved.speed * speed_up
        self.motion = msgspec.structs.replace(moved, speed=speed)


def now() -> datetime:
    """To the millisecond, as the wire has it: a fix is known by its time."""
    at = datetime.now(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
