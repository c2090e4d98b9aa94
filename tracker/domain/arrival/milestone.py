"""Milestones of one order, each detected once from the driver's fixes.

A milestone needs two consistent fixes: at a stop, beyond it, or close to the dropoff. If a device reports so
seldom that a stop falls between two fixes, three fixes show that the driver passed the place.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

import msgspec

from tracker.domain.arrival.geofence import ENTER, LEAVE, Sight, Stand, arrival
from tracker.domain.geo import distance
from tracker.domain.order import Order
from tracker.domain.tracks.track import Fix

Milestone = Literal["arrived_at_pickup", "departed_pickup", "approaching", "arrived_at_dropoff"]

SOON_M: Final = 500.0  # metres to the dropoff
SOON_S: Final = 300.0  # seconds to the dropoff
# A status that the driver reports replaces the second fix at the stop if it is so close to the first.
WORD: Final = timedelta(seconds=120)
# A fix from longer before the assignment does not belong to the order.
CLOCKS: Final = timedelta(minutes=10)


class MilestoneReached(NamedTuple):
    """A milestone as an entry of an order's timeline."""

    order_id: str
    kind: Milestone
    at: datetime


class Watch(msgspec.Struct, frozen=True):
    """The milestones recorded for an order, and those that one more fix may confirm."""

    told: frozenset[Milestone] = frozenset()
    stands: Stand | None = None  # a possible stop at the pickup or dropoff
    beyond: Fix | None = None  # the first fix beyond the pickup
    soon: Fix | None = None  # the first fix that is close to the dropoff
    last_at: datetime | None = None  # of the milestone recorded last


def observe(watch: Watch, sight: Sight) -> tuple[Watch, tuple[MilestoneReached, ...]]:
    """Return the watch updated with one more fix, and the new milestones in order of time."""
    if sight.assigned_at is not None and sight.fix.recorded_at < sight.assigned_at - CLOCKS:
        return watch, ()
    events: list[MilestoneReached] = []
    for look in (_at_pickup, _beyond_pickup, _soon, _at_dropoff):
        watch, seen = look(watch, sight)
        for kind, at in seen:
            if kind not in watch.told:
                watch, event = _tell(
                    watch, sight.order_id, kind, at, earliest=sight.assigned_at, latest=sight.now
                )
                events.append(event)
    return watch, tuple(events)


def restored(told: Mapping[Milestone, datetime]) -> Watch:
    """Return the watch of an order whose timeline holds these milestones already."""
    return Watch(frozenset(told), last_at=max(told.values(), default=None))


def delivered(
    watch: Watch, order: Order, fix: Fix, at: datetime
) -> tuple[Watch, tuple[MilestoneReached, ...]]:
    """Update when the driver reports the delivery: a single fix at the dropoff near that time is enough."""
    seen = Stand(fix.lonlat, fix.recorded_at)
    near = [
        stand.since
        for stand in (watch.stands, seen)
        if stand is not None
        and distance(stand.at, order.dropoff.lonlat) <= ENTER
        and abs(stand.since - at) <= WORD
    ]
    if not near or "arrived_at_dropoff" in watch.told:
        return watch, ()
    events: list[MilestoneReached] = []
    for kind, since in _there(watch, near[0]):
        if kind not in watch.told:
            watch, event = _tell(watch, order.id, kind, since, earliest=order.assigned_at, latest=at)
            events.append(event)
    return watch, tuple(events)


type Seen = tuple[tuple[Milestone, datetime], ...]


def _tell(
    watch: Watch, order_id: str, kind: Milestone, at: datetime, *, earliest: datetime | None, latest: datetime
) -> tuple[Watch, MilestoneReached]:
    """Record a milestone; its time is clamped to after *earliest* and the last one, and up to *latest*."""
    at = min(at, latest)
    for before in (earliest, watch.last_at):
        at = at if before is None else max(at, before)
    return msgspec.structs.replace(watch, told=watch.told | {kind}, last_at=at), MilestoneReached(
        order_id, kind, at
    )


def _at_pickup(watch: Watch, sight: Sight) -> tuple[Watch, Seen]:
    if watch.told & {"arrived_at_pickup", "departed_pickup", "arrived_at_dropoff"}:
        return watch, ()
    if sight.picked_up_at is not None:
        return watch, _by_word(watch, sight, sight.picked_up_at)
    stands, at = arrival(watch.stands, sight.pickup, sight)
    arrived: Seen = () if at is None else (("arrived_at_pickup", at),)
    return msgspec.structs.replace(watch, stands=None if arrived else stands), arrived


def _by_word(watch: Watch, sight: Sight, picked_up_at: datetime) -> Seen:
    """Return the arrival if the driver reported the pickup and a fix lies near it at about that time."""
    seen = Stand(sight.fix.lonlat, sight.fix.recorded_at)
    for stand in (watch.stands, seen):
        near = stand is not None and sight.pickup.metres(stand.at) <= ENTER
        if stand is not None and near and abs(stand.since - picked_up_at) <= WORD:
            return (("arrived_at_pickup", min(stand.since, picked_up_at)),)
    return ()


def _beyond_pickup(watch: Watch, sight: Sight) -> tuple[Watch, Seen]:
    if "arrived_at_pickup" not in watch.told or "departed_pickup" in watch.told:
        return watch, ()
    if sight.pickup.metres(sight.fix.lonlat) <= LEAVE:
        return msgspec.structs.replace(watch, beyond=None), ()
    if watch.beyond is None:
        return msgspec.structs.replace(watch, beyond=sight.fix), ()
    return watch, (("departed_pickup", watch.beyond.recorded_at),)


def _fetched(watch: Watch, sight: Sight) -> bool:
    return sight.picked_up_at is not None or "departed_pickup" in watch.told


def _soon(watch: Watch, sight: Sight) -> tuple[Watch, Seen]:
    if "approaching" in watch.told or not _fetched(watch, sight):
        return watch, ()
    if sight.left_m is None and sight.left_s is None:
        return watch, ()
    if not _is_soon(sight) or sight.pickup.metres(sight.fix.lonlat) <= LEAVE:
        return msgspec.structs.replace(watch, soon=None), ()
    if watch.soon is None:
        return msgspec.structs.replace(watch, soon=sight.fix), ()
    return watch, (("approaching", watch.soon.recorded_at),)


def _is_soon(sight: Sight) -> bool:
    metres, seconds = sight.left_m, sight.left_s
    return (metres is not None and metres <= SOON_M) or (seconds is not None and seconds <= SOON_S)


def _at_dropoff(watch: Watch, sight: Sight) -> tuple[Watch, Seen]:
    """Detect the arrival at the dropoff; it implies the approach and the departure from the pickup."""
    if "arrived_at_dropoff" in watch.told or not _fetched(watch, sight):
        return watch, ()
    stands, at = arrival(watch.stands, sight.dropoff, sight)
    watch = msgspec.structs.replace(watch, stands=stands)
    if at is None:
        return watch, ()
    return watch, _there(watch, at)


def _there(watch: Watch, at: datetime) -> Seen:
    left: Seen = (("departed_pickup", at),) if "arrived_at_pickup" in watch.told else ()
    soon = at if watch.soon is None else min(watch.soon.recorded_at, at)
    return (*left, ("approaching", soon), ("arrived_at_dropoff", at))
