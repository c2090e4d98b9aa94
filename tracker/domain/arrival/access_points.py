"""Access points: where drivers stop for an address and for how long, learned from completed stops.

An access point holds a place, counts and durations. It holds no names, orders or times.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final

import msgspec

from tracker.domain.eta.ratio import Ratio
from tracker.domain.geo import LonLat, distance, interpolate
from tracker.domain.order import Place
from tracker.domain.tracks.fix import Fix

AGREE: Final = 40.0  # metres between stops at one place
ENOUGH: Final = 3  # stops at one place
REACH: Final = 150.0  # metres from the given coordinate; a stop further away was for somebody else
KEPT_PER_ADDRESS: Final = 5  # per address
ACCURACY: Final = 30.0  # metres; a worse fix does not show where the driver stood
LATELY: Final = timedelta(seconds=90)  # between the fix and the status that the driver reported
SPEED_OF_STANDING: Final = 1.5  # m/s
SLACK: Final = 10.0  # metres


class AccessPoint(msgspec.Struct, frozen=True):
    """A place where drivers stop: the mean of `n` stops, with the durations of some of them."""

    at: LonLat
    n: int
    dwells: int = 0
    dwell_s: float = 0.0  # sum over `dwells` stops


def place_key(place: Place) -> str:
    """Return a key of the coordinate (to about 10 m) and the address, which it does not disclose."""
    key = f"{place.lat:.4f},{place.lon:.4f}"
    text = " ".join((place.address or "").casefold().split())
    return f"{key}:{blake2b(text.encode(), digest_size=8).hexdigest()}" if text else key


def stopping_place(fixes: Sequence[Fix], given: LonLat, served_at: datetime) -> LonLat | None:
    """Return where the driver stood who served *given* at that time, by their last fixes; None if unsure."""
    if len(fixes) < 2:
        return None
    before, last = fixes[-2:]
    elapsed = (last.recorded_at - before.recorded_at).total_seconds()
    moved = distance(before.lonlat, last.lonlat)
    here = interpolate(before.lonlat, last.lonlat, 0.5)
    sure = (
        abs(served_at - last.recorded_at) <= LATELY
        and all(fix.accuracy is not None and fix.accuracy <= ACCURACY for fix in (before, last))
        and moved <= min(SPEED_OF_STANDING * elapsed + SLACK, AGREE)
        and distance(here, given) <= REACH
    )
    return here if sure else None


def add_stop(points: Sequence[AccessPoint], at: LonLat, dwell_s: float | None) -> list[AccessPoint]:
    """Return the access points of an address after one more stop.

    The nearest one within AGREE moves to the new mean; else a new one is added. Those with most stops stay.
    """
    dwells, seconds = (0, 0.0) if dwell_s is None else (1, dwell_s)
    agreeing = [point for point in points if distance(point.at, at) <= AGREE]
    near = min(agreeing, key=lambda point: distance(point.at, at), default=None)
    if near is None:
        kept = sorted(points, key=lambda point: -point.n)[: KEPT_PER_ADDRESS - 1]
        return [*kept, AccessPoint(at, 1, dwells, seconds)]
    moved = AccessPoint(
        interpolate(near.at, at, 1.0 / (near.n + 1)), near.n + 1, near.dwells + dwells, near.dwell_s + seconds
    )
    return [moved if point is near else point for point in points]


def usual_dwell(points: Iterable[AccessPoint]) -> Ratio:
    """Return the ratio of seconds to stops over all access points of an address."""
    usual = Ratio()
    for point in points:
        usual.add(point.dwell_s, point.dwells)
    return usual


def routing_target(points: Iterable[AccessPoint], given: LonLat) -> LonLat:
    """Return the place to route to for *given*: an access point with ENOUGH stops, or the place itself."""
    usable = [point for point in points if point.n >= ENOUGH and distance(point.at, given) <= REACH]
    return max(usable, key=lambda point: point.n).at if usable else given
