"""FixIntake: judges and stores the fixes of trips that this node owns, and forwards the others."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from time import monotonic, perf_counter
from typing import Final

import structlog

from tracker.domain.driver.role import Role
from tracker.domain.order import Driver
from tracker.domain.tracks.fix import Fix, Rejection
from tracker.errors import BusUnavailable, LeaseLost, NotFound, OwnerUnavailable, StorageUnavailable
from tracker.fix_recorder import FixRecorder, Recorded
from tracker.live.drivers.connections import DriverConnections
from tracker.live.drivers.milestones import MilestoneWriter
from tracker.live.drivers.trip import JudgedBatch, LiveTrip, Receipt
from tracker.live.drivers.trips import LiveTrips
from tracker.live.nodes.exchange import Exchange
from tracker.live.nodes.leases import Leases
from tracker.live.nodes.messages import Answer, Done, ForwardedFixes, Refused, ReleaseTrip, Stored, TripOwned
from tracker.metrics import Metrics

ATTEMPTS: Final = 3  # to find the owner of a trip that changes hands
RELEASE_WITHIN_S: Final = 3.0  # the commits in flight
RELEASE_RETRY_S: Final = 5.0  # after an owner has refused to release a trip
OWNERS_KEPT: Final = 10_000
IDLE_AFTER: Final = timedelta(seconds=60)
IDLE_WITHOUT_BUS_AFTER: Final = timedelta(seconds=5)

log = structlog.get_logger()


class FixIntake:
    """Takes the fixes that reach this node by any way. `receive` judges them, `record` stores them."""

    def __init__(  # noqa: PLR0917 - all of them are different types
        self,
        trips: LiveTrips,
        connections: DriverConnections,
        leases: Leases,
        exchange: Exchange,
        recorder: FixRecorder,
        milestones: MilestoneWriter,
        metrics: Metrics,
        retention: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._trips, self._leases, self._exchange = trips, leases, exchange
        self._connections, self._recorder, self._milestones = connections, recorder, milestones
        self._metrics, self._retention, self._now = metrics, retention, now
        self._elsewhere: dict[str, str] = {}  # the owners of other nodes' trips, by driver
        self._release_after: dict[str, float] = {}  # when to ask such an owner again, by driver
        self._taking: dict[str, asyncio.Lock] = {}

    # --- fixes

    async def receive(
        self, driver: Driver, readings: Sequence[Fix | Rejection], *, role: Role = "source"
    ) -> JudgedBatch:
        """Judge fixes once and publish what they change; `record` stores them.

        Live views do not wait for storage: customers see the driver move before the commit. Late fixes are
        judged by the fixes stored around them; without the database, by each other only. Fixes of a trip that
        another node owns are judged there, by `record`.
        Raises NotFound, StorageUnavailable before any fix is judged.
        """
        live = await self._own_trip(driver.id)
        if isinstance(live, str):
            return JudgedBatch([], [], [], [], readings=readings, role=role, owner=live)
        now, before = self._now(), live.trip.track.newest
        batch = live.receive_fixes(readings, now=now, retention=self._retention, role=role)
        batch.readings, batch.role = readings, role
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
                self.lose(driver.id)
            self._forget_owner(driver.id)
            batch.again = await self.receive(driver, batch.readings, role=batch.role)
            if batch.owner and batch.again.owner == batch.owner:
                break
        raise OwnerUnavailable

    async def _record_here(self, driver: Driver, batch: JudgedBatch) -> Receipt:
        recorded = await self._commit(driver, batch) if batch.fixes else Recorded(0, 0)
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

    # --- ownership

    async def _own_trip(self, driver_id: str) -> LiveTrip | str:
        """Return the trip, owned and ready for fixes; or the node that owns it.

        Raises NotFound, StorageUnavailable.
        """
        while True:
            owner = "" if self._leases.owns(driver_id) else await self._find_owner(driver_id)
            if owner:
                return owner
            live = await self._trips.of(driver_id)
            if live.duty_lock.locked():  # a change of duty, or a release
                async with live.duty_lock:
                    continue
            if self._leases.owns(driver_id) or self._leases.alone:
                return live

    async def _find_owner(self, driver_id: str) -> str:
        """Return the other node that owns the trip; "" if this one does now."""
        lock = self._taking.setdefault(driver_id, asyncio.Lock())
        try:
            async with lock:
                if self._leases.owns(driver_id):
                    return ""
                known, wanted = self._elsewhere.get(driver_id), self._is_wanted(driver_id)
                if known is not None and not wanted:
                    return known
                return await self._take(driver_id, wanted=wanted)
        finally:
            if not lock.locked():
                self._taking.pop(driver_id, None)

    def _is_wanted(self, driver_id: str) -> bool:
        """Whether to ask the owner for the trip: its driver's position source is connected here."""
        if not self._connections.has_source(driver_id):
            return False
        return self._release_after.get(driver_id, 0.0) <= monotonic()

    async def _take(self, driver_id: str, *, wanted: bool) -> str:
        try:
            owner = await self._leases.take(driver_id)
            if owner.node != self._exchange.node and wanted:
                if await self._ask_for_release(owner.node, driver_id):
                    owner = await self._leases.take(driver_id)
                else:
                    self._release_after[driver_id] = monotonic() + RELEASE_RETRY_S
        except StorageUnavailable:
            if self._leases.alone and self._trips.get(driver_id) is not None:
                return ""  # nothing can be stored, but customers see the driver move
            raise
        if owner.node != self._exchange.node:
            if len(self._elsewhere) >= OWNERS_KEPT:
                self._elsewhere.clear()
                self._release_after.clear()
            self._elsewhere[driver_id] = owner.node
            return owner.node
        self._forget_owner(driver_id)
        live = self._trips.get(driver_id)
        if live is not None and live.generation not in (owner.generation, owner.generation - 1):
            self._trips.reload(driver_id)  # another node has owned it since it was read
        elif live is not None:
            live.generation = owner.generation
        self._exchange.publish_driver(driver_id, TripOwned(driver_id, owner.node))
        return ""

    async def release_idle(self) -> None:
        """Give up trips whose drivers have neither a connection here nor sent a fix lately.

        Without the bus that is all that lets a driver move to another node, so it happens sooner.
        """
        if self._leases.alone:
            return
        idle_after = IDLE_AFTER if self._exchange.bus.connected else IDLE_WITHOUT_BUS_AFTER
        idle = [one for one in self._leases.owned if self._is_idle(one, idle_after)]
        with suppress(StorageUnavailable):
            await self._leases.release(idle)

    def _is_idle(self, driver_id: str, idle_after: timedelta) -> bool:
        live = self._trips.get(driver_id)
        if driver_id in self._connections or (live is not None and live.recording):
            return False
        return live is None or live.heard_at is None or self._now() - live.heard_at > idle_after

    def lose(self, driver_id: str) -> None:
        """Drop a trip that another node owns now."""
        self._leases.forget(driver_id)
        self._trips.reload(driver_id)

    def _forget_owner(self, driver_id: str) -> None:
        """Forget which other node owns the driver's trip, so that the next fix asks the database."""
        self._elsewhere.pop(driver_id, None)
        self._release_after.pop(driver_id, None)

    # --- between nodes

    async def _forward(self, driver: Driver, batch: JudgedBatch) -> Receipt:
        """Store the fixes on the node that owns the trip. Raises LeaseLost, BusUnavailable."""
        request = ForwardedFixes(driver.id, list(batch.readings), batch.role)
        match await self._exchange.ask(batch.owner, request):
            case Stored(receipt=receipt):
                return receipt
            case Refused(why="storage"):
                raise StorageUnavailable("The owner of this driver's trip has no database; retry later.")
            case Refused(why="unknown"):
                raise NotFound("driver")
        raise LeaseLost

    async def _ask_for_release(self, node: str, driver_id: str) -> bool:
        try:
            return isinstance(await self._exchange.ask(node, ReleaseTrip(driver_id)), Done)
        except BusUnavailable:
            return False

    async def answer_fixes(self, request: ForwardedFixes) -> Answer:
        """Store fixes that reached another node."""
        if not self._leases.owns(request.driver_id):
            return Refused("not_owner")
        try:
            driver = (await self._trips.of(request.driver_id)).trip.driver
            batch = await self.receive(driver, request.readings, role=request.role)
            if batch.owner:
                return Refused("not_owner")
            return Stored(await self._record_here(driver, batch))
        except LeaseLost:
            self.lose(request.driver_id)
            return Refused("not_owner")
        except NotFound:
            return Refused("unknown")
        except StorageUnavailable:
            return Refused("storage")

    async def answer_release(self, request: ReleaseTrip) -> Answer:
        """Give the trip up to the node whose connection its driver uses, once what is in flight is stored."""
        driver_id = request.driver_id
        if not self._leases.owns(driver_id):
            return Done()
        if self._connections.has_source(driver_id):
            return Refused("connected")
        try:
            async with asyncio.timeout(RELEASE_WITHIN_S), self._trips.held(driver_id) as live:
                while live.recording:  # noqa: ASYNC110 - an event for each trip would cost memory
                    await asyncio.sleep(0.01)
                await self._leases.release([driver_id])
                self._trips.reload(driver_id)
        except (StorageUnavailable, TimeoutError):
            return Refused("storage")
        except NotFound:
            return Refused("unknown")
        return Done()
