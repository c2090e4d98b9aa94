"""FixIntake: judges and stores the fixes of trips that this node owns, and forwards the others."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from time import perf_counter
from typing import Final, get_args

import structlog

from tracker.domain.driver.role import Role
from tracker.domain.order import Driver
from tracker.domain.tracks.fix import Fix, Rejection
from tracker.errors import (
    BusUnavailable,
    LeaseLost,
    NotFound,
    OwnerUnavailable,
    StorageUnavailable,
)
from tracker.fix_recorder import FixRecorder, Recorded
from tracker.live.drivers.milestones import MilestoneWriter
from tracker.live.drivers.trip import JudgedBatch, LiveTrip, Receipt
from tracker.live.drivers.trips import LiveTrips
from tracker.live.nodes.exchange import Exchange
from tracker.live.nodes.messages import (
    Answer,
    ForwardedFixes,
    Refused,
    Stored,
)
from tracker.live.nodes.ownership import Ownership
from tracker.metrics import Metrics, begin_at_zero

ATTEMPTS: Final = 3  # to find the owner of a trip that changes hands

log = structlog.get_logger()


class FixIntake:
    """Takes the fixes that reach this node by any way. `receive` judges them, `record` stores them."""

    def __init__(  # noqa: PLR0917 - all of them are different types
        self,
        trips: LiveTrips,
        ownership: Ownership,
        exchange: Exchange,
        recorder: FixRecorder,
        milestones: MilestoneWriter,
        metrics: Metrics,
        retention: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._trips, self._ownership, self._exchange = trips, ownership, exchange
        self._recorder, self._milestones = recorder, milestones
        self._metrics, self._retention, self._now = metrics, retention, now
        begin_at_zero(metrics.rejections, get_args(Rejection))

    async def receive(
        self,
        driver: Driver,
        readings: Sequence[Fix | Rejection],
        *,
        role: Role = "source",
        by_app: bool = False,
    ) -> JudgedBatch:
        """Judge fixes once and publish what they change; `record` stores them.

        Live views do not wait for storage: customers see the driver move before the commit. Late fixes are
        judged by the fixes stored around them; without the database, by each other only. Fixes of a trip that
        another node owns are judged there, by `record`. *by_app*: the sender reads no rejections.
        Raises NotFound, StorageUnavailable before any fix is judged.
        """
        live = await self._ownership.trip_or_owner(driver.id)
        if isinstance(live, str):
            return JudgedBatch([], [], [], [], readings=readings, role=role, by_app=by_app, owner=live)
        now, before = self._now(), live.trip.track.newest
        batch = live.receive_fixes(readings, now=now, retention=self._retention, role=role, by_app=by_app)
        batch.readings, batch.role, batch.by_app = readings, role, by_app
        self._publish_move(live, before)
        if batch.unknown:
            await self._trips.drop_stored(live, batch)
        if batch.unknown:
            async with live.recall_lock:
                before = live.trip.track.newest
                live.judge_late(batch, await self._trips.recall(live, batch.unknown), now)
                self._publish_move(live, before)
        return batch

    async def record(self, driver: Driver, batch: JudgedBatch) -> Receipt:
        """Store judged fixes here or on the node that owns the trip; return after the commit.

        Raises NotFound, StorageUnavailable. Some fixes may be stored even then; repeating the call is safe.
        """
        for _ in range(ATTEMPTS):
            while batch.again is not None:
                batch = batch.again
            try:
                if batch.owner:
                    return await self._forward(driver, batch)
                return await self._record_here(driver, batch)
            except (LeaseLost, BusUnavailable) as error:
                log.info("trip_moved", driver=driver.id, why=type(error).__name__)
            if not batch.owner:
                self._ownership.lose(driver.id)
            self._ownership.forget_owner(driver.id)
            batch.again = await self.receive(driver, batch.readings, role=batch.role, by_app=batch.by_app)
            if batch.owner and batch.again.owner == batch.owner:
                break
        raise OwnerUnavailable

    async def _record_here(self, driver: Driver, batch: JudgedBatch) -> Receipt:
        recorded = await self._commit(driver, batch) if batch.fixes else Recorded(0, 0)
        if batch.duplicates and self._recorder.in_doubt:
            raise StorageUnavailable("These fixes may be stored on one server only; send them again later.")
        duplicates = batch.duplicates + recorded.duplicates
        reasons = [rejected.reason for rejected in batch.rejected]
        self._metrics.count_fixes(recorded.stored, duplicates, reasons, batch.discarded)
        return Receipt(recorded.stored, duplicates, batch.rejected, batch.discarded)

    async def _commit(self, driver: Driver, batch: JudgedBatch) -> Recorded:
        started, live = perf_counter(), self._trips.get(driver.id)
        newest_fix = (lambda: live.trip.track.last_believed) if live and batch.doubts_newest else None
        if live is not None:
            live.recording += 1
        try:
            recorded = await self._recorder.record(driver.number, batch.fixes, batch.rejudged, newest_fix)
        finally:
            if live is not None:
                live.recording -= 1
        self._metrics.commit.observe(perf_counter() - started)
        if live is not None:
            live.verdicts.stored(batch.fixes)
        return recorded

    def _publish_move(self, live: LiveTrip, before: Fix | None) -> None:
        """Publish what the newest fix changed, unless it is still *before*."""
        if live.trip.track.newest is not before:
            self._trips.publish(live)
            self._milestones.add(live.take_milestones())

    async def _forward(self, driver: Driver, batch: JudgedBatch) -> Receipt:
        """Store the fixes on the node that owns the trip. Raises LeaseLost, BusUnavailable."""
        request = ForwardedFixes(driver.id, list(batch.readings), batch.role, batch.by_app)
        match await self._exchange.ask(batch.owner, request):
            case Stored(receipt=receipt):
                return receipt
            case Refused(why="storage"):
                raise StorageUnavailable("The owner of this driver's trip has no database; retry later.")
            case Refused(why="unknown"):
                raise NotFound("driver")
        raise LeaseLost

    async def answer_fixes(self, request: ForwardedFixes) -> Answer:
        """Store fixes that reached another node."""
        if not self._ownership.owns(request.driver_id):
            return Refused("not_owner")
        try:
            driver = (await self._trips.of(request.driver_id)).trip.driver
            batch = await self.receive(driver, request.readings, role=request.role, by_app=request.by_app)
            if batch.owner:
                return Refused("not_owner")
            return Stored(await self._record_here(driver, batch))
        except LeaseLost:
            self._ownership.lose(request.driver_id)
            return Refused("not_owner")
        except NotFound:
            return Refused("unknown")
        except StorageUnavailable:
            return Refused("storage")
