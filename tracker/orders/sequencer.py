"""Sequencer: finds the stop sequence that takes least driving, by the router's matrix."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from math import inf
from typing import Final

from tracker.domain.eta.model import STRAIGHT_SPEED
from tracker.domain.geo import LonLat, distance
from tracker.domain.order import StopKind, Vehicle
from tracker.domain.route import Stop
from tracker.domain.stops.schedule import Matrix, Timing
from tracker.domain.stops.stop_sequence import best_sequence, insertion
from tracker.errors import NoSequence
from tracker.routing import Router

MAX_STOPS: Final = 100  # of one driver

type StopKey = tuple[str, StopKind]


class Sequencer:
    """Computes stop sequences; has no state of its own."""

    def __init__(self, router: Router) -> None:
        self._router = router

    async def best(
        self, stops: Sequence[Stop], vehicle: Vehicle, at: LonLat | None, now: datetime
    ) -> list[StopKey]:
        """Return the quickest sequence from the driver's position *at*, a pickup before its dropoff.

        It also keeps the stops' times, where possible (`domain/stops/schedule.py`).
        Raises NoSequence if there are too many stops, RouterUnavailable.
        """
        start, seconds = await self._seconds(stops, vehicle, at)
        found = await asyncio.to_thread(
            best_sequence, start, seconds, _pickups_before(stops), _timing(stops, now)
        )
        if found is None:
            raise NoSequence("No route leads through all of the driver's stops.")
        return [_key(stops[n]) for n in found]

    async def insert(
        self,
        stops: Sequence[Stop],
        order_ids: Sequence[str],
        vehicle: Vehicle,
        now: datetime,
        at: LonLat | None = None,
    ) -> list[StopKey]:
        """Return the sequence with the orders' stops inserted, one by one, where they delay the others least.

        The first of the other stops stays first if it is open, because the driver is on the way there.
        Otherwise stops that can be served before it opens may precede it, from the driver's position *at*.
        Raises NoSequence, RouterUnavailable.
        """
        start, seconds = await self._seconds(stops, vehicle, at)
        timing = _timing(stops, now)
        new = [[n for n, stop in enumerate(stops) if stop.order_id == order_id] for order_id in order_ids]
        old = [n for n, stop in enumerate(stops) if stop.order_id not in order_ids]
        fixed = sum(timing.opens[stop] <= 0.0 for stop in old[:1])

        def inserted() -> list[int]:
            found = old
            for one in new:
                found = insertion(found, one, start, seconds, fixed=fixed, timing=timing)
            return found

        return [_key(stops[n]) for n in await asyncio.to_thread(inserted)]

    async def _seconds(
        self, stops: Sequence[Stop], vehicle: Vehicle, at: LonLat | None
    ) -> tuple[Sequence[float], Matrix]:
        """Return the seconds from the driver to each stop, and between all stops."""
        if len(stops) > MAX_STOPS:
            raise NoSequence(f"The driver has {len(stops)} stops; at most {MAX_STOPS} can be sequenced.")
        places = [stop.at for stop in stops]
        if at is None:
            return [0.0] * len(stops), _fill_gaps(places, await self._router.matrix(places, vehicle), vehicle)
        places = [at, *places]
        from_driver, *rows = _fill_gaps(places, await self._router.matrix(places, vehicle), vehicle)
        return from_driver[1:], [row[1:] for row in rows]


def _fill_gaps(places: Sequence[LonLat], seconds: Matrix, vehicle: Vehicle) -> list[list[float]]:
    """Fill missing durations by straight lines, so that one unreachable stop does not spoil the sequence."""
    speed = STRAIGHT_SPEED[vehicle]
    return [
        [value if value < inf else distance(a, b) / speed for b, value in zip(places, row, strict=True)]
        for a, row in zip(places, seconds, strict=True)
    ]


def _key(stop: Stop) -> StopKey:
    return stop.order_id, stop.kind


def _timing(stops: Sequence[Stop], now: datetime) -> Timing:
    """Return the stops' times in seconds from *now*; an unset service time counts as 0."""

    def seconds_to(at: datetime | None, never: float) -> float:
        return never if at is None else (at - now).total_seconds()

    return Timing(
        opens=[seconds_to(stop.opens_at, -inf) for stop in stops],
        closes=[seconds_to(stop.closes_at, inf) for stop in stops],
        service=[stop.service_s or 0.0 for stop in stops],
    )


def _pickups_before(stops: Sequence[Stop]) -> dict[int, int]:
    """Return the index of the remaining pickup for each dropoff's index."""
    pickups = {stop.order_id: n for n, stop in enumerate(stops) if stop.kind == "pickup"}
    return {
        n: pickups[stop.order_id]
        for n, stop in enumerate(stops)
        if stop.kind == "dropoff" and stop.order_id in pickups
    }
