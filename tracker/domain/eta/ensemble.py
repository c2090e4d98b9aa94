"""Ensemble: combine several travel time estimates with non-negative weights fitted to actual arrivals.

The fit minimises the absolute error relative to the time to go. It uses iteratively reweighted least squares:
the larger a sample's error, the smaller its weight.
"""

from collections.abc import Iterable, Sequence
from math import sumprod
from typing import Final

import msgspec

from tracker.domain.eta.interval import Guess

# The order of ForecastSample.terms.
TERMS: Final = ("learned", "router", "metres", "crow", "between", "service", "still", "near")
OF_LEARNED, OF_CROW, OF_SERVICE = (TERMS.index(name) for name in ("learned", "crow", "service"))
COLD_WEIGHTS: Final = (0.5, 0.0, 0.0, 0.0, 0.5, 1.0, 0.0, 0.0)
COLD_WORTH: Final = 100.0  # forecasts; the evidence that the cold weights count as
FORGETS: Final = 0.999  # decay factor of the sums per arrival
EASE: Final = 20.0  # seconds, added to the time to go that errors are relative to
CLOSE: Final = 5.0  # seconds; smaller errors are weighted as this one
LEAN: Final = 2.0 / 3.0  # exponent of the street estimate in the geometric mean `between`
SECONDS: Final = 10.0  # scale of the last two terms
BRISK: Final = 10.0  # m/s; from this speed on the driver is not waiting
DISAGREE: Final = 1.35  # ratio of street and straight-line estimates from which they disagree
_LITTLE: Final = 20.0  # seconds, added to both estimates: small ones do not disagree
SWEEPS: Final = 40
_TYPICAL: Final = 240.0  # seconds; typical term in the evidence for the cold weights
_MISSED: Final = 40.0  # seconds; typical error in it


def terms_of(
    learned: float, router: float, metres: float, crow: float, *, service: float, speed: float | None
) -> tuple[float, ...]:
    """Return independent estimates, in seconds, in the order of TERMS.

    `between` lies between the streets and the straight line, because drivers may know a shorter path. `still`
    stands for waits that no street's usual time includes; `near` is a constant for the end of every leg.
    """
    between = learned**LEAN * crow ** (1.0 - LEAN)
    slow = 0.5 if speed is None else max(1.0 - speed / BRISK, 0.0)
    return learned, router, metres, crow, between, service, SECONDS * slow, SECONDS


def guessed(terms: Sequence[float]) -> Guess:
    """Return the main uncertainty of a forecast with these terms.

    It is `halt` if the driver serves stops first, since the length of a halt is the least certain.
    It is `way` if the streets and the straight line disagree, since drivers may know a shorter path.
    """
    if terms[OF_SERVICE] > 0.0:
        return "halt"
    learned, straight = terms[OF_LEARNED] + _LITTLE, terms[OF_CROW] + _LITTLE
    return "little" if 1.0 / DISAGREE < learned / straight < DISAGREE else "way"


class Ensemble(msgspec.Struct):
    """Weights and the sums of their normal equations. Each arrival adds to the sums; samples are not kept."""

    weights: tuple[float, ...] = COLD_WEIGHTS
    products: list[list[float]] = []  # sums of products of two terms
    answers: list[float] = []  # sums of products of a term and the actual seconds

    def __post_init__(self) -> None:
        """Reset weights that another version stored: its terms have another meaning."""
        if len(self.weights) != len(TERMS):
            self._begin()

    def total(self, terms: Sequence[float]) -> float:
        """Return the weighted sum of *terms*, in seconds."""
        return sumprod(self.weights, terms)

    def learn(self, samples: Iterable[tuple[Sequence[float], float]]) -> None:
        """Update the weights with one arrival: the terms of each forecast and the actual seconds."""
        if not self.products:
            self._begin()
        for row in self.products:
            row[:] = [FORGETS * each for each in row]
        self.answers[:] = [FORGETS * each for each in self.answers]
        for terms, truth in samples:
            self._add(terms, truth)
        self.weights = self._solved()

    def _add(self, terms: Sequence[float], truth: float) -> None:
        share = 1.0 / ((truth + EASE) * max(abs(self.total(terms) - truth), CLOSE))
        for i, row in enumerate(self.products):
            of_this = share * terms[i]
            self.answers[i] += of_this * truth
            row[:] = [each + of_this * term for each, term in zip(row, terms, strict=True)]

    def _begin(self) -> None:
        """Start from sums as if COLD_WORTH forecasts had confirmed the cold weights."""
        size = len(TERMS)
        sizes = [SECONDS if name in TERMS[-2:] else _TYPICAL for name in TERMS]
        worths = [COLD_WORTH * each**2 / (_TYPICAL + EASE) / _MISSED for each in sizes]
        self.weights = COLD_WEIGHTS
        self.products = [[worths[i] if i == j else 0.0 for j in range(size)] for i in range(size)]
        self.answers = [worth * weight for worth, weight in zip(worths, COLD_WEIGHTS, strict=True)]

    def _solved(self) -> tuple[float, ...]:
        """Solve the non-negative least squares by coordinate descent from the previous weights."""
        solution = list(self.weights)
        for _ in range(SWEEPS):
            for i, row in enumerate(self.products):
                rest = sumprod(row, solution)
                solution[i] = max(0.0, solution[i] + (self.answers[i] - rest) / row[i])
        return tuple(solution)
