"""ETA: when a driver arrives at a stop, with the interval that holds 80 % of arrivals."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from tracker.domain.expected import Expected
from tracker.domain.geo import LonLat, distance
from tracker.domain.interval import WIDEST, Spread
from tracker.domain.learning import Knowledge, Told
from tracker.domain.navigator import Opinions
from tracker.domain.order import Vehicle
from tracker.domain.pace import Pace
from tracker.domain.route import Progress, Stop
from tracker.domain.tally import Tally
from tracker.domain.weights import OF_SERVICE, guessed, terms_of

Basis = Literal["route", "straight_line", "none"]

STALE_AFTER: Final = 120.0  # seconds without a fix; nor is a driver believed to have driven on for longer
STILL_SERVING: Final = 15.0  # seconds that a stop takes yet, however long it has taken
COLD: Final = Knowledge()  # what a fresh installation knows; nobody changes it
UNKNOWN: Final = Tally()  # of a place where nobody has stopped yet
NOWHERE: Final[Mapping[Stop, Tally]] = {}


class Eta(msgspec.Struct, frozen=True, kw_only=True):
    """A forecast; times are UTC. With basis `none` the times are None."""

    arrives_at: datetime | None  # the median
    earliest: datetime | None
    latest: datetime | None
    distance_m: float | None
    stops_before: int
    computed_at: datetime
    basis: Basis
    stale: bool = False


def nothing_foreseen(now: datetime, stops_before: int) -> Eta:
    """Of a driver who was never heard."""
    return Eta(
        arrives_at=None,
        earliest=None,
        latest=None,
        distance_m=None,
        stops_before=stops_before,
        computed_at=now,
        basis="none",
    )


class Forecast(msgspec.Struct, frozen=True, gc=False):
    """What is foreseen at one moment for one stop, before it is told as an Eta."""

    driving: float  # seconds
    serving: float  # seconds at the stops before
    metres: float
    basis: Basis
    spread: Spread
    terms: tuple[float, ...]  # what it was made of; empty without a route
    opinions: Opinions | None = None  # where the phone's navigation has one about this very stop
    strain: float = 1.0  # which the spread holds already

    @property
    def seconds(self) -> float:
        """To go, by the median."""
        return self.driving + self.serving

    def told(self, at: datetime) -> Told:
        """As it is kept until the truth is known."""
        return Told(at, self.seconds, self.terms, self.opinions, self.strain)

    def moved(self, seconds: float, opinions: Opinions | None = None) -> "Forecast":
        """The same with so much more to drive, or less; by these opinions."""
        driving = max(self.driving + seconds, 0.0)
        return msgspec.structs.replace(self, driving=driving, opinions=opinions)

    def eta(self, *, now: datetime, last_fix_at: datetime, stops_before: int) -> Eta:
        """In times. Since the last fix the driver is believed to have driven on; silence only widens."""
        low, high = self.spread.around(self.seconds)
        age = max((now - last_fix_at).total_seconds(), 0.0)
        driven = min(age, STALE_AFTER)
        return Eta(
            arrives_at=now + timedelta(0, max(self.driving - driven, 0.0) + self.serving),
            earliest=now + timedelta(0, max(low - driven, 0.0)),
            latest=now + timedelta(0, high - driven + age),
            distance_m=self.metres,
            stops_before=stops_before,
            computed_at=now,
            basis=self.basis,
            stale=age > STALE_AFTER,
        )


def foresee(
    *,
    expected: Expected | None,
    progress: Progress | None,
    at: LonLat,
    stops: Sequence[Stop],
    index: int,
    vehicle: Vehicle = "car",
    knowledge: Knowledge = COLD,
    pace: Pace | None = None,
    left: int = 0,
    served_s: float | None = None,
    usual: Mapping[Stop, Tally] = NOWHERE,
    speed: float | None = None,
    traffic: float = 1.0,
) -> Forecast:
    """How long a driver who is at `at` takes to `stops[index]`.

    `expected` holds the route, which ends with the same stops (those before may be missing). The first `left`
    stops are done; at the next one the driver has been for `served_s`, or None. `usual`: seconds and stops
    that are known of these very places. `speed`: m/s, if it is known.
    """
    crow = _crow(at, stops[left : index + 1])
    straight = crow / knowledge.straight_speed(vehicle)
    serving = 0.0 if index == left else _serving(stops[left:index], knowledge, served_s, usual)
    if expected is None or (leg := index - len(stops) + len(expected.route.stops)) < 0:
        return Forecast(straight, serving, crow, "straight_line", WIDEST, ())
    route = expected.route
    progress = progress or route.locate(at)
    metres, router = route.remaining(progress, leg)
    pace = pace or Pace()
    learned = pace.applied(expected.to_stop(leg, progress.along_m), traffic)
    terms = terms_of(
        learned,
        router * knowledge.router_ratio(),
        metres / knowledge.route_speed(vehicle),
        straight,
        service=serving,
        speed=speed,
    )
    weights = knowledge.weights
    total, rest = weights.total(terms), weights.weights[OF_SERVICE] * serving
    strain = pace.strain
    spread = knowledge.residuals.spread(total, guessed(terms)).strained(strain)
    return Forecast(total - rest, rest, metres, "route", spread, terms, strain=strain)


def _crow(at: LonLat, stops: Sequence[Stop]) -> float:
    """Metres from there through all of these, as the crow flies."""
    metres = 0.0
    for stop in stops:
        metres += distance(at, stop.at)
        at = stop.at
    return metres


def _serving(
    stops: Sequence[Stop], knowledge: Knowledge, served_s: float | None, usual: Mapping[Stop, Tally]
) -> float:
    """Seconds at these stops; the first one may have begun."""
    if not stops:
        return 0.0
    whole = [
        knowledge.dwell_at(stop.service_s, usual.get(stop, UNKNOWN) if usual else UNKNOWN) for stop in stops
    ]
    if served_s is not None:
        whole[0] = max(whole[0] - served_s, STILL_SERVING)
    return sum(whole)
