"""Phone: a courier's device. Moves with the courier and sends its fixes."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from driver_sim.motion.gps_noise import Receiver
from driver_sim.motion.jam import Jam
from driver_sim.motion.ride import Motion, Ride
from driver_sim.motion.speed_profile import Caps
from driver_sim.sources.source import PositionSource
from tracker.domain.geo import LonLat
from tracker.domain.route import Leg


class Tempo(msgspec.Struct, frozen=True):
    """The seconds between fixes, the factor for the vehicles' speed, and the jam if there is one."""

    interval: float = 1.0
    speed_up: float = 1.0
    jam: Jam | None = None


class Phone:
    """The position of a courier, and its rides. `run` must be running while `drive` is called."""

    def __init__(self, source: PositionSource, receiver: Receiver, tempo: Tempo, start: LonLat) -> None:
        self.motion = Motion(start, 0.0, 0.0, 0.0)
        self._source = source
        self._receiver = receiver
        self._tempo = tempo
        self._ride: Ride | None = None
        self._moved = asyncio.Event()

    @property
    def to_go_m(self) -> float | None:
        """Metres to the end of the current ride; None between rides."""
        return None if self._ride is None else self._ride.to_go_m

    async def run(self) -> None:
        """Move, and send a fix every interval, until cancelled."""
        clock = asyncio.get_running_loop().time
        due = before = clock()
        while True:
            dt, before = clock() - before, clock()
            self._move(dt)
            self._source.add(self._receiver.read(self.motion, now(), dt or self._tempo.interval))
            self._moved.set()
            due = max(due + self._tempo.interval, clock())
            await asyncio.sleep(due - clock())

    async def drive(self, leg: Leg, caps: Caps, *, seed: str, keep_going: Callable[[], bool]) -> bool:
        """Drive the leg. Stop at once and return False when *keep_going* returns False."""
        self._ride = Ride(leg, caps, seed=seed, started_at=time.time())
        try:
            while not self._ride.arrived and keep_going():
                self._moved.clear()
                await self._moved.wait()
            return self._ride.arrived
        finally:
            self._ride = None

    def _move(self, dt: float) -> None:
        """Move by *dt* seconds. Reported speeds include the speed-up, so that they match the distances."""
        speed_up, jam = self._tempo.speed_up, self._tempo.jam
        if self._ride is not None and jam is not None:
            self._ride.speed_limit = jam.speed_limit(self.motion.at, time.time())
        moved = self.motion if self._ride is None else self._ride.advance(dt * speed_up)
        speed = 0.0 if self._ride is None else moved.speed * speed_up
        self.motion = msgspec.structs.replace(moved, speed=speed)


def now() -> datetime:
    """Return the time in whole milliseconds, as in messages: the time identifies a fix."""
    at = datetime.now(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
