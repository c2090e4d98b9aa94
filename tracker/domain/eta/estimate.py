"""ETA: when a driver arrives at a stop, with an interval that covers 80 % of arrivals."""

from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

import msgspec

from tracker.domain.eta.device_eta import EtaPair
from tracker.domain.eta.interval import Spread
from tracker.domain.eta.model import ForecastSample

Basis = Literal["route", "straight_line", "none"]

MICROSECOND: Final = timedelta(microseconds=1)  # a multiple of it costs half of timedelta(seconds=...)
STALE_AFTER: Final = 120.0  # seconds without a fix; also the longest time for which progress is extrapolated


class Eta(msgspec.Struct, frozen=True, kw_only=True):
    """An arrival forecast in UTC. With basis `none` the times are None."""

    arrives_at: datetime | None  # the median
    earliest: datetime | None
    latest: datetime | None
    distance_m: float | None
    stops_before: int
    computed_at: datetime
    basis: Basis
    stale: bool = False


def unknown_eta(now: datetime, stops_before: int) -> Eta:
    """Return an ETA without times, for a driver who has not sent a fix yet."""
    return Eta(
        arrives_at=None,
        earliest=None,
        latest=None,
        distance_m=None,
        stops_before=stops_before,
        computed_at=now,
        basis="none",
    )


class OpeningWait(NamedTuple):
    """The wait of an early driver at a stop before the forecast's stop."""

    opens_at: datetime  # the wait ends then
    then_s: float  # seconds from that stop to the forecast's stop, service in between included

    def to_go(self, at: datetime) -> float:
        """Return the median seconds from *at* to the forecast's stop.

        Less than the forecast's own seconds means that the driver does not wait.
        """
        return (self.opens_at - at).total_seconds() + self.then_s


class Forecast(msgspec.Struct, frozen=True, gc=False):
    """The forecast for one stop at one time, in seconds. `eta` converts it to times."""

    driving: float  # seconds
    serving: float  # seconds at the stops before
    metres: float
    basis: Basis
    spread: Spread
    terms: tuple[float, ...]  # inputs of the ensemble, see TERMS; empty without a route
    opinions: EtaPair | None = None  # set if the phone's navigation reported this stop's arrival
    strain: float = 1.0  # see SpeedFactor.strain; already applied to the spread
    waits: tuple[OpeningWait, ...] = ()
    opens_at: datetime | None = None  # of the stop itself: service does not begin earlier

    @property
    def seconds(self) -> float:
        """The median seconds to the stop, without waits."""
        return self.driving + self.serving

    def to_go(self, at: datetime) -> float:
        """Return the seconds from *at*, the time of the fix, to the stop, with waits at earlier stops."""
        if not self.waits:
            return self.seconds
        return max(self.seconds, *(wait.to_go(at) for wait in self.waits))

    def as_sample(self, at: datetime) -> ForecastSample:
        """Return the sample to keep until the arrival is known."""
        return ForecastSample(at, self.seconds, self.terms, self.opinions, self.strain)

    def with_delay(self, seconds: float, opinions: EtaPair | None = None) -> "Forecast":
        """Return a copy with *seconds* added to the driving time (negative: less driving)."""
        driving = max(self.driving + seconds, 0.0)
        return msgspec.structs.replace(self, driving=driving, opinions=opinions)

    def eta(self, *, now: datetime, last_fix_at: datetime, stops_before: int) -> Eta:
        """Convert to times. Assume that the driver has driven on since the last fix.

        Silence only widens the interval.
        """
        low, high = self.spread.around(self.driving + self.serving)
        age = max((now - last_fix_at).total_seconds(), 0.0)
        driven = min(age, STALE_AFTER)
        median = now + MICROSECOND * round(1e6 * (max(self.driving - driven, 0.0) + self.serving))
        earliest = now + MICROSECOND * round(1e6 * max(low - driven, 0.0))
        latest = now + MICROSECOND * round(1e6 * (high - driven + age))
        if self.waits or self.opens_at is not None:
            median, earliest, latest = self._with_waits(Arrival(median, earliest, latest))
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

    def _with_waits(self, arrival: "Arrival") -> "Arrival":
        """Delay *arrival* by the waits at earlier stops and until the stop itself opens."""
        for opens_at, then_s in self.waits:
            low, high = self.spread.around(then_s)
            arrival = arrival.not_before(opens_at, then_s, max(low, 0.0), high)
        return arrival if self.opens_at is None else arrival.not_before(self.opens_at)


class Arrival(NamedTuple):
    """The median and the bounds of the interval that covers 80 % of arrivals."""

    median: datetime
    earliest: datetime
    latest: datetime

    def not_before(
        self, at: datetime, median_s: float = 0.0, earliest_s: float = 0.0, latest_s: float = 0.0
    ) -> "Arrival":
        """Return a copy in which each time is at least the given number of seconds after *at*."""
        return Arrival(
            max(self.median, at + MICROSECOND * round(1e6 * median_s)),
            max(self.earliest, at + MICROSECOND * round(1e6 * earliest_s)),
            max(self.latest, at + MICROSECOND * round(1e6 * latest_s)),
        )
