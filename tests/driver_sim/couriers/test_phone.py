"""A courier's phone moves at the speed that the streets and the traffic allow."""

import asyncio
from math import inf

from driver_sim.couriers.phone import Phone, Tempo
from driver_sim.motion.gps_noise import Receiver
from driver_sim.motion.jam import CRAWL, Jam
from driver_sim.motion.speed_profile import CAPS
from tracker.domain.geo import LonLat, Plane, distance
from tracker.domain.route import Leg
from tracker.domain.tracks.fix import Fix

START = LonLat(24.94, 60.17)
SPEED_UP = 20.0


class Sent(list[Fix]):
    """The fixes that the phone sent."""

    def add(self, fix: Fix) -> None:
        self.append(fix)


async def fastest(jam: Jam | None) -> float:
    """The highest speed on the way, in m/s on the street."""
    line = (START, Plane(START).to_lonlat(40.0, 0.0))
    sent, tempo = Sent(), Tempo(0.02, SPEED_UP, jam)
    phone = Phone(sent, Receiver("a", sigma=0.0), tempo, START)  # type: ignore[arg-type]
    moving = asyncio.create_task(phone.run())
    leg = Leg(line, distance(*line), 4.0)
    async with asyncio.timeout(20):
        assert await phone.drive(leg, CAPS["car"], seed="a", keep_going=lambda: True)
    moving.cancel()
    return max(fix.speed or 0.0 for fix in sent) / SPEED_UP


async def test_vehicles_crawl_in_a_jam() -> None:
    """At the jam's place; elsewhere at the usual speed."""
    jammed, free = await asyncio.gather(fastest(Jam(START, inf)), fastest(Jam(LonLat(0.0, 0.0), inf)))
    assert jammed < 1.2 * CRAWL < 3.0 < free
