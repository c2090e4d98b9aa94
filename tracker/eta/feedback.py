"""ETA feedback: pass the fleet's forecasts and arrivals to the forecast log and the model trainer."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Final

import structlog

from tracker.database import Database
from tracker.database.forecasts import select_milestone
from tracker.domain.eta.estimate import Eta
from tracker.domain.eta.model import ArrivalSample, EtaModels
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
from tracker.routing.drive_analysis import analyse_drive

# Metres. A status set while the driver is further from the stop teaches nothing about the arrival.
THERE: Final = 200.0

log = structlog.get_logger()


class EtaFeedback:
    """The forecast log, the model trainer and the driver speeds of one fleet."""

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
        """Load the stored model and run the log's and the trainer's tasks. Raises StorageUnavailable."""
        async with (
            ForecastLog(database, metrics) as account,
            ModelTrainer(database, metrics, now, lambda lesson: analyse_drive(lesson, router)) as learner,
        ):
            yield cls(database, account, learner, DriverSpeeds(database, now))

    async def new_trip(self, driver: Driver, known: Sequence[JudgedFix]) -> Trip:
        """Return a trip with the newest fixes, the learned models and the driver's speed factor.

        Raises StorageUnavailable.
        """
        trip = Trip(driver, known, self._learner.learned)
        trip.course.speed_factor = await self._paces.of(driver.number)
        return trip

    def shown(self, trip: Trip, order_id: str, eta: Eta) -> None:
        """Record a forecast that a customer sees."""
        self.account.show(order_id, trip.driver.number, eta, lambda: _knew(trip))

    async def order_changed(self, order: Order, trips: Iterable[Trip]) -> None:
        """Train on the stops that the order has just reached. Call it before they leave the trips."""
        for trip in trips:
            for kind, at in _reached(order, trip):
                lesson = trip.arrived(order.id, kind, await self._seen_at(order.id, kind) or at)
                if lesson is not None and _teaches(lesson):
                    self._learner.teach(lesson)
        if order.ended_at is not None:
            self.account.arrived(order.id)

    async def keep(self, trips: Callable[[], Iterable[Trip]]) -> None:
        """Pass new models to the trips, and store speed factors every 30 s. Runs until cancelled."""

        def hand_over(learned: EtaModels) -> None:
            for trip in trips():
                trip.set_model(learned)

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
            await self._paces.keep({trip.driver.number: trip.course.speed_factor for trip in trips})
        except StorageUnavailable as error:
            log.warning("speed_factors_delayed", why=str(error))

    async def _seen_at(self, order_id: str, kind: StopKind) -> datetime | None:
        """Return when the fixes showed the driver at the stop, which precedes the reported status."""
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
    """Yield the served stops of the order that the trip still has, with the reported times."""
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
        if at is not None and there and at != previous:  # equal times: a clamped wrong time
            yield kind, at


def _teaches(lesson: ArrivalSample) -> bool:
    return bool(lesson.told or lesson.passages or lesson.drove_s or lesson.dwell)
