"""Diary: what a driver's way to the next stops has shown, kept until arrivals tell what it was worth."""

from array import array
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from tracker.domain.eta.model import ArrivalSample, Dwell, ForecastSample, Passage
from tracker.domain.eta.travel_time import RouteSection, passages
from tracker.domain.geo import LonLat, distance
from tracker.domain.order import StopKind, Vehicle
from tracker.domain.route import Route, Stop
from tracker.domain.route_choice.preference import DrivenPath
from tracker.domain.tracks.track import Fix

LONGEST_STEP: Final = 120.0  # seconds between two fixes; over a longer silence nobody's pace is known
TOLD_EVERY: Final = timedelta(seconds=15)  # between two forecasts that are kept
STEP: Final = 8.0  # metres; shorter steps are noise
STEPS_KEPT: Final = 2_000  # fixes on one leg; of a longer one the way is not kept
NEAR_STOP: Final = 100.0  # metres; a way that ends further off did not lead there
TOLD_KEPT: Final = 240  # for one stop; beyond, every other one goes

StopKey = tuple[str, StopKind]  # an order has one stop of each kind


def key_of(stop: Stop) -> StopKey:
    return stop.order_id, stop.kind


class LegObservations:
    """Belongs to one driver. Passages and the leg are those since the last stop."""

    __slots__ = (
        *(
            "_driven",
            "_heading",
            "_leg_at",
            "_leg_from",
            "_metres",
            "_passages",
            "_seen_at",
            "_silent",
            "_steps",
            "_told",
            "_told_at",
        ),
        "dwell",
    )

    def __init__(self) -> None:
        self._told: dict[StopKey, list[ForecastSample]] = {}
        self._told_at: datetime | None = None
        self._driven: list[RouteSection] = []  # on the present route
        self._passages: list[Passage] = []  # on the routes before it
        self._metres = 0.0  # driven on this leg
        self._leg_from: LonLat | None = None
        self._leg_at: datetime | None = None
        self._seen_at: datetime | None = None  # the newest fix on this leg
        self._silent = False  # longer than LONGEST_STEP on this leg, or the device's clock was set
        self._heading: float | None = None  # where the leg began
        self._steps = array("d")  # longitudes and latitudes by turns, of each fix on this leg
        self.dwell: Dwell | None = None  # at the stop before

    def begin_leg(self, fix: Fix, heading: float | None = None) -> None:
        """The driver sets out, seen for the first time or from a stop."""
        self._leg_from, self._leg_at, self._metres = fix.lonlat, fix.recorded_at, 0.0
        self._heading, self._steps = heading, array("d")
        self._seen_at, self._silent = fix.recorded_at, False

    def passes(self, fix: Fix) -> bool:
        """Every fix, on a route or not; whether it is on a leg."""
        if self._leg_from is None:
            return False
        self._see(fix.recorded_at)
        steps = self._steps
        if len(steps) <= 2 * STEPS_KEPT:
            steps.append(fix.lon)
            steps.append(fix.lat)
        return True

    def _see(self, at: datetime) -> None:
        self._silent |= self._seen_at is not None and (at - self._seen_at).total_seconds() > LONGEST_STEP
        self._seen_at = at

    def drove(self, driven: RouteSection) -> None:
        """On the present route, and not while at a stop."""
        forward = driven.to_m - driven.from_m
        if forward > 0.0:
            self._metres += forward
        if forward > 0.0 or not self._driven:
            self._driven.append(driven)
        else:  # a halt, or noise: the time belongs to where the driver was
            last = self._driven[-1]
            self._driven[-1] = RouteSection(last.from_m, last.to_m, last.seconds + driven.seconds)

    def route_ends(self, route: Route) -> None:
        """The present route is followed no longer."""
        self._passages.extend(passages(route, self._driven))
        self._driven.clear()

    def wants_forecasts(self, at: datetime) -> bool:
        """Whether the last ones that were kept are old enough."""
        return self._told_at is None or at - self._told_at >= TOLD_EVERY

    def note(self, stop: Stop, told: ForecastSample) -> None:
        kept = self._told.setdefault(key_of(stop), [])
        kept.append(told)
        self._told_at = told.at
        if len(kept) > TOLD_KEPT:
            del kept[::2]

    def keep_only(self, stops: tuple[Stop, ...]) -> None:
        """Forgets what was told about stops that are not to be served any more."""
        keys = {key_of(stop) for stop in stops}
        self._told = {key: told for key, told in self._told.items() if key in keys}

    def arrived(
        self, stop: Stop, arrived_at: datetime, vehicle: Vehicle, route: Route | None
    ) -> ArrivalSample:
        """What reaching this stop teaches; the leg ends with it."""
        if route is not None:
            self.route_ends(route)
        self._see(arrived_at)
        told = tuple(each for each in self._told.pop(key_of(stop), ()) if each.at < arrived_at)
        begun, begun_at, passed, dwell = self._leg_from, self._leg_at, tuple(self._passages), self.dwell
        self._passages.clear()
        self._leg_from = self._leg_at = self.dwell = None
        whole = begun is not None and begun_at is not None and begun_at < arrived_at
        is_timed = whole and not self._silent
        return ArrivalSample(
            vehicle=vehicle,
            at=stop.at,
            arrived_at=arrived_at,
            told=told,
            passages=passed,
            straight_m=distance(begun, stop.at) if whole and begun else 0.0,
            drove_m=self._metres,
            drove_s=(arrived_at - begun_at).total_seconds() if is_timed and begun_at else 0.0,
            dwell=dwell,
            way=self._way(begun, stop) if whole and begun else None,
        )

    def _way(self, begun: LonLat, stop: Stop) -> DrivenPath | None:
        """As it was driven; None where it was too long, or led elsewhere."""
        steps = [begun, *map(LonLat, self._steps[::2], self._steps[1::2])]
        self._steps = array("d")
        if len(steps) > STEPS_KEPT or distance(steps[-1], stop.at) > NEAR_STOP:
            return None
        lengths = (distance(a, b) for a, b in pairwise(steps))
        metres = sum(each for each in lengths if each >= STEP)
        return DrivenPath(begun, self._heading, metres, tuple(steps))
