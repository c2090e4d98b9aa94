"""Milestones of one order, each detected once from the driver's fixes.

A milestone needs two consistent fixes: at a stop, beyond it, or close to the dropoff. If a device reports so
seldom that a stop falls between two fixes, three fixes show that the driver passed the place.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

import msgspec

from tracker.domain.arrival.geofence import ENTER, LEAVE, Observation, Stand, arrival
from tracker.domain.geo import distance
from tracker.domain.order import Order
from tracker.domain.tracks.track import Fix

Milestone = Literal["arrived_at_pickup", "departed_pickup", "approaching", "arrived_at_dropoff"]

SOON_M: Final = 500.0  # metres to the dropoff
SOON_S: Final = 300.0  # seconds to the dropoff
# A status that the driver reports replaces the second fix at the stop if it is so close to the first.
REPORT_TOLERANCE: Final = timedelta(seconds=120)
# A fix from longer before the assignment does not belong to the order.
CLOCK_TOLERANCE: Final = timedelta(minutes=10)


class MilestoneReached(NamedTuple):
    """A milestone as an entry of an order's timeline."""

    order_id: str
    kind: Milestone
    at: datetime


class MilestoneState(msgspec.Struct, frozen=True):
    """The milestones recorded for an order, and those that one more fix may confirm."""

    recorded: frozenset[Milestone] = frozenset()
    stands: Stand | None = None  # a possible stop at the pickup or dropoff
    beyond: Fix | None = None  # the first fix beyond the pickup
    soon: Fix | None = None  # the first fix that is close to the dropoff
    last_at: datetime | None = None  # of the milestone recorded last


def observe(
    watch: MilestoneState, observation: Observation
) -> tuple[MilestoneState, tuple[MilestoneReached, ...]]:
    """Return the watch updated with one more fix, and the new milestones in order of time."""
    if (
        observation.assigned_at is not None
        and observation.fix.recorded_at < observation.assigned_at - CLOCK_TOLERANCE
    ):
        return watch, ()
    events: list[MilestoneReached] = []
    for detect in (_at_pickup, _beyond_pickup, _approaching, _at_dropoff):
        watch, reached = detect(watch, observation)
        for kind, at in reached:
            if kind not in watch.recorded:
                watch, event = _record(
                    watch,
                    observation.order_id,
                    kind,
                    at,
                    earliest=observation.assigned_at,
                    latest=observation.now,
                )
                events.append(event)
    return watch, tuple(events)


def restore_state(recorded: Mapping[Milestone, datetime]) -> MilestoneState:
    """Return the watch of an order whose timeline holds these milestones already."""
    return MilestoneState(frozenset(recorded), last_at=max(recorded.values(), default=None))


def confirm_delivery(
    watch: MilestoneState, order: Order, fix: Fix, at: datetime
) -> tuple[MilestoneState, tuple[MilestoneReached, ...]]:
    """Update when the driver reports the delivery: a single fix at the dropoff near that time is enough."""
    here = Stand(fix.lonlat, fix.recorded_at)
    near = [
        stand.since
        for stand in (watch.stands, here)
        if stand is not None
        and distance(stand.at, order.dropoff.lonlat) <= ENTER
        and abs(stand.since - at) <= REPORT_TOLERANCE
    ]
    if not near or "arrived_at_dropoff" in watch.recorded:
        return watch, ()
    events: list[MilestoneReached] = []
    for kind, since in _arrival_milestones(watch, near[0]):
        if kind not in watch.recorded:
            watch, event = _record(watch, order.id, kind, since, earliest=order.assigned_at, latest=at)
            events.append(event)
    return watch, tuple(events)


type Detected = tuple[tuple[Milestone, datetime], ...]


def _record(
    watch: MilestoneState,
    order_id: str,
    kind: Milestone,
    at: datetime,
    *,
    earliest: datetime | None,
    latest: datetime,
) -> tuple[MilestoneState, MilestoneReached]:
    """Record a milestone; its time is clamped to after *earliest* and the last one, and up to *latest*."""
    at = min(at, latest)
    for before in (earliest, watch.last_at):
        at = at if before is None else max(at, before)
    return msgspec.structs.replace(watch, recorded=watch.recorded | {kind}, last_at=at), MilestoneReached(
        order_id, kind, at
    )


def _at_pickup(watch: MilestoneState, observation: Observation) -> tuple[MilestoneState, Detected]:
    if watch.recorded & {"arrived_at_pickup", "departed_pickup", "arrived_at_dropoff"}:
        return watch, ()
    if observation.picked_up_at is not None:
        return watch, _by_report(watch, observation, observation.picked_up_at)
    stands, at = arrival(watch.stands, observation.pickup, observation)
    arrived: Detected = () if at is None else (("arrived_at_pickup", at),)
    return msgspec.structs.replace(watch, stands=None if arrived else stands), arrived


def _by_report(watch: MilestoneState, observation: Observation, picked_up_at: datetime) -> Detected:
    """Return the arrival if the driver reported the pickup and a fix lies near it at about that time."""
    here = Stand(observation.fix.lonlat, observation.fix.recorded_at)
    for stand in (watch.stands, here):
        near = stand is not None and observation.pickup.metres(stand.at) <= ENTER
        if stand is not None and near and abs(stand.since - picked_up_at) <= REPORT_TOLERANCE:
            return (("arrived_at_pickup", min(stand.since, picked_up_at)),)
    return ()


def _beyond_pickup(watch: MilestoneState, observation: Observation) -> tuple[MilestoneState, Detected]:
    if "arrived_at_pickup" not in watch.recorded or "departed_pickup" in watch.recorded:
        return watch, ()
    if observation.pickup.metres(observation.fix.lonlat) <= LEAVE:
        return msgspec.structs.replace(watch, beyond=None), ()
    if watch.beyond is None:
        return msgspec.structs.replace(watch, beyond=observation.fix), ()
    return watch, (("departed_pickup", watch.beyond.recorded_at),)


def _is_picked_up(watch: MilestoneState, observation: Observation) -> bool:
    return observation.picked_up_at is not None or "departed_pickup" in watch.recorded


def _approaching(watch: MilestoneState, observation: Observation) -> tuple[MilestoneState, Detected]:
    if "approaching" in watch.recorded or not _is_picked_up(watch, observation):
        return watch, ()
    if observation.left_m is None and observation.left_s is None:
        return watch, ()
    if not _is_soon(observation) or observation.pickup.metres(observation.fix.lonlat) <= LEAVE:
        return msgspec.structs.replace(watch, soon=None), ()
    if watch.soon is None:
        return msgspec.structs.replace(watch, soon=observation.fix), ()
    return watch, (("approaching", watch.soon.recorded_at),)


def _is_soon(observation: Observation) -> bool:
    metres, seconds = observation.left_m, observation.left_s
    return (metres is not None and metres <= SOON_M) or (seconds is not None and seconds <= SOON_S)


def _at_dropoff(watch: MilestoneState, observation: Observation) -> tuple[MilestoneState, Detected]:
    """Detect the arrival at the dropoff; it implies the approach and the departure from the pickup."""
    if "arrived_at_dropoff" in watch.recorded or not _is_picked_up(watch, observation):
        return watch, ()
    stands, at = arrival(watch.stands, observation.dropoff, observation)
    watch = msgspec.structs.replace(watch, stands=stands)
    if at is None:
        return watch, ()
    return watch, _arrival_milestones(watch, at)


def _arrival_milestones(watch: MilestoneState, at: datetime) -> Detected:
    left: Detected = (("departed_pickup", at),) if "arrived_at_pickup" in watch.recorded else ()
    soon = at if watch.soon is None else min(watch.soon.recorded_at, at)
    return (*left, ("approaching", soon), ("arrived_at_dropoff", at))
