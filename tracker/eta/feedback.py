"""Hindsight: what the fleet hands on so that forecasts can be judged, and the next ones are better."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Final

import structlog

from tracker.database import Database
from tracker.database.forecasts import select_milestone
from tracker.domain.eta.estimate import Eta
from tracker.domain.eta.model import ArrivalSample, Learned
from tracker.domain.geo import distance
from tracker.domain.order import Driver, Order, StopKind
from tracker.domain.tracks.track import JudgedFix
from tracker.domain.trip import Trip
from tracker.errors import StorageUnavailable
from tracker.eta.driver_speeds import KEPT_EVERY, DriverSpeeds
from tracker.eta.forecast_log import ForecastLog, Knew
from tracker.eta.trainer import ModelTrainer
from tracker.metrics import Metrics
from tracker.routing import Router
from tracker.routing.drive_analysis import judged

# A status that was set while the driver was further off than that tells no arrival; metres.
THERE: Final = 200.0

log = structlog.get_logger()


class EtaFeedback:
    """The account of what was shown, what arrivals teach, and each driver's pace, for one fleet."""

    def __init__(
        self, database: Database, account: ForecastLog, learner: ModelTrainer, paces: DriverSpeeds
    ) -> None:
        self.account: Final = account
        self._database, self._learner, self._paces = database, learner, paces

    @classmethod
    @asynccontextmanager
    async def open(
        cls, database: Database, router: Router, metrics: Metrics, now: Callable[[], datetime]
    ) -> AsyncIterator["EtaFeedback"]:
        """Goes on with what was learned before. Raises StorageUnavailable."""
        async with (
            ForecastLog(database, metrics) as account,
            ModelTrainer(database, metrics, now, lambda lesson: judged(lesson, router)) as learner,
        ):
            yield cls(database, account, learner, DriverSpeeds(database, now))

    async def new_trip(self, driver: Driver, known: Sequence[JudgedFix]) -> Trip:
        """A trip that begins with its newest fixes, what was learned, and how fast the driver was lately."""
        trip = Trip(driver, known, self._learner.learned)
        trip.course.pace = await self._paces.of(driver.number)
        return trip

    def shown(self, trip: Trip, order_id: str, eta: Eta) -> None:
        """Somebody sees this forecast."""
        self.account.show(order_id, trip.driver.number, eta, lambda: _knew(trip))

    async def order_changed(self, order: Order, trips: Iterable[Trip]) -> None:
        """The stops that the order has just reached teach something, before they leave these trips."""
        for trip in trips:
            for kind, at in _reached(order, trip):
                lesson = trip.arrived(order.id, kind, await self._seen_at(order.id, kind) or at)
                if lesson is not None and _teaches(lesson):
                    self._learner.teach(lesson)
        if order.ended_at is not None:
            self.account.arrived(order.id)

    async def keep(self, trips: Callable[[], Iterable[Trip]]) -> None:
        """Hands new knowledge to the trips, and writes their drivers' paces now and then, until cancelled."""

        def hand_over(learned: Learned) -> None:
            for trip in trips():
                trip.learns_from(learned)

        self._learner.on_change = hand_over
        try:
            while True:
                await asyncio.sleep(KEPT_EVERY)
                await self._keep_paces(trips())
        finally:
            self._learner.on_change = lambda _: None
            await self._keep_paces(trips())

    async def _keep_paces(self, trips: Iterable[Trip]) -> None:
        try:
            await self._paces.keep({trip.driver.number: trip.course.pace for trip in trips})
        except StorageUnavailable as error:
            log.warning("paces_wait", why=str(error))

    async def _seen_at(self, order_id: str, kind: StopKind) -> datetime | None:
        """When the positions showed the driver there, which is earlier than somebody says so."""
        with suppress(StorageUnavailable):
            return await select_milestone(self._database, order_id, kind)
        return None


def _knew(trip: Trip) -> Knew:
    newest, progress = trip.track.newest, trip.progress
    return (
        None if newest is None else newest.recorded_at,
        None if progress is None else progress.along_m,
    )


def _reached(order: Order, trip: Trip) -> Iterator[tuple[StopKind, datetime]]:
    """The stops of the order that the trip still has though they are served, and when that was said."""
    newest = trip.track.newest
    said: tuple[tuple[StopKind, datetime | None, datetime | None], ...] = (
        ("pickup", order.picked_up_at, order.assigned_at),
        ("dropoff", order.delivered_at, order.picked_up_at),
    )
    for kind, at, previous in said:
        there = any(
            stop.order_id == order.id
            and stop.kind == kind
            and newest is not None
            and distance(newest.lonlat, stop.at) <= THERE
            for stop in trip.stops
        )
        if at is not None and there and at != previous:  # equal: a wrong time, clamped, which teaches nothing
            yield kind, at


def _teaches(lesson: ArrivalSample) -> bool:
    return bool(lesson.told or lesson.passages or lesson.drove_s or lesson.dwell)
