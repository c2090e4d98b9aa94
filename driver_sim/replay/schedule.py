"""Timetable: when a recording's fixes are sent and under which times, and when its orders change. Pure."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from driver_sim.tracks.recording import RecordedStop, Recording
from tracker.domain.order import Place, StopKind
from tracker.domain.tracks.track import Fix


class Timing(msgspec.Struct, frozen=True):
    """How a recording is played."""

    speed: float | None = 1.0  # times real time; None: as fast as possible
    original_times: bool = False


class StatusChange(msgspec.Struct, frozen=True):
    """A recorded order reaches its pickup or dropoff."""

    order: int  # index into `errands`
    status: Literal["picked_up", "delivered"]


class RecordedOrder(msgspec.Struct, frozen=True):
    """An order of a recorded trip: indexes of its stops; without a pickup it was aboard from the start."""

    dropoff: int
    pickup: int | None = None


def scheduled_fixes(recording: Recording, timing: Timing, now: datetime) -> Iterator[tuple[float, Fix]]:
    """Each fix with the seconds after `now` at which it is sent, under the time that it will claim.

    Shifted to now, unless the original times are kept: in faster time the recording is squeezed, and speeds
    grow. As fast as possible nothing is squeezed and the recording ends now: nothing may lie in the future.
    """
    start = recording.fixes[0].recorded_at
    for fix in recording.fixes:
        after = (fix.recorded_at - start).total_seconds()
        wait = after / timing.speed if timing.speed else 0.0
        yield wait, _retimed(fix, timing, now, wait, after - recording.duration)


def _retimed(fix: Fix, timing: Timing, now: datetime, wait: float, from_end: float) -> Fix:
    if timing.original_times:
        return fix
    if timing.speed is None:
        return _at(fix, now + timedelta(seconds=from_end), 1.0)
    return _at(fix, now + timedelta(seconds=wait), timing.speed)


def _at(fix: Fix, at: datetime, speed_up: float) -> Fix:
    speed = None if fix.speed is None else fix.speed * speed_up
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    return msgspec.structs.replace(fix, recorded_at=at, speed=speed)


def recorded_orders(recording: Recording) -> tuple[RecordedOrder, ...]:
    """The orders of a trip: two stops of one `order` are its pickup and dropoff, others are dropoffs."""
    by_order: defaultdict[str, list[int]] = defaultdict(list)
    for index, stop in enumerate(recording.stops):
        by_order[stop.order if stop.order is not None else f"stop {index}"].append(index)
    return tuple(
        RecordedOrder(indexes[-1], indexes[0] if len(indexes) > 1 else None) for indexes in by_order.values()
    )


def status_changes(recording: Recording, timing: Timing) -> Iterator[tuple[float, StatusChange]]:
    """Status changes with the seconds after the start at which they are due; at a stop after its service."""
    for index, order in enumerate(recorded_orders(recording)):
        if order.pickup is None:
            yield 0.0, StatusChange(index, "picked_up")
        else:
            yield _seconds_until_served(recording, order.pickup, timing), StatusChange(index, "picked_up")
        yield _seconds_until_served(recording, order.dropoff, timing), StatusChange(index, "delivered")


def _seconds_until_served(recording: Recording, stop: int, timing: Timing) -> float:
    """Seconds after the start; no later than the arrival at the next stop, or the recording's end."""
    start = recording.fixes[0].recorded_at
    arrived = (recording.arrived_at[stop] - start).total_seconds()
    following = [(at - start).total_seconds() for at in recording.arrived_at[stop + 1 : stop + 2]]
    latest = max(arrived, min([*following, max(arrived, recording.duration)]))
    served = min(latest, arrived + (recording.stops[stop].service_s or 0.0))
    return max(0.0, served) / (timing.speed or 1.0)


def stop_sequence(recording: Recording) -> Iterator[tuple[int, StopKind]]:
    """The stops as driven: index of the errand, and which end of it."""
    ends: dict[int, tuple[int, StopKind]] = {}
    for index, order in enumerate(recorded_orders(recording)):
        ends[order.dropoff] = (index, "dropoff")
        if order.pickup is not None:
            ends[order.pickup] = (index, "pickup")
    return (ends[stop] for stop in sorted(ends))


def places(recording: Recording, order: RecordedOrder) -> tuple[Place, Place]:
    """Pickup and dropoff; what was aboard from the start was picked up where the track begins."""
    first = recording.fixes[0]
    pickup = Place(first.lat, first.lon) if order.pickup is None else _place(recording.stops[order.pickup])
    return pickup, _place(recording.stops[order.dropoff])


def _place(stop: RecordedStop) -> Place:
    return Place(stop.lat, stop.lon, service_s=stop.service_s)
