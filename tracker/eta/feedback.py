"""ETA feedback: pass the fleet's forecasts and arrivals to the forecast log and the model trainer."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Final

import structlog

from tracker.database import Database
from tracker.database.eta.forecasts import select_milestone
from tracker.domain.eta.estimate import Eta
from tracker.domain.eta.live_traffic import LiveTraffic
from tracker.domain.eta.model import EtaModels
from tracker.domain.geo import distance
from tracker.domain.order import Driver, Order, StopKind, Vehicle
from tracker.domain.tracks.fix import JudgedFix
from tracker.domain.trip import Trip
from tracker.domain.view import CustomerView
from tracker.errors import StorageUnavailable
from tracker.eta.driver_speeds import KEPT_EVERY, DriverSpeeds
from tracker.eta.forecast_log import ForecastBasis, ForecastLog
from tracker.eta.trainer import ModelTrainer
from tracker.metrics import Metrics
from tracker.routing import Router
from tracker.routing.drive_analysis import analyse_drive

# Metres. A status set while the driver is further from the stop teaches nothing about the arrival.
AT_STOP_WITHIN: Final = 200.0

log = structlog.get_logger()


class EtaFeedback:
    """The forecast log, the model trainer, the driver speeds and the live traffic of one node."""

    def __init__(
        self,
        database: Database,
        forecast_log: ForecastLog,
        trainer: ModelTrainer,
        driver_speeds: DriverSpeeds,
    ) -> None:
        self.forecast_log: Final = forecast_log
        self._database, self._trainer, self._driver_speeds = database, trainer, driver_speeds
        self._traffic: defaultdict[Vehicle, LiveTraffic] = defaultdict(LiveTraffic)

    @classmethod
    @asynccontextmanager
    async def open(
        cls, database: Database, router: Router, metrics: Metrics, now: Callable[[], datetime]
    ) -> AsyncIterator["EtaFeedback"]:
        """Load the stored model and run the log's and the trainer's tasks. Raises StorageUnavailable."""
        async with (
            ForecastLog(database, metrics) as forecast_log,
            ModelTrainer(database, metrics, now, lambda sample: analyse_drive(sample, router)) as trainer,
        ):
            yield cls(database, forecast_log, trainer, DriverSpeeds(database, now))

    async def new_trip(self, driver: Driver, fixes: Sequence[JudgedFix]) -> Trip:
        """Return a trip with the newest fixes, the models, the traffic and the driver's speed factor.

        Raises StorageUnavailable.
        """
        trip = Trip(driver, fixes, self._trainer.learned)
        trip.route_progress.traffic = self._traffic[driver.vehicle]
        trip.route_progress.speed_factor = await self._driver_speeds.of(driver.number)
        return trip

    def record_forecast(self, trip: Trip, order_id: str, eta: Eta) -> None:
        """Record a forecast that a customer sees."""
        self.forecast_log.add(order_id, trip.driver.number, eta, lambda: _forecast_basis(trip))

    def record_views(self, trip: Trip, views: Iterable[CustomerView]) -> None:
        """Record the forecasts in views that customers were sent."""
        for view in views:
            if view.eta is not None:
                self.record_forecast(trip, view.order.id, view.eta)

    async def order_changed(self, order: Order, trips: Iterable[Trip]) -> None:
        """Train on the stops that the order has just reached. Call it before they leave the trips."""
        for trip in trips:
            for kind, at in _reached_stops(order, trip):
                sample = trip.arrived(order.id, kind, await self._milestone_at(order.id, kind) or at)
                if sample is not None and (sample.told or sample.passages or sample.drove_s or sample.dwell):
                    self._trainer.add_sample(sample)
        if order.ended_at is not None:
            self.forecast_log.order_ended(order.id)

    async def keep(self, trips: Callable[[], Iterable[Trip]]) -> None:
        """Pass new models to the trips, and store speed factors every 30 s. Runs until cancelled."""

        def update_trips(learned: EtaModels) -> None:
            for trip in trips():
                trip.set_model(learned)

        self._trainer.on_change = update_trips
        try:
            while True:
                await asyncio.sleep(KEPT_EVERY)
                await self._store_speed_factors(trips())
        finally:
            self._trainer.on_change = lambda _: None
            await self._store_speed_factors(trips())

    async def _store_speed_factors(self, trips: Iterable[Trip]) -> None:
        try:
            await self._driver_speeds.keep(
                {trip.driver.number: trip.route_progress.speed_factor for trip in trips}
            )
        except StorageUnavailable as error:
            log.warning("speed_factors_delayed", why=str(error))

    async def _milestone_at(self, order_id: str, kind: StopKind) -> datetime | None:
        """Return when the fixes showed the driver at the stop, which precedes the reported status."""
        with suppress(StorageUnavailable):
            return await select_milestone(self._database, order_id, kind)
        return None


def _forecast_basis(trip: Trip) -> ForecastBasis:
    newest, progress = trip.track.newest, trip.progress
    return (
        None if newest is None else newest.recorded_at,
        None if progress is None else progress.along_m,
    )


def _reached_stops(order: Order, trip: Trip) -> Iterator[tuple[StopKind, datetime]]:
    """Yield the served stops of the order that the trip still has, with the reported times."""
    newest = trip.track.newest
    reported: tuple[tuple[StopKind, datetime | None, datetime | None], ...] = (
        ("pickup", order.picked_up_at, order.assigned_at),
        ("dropoff", order.delivered_at, order.picked_up_at),
    )
    for kind, at, previous in reported:
        is_near = any(
            stop.order_id == order.id
            and stop.kind == kind
            and newest is not None
            and distance(newest.lonlat, stop.at) <= AT_STOP_WITHIN
            for stop in trip.stops
        )
        if at is not None and is_near and at != previous:  # equal times: a clamped wrong time
            yield kind, at
