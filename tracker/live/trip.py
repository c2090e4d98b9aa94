"""LiveTrip: a trip with what this node knows beside it, and what the fleet needs of a driver's connection."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from tracker.domain.arrival.detector import MilestoneDetector
from tracker.domain.arrival.milestone import MilestoneReached
from tracker.domain.geo import distance
from tracker.domain.reporting_policy import Need, PolicyState, next_policy
from tracker.domain.tracks.device_clock import NONE, DeviceClock
from tracker.domain.tracks.track import Fix, JudgedFix, Rejection, validate_readings
from tracker.domain.tracks.verdicts import Verdicts
from tracker.domain.trip import Trip
from tracker.messages import RejectedFix, ToDriver

type Span = tuple[datetime, datetime]
"""From when to when, both included, by our clock."""


class ConnectedDriver(Protocol):
    """What the fleet needs of a driver's socket."""

    def push(self, message: ToDriver) -> None:
        """Sends soon; never waits."""

    def replace(self) -> None:
        """Another connection of the same driver has come."""

    def revoke(self) -> None:
        """The token is worth nothing any more."""

    async def drain(self) -> None:
        """Acknowledges what is in flight and ends with 1012."""


class Receipt(msgspec.Struct, frozen=True):
    """What became of a message's fixes, after the commit."""

    stored: int
    duplicates: int
    rejected: list[RejectedFix]


class JudgedBatch(msgspec.Struct):
    """One message's fixes, oldest first, each with its verdict, and the verdicts that they changed.

    `unknown` are fixes whose neighbours in time are not in memory; they are judged once those are.
    """

    fixes: list[JudgedFix]
    rejected: list[RejectedFix]
    unknown: list[JudgedFix]
    rejudged: list[JudgedFix]  # of earlier messages, whose verdicts these fixes have changed
    doubts_newest: bool = False  # what is stored as the newest believed fix is doubted now


class LiveTrip:
    """A trip with what this node knows beside it."""

    def __init__(self, trip: Trip, verdicts: Verdicts | None = None) -> None:
        self.trip = trip
        self.verdicts = verdicts or Verdicts()
        self.clock = DeviceClock()
        self.heard_at: datetime | None = None
        self.routing = False
        self.policy_state = PolicyState()
        self.milestones = MilestoneDetector()
        self.recall_lock = asyncio.Lock()  # one batch at a time looks up the past
        self._reached: list[MilestoneReached] = []

    def receive_fixes(
        self, readings: Sequence[Fix | Rejection], *, now: datetime, retention: timedelta
    ) -> JudgedBatch:
        """Reject, correct, and believe or doubt; the trip goes on with what is believed.

        A fix that came before keeps its first content, correction and verdict.
        """
        self.heard_at = now
        newest: datetime | None = None
        for one in readings:
            if isinstance(one, Fix) and (newest is None or one.recorded_at > newest):
                newest = one.recorded_at
        is_new = newest is not None and self.verdicts.first(newest) is None
        if newest is not None and is_new:
            self.clock.add_message(newest, now)
        accepted, refused = validate_readings(readings, now=now, retention=retention, ahead=self.clock.ahead)
        fixes = self._first_versions(accepted, now, newest if is_new else None)
        batch = JudgedBatch(fixes, [RejectedFix(index, why) for index, why in refused], [], [])
        for judged in fixes:
            if judged.judged:
                continue
            if self.trip.track.covers(judged):
                self._judge(judged, now)
            else:
                batch.unknown.append(judged)
        self._note_changes(batch)
        return batch

    def judge_late(self, batch: JudgedBatch, known: Iterable[JudgedFix], span: Span, now: datetime) -> None:
        """Judge the batch's unknown fixes; `known` are all that the database holds within `span`."""
        unknown = [judged for judged in batch.unknown if not judged.judged]
        if not unknown:
            return
        (begins, ends), track = span, self.trip.track
        unstored = (one for one in self.verdicts.unstored() if one.judged and begins <= one.at <= ends)
        around = {one.sent_at: one for one in (*known, *unstored)}
        around |= {one.sent_at: one for one in track.remembered if one.sent_at in around}
        track.recall(around.values(), begins, ends)
        for judged in unknown:
            first = around.get(judged.sent_at)
            if first is None:
                self._judge(judged, now)
            else:  # a duplicate of a stored one, which counts
                judged.fix, judged.doubt, judged.judged = first.fix, first.doubt, True
        track.trim_past(unknown[-1].at)
        self._note_changes(batch)

    def _first_versions(
        self, accepted: Sequence[Fix], now: datetime, newest: datetime | None
    ) -> list[JudgedFix]:
        """What came first under each key, and otherwise these, by our clock.

        `newest` is the newest time of the message, if it is a new one.
        """
        first = self.verdicts.first
        if not accepted or newest != accepted[-1].recorded_at:
            times = (fix.recorded_at for fix in reversed(accepted))
            newest = next((time for time in times if first(time) is None), None)
        correction = NONE if newest is None else self.clock.correction(newest, now)
        fixes = []
        for fix in accepted:
            judged = first(fix.recorded_at)
            if judged is None:
                judged = JudgedFix(_corrected(fix, correction), fix.recorded_at, now)
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
        seen = self.milestones.observe(self.trip, newest, now)
        if seen:
            self._reached += seen
            self.note_arrivals()

    def _note_changes(self, batch: JudgedBatch) -> None:
        """What the database has to be told besides the batch's own fixes."""
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
        """Let the trip know when the driver arrived at the dropoffs that it still has."""
        arrivals = ((one, self.milestones.arrived_at(one, "dropoff")) for one in self.trip.orders)
        self.trip.note_arrivals({order_id: at for order_id, at in arrivals if at is not None})

    def take_milestones(self) -> list[MilestoneReached]:
        """What the fixes have shown of orders since this was asked last."""
        seen, self._reached = self._reached, []
        return seen

    def reconsider_policy(self, now: datetime, *, watched: bool) -> bool:
        """Whether the device should report otherwise than before."""
        trip, before = self.trip, self.policy_state.policy
        newest = trip.track.newest
        to_stop = distance(newest.lonlat, trip.stops[0].at) if newest is not None and trip.stops else None
        need = Need(watched=watched, busy=bool(trip.stops), to_stop_m=to_stop)
        self.policy_state = next_policy(self.policy_state, need, now)
        trip.report_every = self.policy_state.policy.interval_s
        return before != self.policy_state.policy


def _corrected(fix: Fix, correction: timedelta) -> Fix:
    """By our clock."""
    return msgspec.structs.replace(fix, recorded_at=fix.recorded_at - correction) if correction else fix
