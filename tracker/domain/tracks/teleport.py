"""Teleports: moves that no vehicle can have made."""

from tracker.domain.geo import distance
from tracker.domain.tracks.fix import JudgedFix


def is_teleport(earlier: JudgedFix, later: JudgedFix, top_speed: float) -> bool:
    """Return whether the move exceeds both the vehicle's top speed and the speed that the device reports.

    A jump that the two accuracies explain is never a teleport.
    """
    before, fix = earlier.fix, later.fix
    jump = distance(before.lonlat, fix.lonlat)
    if jump <= 2.0 * ((before.accuracy or 20.0) + (fix.accuracy or 20.0)):
        return False
    fastest = max(top_speed, 3.0 * (fix.speed or 0.0) + 10.0)
    if jump <= fastest * (fix.recorded_at - before.recorded_at).total_seconds():
        return False
    # Two messages may get different corrections until the offset of the device's clock is settled.
    return jump > fastest * (later.sent_at - earlier.sent_at).total_seconds()
