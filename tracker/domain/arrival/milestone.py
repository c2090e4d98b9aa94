"""Milestones of one order, each detected once from the driver's fixes.

A milestone needs two consistent fixes: at a stop, beyond it, or close to the dropoff. If a device reports so
seldom that a stop falls between two fixes, three fixes show that the driver passed the place.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

import msgspec

from tracker.domain.arrival.geofence import ENTER, LEAVE, Observation, Standstill, detect_arrival
from tracker.domain.geo import distance
from tracker.domain.order import Order
from tracker.domain.tracks.fix import Fix

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
    standstill: Standstill | None = None  # a possible stop at the pickup or dropoff
    beyond: Fix | None = None  # the first fix beyond the pickup
    soon: Fix | None = None  # the first fix that is close to the dropoff
    last_at: datetime | None = None  # of the milestone recorded last


def observe(
    state: MilestoneState, observation: Observation
) -> tuple[MilestoneState, tuple[MilestoneReached, ...]]:
    """Return the state updated with one more fix, and the new milestones in order of time."""
    if (
        observation.assigned_at is not None
        and observation.fix.recorded_at < observation.assigned_at - CLOCK_TOLERANCE
    ):
        return state, ()
    events: list[MilestoneReached] = []
    for detect in (_arrival_at_pickup, _departure, _approach, _arrival_at_dropoff):
        state, reached = detect(state, observation)
        for kind, at in reached:
            if kind not in state.recorded:
                state, event = _record(
                    state,
                    observation.order_id,
                    kind,
                    at,
                    earliest=observation.assigned_at,
                    latest=observation.now,
                )
                events.append(event)
    return state, tuple(events)


def restore_state(recorded: Mapping[Milestone, datetime]) -> MilestoneState:
    """Return the state of an order whose timeline holds these milestones already."""
    return MilestoneState(frozenset(recorded), last_at=max(recorded.values(), default=None))


def confirm_delivery(
    state: MilestoneState, order: Order, fix: Fix, at: datetime
) -> tuple[MilestoneState, tuple[MilestoneReached, ...]]:
    """Update when the driver reports the delivery: a single fix at the dropoff near that time is enough."""
    here = Standstill(fix.lonlat, fix.recorded_at)
    near = [
        stand.since
        for stand in (state.standstill, here)
        if stand is not None
        and distance(stand.at, order.dropoff.lonlat) <= ENTER
        and abs(stand.since - at) <= REPORT_TOLERANCE
    ]
    if not near or "arrived_at_dropoff" in state.recorded:
        return state, ()
    events: list[MilestoneReached] = []
    for kind, since in _arrival_milestones(state, near[0]):
        if kind not in state.recorded:
            state, event = _record(state, order.id, kind, since, earliest=order.assigned_at, latest=at)
            events.append(event)
    return state, tuple(events)


type Detected = tuple[tuple[Milestone, datetime], ...]


def _record(
    state: MilestoneState,
    order_id: str,
    kind: Milestone,
    at: datetime,
    *,
    earliest: datetime | None,
    latest: datetime,
) -> tuple[MilestoneState, MilestoneReached]:
    """Record a milestone; its time is clamped to after *earliest* and the last one, and up to *latest*."""
    at = min(at, latest)
    for before in (earliest, state.last_at):
        at = at if before is None else max(at, before)
    return msgspec.structs.replace(state, recorded=state.recorded | {kind}, last_at=at), MilestoneReached(
        order_id, kind, at
    )


def _arrival_at_pickup(state: MilestoneState, observation: Observation) -> tuple[MilestoneState, Detected]:
    if state.recorded & {"arrived_at_pickup", "departed_pickup", "arrived_at_dropoff"}:
        return state, ()
    if observation.picked_up_at is not None:
        return state, _by_report(state, observation, observation.picked_up_at)
    standstill, at = detect_arrival(state.standstill, observation.pickup, observation)
    arrived: Detected = () if at is None else (("arrived_at_pickup", at),)
    return msgspec.structs.replace(state, standstill=None if arrived else standstill), arrived


def _by_report(state: MilestoneState, observation: Observation, picked_up_at: datetime) -> Detected:
    """Return the arrival if the driver reported the pickup and a fix lies near it at about that time."""
    here = Standstill(observation.fix.lonlat, observation.fix.recorded_at)
    for stand in (state.standstill, here):
        near = stand is not None and observation.pickup.metres(stand.at) <= ENTER
        if stand is not None and near and abs(stand.since - picked_up_at) <= REPORT_TOLERANCE:
            return (("arrived_at_pickup", min(stand.since, picked_up_at)),)
    return ()


def _departure(state: MilestoneState, observation: Observation) -> tuple[MilestoneState, Detected]:
    if "arrived_at_pickup" not in state.recorded or "departed_pickup" in state.recorded:
        return state, ()
    if observation.pickup.metres(observation.fix.lonlat) <= LEAVE:
        return msgspec.structs.replace(state, beyond=None), ()
    if state.beyond is None:
        return msgspec.structs.replace(state, beyond=observation.fix), ()
    return state, (("departed_pickup", state.beyond.recorded_at),)


def _is_picked_up(state: MilestoneState, observation: Observation) -> bool:
    return observation.picked_up_at is not None or "departed_pickup" in state.recorded


def _approach(state: MilestoneState, observation: Observation) -> tuple[MilestoneState, Detected]:
    if "approaching" in state.recorded or not _is_picked_up(state, observation):
        return state, ()
    metres, seconds = observation.left_m, observation.left_s
    if metres is None and seconds is None:
        return state, ()
    is_soon = (metres is not None and metres <= SOON_M) or (seconds is not None and seconds <= SOON_S)
    if not is_soon or observation.pickup.metres(observation.fix.lonlat) <= LEAVE:
        return msgspec.structs.replace(state, soon=None), ()
    if state.soon is None:
        return msgspec.structs.replace(state, soon=observation.fix), ()
    return state, (("approaching", state.soon.recorded_at),)


def _arrival_at_dropoff(state: MilestoneState, observation: Observation) -> tuple[MilestoneState, Detected]:
    """Detect the arrival at the dropoff; it implies the approach and the departure from the pickup."""
    if "arrived_at_dropoff" in state.recorded or not _is_picked_up(state, observation):
        return state, ()
    standstill, at = detect_arrival(state.standstill, observation.dropoff, observation)
    state = msgspec.structs.replace(state, standstill=standstill)
    if at is None:
        return state, ()
    return state, _arrival_milestones(state, at)


def _arrival_milestones(state: MilestoneState, at: datetime) -> Detected:
    left: Detected = (("departed_pickup", at),) if "arrived_at_pickup" in state.recorded else ()
    soon = at if state.soon is None else min(state.soon.recorded_at, at)
    return (*left, ("approaching", soon), ("arrived_at_dropoff", at))
