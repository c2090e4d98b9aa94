"""ETA model: what arrivals teach about later trips. Plain values that encode to JSON.

PostgreSQL stores them, so their field names are frozen.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Final

import msgspec

from tracker.domain.eta.device_eta import DeviceEtaAccuracy, EtaPair
from tracker.domain.eta.ensemble import TERMS, Ensemble, main_uncertainty
from tracker.domain.eta.interval import Residuals
from tracker.domain.eta.ratio import Ratio
from tracker.domain.geo import LonLat
from tracker.domain.order import Vehicle
from tracker.domain.route import Edge
from tracker.domain.route_choice.observed_streets import ObservedStreets, StreetPassage
from tracker.domain.route_choice.preference import DrivenPath, RoutePreference, RoutePreferences

ROUTER_RATIO: Final = 1.2  # actual seconds per router second, prior
DWELL: Final = 87.0  # seconds at a stop, prior
STRAIGHT_SPEED: Final[Mapping[Vehicle, float]] = {  # m/s in a straight line in central Helsinki
    "car": 3.7,  # measured; the others are scaled by the router's times between the same places
    "scooter": 3.1,
    "bicycle": 2.3,
    "foot": 0.8,
}
WHOLE_PRIOR: Final = 1_200.0  # expected seconds; weight of ROUTER_RATIO
KIND_PRIOR: Final = 600.0  # expected seconds; weight of the network's ratio within a road class
EDGE_PRIOR: Final = 10.0  # expected seconds; weight of the class's ratio on one edge
DWELL_PRIOR: Final = 5.0  # stops; weight of DWELL
PLACE_PRIOR: Final = 4.0  # stops; weight of the general dwell at one place
SERVICE_PRIOR: Final = 400.0  # announced service seconds; weight of the ratio 1
WINDING: Final = 1.4  # metres of route per straight-line metre, prior
SPEED_FACTOR: Final = 4.0  # a learned speed is at most this many times faster or slower than the usual one
SPEED_PRIOR: Final = 600.0  # seconds; weight of the usual speed
NEAR: Final = 30.0  # seconds; nearer forecasts train neither ensemble nor interval, nor are they evaluated
ORDINARY_KNOWN: Final = 60_000.0  # router seconds driven; a model with fewer may be wrong about usual traffic
EDGES_KEPT: Final = 50_000  # edges with the most expected seconds; the others are dropped


_NO_DATA: Final = Ratio()


def kind_of(edge: Edge) -> str:
    """Return the edge's kind: its road class, and whether it ends at traffic lights."""
    return f"{edge.road_class}+signal" if edge.signal else edge.road_class


class Passage(msgspec.Struct, gc=False):
    """The time that a driver spent on one edge, or on a part of it."""

    edge: str  # Edge.key
    kind: str  # see `kind_of`
    observed: float  # seconds
    expected: float  # the router's seconds


class ForecastSample(msgspec.Struct, frozen=True, gc=False):
    """A forecast with its inputs, kept until the arrival is known."""

    at: datetime
    eta_s: float
    terms: tuple[float, ...]  # seconds, in the order of ensemble.TERMS
    opinions: EtaPair | None = None  # of the next stop, if the phone's navigation reported one too
    strain: float = 1.0  # see interval.strain_of


class Dwell(msgspec.Struct, frozen=True, gc=False):
    """The time that a driver spent at a stop."""

    seconds: float
    service_s: float | None  # announced with the order


class ArrivalSample(msgspec.Struct, frozen=True, kw_only=True):
    """What reaching one stop teaches. `Trip.arrived` makes it; it encodes to JSON."""

    vehicle: Vehicle
    at: LonLat
    arrived_at: datetime
    told: tuple[ForecastSample, ...] = ()
    passages: tuple[Passage, ...] = ()
    straight_m: float = 0.0  # in a straight line from where this leg began
    drove_m: float = 0.0  # the leg along the route
    drove_s: float = 0.0  # seconds of the leg
    dwell: Dwell | None = None  # at the previous stop
    way: DrivenPath | None = None  # the leg as it was driven, whatever the route
    off: dict[RoutePreference, float] = {}  # length error of each route preference for this leg
    streets: tuple[StreetPassage, ...] = ()  # of the same leg


class Rates(msgspec.Struct, frozen=True, gc=False):
    """The model's averages that every forecast needs."""

    router: float  # actual seconds per router second, over the whole network
    straight: float  # m/s in a straight line
    route: float  # m/s along the route, lights and queues included
    experience: float  # from 0 for a fresh model to 1 when ordinary traffic is known, see ORDINARY_KNOWN

    def believed(self, ratio: float) -> float:
        """Return the part that counts of this ratio of live to learned seconds."""
        return 1.0 + self.experience * (ratio - 1.0)


class EtaModel(msgspec.Struct, dict=True):
    """What arrivals have taught about one kind of vehicle."""

    whole: Ratio = msgspec.field(default_factory=Ratio)
    kinds: dict[str, Ratio] = {}
    edges: dict[str, Ratio] = {}
    straight: Ratio = msgspec.field(default_factory=Ratio)  # straight-line metres, seconds
    along: Ratio = msgspec.field(default_factory=Ratio)  # metres of route, seconds
    dwell: Ratio = msgspec.field(default_factory=Ratio)  # seconds, stops without an announced service time
    service: Ratio = msgspec.field(default_factory=Ratio)  # actual and announced seconds
    weights: Ensemble = msgspec.field(default_factory=Ensemble)
    residuals: Residuals = msgspec.field(default_factory=Residuals)
    manners: RoutePreferences = msgspec.field(default_factory=RoutePreferences)
    navigator: DeviceEtaAccuracy = msgspec.field(default_factory=DeviceEtaAccuracy)
    streets: ObservedStreets = msgspec.field(default_factory=ObservedStreets)

    def ratio(self, edge: Edge) -> float:
        """Return actual seconds per router second on this edge."""
        return self._ratio(edge.key, kind_of(edge))

    def _ratio(self, key: str, kind: str) -> float:
        whole = self.whole.ratio(ROUTER_RATIO, WHOLE_PRIOR)
        of_kind = self.kinds.get(kind, _NO_DATA).ratio(whole, KIND_PRIOR)
        return self.edges.get(key, _NO_DATA).ratio(of_kind, EDGE_PRIOR)

    def rates(self, vehicle: Vehicle) -> Rates:
        """Return the averages for this vehicle, cached until the next `learn`."""
        found = self._rates.get(vehicle)
        if found is None:
            found = self._rates[vehicle] = Rates(
                self.whole.ratio(ROUTER_RATIO, WHOLE_PRIOR),
                _clamped_speed(self.straight, STRAIGHT_SPEED[vehicle]),
                _clamped_speed(self.along, WINDING * STRAIGHT_SPEED[vehicle]),
                min(self.whole.expected / ORDINARY_KNOWN, 1.0),
            )
        return found

    @cached_property
    def _rates(self) -> dict[Vehicle, Rates]:
        return {}

    def dwell_at(self, service_s: float | None, usual: Ratio = _NO_DATA) -> float:
        """Return the expected seconds at a stop with this announced service time.

        *usual* holds seconds and stops observed at this place.
        """
        if service_s is None:
            anywhere = self.dwell.ratio(DWELL, DWELL_PRIOR)
        else:
            anywhere = service_s * self.service.ratio(1.0, SERVICE_PRIOR)
        return usual.ratio(anywhere, PLACE_PRIOR)

    def learn(self, arrival: ArrivalSample) -> None:
        """Update the model with one arrival. Evaluate its forecasts before the arrival changes the ratios."""
        vars(self).clear()  # cached properties
        real = [(one, (arrival.arrived_at - one.at).total_seconds()) for one in arrival.told]
        if real:
            self.navigator.learn([(one.opinions, seconds) for one, seconds in real if one.opinions])
        # Skip forecasts that had no route or that another version made.
        if comparable := [(one, s) for one, s in real if s >= NEAR and len(one.terms) == len(TERMS)]:
            self.residuals.learn(
                (one.eta_s, main_uncertainty(one.terms), one.strain, seconds) for one, seconds in comparable
            )
            self.weights.learn((one.terms, seconds) for one, seconds in comparable)
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
        self._drop_surplus_edges()

    def _drop_surplus_edges(self) -> None:
        if len(self.edges) > EDGES_KEPT * 1.1:
            kept = sorted(self.edges.items(), key=lambda each: each[1].expected)[-EDGES_KEPT:]
            self.edges = dict(kept)


def _clamped_speed(learned: Ratio, usual: float) -> float:
    """Return the learned m/s, clamped to SPEED_FACTOR times *usual*.

    A few odd arrivals must not shift forecasts by hours.
    """
    return min(max(learned.ratio(usual, SPEED_PRIOR), usual / SPEED_FACTOR), usual * SPEED_FACTOR)


class EtaModels(msgspec.Struct):
    """The ETA models of all kinds of vehicles. Only `learn` changes it. Fresh ones forecast sensibly."""

    arrivals: int = 0
    vehicles: dict[Vehicle, EtaModel] = {}

    def of(self, vehicle: Vehicle) -> EtaModel:
        """Return the model of this kind of vehicle, a fresh one if none exists."""
        return self.vehicles.setdefault(vehicle, EtaModel())

    def learn(self, arrival: ArrivalSample) -> None:
        """Update the model of the arrival's vehicle. Takes about 1 ms, so call it off the hot path."""
        self.arrivals += 1
        self.of(arrival.vehicle).learn(arrival)
