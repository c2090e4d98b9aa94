"""LoadDriver: a driver on a tour with the customers of its order. It sends a fix whenever it is told to."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from random import Random
from time import time
from typing import Final

from driver_sim.load.tours import Tour
from driver_sim.load.watcher import Watcher
from driver_sim.motion.gps_noise import Receiver
from driver_sim.motion.ride import Ride
from driver_sim.motion.speed_profile import CAPS
from driver_sim.sources.source import PositionSource
from tracker.domain.order import Place, Vehicle
from tracker.domain.tracks.fix import Fix

REMEMBERED: Final = 600  # fixes of one driver whose due times are known
LONGEST_HEAD_START: Final = 120.0  # seconds that a driver may already be on its way

type OnLatency = Callable[[float], None]


class LoadDriver:
    """One driver. `send_fix` moves it by the time since the last fix. It waits at the end of each leg."""

    def __init__(
        self, number: int, driver_id: str, source: PositionSource, tour: Tour, vehicle: Vehicle
    ) -> None:
        self.id, self.source = driver_id, source
        self.order_id = ""
        self.watchers: list[Watcher] = []  # of the present order
        self.newest: datetime | None = None  # time of the last fix
        self.joined = False  # whether it sends fixes
        self.on_stored: OnLatency = lambda seconds: None  # from the due time of a fix to its answer
        self._tour, self._vehicle = tour, vehicle
        self._random = Random(f"load {number}")
        self._receiver = Receiver(f"load {number}")
        self._leg = self._random.randrange(len(tour.legs))
        self._ride = self._start_leg()
        self._ride.advance(self._random.uniform(0.0, LONGEST_HEAD_START))
        self._arrived = asyncio.Event()
        self._due: OrderedDict[datetime, float] = OrderedDict()
        self._clock = asyncio.get_running_loop().time
        source.on_stored = self._measure

    @property
    def ends(self) -> tuple[Place, Place]:
        """Where the present leg begins and ends."""
        return self._tour.ends(self._leg)

    def send_fix(self, recorded_at: datetime, due: float, dt: float) -> None:
        """Move by *dt* seconds and send the fix that was *due* then, on the loop's clock."""
        motion = self._ride.advance(dt)
        self._due[recorded_at] = due
        if len(self._due) > REMEMBERED:
            self._due.popitem(last=False)
        self.newest = recorded_at
        self.source.add(self._receiver.read(motion, recorded_at, dt))
        if self._ride.arrived:
            self._arrived.set()

    def age(self, recorded_at: datetime) -> float | None:
        """Return the seconds since a fix was due; None for a fix of long ago."""
        due = self._due.get(recorded_at)
        return None if due is None else self._clock() - due

    async def drive(self, next_order: Callable[["LoadDriver"], Awaitable[None]]) -> None:
        """Let customers watch the present order, and take the next one at the end of each leg."""
        while True:
            async with asyncio.TaskGroup() as customers:
                watching = [customers.create_task(one.run()) for one in self.watchers]
                await self._arrived.wait()
                self._leg += 1
                await next_order(self)
                for task in watching:
                    task.cancel()
            self._ride = self._start_leg()
            self._arrived.clear()

    def _start_leg(self) -> Ride:
        seed = str(self._random.random())
        return Ride(self._tour.leg(self._leg), CAPS[self._vehicle], seed=seed, started_at=time())

    def _measure(self, fixes: Iterable[Fix]) -> None:
        for fix in fixes:
            age = self.age(fix.recorded_at)
            if age is not None:
                self.on_stored(age)
