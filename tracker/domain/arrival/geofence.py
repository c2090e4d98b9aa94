"""Presence: whether a driver's fixes show them at a place, and since when. No single fix does."""

from collections.abc import Mapping
from datetime import datetime
from math import hypot, sqrt
from typing import Final

import msgspec

from tracker.domain.geo import LonLat, Plane, distance, part_way
from tracker.domain.order import Vehicle
from tracker.domain.tracks.track import Fix

ENTER: Final = 60.0  # metres from a stop: who stands within has arrived
CLOSE: Final = 30.0  # metres; further out it takes longer to be sure, as it may be a red light
LEAVE: Final = 100.0  # metres: who is beyond has left
BY_ROUTE: Final = 150.0  # metres still to drive; who has more is on another street, however near
# m/s; who seems slower stands. On foot nobody passes so slowly either
SPEED_OF_STANDING: Final[Mapping[Vehicle, float]] = {"car": 2.0, "scooter": 2.0, "bicycle": 2.0, "foot": 0.6}
SLACK: Final = (10.0, 25.0)  # metres by which a fix of one place is off: twice its accuracy, within these
SETTLED: Final[Mapping[Vehicle, float]] = {
    "car": 4.0,
    "scooter": 4.0,
    "bicycle": 4.0,
    "foot": 20.0,
}  # seconds
SETTLED_FAR: Final = 15.0  # seconds, beyond CLOSE
PARKED: Final = 90.0  # seconds after which nobody is only waiting, whatever the route says
CONFIRMS: Final = 75.0  # metres of accuracy; a fix that is worse says nothing about a stop
ACCURACY: Final = 10.0  # metres, where the device does not tell
SPARSE: Final = 15.0  # seconds between two fixes in which a stop may go unseen
BRIEF_STOP: Final = 10.0  # seconds
BRISK: Final[Mapping[Vehicle, float]] = {"car": 12.0, "scooter": 10.0, "bicycle": 7.0, "foot": 2.0}  # m/s


class Spot(msgspec.Struct, frozen=True):
    """A stop as the driver comes to it."""

    places: tuple[LonLat, ...]  # the stop, and where the route ends for it
    route_m: float | None = None  # metres still to drive to it; None: not known
    is_next: bool = True  # no stop of another order is to be served before

    def metres(self, at: LonLat) -> float:
        """From the nearest of its places, as the crow flies."""
        return min(distance(place, at) for place in self.places)


class Stand(msgspec.Struct, frozen=True):
    """Fixes in a row that may be one place: their mean, and since when."""

    at: LonLat
    since: datetime
    n: int = 1


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """One fix, and all that decides what it shows of an order."""

    order_id: str
    vehicle: Vehicle
    fixes: tuple[Fix, ...]  # that can confirm, the oldest first, at most four; the last is the one
    pickup: Spot
    dropoff: Spot
    others: tuple[LonLat, ...] = ()  # open stops of other orders
    assigned_at: datetime | None = None
    picked_up_at: datetime | None = None
    left_m: float | None = None  # to the dropoff, through all stops before; None: not looked at
    left_s: float | None = None
    now: datetime

    @property
    def fix(self) -> Fix:
        return self.fixes[-1]


def confirms(fix: Fix) -> bool:
    """Whether the fix is good enough to be held against a stop."""
    return fix.accuracy is None or fix.accuracy <= CONFIRMS


def arrival(stands: Stand | None, spot: Spot, sight: Sight) -> tuple[Stand | None, datetime | None]:
    """Where the driver may be standing at the spot, and when they arrived, once that is sure."""
    fix, metres = sight.fix, spot.metres(sight.fix.lonlat)
    if metres > LEAVE:
        return None, passing(spot, sight)
    if metres > ENTER or _nearer_to_others(metres, sight):
        return stands, None
    if stands is None or spot.metres(stands.at) > ENTER or not _is_there(stands, fix):
        return Stand(fix.lonlat, fix.recorded_at), None
    sure = _settled(stands, spot, sight)
    n = stands.n + 1
    return Stand(part_way(stands.at, fix.lonlat, 1.0 / n), stands.since, n), stands.since if sure else None


def slack(fix: Fix) -> float:
    """How far off a fix may be of where the driver is, metres."""
    return min(max(2.0 * (ACCURACY if fix.accuracy is None else fix.accuracy), SLACK[0]), SLACK[1])


def _is_there(stands: Stand, fix: Fix) -> bool:
    """Whether the fix may be of the same place. The mean of n errs too, by a fix's error over root n."""
    return distance(stands.at, fix.lonlat) <= slack(fix) * sqrt(1.0 + 1.0 / stands.n)


def _nearer_to_others(metres: float, sight: Sight) -> bool:
    """The door of a neighbour is theirs; within a fix's error of each other both are meant."""
    return any(distance(place, sight.fix.lonlat) < metres - SLACK[0] for place in sight.others)


def _settled(stands: Stand, spot: Spot, sight: Sight) -> bool:
    """Whether the newest fix shows it too: the driver neither passes nor waits for a light."""
    at, stood = sight.fix.lonlat, (sight.fix.recorded_at - stands.since).total_seconds()
    far = max(spot.metres(stands.at), spot.metres(at)) > CLOSE
    moved = distance(stands.at, at) * (2.0 if stands.n > 1 else 1.0)  # the mean lies half way back
    if stood < max(SETTLED[sight.vehicle], SETTLED_FAR if far else 0.0):
        return False
    if moved > SPEED_OF_STANDING[sight.vehicle] * stood:
        return False
    return stood >= PARKED or _by_route(spot)


def _by_route(spot: Spot) -> bool:
    return spot.route_m is None or spot.route_m <= BY_ROUTE


def passing(spot: Spot, sight: Sight) -> datetime | None:
    """When the way led by the spot, between fixes so far apart that a stop there went unseen.

    The newest fix confirms the two before. Where the driver was twice on the same side, the fix between was
    false. And there must have been the time for a short stop, with the rest driven briskly.
    """
    if len(sight.fixes) < 3 or not spot.is_next or not _by_route(spot):
        return None
    first, second, last = sight.fixes[-3:]
    if _seconds(first, second) < SPARSE or spot.metres(first.lonlat) <= ENTER:
        return None
    if any(_came_back(a, c, spot) for a, c in zip(sight.fixes, sight.fixes[2:], strict=False)):
        return None
    driven = distance(first.lonlat, second.lonlat) + distance(second.lonlat, last.lonlat)
    if driven / BRISK[sight.vehicle] + BRIEF_STOP > _seconds(first, last):
        return None
    metres, at = _nearest(spot, first, second)
    return at if metres <= ENTER else None


def _came_back(before: Fix, after: Fix, spot: Spot) -> bool:
    return distance(before.lonlat, after.lonlat) <= min(spot.metres(fix.lonlat) for fix in (before, after))


def _nearest(spot: Spot, a: Fix, b: Fix) -> tuple[float, datetime]:
    """Metres from the spot at which the straight way from `a` to `b` leads by, and when."""
    metres, share = min(_off_segment(place, a.lonlat, b.lonlat) for place in spot.places)
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
