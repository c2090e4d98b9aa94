"""Schedule: when to send a recording's fixes, with which times, and when its orders change status. Pure."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from driver_sim.tracks.recording import RecordedStop, Recording
from tracker.domain.order import Place, StopKind
from tracker.domain.tracks.fix import Fix


class Timing(msgspec.Struct, frozen=True):
    """The timing of a replay."""

    speed: float | None = 1.0  # factor of real time; None for as fast as possible
    original_times: bool = False


class StatusChange(msgspec.Struct, frozen=True):
    """A status change of a recorded order."""

    order: int  # index into `recorded_orders`
    status: Literal["picked_up", "delivered"]


class RecordedOrder(msgspec.Struct, frozen=True):
    """The stop indexes of an order of a recorded trip. Without a pickup it is aboard from the start."""

    dropoff: int
    pickup: int | None = None


def scheduled_fixes(recording: Recording, timing: Timing, now: datetime) -> Iterator[tuple[float, Fix]]:
    """Yield each fix with its new time, and the seconds after *now* at which to send it.

    Times are shifted to now unless the original times are kept. A faster replay compresses the times and
    raises the speeds. As fast as possible, the times keep their distances and end now, because the service
    rejects fixes from the future.
    """
    start = recording.fixes[0].recorded_at
    for fix in recording.fixes:
        after = (fix.recorded_at - start).total_seconds()
        wait = after / timing.speed if timing.speed else 0.0
        yield wait, _retime(fix, timing, now, wait, after - recording.duration)


def _retime(fix: Fix, timing: Timing, now: datetime, wait: float, from_end: float) -> Fix:
    if timing.original_times:
        return fix
    if timing.speed is None:
        return _with_time(fix, now + timedelta(seconds=from_end), 1.0)
    return _with_time(fix, now + timedelta(seconds=wait), timing.speed)


def _with_time(fix: Fix, at: datetime, speed_up: float) -> Fix:
    speed = None if fix.speed is None else fix.speed * speed_up
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    return msgspec.structs.replace(fix, recorded_at=at, speed=speed)


def recorded_orders(recording: Recording) -> tuple[RecordedOrder, ...]:
    """Return the orders of a trip. Two stops of one `order` are pickup and dropoff, others dropoffs."""
    by_order: defaultdict[str, list[int]] = defaultdict(list)
    for index, stop in enumerate(recording.stops):
        by_order[stop.order if stop.order is not None else f"stop {index}"].append(index)
    return tuple(
        RecordedOrder(indexes[-1], indexes[0] if len(indexes) > 1 else None) for indexes in by_order.values()
    )


def status_changes(recording: Recording, timing: Timing) -> Iterator[tuple[float, StatusChange]]:
    """Yield the seconds after the start at which each status change is due, after its service."""
    for index, order in enumerate(recorded_orders(recording)):
        if order.pickup is None:
            yield 0.0, StatusChange(index, "picked_up")
        else:
            yield _seconds_until_served(recording, order.pickup, timing), StatusChange(index, "picked_up")
        yield _seconds_until_served(recording, order.dropoff, timing), StatusChange(index, "delivered")


def _seconds_until_served(recording: Recording, stop: int, timing: Timing) -> float:
    """Return the seconds after the start, at most to the next arrival or the recording's end."""
    start = recording.fixes[0].recorded_at
    arrived = (recording.arrived_at[stop] - start).total_seconds()
    following = [(at - start).total_seconds() for at in recording.arrived_at[stop + 1 : stop + 2]]
    latest = max(arrived, min([*following, max(arrived, recording.duration)]))
    served = min(latest, arrived + (recording.stops[stop].service_s or 0.0))
    return max(0.0, served) / (timing.speed or 1.0)


def stop_sequence(recording: Recording) -> Iterator[tuple[int, StopKind]]:
    """Yield the stops in the recorded sequence: index of the order, and the kind of stop."""
    ends: dict[int, tuple[int, StopKind]] = {}
    for index, order in enumerate(recorded_orders(recording)):
        ends[order.dropoff] = (index, "dropoff")
        if order.pickup is not None:
            ends[order.pickup] = (index, "pickup")
    return (ends[stop] for stop in sorted(ends))


def places(recording: Recording, order: RecordedOrder) -> tuple[Place, Place]:
    """Return pickup and dropoff. The pickup of an order without one is the begin of the track."""
    first = recording.fixes[0]
    pickup = Place(first.lat, first.lon) if order.pickup is None else _place(recording.stops[order.pickup])
    return pickup, _place(recording.stops[order.dropoff])


def _place(stop: RecordedStop) -> Place:
    return Place(stop.lat, stop.lon, service_s=stop.service_s)
