"""Snapping: the driver is shown on the street where that is sure, and as measured where it is not."""

from typing import Final

import msgspec

from tracker.domain.route import Progress
from tracker.domain.tracks.track import Fix

MOVING: Final = 2.0  # m/s; below, a receiver's heading means nothing
SIDEWAYS: Final = 30.0  # degrees between the driver's heading and the street's
NEAR: Final = (5.0, 20.0)  # metres off the street: what the accuracy explains, at least and at most


class OnStreet(msgspec.Struct, frozen=True):
    """Where the driver is shown, and whether that is on the street for sure."""

    fix: Fix
    sure: bool = False


def on_street(fix: Fix, progress: Progress | None, before: OnStreet | None) -> OnStreet:
    """`progress` is where this very fix was found on the route; None: not there.

    A driver who moves is on the street if they are near and head along it. One who stands says nothing by
    their heading: they stay on the street they came along, while they are near.
    """
    if progress is None or fix.accuracy is None:
        return OnStreet(fix)
    near = progress.offset_m <= min(max(fix.accuracy, NEAR[0]), NEAR[1])
    if not near or not _along(fix, progress, before):
        return OnStreet(fix)
    moved = msgspec.structs.replace(fix, lat=progress.lat, lon=progress.lon, heading=progress.heading)
    return OnStreet(moved, sure=True)


def _along(fix: Fix, progress: Progress, before: OnStreet | None) -> bool:
    if fix.speed is not None and fix.speed < MOVING:
        return before is not None and before.sure
    if fix.heading is None:
        return False
    return abs((fix.heading - progress.heading + 180.0) % 360.0 - 180.0) <= SIDEWAYS
