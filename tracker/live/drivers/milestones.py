"""MilestoneWriter: writes milestones into timelines, and where drivers stopped into access points."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final, NamedTuple, get_args

from tracker.database import Database
from tracker.database.access_points import lock_access_points, replace_access_points
from tracker.database.events.milestones import select_milestones
from tracker.domain.arrival.access_points import add_stop, place_key, stopping_place
from tracker.domain.arrival.milestone import Milestone, MilestoneReached
from tracker.domain.geo import LonLat
from tracker.domain.order import Order
from tracker.domain.route import Stop
from tracker.live.drivers.trip import LiveTrip
from tracker.metrics import Metrics, begin_at_zero
from tracker.write_behind import WriteBehind

QUEUE_SIZE: Final = 10_000  # milestones, and as many served stops
RETRY_EVERY_S: Final = 1.0


class ServedStop(NamedTuple):
    """What a served stop teaches: the place, where the driver stopped and for how many seconds."""

    place: str  # see `place_key`
    at: LonLat
    dwell_s: float | None


class MilestoneWriter:
    """Queues milestones and served stops; two tasks write them one by one, during `running`.

    *insert* stores a milestone and returns whether it was new.
    """

    def __init__(
        self,
        database: Database,
        insert: Callable[[str, Milestone, datetime], Awaitable[bool]],
        metrics: Metrics,
    ) -> None:
        self._database, self._insert, self._metrics = database, insert, metrics
        begin_at_zero(metrics.milestones, get_args(Milestone))
        self._milestones = WriteBehind(
            self._insert_milestones,
            size=QUEUE_SIZE,
            batch=1,
            every_s=RETRY_EVERY_S,
            delayed="milestones_delayed",
            failed="milestones_rejected",
        )
        self._served = WriteBehind(
            self._update_access_points,
            size=QUEUE_SIZE,
            batch=1,
            every_s=RETRY_EVERY_S,
            delayed="access_points_delayed",
            failed="access_points_rejected",
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write during the block, and what is left at its end."""
        async with self._milestones, self._served:
            yield

    def add(self, reached: Iterable[MilestoneReached]) -> None:
        """Queue milestones; never wait."""
        for one in reached:
            self._milestones.add(one)
            self._milestones.wake()

    def order_changed(self, order: Order, lives: Iterable[LiveTrip]) -> None:
        """Confirm milestones and learn from stops once the order is picked up or delivered.

        Call it before the stop leaves the trip.
        """
        for live in lives:
            if (at := order.delivered_at) is not None:
                self.add(live.milestones.confirm_delivery(order, at))
            for served in _served_stops(order, live):
                self._served.add(served)
                self._served.wake()

    async def recorded(self, order_ids: set[str]) -> dict[str, dict[Milestone, datetime]]:
        """Return the orders' milestones, stored or queued. Raises StorageUnavailable."""
        queued = [reached for reached in self._milestones if reached.order_id in order_ids]
        found = await select_milestones(self._database, order_ids) if order_ids else {}
        for order_id, kind, at in queued:
            found.setdefault(order_id, {}).setdefault(kind, at)
        return found

    async def _insert_milestones(self, reached: Sequence[MilestoneReached]) -> None:
        for order_id, kind, at in reached:
            if await self._insert(order_id, kind, at):
                self._metrics.milestones.labels(kind).inc()

    async def _update_access_points(self, served: Sequence[ServedStop]) -> None:
        for place, at, dwell_s in served:
            async with self._database.transaction() as connection:
                points = await lock_access_points(connection, place)
                await replace_access_points(connection, place, add_stop(points, at, dwell_s))


def _served_stops(order: Order, live: LiveTrip) -> Iterator[ServedStop]:
    """Yield the stops that the order has served and the trip still holds, where the fixes show them."""
    for stop in live.trip.stops:
        served_at = order.picked_up_at if stop.kind == "pickup" else order.delivered_at
        if stop.order_id != order.id or served_at is None:
            continue
        place = order.place(stop.kind)
        stood = stopping_place(live.milestones.fixes, place.lonlat, served_at)
        if stood is not None:
            arrived = live.milestones.arrived_at(order.id, stop.kind)
            dwell_s = None if arrived is None else _dwell_s(arrived, served_at, stop)
            yield ServedStop(place_key(place), stood, dwell_s)


def _dwell_s(arrived: datetime, served_at: datetime, stop: Stop) -> float:
    """Return the seconds that the stop took, without the wait for it to open."""
    started = arrived if stop.opens_at is None else max(arrived, stop.opens_at)
    return max((served_at - started).total_seconds(), 0.0)
