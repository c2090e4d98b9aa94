"""LiveTrip: a trip with its verdicts, device clock, milestones and policy; and the driver's connection."""

import asyncio
from collections.abc import Callable, Container, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

import msgspec

from tracker.domain.arrival.milestone import MilestoneReached
from tracker.domain.arrival.milestone_detector import MilestoneDetector
from tracker.domain.driver.device_state import DeviceState
from tracker.domain.driver.role import SOURCE_SILENT_AFTER, Role
from tracker.domain.driver.silence import Departure
from tracker.domain.geo import distance
from tracker.domain.reporting_policy import Need, PolicyState, next_policy
from tracker.domain.tracks.device_clock import NONE, DeviceClock, claimed_ahead
from tracker.domain.tracks.fix import Fix, JudgedFix, Rejection, validate_readings
from tracker.domain.tracks.verdict_memory import VerdictMemory
from tracker.domain.trip import Trip
from tracker.live.drivers.stored_keys import StoredKeys
from tracker.messages import RejectedFix, ToDriver


class Recalled(NamedTuple):
    """All stored fixes of a span of time."""

    fixes: Sequence[JudgedFix]
    span: tuple[datetime, datetime]  # both ends included, by the server's clock


class ConnectedDriver(Protocol):
    """The fleet's interface to a driver's WebSocket."""

    @property
    def role(self) -> Role:
        """What the device is for."""

    @property
    def token_hash(self) -> bytes:
        """Hash of the token that the device came with."""

    def push(self, message: ToDriver) -> None:
        """Queue a message; never wait."""

    def replace(self) -> None:
        """Close, because a newer connection of the same driver and role replaces this one."""

    def revoke(self) -> None:
        """Close, because the token is no longer valid."""

    @property
    def departure(self) -> Departure:
        """How the connection ended."""

    async def settle(self) -> None:
        """Read nothing more, and return once everything is acknowledged."""

    def restart(self) -> None:
        """Close with 1012, because this node is about to stop."""


class Receipt(msgspec.Struct, frozen=True):
    """The result of one message's fixes, after the commit."""

    stored: int
    duplicates: int
    rejected: list[RejectedFix]
    discarded: int = 0  # recorded off duty


class JudgedBatch(msgspec.Struct):
    """One message's fixes, oldest first, with their verdicts and the verdicts that they changed.

    The `unknown` fixes are older than those in memory. Those that the database holds already are dropped as
    duplicates; the others are judged after their neighbours in time are read.
    """

    fixes: list[JudgedFix]
    rejected: list[RejectedFix]
    unknown: list[JudgedFix]
    rejudged: list[JudgedFix]  # fixes of earlier messages whose verdicts have changed
    discarded: int = 0  # fixes recorded off duty, of which nothing is kept
    duplicates: int = 0  # fixes that are known to be stored; `fixes` is without them
    doubts_newest: bool = False  # the fix stored as the newest believed one is now in doubt
    readings: Sequence[Fix | Rejection] = ()  # as received, for another node if that owns the trip
    role: Role = "source"
    by_app: bool = False
    owner: str = ""  # the other node that owns the trip; then nothing is judged here
    again: "JudgedBatch | None" = None  # the same fixes, once the trip has another owner


class LiveTrip:
    """A trip and its state on this node."""

    def __init__(self, trip: Trip, verdicts: VerdictMemory | None = None) -> None:
        self.trip = trip
        self.verdicts = verdicts or VerdictMemory()
        self.clock = DeviceClock()
        self.heard_at: datetime | None = None
        self.fixed_at: datetime | None = None  # when any device last sent a new fix
        self.source_at: datetime | None = None  # when the position source last sent a new fix
        self.device: DeviceState | None = None  # as stored; None: not read yet
        self.routing = False
        self.policy_state = PolicyState()
        self.milestones = MilestoneDetector()
        self.stored_keys = StoredKeys()
        self.recall_lock = asyncio.Lock()  # one batch at a time reads stored fixes
        self.duty_lock = asyncio.Lock()  # held while a change of duty is committed; fixes wait
        self.generation = 0  # of the lease when the trip was read, or since this node owns it
        self.recording = 0  # batches that wait for their commit
        self._reached: list[MilestoneReached] = []

    def receive_fixes(
        self,
        readings: Sequence[Fix | Rejection],
        *,
        now: datetime,
        retention: timedelta,
        role: Role = "source",
        by_app: bool = False,
    ) -> JudgedBatch:
        """Reject, correct and judge fixes; the trip advances with the believed ones.

        *by_app*: the sender deletes rejected fixes unread, so those of a fast clock are set back at once.

        A fix that was sent before keeps its first content, correction and verdict. Fixes recorded off duty
        are counted and dropped. Those of a screen move the driver only while the source is silent.
        """
        self.heard_at = now
        newest: datetime | None = None
        for one in readings:
            if isinstance(one, Fix) and (newest is None or one.recorded_at > newest):
                newest = one.recorded_at
        is_new = newest is not None and self.verdicts.first(newest) is None
        if newest is not None and is_new:
            self.clock.add_message(newest, now)
        ahead = self.clock.ahead
        if by_app:
            times = (one.recorded_at for one in readings if isinstance(one, Fix))
            ahead = max(ahead, claimed_ahead(times, now))
        accepted, rejected = validate_readings(readings, now=now, retention=retention, ahead=ahead)
        fixes = self._first_versions(accepted, now, newest if is_new else None)
        batch = JudgedBatch(fixes, [RejectedFix(index, why) for index, why in rejected], [], [])
        batch.discarded = len(accepted) - len(fixes)
        self._drop(batch, self.verdicts.is_stored)
        self._judge_new(batch, now, role)
        self._note_changes(batch)
        return batch

    def _judge_new(self, batch: JudgedBatch, now: datetime, role: Role) -> None:
        """Judge the fixes without a verdict, except old ones, whose neighbours must be read first."""
        aside = role == "screen" and self._source_sends(now)
        for judged in batch.fixes:
            if judged.judged:
                continue
            self.fixed_at = now
            if role == "source":
                self.source_at = now
            if not self.trip.track.is_recent(judged):
                batch.unknown.append(judged)
            elif aside:
                judged.aside = True
                self.trip.track.judge_aside(judged)
            else:
                self._judge(judged, now)

    def _source_sends(self, now: datetime) -> bool:
        return self.source_at is not None and now - self.source_at < SOURCE_SILENT_AFTER

    def drop_stored(self, batch: JudgedBatch, keys: Container[datetime]) -> None:
        """Drop those of the batch's unknown fixes whose keys (`sent_at`) the database holds."""

        def is_stored(judged: JudgedFix) -> bool:
            return not judged.judged and judged.sent_at in keys

        for judged in filter(is_stored, batch.unknown):
            self.verdicts.forget(judged)
        batch.unknown = [judged for judged in batch.unknown if not is_stored(judged)]
        self._drop(batch, is_stored)

    @staticmethod
    def _drop(batch: JudgedBatch, is_stored: Callable[[JudgedFix], bool]) -> None:
        """Count the fixes that are stored as duplicates, and keep the others."""
        kept = [judged for judged in batch.fixes if not is_stored(judged)]
        batch.duplicates += len(batch.fixes) - len(kept)
        batch.fixes = kept

    def judge_late(self, batch: JudgedBatch, recalled: Recalled | None, now: datetime) -> None:
        """Judge the batch's unknown fixes by the *recalled* ones. None: their neighbours are in memory."""
        unknown, track = [judged for judged in batch.unknown if not judged.judged], self.trip.track
        if not unknown:
            return
        around: dict[datetime, JudgedFix] = {}
        if recalled is not None:
            begins, ends = recalled.span
            unstored = (one for one in self.verdicts.unstored() if one.judged and begins <= one.at <= ends)
            around = {one.sent_at: one for one in (*recalled.fixes, *unstored)}
            around |= {one.sent_at: one for one in track.remembered if one.sent_at in around}
            track.recall(around.values(), begins, ends)
        for judged in unknown:
            first = around.get(judged.sent_at)
            if first is None:
                self._judge(judged, now)
            else:  # a duplicate: the stored fix counts
                judged.fix, judged.doubt, judged.judged = first.fix, first.doubt, True
        track.trim_past(unknown[-1].at)
        self._note_changes(batch)

    def _first_versions(
        self, accepted: Sequence[Fix], now: datetime, newest: datetime | None
    ) -> list[JudgedFix]:
        """Return the first version of each fix, with times by the server's clock; none recorded off duty.

        *newest* is the newest time in the message, or None if that fix was sent before.
        """
        first = self.verdicts.first
        if not accepted or newest != accepted[-1].recorded_at:
            times = (fix.recorded_at for fix in reversed(accepted))
            newest = next((time for time in times if first(time) is None), None)
        correction = NONE if newest is None else self.clock.correction(newest, now)
        duty, fixes = self.trip.duty, []
        for fix in accepted:
            judged = first(fix.recorded_at)
            if judged is None:
                sent_at, at = fix.recorded_at, fix.recorded_at - correction
                if duty.at(at) == "off":
                    continue
                fix = msgspec.structs.replace(fix, recorded_at=at) if correction else fix  # noqa: PLW2901
                judged = JudgedFix(fix, sent_at, now)
                self.verdicts.remember(judged)
            fixes.append(judged)
        return fixes

    def _judge(self, judged: JudgedFix, now: datetime) -> None:
        track = self.trip.track
        before = track.newest
        self.trip.receive(judged, now)
        newest = track.newest
        if newest is None or newest is before:
            return
        if track.marker_jumped:
            self.milestones.forget_fixes()
        reached = self.milestones.observe(self.trip, newest, now)
        if reached:
            self._reached += reached
            self.note_arrivals()

    def _note_changes(self, batch: JudgedBatch) -> None:
        """Add to the batch the changed verdicts of earlier fixes."""
        track = self.trip.track
        rejudged = track.take_rejudged()
        if not rejudged:
            return
        changed = {id(judged): judged for judged in rejudged}
        own = {id(judged) for judged in batch.fixes}
        batch.rejudged.extend(judged for each, judged in changed.items() if each not in own)
        last = track.last_believed
        if last is not None and any(judged.doubt and judged.at > last.at for judged in changed.values()):
            batch.doubts_newest = True

    def note_arrivals(self) -> None:
        """Pass the arrival times at the remaining dropoffs to the trip."""
        arrivals = ((one, self.milestones.arrived_at(one, "dropoff")) for one in self.trip.orders)
        self.trip.note_arrivals({order_id: at for order_id, at in arrivals if at is not None})

    def take_milestones(self) -> list[MilestoneReached]:
        """Return the milestones reached since the last call, and clear them."""
        reached, self._reached = self._reached, []
        return reached

    def reconsider_policy(self, now: datetime, *, watched: bool) -> bool:
        """Update the reporting policy; return whether it changed."""
        trip, before = self.trip, self.policy_state.policy
        newest = trip.track.newest
        to_stop = distance(newest.lonlat, trip.stops[0].at) if newest is not None and trip.stops else None
        need = Need(watched=watched, busy=bool(trip.stops), to_stop_m=to_stop)
        self.policy_state = next_policy(self.policy_state, need, now)
        trip.report_every = self.policy_state.policy.interval_s
        return before != self.policy_state.policy
