"""LiveTrip: a trip with what this node knows beside it, and what the fleet needs of a driver's connection."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from tracker.domain.arrival import Event
from tracker.domain.geo import distance
from tracker.domain.milestones import Milestones
from tracker.domain.policy import Given, Need, next_policy
from tracker.domain.skew import NONE, DeviceClock
from tracker.domain.track import Doubt, Fix, Refusal, sift
from tracker.domain.trip import Trip
from tracker.messages import RejectedFix, ToDriver


class DriverConnection(Protocol):
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


class Judged(msgspec.Struct, frozen=True):
    """One message's fixes, as they were sent, oldest first, and what was made of them."""

    fixes: list[Fix]
    doubts: list[Doubt | None]
    correction: timedelta  # to be taken off their times
    rejected: list[RejectedFix]


class LiveTrip:
    """A trip with what this node knows beside it."""

    def __init__(self, trip: Trip) -> None:
        self.trip = trip
        self.clock = DeviceClock()
        self.heard_at: datetime | None = None
        self.routing = False
        self.given = Given()
        self.milestones = Milestones()
        self._seen: list[Event] = []

    def receive_fixes(
        self, readings: Sequence[Fix | Refusal], *, now: datetime, retention: timedelta
    ) -> "Judged":
        """Refuses, corrects and believes or doubts; the trip goes on with what is believed."""
        self.heard_at = now
        newest = max((one.recorded_at for one in readings if isinstance(one, Fix)), default=None)
        if newest is not None:
            self.clock.hear(newest, now)
        accepted, refused = sift(readings, now=now, retention=retention, ahead=self.clock.ahead)
        correction = self.clock.correction(accepted[-1].recorded_at, now) if accepted else NONE
        doubts = [self._receive(_timed(fix, correction), now) for fix in accepted]
        return Judged(accepted, doubts, correction, [RejectedFix(index, why) for index, why in refused])

    def _receive(self, fix: Fix, now: datetime) -> Doubt | None:
        before = self.trip.track.newest
        doubt = self.trip.receive_fix(fix, now)
        if self.trip.track.newest is not before:
            seen = self.milestones.observe(self.trip, fix, now)
            if seen:
                self._seen += seen
                self.note_arrivals()
        return doubt

    def note_arrivals(self) -> None:
        """Let the trip know when the driver arrived at the dropoffs that it still has."""
        arrivals = ((one, self.milestones.arrived_at(one, "dropoff")) for one in self.trip.orders)
        self.trip.arrived_at = {order_id: at for order_id, at in arrivals if at is not None}

    def take_seen(self) -> list[Event]:
        """What the fixes have shown of orders since this was asked last."""
        seen, self._seen = self._seen, []
        return seen

    def reconsider_policy(self, now: datetime, *, watched: bool) -> bool:
        """Whether the device should report otherwise than before."""
        trip, before = self.trip, self.given.policy
        newest = trip.track.newest
        to_stop = distance(newest.lonlat, trip.stops[0].at) if newest is not None and trip.stops else None
        need = Need(watched=watched, busy=bool(trip.stops), to_stop_m=to_stop)
        self.given = next_policy(self.given, need, now)
        trip.report_every = self.given.policy.interval_s
        return before != self.given.policy


def _timed(fix: Fix, correction: timedelta) -> Fix:
    """By our clock."""
    return msgspec.structs.replace(fix, recorded_at=fix.recorded_at - correction) if correction else fix
