"""Detection of a driver's arrival at a place. A single fix is never enough."""

from collections.abc import Mapping
from datetime import datetime
from math import hypot, sqrt
from typing import Final

import msgspec

from tracker.domain.geo import LonLat, Plane, distance, interpolate
from tracker.domain.order import Vehicle
from tracker.domain.tracks.fix import Fix

ENTER: Final = 60.0  # metres from a stop; a driver who stands within has arrived
CLOSE: Final = 30.0  # metres; further out, confirmation takes longer, as it may be a red light
LEAVE: Final = 100.0  # metres; a driver further away has left. ENTER and LEAVE differ for hysteresis
MAX_ROUTE: Final = 150.0  # metres still to drive; with more, the driver is on another street, however near
# m/s; a slower driver stands. Nobody walks past so slowly either
SPEED_OF_STANDING: Final[Mapping[Vehicle, float]] = {"car": 2.0, "scooter": 2.0, "bicycle": 2.0, "foot": 0.6}
SLACK: Final = (10.0, 25.0)  # metres; the error of a fix is twice its accuracy, clamped to these
# Seconds.
SETTLED: Final[Mapping[Vehicle, float]] = {"car": 4.0, "scooter": 4.0, "bicycle": 4.0, "foot": 20.0}
SETTLED_FAR: Final = 15.0  # seconds, beyond CLOSE
PARKED: Final = 90.0  # seconds after which it is no red light, whatever the route says
MAX_ACCURACY: Final = 75.0  # metres of accuracy; a worse fix neither confirms nor denies a stop
ACCURACY: Final = 10.0  # metres, where the device sends none
SPARSE: Final = 15.0  # seconds between two fixes; in so long a gap a stop may go undetected
BRIEF_STOP: Final = 10.0  # seconds
BRISK: Final[Mapping[Vehicle, float]] = {"car": 12.0, "scooter": 10.0, "bicycle": 7.0, "foot": 2.0}  # m/s


class StopArea(msgspec.Struct, frozen=True):
    """A stop as the driver approaches it."""

    places: tuple[LonLat, ...]  # the stop, and the end of the route to it
    route_m: float | None = None  # metres still to drive to it; None: unknown
    is_next: bool = True  # no stop of another order comes before it

    def metres(self, at: LonLat) -> float:
        """Return the straight-line metres from *at* to the nearest of the places."""
        return min(distance(place, at) for place in self.places)


class Standstill(msgspec.Struct, frozen=True):
    """Consecutive fixes that may be at one place: their mean, and the time of the first."""

    at: LonLat
    since: datetime
    n: int = 1


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One fix, with everything on which the milestones of one order depend."""

    order_id: str
    vehicle: Vehicle
    fixes: tuple[Fix, ...]  # fixes that can confirm, oldest first, at most four; the last one is the newest
    pickup: StopArea
    dropoff: StopArea
    others: tuple[LonLat, ...] = ()  # open stops of other orders
    assigned_at: datetime | None = None
    picked_up_at: datetime | None = None
    left_m: float | None = None  # metres to the dropoff, through all stops before it; None: not computed
    left_s: float | None = None
    now: datetime

    @property
    def fix(self) -> Fix:
        return self.fixes[-1]


def confirms(fix: Fix) -> bool:
    """Return whether the fix is accurate enough to confirm a stop."""
    return fix.accuracy is None or fix.accuracy <= MAX_ACCURACY


def detect_arrival(
    standstill: Standstill | None, area: StopArea, observation: Observation
) -> tuple[Standstill | None, datetime | None]:
    """Return the updated standstill in the area, and the time of arrival once it is confirmed."""
    fix, metres = observation.fix, area.metres(observation.fix.lonlat)
    if metres > LEAVE:
        return None, passing_time(area, observation)
    if metres > ENTER or _nearer_to_others(metres, observation):
        return standstill, None
    if standstill is None or area.metres(standstill.at) > ENTER or not _is_same_place(standstill, fix):
        return Standstill(fix.lonlat, fix.recorded_at), None
    n = standstill.n + 1
    extended = Standstill(interpolate(standstill.at, fix.lonlat, 1.0 / n), standstill.since, n)
    return extended, standstill.since if _is_confirmed(standstill, area, observation) else None


def slack(fix: Fix) -> float:
    """Return the largest expected error of a fix in metres."""
    return min(max(2.0 * (ACCURACY if fix.accuracy is None else fix.accuracy), SLACK[0]), SLACK[1])


def _is_same_place(standstill: Standstill, fix: Fix) -> bool:
    """Return whether the fix may be at the same place. The mean of n fixes has an error of slack/√n."""
    return distance(standstill.at, fix.lonlat) <= slack(fix) * sqrt(1.0 + 1.0 / standstill.n)


def _nearer_to_others(metres: float, observation: Observation) -> bool:
    """Return whether another order's stop is nearer, by more than the error of a fix."""
    return any(distance(place, observation.fix.lonlat) < metres - SLACK[0] for place in observation.others)


def _is_confirmed(standstill: Standstill, area: StopArea, observation: Observation) -> bool:
    """Return whether the newest fix confirms the stop: the driver neither passes nor waits at a light."""
    at, stood = observation.fix.lonlat, (observation.fix.recorded_at - standstill.since).total_seconds()
    far = max(area.metres(standstill.at), area.metres(at)) > CLOSE
    moved = distance(standstill.at, at) * (2.0 if standstill.n > 1 else 1.0)  # the mean lags by half
    if stood < max(SETTLED[observation.vehicle], SETTLED_FAR if far else 0.0):
        return False
    if moved > SPEED_OF_STANDING[observation.vehicle] * stood:
        return False
    return stood >= PARKED or _is_near_by_route(area)


def _is_near_by_route(area: StopArea) -> bool:
    return area.route_m is None or area.route_m <= MAX_ROUTE


def passing_time(area: StopArea, observation: Observation) -> datetime | None:
    """Return when the driver passed the area between fixes too far apart to show a stop, else None.

    The newest fix confirms the two before. If the driver was on the same side twice, the fix between is an
    outlier. The time must suffice for a brief stop when the rest is driven at brisk speed.
    """
    if len(observation.fixes) < 3 or not area.is_next or not _is_near_by_route(area):
        return None
    first, second, last = observation.fixes[-3:]
    if _seconds(first, second) < SPARSE or area.metres(first.lonlat) <= ENTER:
        return None
    if any(_has_returned(a, c, area) for a, c in zip(observation.fixes, observation.fixes[2:], strict=False)):
        return None
    driven = distance(first.lonlat, second.lonlat) + distance(second.lonlat, last.lonlat)
    if driven / BRISK[observation.vehicle] + BRIEF_STOP > _seconds(first, last):
        return None
    metres, at = _nearest(area, first, second)
    return at if metres <= ENTER else None


def _has_returned(before: Fix, after: Fix, area: StopArea) -> bool:
    return distance(before.lonlat, after.lonlat) <= min(area.metres(fix.lonlat) for fix in (before, after))


def _nearest(area: StopArea, a: Fix, b: Fix) -> tuple[float, datetime]:
    """Return how many metres from the area the straight line from *a* to *b* passes, and when."""
    metres, share = min(_off_segment(place, a.lonlat, b.lonlat) for place in area.places)
    return metres, a.recorded_at + share * (b.recorded_at - a.recorded_at)


def _off_segment(place: LonLat, a: LonLat, b: LonLat) -> tuple[float, float]:
    plane = Plane(place)
    (ax, ay), (bx, by) = plane.to_metres(a), plane.to_metres(b)
    dx, dy = bx - ax, by - ay
    squared = dx * dx + dy * dy
    share = min(max(-(ax * dx + ay * dy) / squared, 0.0), 1.0) if squared else 0.0
    return hypot(ax + share * dx, ay + share * dy), share


def _seconds(a: Fix, b: Fix) -> float:
    return (b.recorded_at - a.recorded_at).total_seconds()
