"""ETA: when a driver arrives at a stop, with the interval that holds 80 % of arrivals."""

from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

import msgspec

from tracker.domain.eta.device_eta import Opinions
from tracker.domain.eta.interval import Spread
from tracker.domain.eta.model import ForecastSample

Basis = Literal["route", "straight_line", "none"]

MICROSECOND: Final = timedelta(microseconds=1)  # times whole ones: half of what timedelta(seconds=...) costs
STALE_AFTER: Final = 120.0  # seconds without a fix; nor is a driver believed to have driven on for longer


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


class Hold(NamedTuple):
    """A driver who comes early waits at a stop before."""

    opens_at: datetime  # until then
    then_s: (
        float  # seconds from there to the stop of the forecast, what is done at the stops between included
    )

    def to_go(self, at: datetime) -> float:
        """Seconds from *at* to the stop of the forecast, by the median; below the forecast's own: no wait."""
        return (self.opens_at - at).total_seconds() + self.then_s


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
    holds: tuple[Hold, ...] = ()
    opens_at: datetime | None = None  # of the stop itself: nobody is served before

    @property
    def seconds(self) -> float:
        """To go without waiting, by the median."""
        return self.driving + self.serving

    def to_go(self, at: datetime) -> float:
        """Seconds from *at*, the time of the fix, to the stop, waits at the stops before included."""
        if not self.holds:
            return self.seconds
        return max(self.seconds, *(hold.to_go(at) for hold in self.holds))

    def told(self, at: datetime) -> ForecastSample:
        """As it is kept until the truth is known."""
        return ForecastSample(at, self.seconds, self.terms, self.opinions, self.strain)

    def moved(self, seconds: float, opinions: Opinions | None = None) -> "Forecast":
        """The same with so much more to drive, or less; by these opinions."""
        driving = max(self.driving + seconds, 0.0)
        return msgspec.structs.replace(self, driving=driving, opinions=opinions)

    def eta(self, *, now: datetime, last_fix_at: datetime, stops_before: int) -> Eta:
        """In times. Since the last fix the driver is believed to have driven on; silence only widens."""
        low, high = self.spread.around(self.driving + self.serving)
        age = max((now - last_fix_at).total_seconds(), 0.0)
        driven = min(age, STALE_AFTER)
        median = now + MICROSECOND * round(1e6 * (max(self.driving - driven, 0.0) + self.serving))
        earliest = now + MICROSECOND * round(1e6 * max(low - driven, 0.0))
        latest = now + MICROSECOND * round(1e6 * (high - driven + age))
        if self.holds or self.opens_at is not None:
            median, earliest, latest = self._waited(Arrival(median, earliest, latest))
        return Eta(
            arrives_at=median,
            earliest=earliest,
            latest=latest,
            distance_m=self.metres,
            stops_before=stops_before,
            computed_at=now,
            basis=self.basis,
            stale=age > STALE_AFTER,
        )

    def _waited(self, arrival: "Arrival") -> "Arrival":
        """Not before the waits at the stops before let the driver come, nor before the stop itself opens."""
        for opens_at, then_s in self.holds:
            low, high = self.spread.around(then_s)
            arrival = arrival.not_before(opens_at, then_s, max(low, 0.0), high)
        return arrival if self.opens_at is None else arrival.not_before(self.opens_at)


class Arrival(NamedTuple):
    """The median and the ends of the interval that holds 80 % of arrivals."""

    median: datetime
    earliest: datetime
    latest: datetime

    def not_before(
        self, at: datetime, median_s: float = 0.0, earliest_s: float = 0.0, latest_s: float = 0.0
    ) -> "Arrival":
        """Each at least so many seconds after *at*."""
        return Arrival(
            max(self.median, at + MICROSECOND * round(1e6 * median_s)),
            max(self.earliest, at + MICROSECOND * round(1e6 * earliest_s)),
            max(self.latest, at + MICROSECOND * round(1e6 * latest_s)),
        )
