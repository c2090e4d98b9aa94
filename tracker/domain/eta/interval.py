"""Interval: how far forecasts were off, by the time they foretold; from it the 80 % around the next one."""

from bisect import bisect
from collections.abc import Iterable
from math import exp, log
from typing import Final, Literal, NamedTuple

import msgspec

BOUNDS: Final = (60.0, 120.0, 240.0, 420.0, 720.0)  # seconds foretold; a bucket lies between two of them
BLUR: Final = 30.0  # seconds that every arrival is uncertain by, however near
KEPT: Final = 300  # residuals in a bucket; so many ways after a change it knows nothing else
TAIL: Final = 0.113  # of residuals below the interval, and as many above: it held 77 to 81 % of arrivals

Guess = Literal["little", "way", "halt"]
"""What a forecast could only guess: which way is driven, or how long the driver is at the stops before."""


class Spread(NamedTuple):
    """Logarithms of (real + BLUR) / (foretold + BLUR) that a tenth of arrivals fall below, and above."""

    low: float
    high: float

    def strained(self, strain: float) -> "Spread":
        """For somebody who may well be later still, see `Pace.strain`."""
        return self if strain == 1.0 else Spread(self.low, self.high * strain)

    def around(self, seconds: float) -> tuple[float, float]:
        """Seconds to go, at least and at most; holds `seconds`, and below zero is past."""
        blurred = seconds + BLUR
        low, high = blurred * exp(self.low) - BLUR, blurred * exp(self.high) - BLUR
        return low if low < seconds else seconds, high if high > seconds else seconds


COLD: Final = Spread(-0.30, 0.32)  # 550 forecasts in Helsinki, a little wider because other cities are other
WIDEST: Final = Spread(-0.6, 0.6)  # without a route


# Eleven residuals with the tails of COLD: what a bucket holds before it has learned.
COLD_RESIDUALS: Final = tuple(
    each / 4 * (-COLD.low if each < 0 else COLD.high) for each in (-5, -4, -2, -1, -0.5, 0, 0.5, 1, 2, 4, 5)
)


def residual(foretold: float, real: float, strain: float = 1.0) -> float:
    """As it would have been for somebody at the usual pace."""
    off = log((max(real, 0.0) + BLUR) / (max(foretold, 0.0) + BLUR))
    return off / strain if off > 0.0 else off


class Bucket(msgspec.Struct):
    """The newest residuals of forecasts of about the same time, and the spread between their tails.

    Nothing steers the tails by what was missed lately: the residuals follow a change themselves, and a
    feedback beside them is mostly the luck of a bucket's last few ways.
    """

    residuals: list[float] = []
    spread: Spread = COLD

    def learn(self, residuals: list[float]) -> None:
        """What one finished way's forecasts in this bucket were off by: the middle one is kept, as they
        are all wrong together."""
        self.residuals = [*self.residuals[1 - KEPT :], sorted(residuals)[len(residuals) // 2]]
        self.spread = self._quantiles()

    def _quantiles(self) -> Spread:
        """With few residuals the cold spread counts as some more of them."""
        ordered = sorted([*self.residuals, *COLD_RESIDUALS])
        return Spread(min(_at(ordered, TAIL), 0.0), max(_at(ordered, 1.0 - TAIL), 0.0))


def _buckets() -> list[Bucket]:
    return [Bucket() for _ in range(len(BOUNDS) + 1)]


class Residuals(msgspec.Struct):
    """The buckets of one kind of vehicle: by time, and by what the forecasts had to guess."""

    sure: list[Bucket] = msgspec.field(default_factory=_buckets)
    unsure: list[Bucket] = msgspec.field(default_factory=_buckets)
    halting: list[Bucket] = msgspec.field(default_factory=_buckets)

    def spread(self, foretold: float, guess: Guess) -> Spread:
        """How far from a forecast of so many seconds arrivals are."""
        return self._of(guess)[bisect(BOUNDS, foretold)].spread

    def learn(self, forecasts: Iterable[tuple[float, Guess, float, float]]) -> None:
        """One trip's: seconds foretold, what had to be guessed, the strain, and seconds in truth."""
        found: dict[tuple[Guess, int], list[float]] = {}
        for foretold, guess, strain, real in forecasts:
            found.setdefault((guess, bisect(BOUNDS, foretold)), []).append(residual(foretold, real, strain))
        for (guess, index), residuals in found.items():
            self._of(guess)[index].learn(residuals)

    def _of(self, guess: Guess) -> list[Bucket]:
        if guess == "halt":
            return self.halting
        return self.unsure if guess == "way" else self.sure


def _at(ordered: list[float], share: float) -> float:
    """The value that this share of the ordered ones lies below."""
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
