"""Snapping of the marker to the street, if the driver is certainly on it."""

from typing import Final

import msgspec

from tracker.domain.route import Progress
from tracker.domain.tracks.fix import Fix

MOVING: Final = 2.0  # m/s; below this speed a receiver's heading is meaningless
MAX_HEADING_DIFFERENCE: Final = 30.0  # degrees between the headings of the driver and the street, at most
NEAR: Final = (5.0, 20.0)  # metres off the street: the accuracy, clamped to these


class SnappedFix(msgspec.Struct, frozen=True):
    """The position to show, and whether it is certainly on the street."""

    fix: Fix
    sure: bool = False


def snap_to_street(fix: Fix, progress: Progress | None, before: SnappedFix | None) -> SnappedFix:
    """Snap a fix to the street if that is certain. *progress* locates this fix on the route; None: it is off.

    A moving driver is on the street if they are near it and head along it. The heading of a standing driver
    is meaningless. So they stay on the street on which they arrived while they are near it.
    """
    if progress is None or fix.accuracy is None:
        return SnappedFix(fix)
    near = progress.offset_m <= min(max(fix.accuracy, NEAR[0]), NEAR[1])
    if not near or not _heads_along(fix, progress, before):
        return SnappedFix(fix)
    moved = msgspec.structs.replace(fix, lat=progress.lat, lon=progress.lon, heading=progress.heading)
    return SnappedFix(moved, sure=True)


def _heads_along(fix: Fix, progress: Progress, before: SnappedFix | None) -> bool:
    if fix.speed is not None and fix.speed < MOVING:
        return before is not None and before.sure
    if fix.heading is None:
        return False
    return abs((fix.heading - progress.heading + 180.0) % 360.0 - 180.0) <= MAX_HEADING_DIFFERENCE
