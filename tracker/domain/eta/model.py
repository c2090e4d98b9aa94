"""Learning: what finished ways teach about the next ones. Plain values that encode to JSON."""

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from math import exp
from typing import Final

import msgspec

from tracker.domain.eta.device_eta import Opinions, Trust
from tracker.domain.eta.ensemble import TERMS, Ensemble, guessed
from tracker.domain.eta.interval import Residuals
from tracker.domain.eta.ratio import Ratio
from tracker.domain.geo import LonLat
from tracker.domain.order import Vehicle
from tracker.domain.route import Edge
from tracker.domain.route_choice.observed_streets import ObservedStreets, StreetPassage
from tracker.domain.route_choice.preference import DrivenPath, RoutePreference, RoutePreferences

ROUTER_RATIO: Final = 1.2  # real seconds for one of the router's, until it is learned
DWELL: Final = 87.0  # seconds at a stop, until it is learned
STRAIGHT_SPEED: Final[Mapping[Vehicle, float]] = {  # m/s as the crow flies in central Helsinki: measured on
    "car": 3.7,  # cars, and for the others taken from the router's times for the same pairs of places
    "scooter": 3.1,
    "bicycle": 2.3,
    "foot": 0.8,
}
WHOLE_PRIOR: Final = 1_200.0  # expected seconds that ROUTER_RATIO counts as
KIND_PRIOR: Final = 600.0  # expected seconds that the whole network's ratio counts as in a class
EDGE_PRIOR: Final = 10.0  # expected seconds that the class's ratio counts as on one edge
DWELL_PRIOR: Final = 5.0  # stops that the usual dwell counts as
PLACE_PRIOR: Final = 4.0  # stops at one place that what is expected of any place counts as
SERVICE_PRIOR: Final = 400.0  # seconds told beforehand that are believed as they are
WINDING: Final = 1.4  # metres of route for one as the crow flies, until it is learned
SPEED_FACTOR: Final = 4.0  # a learned speed is at most so many times faster or slower than STRAIGHT_SPEED
SPEED_PRIOR: Final = 600.0  # seconds that STRAIGHT_SPEED counts as
LATELY: Final = 1_800.0  # seconds after which what the traffic was like counts 1/e
LATELY_PRIOR: Final = 3_000.0  # expected seconds that ordinary traffic counts as
NEAR: Final = 30.0  # seconds; nearer arrivals teach weights and interval nothing, and no account counts them
EDGES_KEPT: Final = 50_000  # with the most seconds; the others are forgotten


_NOTHING: Final = Ratio()


def kind_of(edge: Edge) -> str:
    """What edges have in common: the class of the road, and whether they end at traffic lights."""
    return f"{edge.road_class}+signal" if edge.signal else edge.road_class


class Passage(msgspec.Struct, gc=False):
    """The time that a driver took on one edge, or on a part of it."""

    edge: str  # Edge.key
    kind: str  # see `kind_of`
    observed: float  # seconds
    expected: float  # the router's


class ForecastSample(msgspec.Struct, frozen=True, gc=False):
    """A forecast as it was made: what it knew, and what it said."""

    at: datetime
    eta_s: float
    terms: tuple[float, ...]  # seconds, each an answer of its own; see domain.weights
    opinions: Opinions | None = None  # of the next stop, where the phone's navigation had one too
    strain: float = 1.0  # see Pace.strain


class Dwell(msgspec.Struct, frozen=True, gc=False):
    """How long a driver was at a stop."""

    seconds: float
    service_s: float | None  # what had been told beforehand


class ArrivalSample(msgspec.Struct, frozen=True, kw_only=True):
    """All that reaching one stop teaches. Made by `Trip.arrived`; encodes to JSON."""

    vehicle: Vehicle
    at: LonLat
    arrived_at: datetime
    told: tuple[ForecastSample, ...] = ()
    passages: tuple[Passage, ...] = ()
    straight_m: float = 0.0  # as the crow flies, from where this leg began
    drove_m: float = 0.0  # the same way along the route
    drove_s: float = 0.0  # the same way in seconds
    dwell: Dwell | None = None  # at the stop before
    way: DrivenPath | None = None  # the same way as it was driven, whatever the route
    off: dict[RoutePreference, float] = {}  # how far off each manner of routing was for it
    streets: tuple[StreetPassage, ...] = ()  # of the same way


class Rates(msgspec.Struct, frozen=True, gc=False):
    """What every forecast asks of what is known."""

    router: float  # real seconds for one of the router's, in the network as a whole
    straight: float  # metres a second as the crow flies
    route: float  # metres of route a second, lights and queues included


class EtaModel(msgspec.Struct, dict=True):
    """What is known of one kind of vehicle."""

    whole: Ratio = msgspec.field(default_factory=Ratio)
    kinds: dict[str, Ratio] = {}
    edges: dict[str, Ratio] = {}
    straight: Ratio = msgspec.field(default_factory=Ratio)  # metres as the crow flies, seconds
    along: Ratio = msgspec.field(default_factory=Ratio)  # metres of route, seconds
    dwell: Ratio = msgspec.field(default_factory=Ratio)  # seconds, stops whose service time nobody told
    service: Ratio = msgspec.field(default_factory=Ratio)  # seconds, and those that had been told
    weights: Ensemble = msgspec.field(default_factory=Ensemble)
    residuals: Residuals = msgspec.field(default_factory=Residuals)
    lately: Ratio = msgspec.field(default_factory=Ratio)  # seconds, and those expected by all of the above
    lately_at: datetime | None = None
    manners: RoutePreferences = msgspec.field(default_factory=RoutePreferences)
    navigator: Trust = msgspec.field(default_factory=Trust)
    streets: ObservedStreets = msgspec.field(default_factory=ObservedStreets)

    def ratio(self, edge: Edge) -> float:
        """Real seconds for one of the router's on this edge."""
        return self._ratio(edge.key, kind_of(edge))

    def _ratio(self, key: str, kind: str) -> float:
        whole = self.whole.ratio(ROUTER_RATIO, WHOLE_PRIOR)
        of_kind = self.kinds.get(kind, _NOTHING).ratio(whole, KIND_PRIOR)
        return self.edges.get(key, _NOTHING).ratio(of_kind, EDGE_PRIOR)

    def traffic(self, at: datetime) -> float:
        """Seconds for one that is expected, on the streets as they are at this time: a jam, a holiday."""
        if self.lately_at is None:
            return 1.0
        keep = exp(-max((at - self.lately_at).total_seconds(), 0.0) / LATELY)
        return (LATELY_PRIOR + keep * self.lately.observed) / (LATELY_PRIOR + keep * self.lately.expected)

    def rates(self, vehicle: Vehicle) -> Rates:
        """What the sums come to for this vehicle; the same ones until something more is learned."""
        found = self._rates.get(vehicle)
        if found is None:
            found = self._rates[vehicle] = Rates(
                self.whole.ratio(ROUTER_RATIO, WHOLE_PRIOR),
                _sane_speed(self.straight, STRAIGHT_SPEED[vehicle]),
                _sane_speed(self.along, WINDING * STRAIGHT_SPEED[vehicle]),
            )
        return found

    @cached_property
    def _rates(self) -> dict[Vehicle, Rates]:
        return {}

    def dwell_at(self, service_s: float | None, usual: Ratio = _NOTHING) -> float:
        """Seconds at a stop, if so many were told; `usual`: seconds and stops at this very place."""
        if service_s is None:
            anywhere = self.dwell.ratio(DWELL, DWELL_PRIOR)
        else:
            anywhere = service_s * self.service.ratio(1.0, SERVICE_PRIOR)
        return usual.ratio(anywhere, PLACE_PRIOR)

    def learn(self, arrival: ArrivalSample) -> None:
        """What was told is judged before anything else is changed by this arrival."""
        vars(self).clear()  # what was worked out from what is known
        real = [(told, (arrival.arrived_at - told.at).total_seconds()) for told in arrival.told]
        if real:
            self.navigator.learn([(told.opinions, seconds) for told, seconds in real if told.opinions])
        # Not what was told without a route, nor by another version.
        if comparable := [(told, s) for told, s in real if s >= NEAR and len(told.terms) == len(TERMS)]:
            self.residuals.learn(
                (told.eta_s, guessed(told.terms), told.strain, seconds) for told, seconds in comparable
            )
            self.weights.learn((told.terms, seconds) for told, seconds in comparable)
        self._learn_traffic(arrival)
        self.manners.learn(arrival.off)
        self.streets.learn(arrival.streets, arrival.at, arrival.arrived_at.date())
        for passage in arrival.passages:
            self.whole.add(passage.observed, passage.expected)
            self.kinds.setdefault(passage.kind, Ratio()).add(passage.observed, passage.expected)
            self.edges.setdefault(passage.edge, Ratio()).add(passage.observed, passage.expected)
        if arrival.drove_s > 0.0:
            self.straight.add(arrival.straight_m, arrival.drove_s)
            self.along.add(arrival.drove_m, arrival.drove_s)
        if (dwell := arrival.dwell) is not None:
            if dwell.service_s is None:
                self.dwell.add(dwell.seconds, 1.0)
            else:
                self.service.add(dwell.seconds, dwell.service_s)
        self._forget()

    def _learn_traffic(self, arrival: ArrivalSample) -> None:
        passed = (arrival.arrived_at - (self.lately_at or arrival.arrived_at)).total_seconds()
        keep = exp(-max(passed, 0.0) / LATELY)
        observed = sum(each.observed for each in arrival.passages)
        expected = sum(each.expected * self._ratio(each.edge, each.kind) for each in arrival.passages)
        self.lately = Ratio(keep * self.lately.observed + observed, keep * self.lately.expected + expected)
        self.lately_at = max(arrival.arrived_at, self.lately_at or arrival.arrived_at)

    def _forget(self) -> None:
        if len(self.edges) > EDGES_KEPT * 1.1:
            kept = sorted(self.edges.items(), key=lambda each: each[1].expected)[-EDGES_KEPT:]
            self.edges = dict(kept)


def _sane_speed(learned: Ratio, usual: float) -> float:
    """Metres a second, within SPEED_FACTOR of the usual: odd arrivals must not put forecasts off by hours."""
    return min(max(learned.ratio(usual, SPEED_PRIOR), usual / SPEED_FACTOR), usual * SPEED_FACTOR)


class Learned(msgspec.Struct):
    """All that a service has learned. Changed only by `learn`; a fresh one forecasts sensibly."""

    arrivals: int = 0
    vehicles: dict[Vehicle, EtaModel] = {}

    def of(self, vehicle: Vehicle) -> EtaModel:
        """What is known of this kind of vehicle; nothing yet is fine too."""
        return self.vehicles.setdefault(vehicle, EtaModel())

    def learn(self, arrival: ArrivalSample) -> None:
        """Takes in one arrival; off the hot path (a millisecond)."""
        self.arrivals += 1
        self.of(arrival.vehicle).learn(arrival)
