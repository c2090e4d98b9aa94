"""Interval: the errors of past forecasts by forecast time to go, and the 80 % interval they imply."""

from bisect import bisect
from collections.abc import Iterable
from math import exp, log
from typing import Final, Literal, NamedTuple

import msgspec

from tracker.domain.eta.live_traffic import SLOW_NETWORK

BOUNDS: Final = (60.0, 120.0, 240.0, 420.0, 720.0)  # forecast seconds to go; the bounds between buckets
BLUR: Final = 30.0  # seconds of uncertainty of every arrival, however near
KEPT: Final = 300  # residuals in a bucket; a change is fully absorbed after so many legs
TAIL: Final = 0.113  # share of residuals on either side of the interval; it covered 77 to 81 % of arrivals
SLOW_DRIVER: Final = 1.1  # times the expected seconds; up to this, a driver counts as usual
STRAIN_PER_SLOW: Final = 3.0  # added to a strain of 1 when the driver is e times slower
STRAIN_PER_JAM: Final = 10.0  # the same for all drivers together: a jam is less certain than a slow driver
MOST_STRAIN: Final = 4.0
EARLY_SHARE: Final = 0.7  # of the added strain that also widens the lower tail

Uncertainty = Literal["little", "way", "halt"]
"""The main uncertainty of a forecast: little, the path, or the length of the halts at earlier stops."""


class Spread(NamedTuple):
    """Logarithms of (actual + BLUR) / (forecast + BLUR) below and above which a tenth of arrivals lie."""

    low: float
    high: float

    def widen(self, strain: float) -> "Spread":
        """Return the spread widened by *strain*, see `strain_of`."""
        return Spread(self.low * _early(strain), self.high * strain)

    def around(self, seconds: float) -> tuple[float, float]:
        """Return the least and the most seconds to go, which enclose *seconds*; below zero is past."""
        blurred = seconds + BLUR
        low, high = blurred * exp(self.low) - BLUR, blurred * exp(self.high) - BLUR
        return low if low < seconds else seconds, high if high > seconds else seconds


def strain_of(own: float, network: float) -> float:
    """Return the factor on the upper tail of the interval; more than 1 in slow traffic, which may get worse.

    *own* and *network*: the driver's and all drivers' seconds per expected second.
    """
    slow, jam = max(own / SLOW_DRIVER, 1.0), max(network / SLOW_NETWORK, 1.0)
    if slow == jam == 1.0:
        return 1.0
    return min(1.0 + STRAIN_PER_SLOW * log(slow) + STRAIN_PER_JAM * log(jam), MOST_STRAIN)


def _early(strain: float) -> float:
    """Return the factor on the lower tail: live traffic may also be better than it seems."""
    return 1.0 + EARLY_SHARE * (strain - 1.0)


COLD: Final = Spread(-0.30, 0.32)  # 550 forecasts in Helsinki, slightly widened for other cities
WIDEST: Final = Spread(-0.6, 0.6)  # without a route


# Eleven residuals with the tails of COLD, which count as a bucket's first ones.
COLD_RESIDUALS: Final = tuple(
    each / 4 * (-COLD.low if each < 0 else COLD.high) for each in (-5, -4, -2, -1, -0.5, 0, 0.5, 1, 2, 4, 5)
)


def residual(forecast_s: float, real: float, strain: float = 1.0) -> float:
    """Return the logarithmic error of a forecast, normalised to a driver at the usual speed."""
    off = log((max(real, 0.0) + BLUR) / (max(forecast_s, 0.0) + BLUR))
    return off / strain if off > 0.0 else off / _early(strain)


class Bucket(msgspec.Struct):
    """The newest residuals of forecasts with a similar time to go, and the spread between their tails.

    The tails have no feedback from recent misses. The residuals follow a change by themselves, and a feedback
    would mostly amplify the noise of a bucket's last few legs.
    """

    residuals: list[float] = []
    spread: Spread = COLD

    def learn(self, residuals: list[float]) -> None:
        """Add the median of one leg's residuals in this bucket: the errors of a leg are correlated."""
        self.residuals = [*self.residuals[1 - KEPT :], sorted(residuals)[len(residuals) // 2]]
        ordered = sorted([*self.residuals, *COLD_RESIDUALS])  # the cold ones count as additional ones
        self.spread = Spread(min(_quantile(ordered, TAIL), 0.0), max(_quantile(ordered, 1.0 - TAIL), 0.0))


def _buckets() -> list[Bucket]:
    return [Bucket() for _ in range(len(BOUNDS) + 1)]


class Residuals(msgspec.Struct):
    """The buckets of one kind of vehicle, by time to go and by main uncertainty."""

    sure: list[Bucket] = msgspec.field(default_factory=_buckets)
    unsure: list[Bucket] = msgspec.field(default_factory=_buckets)
    halting: list[Bucket] = msgspec.field(default_factory=_buckets)

    def spread(self, forecast_s: float, uncertainty: Uncertainty) -> Spread:
        """Return the spread of arrivals around a forecast of *forecast_s* seconds."""
        return self._buckets_for(uncertainty)[bisect(BOUNDS, forecast_s)].spread

    def learn(self, forecasts: Iterable[tuple[float, Uncertainty, float, float]]) -> None:
        """Add the forecasts of one leg: forecast seconds, main uncertainty, strain and actual seconds."""
        found: dict[tuple[Uncertainty, int], list[float]] = {}
        for forecast_s, uncertainty, strain, real in forecasts:
            found.setdefault((uncertainty, bisect(BOUNDS, forecast_s)), []).append(
                residual(forecast_s, real, strain)
            )
        for (uncertainty, index), residuals in found.items():
            self._buckets_for(uncertainty)[index].learn(residuals)

    def _buckets_for(self, uncertainty: Uncertainty) -> list[Bucket]:
        if uncertainty == "halt":
            return self.halting
        return self.unsure if uncertainty == "way" else self.sure


def _quantile(ordered: list[float], share: float) -> float:
    """Return the quantile of *ordered* at *share*, interpolated linearly."""
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
