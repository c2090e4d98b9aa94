"""Leg observations: forecasts, passages and path of one driver's current leg, kept until the arrival."""

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
from tracker.domain.tracks.fix import Fix

LONGEST_STEP: Final = 120.0  # seconds between two fixes; over a longer gap the speed is unknown
FORECAST_EVERY: Final = timedelta(seconds=15)  # between two kept forecasts
STEP: Final = 8.0  # metres; shorter steps are GPS noise
STEPS_KEPT: Final = 2_000  # fixes on one leg; the path of a longer leg is discarded
NEAR_STOP: Final = 100.0  # metres; a path that ends further away did not lead to the stop
FORECASTS_KEPT: Final = 240  # for one stop; beyond it, every other forecast is dropped

StopKey = tuple[str, StopKind]  # an order has one stop of each kind


def key_of(stop: Stop) -> StopKey:
    return stop.order_id, stop.kind


class LegObservations:
    """Observations of one driver since the last stop."""

    __slots__ = (
        "_forecast_at",
        "_forecasts",
        "_has_gap",
        "_heading",
        "_last_fix_at",
        "_leg_at",
        "_leg_from",
        "_metres",
        "_passages",
        "_sections",
        "_steps",
        "dwell",
    )

    def __init__(self) -> None:
        self._forecasts: dict[StopKey, list[ForecastSample]] = {}
        self._forecast_at: datetime | None = None
        self._sections: list[RouteSection] = []  # on the current route
        self._passages: list[Passage] = []  # on earlier routes of this leg
        self._metres = 0.0  # along the route on this leg
        self._leg_from: LonLat | None = None
        self._leg_at: datetime | None = None
        self._last_fix_at: datetime | None = None  # the newest fix on this leg
        self._has_gap = False  # a gap over LONGEST_STEP on this leg, or the device clock was changed
        self._heading: float | None = None  # at the start of the leg
        self._steps = array("d")  # alternating longitudes and latitudes of the fixes on this leg
        self.dwell: Dwell | None = None  # at the previous stop

    def begin_leg(self, fix: Fix, heading: float | None = None) -> None:
        """Begin a leg at the driver's first fix or at a stop that they leave."""
        self._leg_from, self._leg_at, self._metres = fix.lonlat, fix.recorded_at, 0.0
        self._heading, self._steps = heading, array("d")
        self._last_fix_at, self._has_gap = fix.recorded_at, False

    def add_fix(self, fix: Fix) -> bool:
        """Add a fix, on the route or not; return whether a leg is in progress."""
        if self._leg_from is None:
            return False
        self._detect_gap(fix.recorded_at)
        steps = self._steps
        if len(steps) <= 2 * STEPS_KEPT:
            steps.append(fix.lon)
            steps.append(fix.lat)
        return True

    def _detect_gap(self, at: datetime) -> None:
        self._has_gap |= (
            self._last_fix_at is not None and (at - self._last_fix_at).total_seconds() > LONGEST_STEP
        )
        self._last_fix_at = at

    def add_section(self, section: RouteSection) -> None:
        """Add a section of the current route, without time at stops."""
        forward = section.to_m - section.from_m
        if forward > 0.0:
            self._metres += forward
        if forward > 0.0 or not self._sections:
            self._sections.append(section)
        else:  # a halt or noise: add its time to the previous section
            last = self._sections[-1]
            self._sections[-1] = RouteSection(last.from_m, last.to_m, last.seconds + section.seconds)

    def route_ends(self, route: Route) -> None:
        """Convert the sections of *route*, which the driver no longer follows, to passages."""
        self._passages.extend(passages(route, self._sections))
        self._sections.clear()

    def wants_forecasts(self, at: datetime) -> bool:
        """Return whether the next forecasts are due to be kept."""
        return self._forecast_at is None or at - self._forecast_at >= FORECAST_EVERY

    def add_forecast(self, stop: Stop, sample: ForecastSample) -> None:
        kept = self._forecasts.setdefault(key_of(stop), [])
        kept.append(sample)
        self._forecast_at = sample.at
        if len(kept) > FORECASTS_KEPT:
            del kept[::2]

    def keep_only(self, stops: tuple[Stop, ...]) -> None:
        """Drop the forecasts of stops that are no longer to be served."""
        keys = {key_of(stop) for stop in stops}
        self._forecasts = {key: kept for key, kept in self._forecasts.items() if key in keys}

    def end_leg(
        self, stop: Stop, arrived_at: datetime, vehicle: Vehicle, route: Route | None
    ) -> ArrivalSample:
        """End the leg at this stop and return its sample."""
        if route is not None:
            self.route_ends(route)
        self._detect_gap(arrived_at)
        samples = tuple(each for each in self._forecasts.pop(key_of(stop), ()) if each.at < arrived_at)
        begun, begun_at, driven_passages, dwell = (
            self._leg_from,
            self._leg_at,
            tuple(self._passages),
            self.dwell,
        )
        self._passages.clear()
        self._leg_from = self._leg_at = self.dwell = None
        is_complete = begun is not None and begun_at is not None and begun_at < arrived_at
        is_timed = is_complete and not self._has_gap
        return ArrivalSample(
            vehicle=vehicle,
            at=stop.at,
            arrived_at=arrived_at,
            told=samples,
            passages=driven_passages,
            straight_m=distance(begun, stop.at) if is_complete and begun else 0.0,
            drove_m=self._metres,
            drove_s=(arrived_at - begun_at).total_seconds() if is_timed and begun_at else 0.0,
            dwell=dwell,
            way=self._path(begun, stop) if is_complete and begun else None,
        )

    def _path(self, begun: LonLat, stop: Stop) -> DrivenPath | None:
        """Return the driven path; None if it was too long or led elsewhere."""
        steps = [begun, *map(LonLat, self._steps[::2], self._steps[1::2])]
        self._steps = array("d")
        if len(steps) > STEPS_KEPT or distance(steps[-1], stop.at) > NEAR_STOP:
            return None
        lengths = (distance(a, b) for a, b in pairwise(steps))
        metres = sum(each for each in lengths if each >= STEP)
        return DrivenPath(begun, self._heading, metres, tuple(steps))
