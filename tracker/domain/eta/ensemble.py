"""Ensemble: combine several travel time estimates with non-negative weights fitted to actual arrivals.

The fit minimises the absolute error relative to the time to go. It uses iteratively reweighted least squares:
the larger a sample's error, the smaller its weight.
"""

from collections.abc import Iterable, Sequence
from math import sumprod
from typing import Final

import msgspec

from tracker.domain.eta.interval import Uncertainty

# The order of ForecastSample.terms.
TERMS: Final = ("learned", "router", "metres", "crow", "between", "service", "still", "near")
OF_LEARNED, OF_CROW, OF_SERVICE = (TERMS.index(name) for name in ("learned", "crow", "service"))
COLD_WEIGHTS: Final = (0.5, 0.0, 0.0, 0.0, 0.5, 1.0, 0.0, 0.0)
COLD_EVIDENCE: Final = 100.0  # forecasts; the evidence that the cold weights count as
DECAY: Final = 0.999  # decay factor of the sums per arrival
ERROR_OFFSET: Final = 150.0  # seconds, added to the time to go that errors are relative to
MIN_ERROR: Final = 5.0  # seconds; smaller errors are weighted as this one
STREET_EXPONENT: Final = 2.0 / 3.0  # exponent of the street estimate in the geometric mean `between`
SECONDS: Final = 10.0  # scale of the last two terms
MOVING_SPEED: Final = 10.0  # m/s; from this speed on the driver is not waiting
DISAGREE: Final = 1.35  # ratio of street and straight-line estimates from which they disagree
_DISAGREE_OFFSET: Final = 20.0  # seconds, added to both estimates: small ones do not disagree
SWEEPS: Final = 40
_TYPICAL: Final = 240.0  # seconds; typical term in the evidence for the cold weights
_TYPICAL_ERROR: Final = 40.0  # seconds; typical error in it


def terms_of(
    learned: float, router: float, metres: float, crow: float, *, service: float, speed: float | None
) -> tuple[float, ...]:
    """Return independent estimates, in seconds, in the order of TERMS.

    `between` lies between the streets and the straight line, because drivers may know a shorter path. `still`
    stands for waits that no street's usual time includes; `near` is a constant for the end of every leg.
    """
    between = learned**STREET_EXPONENT * crow ** (1.0 - STREET_EXPONENT)
    slow = 0.5 if speed is None else max(1.0 - speed / MOVING_SPEED, 0.0)
    return learned, router, metres, crow, between, service, SECONDS * slow, SECONDS


def main_uncertainty(terms: Sequence[float]) -> Uncertainty:
    """Return the main uncertainty of a forecast with these terms.

    It is `halt` if the driver serves stops first, since the length of a halt is the least certain.
    It is `way` if the streets and the straight line disagree, since drivers may know a shorter path.
    """
    if terms[OF_SERVICE] > 0.0:
        return "halt"
    learned, straight = terms[OF_LEARNED] + _DISAGREE_OFFSET, terms[OF_CROW] + _DISAGREE_OFFSET
    return "little" if 1.0 / DISAGREE < learned / straight < DISAGREE else "way"


class Ensemble(msgspec.Struct):
    """Weights and the sums of their normal equations. Each arrival adds to the sums; samples are not kept."""

    weights: tuple[float, ...] = COLD_WEIGHTS
    products: list[list[float]] = []  # sums of products of two terms
    answers: list[float] = []  # sums of products of a term and the actual seconds

    def __post_init__(self) -> None:
        """Reset weights that another version stored: its terms have another meaning."""
        if len(self.weights) != len(TERMS):
            self._reset()

    def total(self, terms: Sequence[float]) -> float:
        """Return the weighted sum of *terms*, in seconds."""
        return sumprod(self.weights, terms)

    def learn(self, samples: Iterable[tuple[Sequence[float], float]]) -> None:
        """Update the weights with one arrival: the terms of each forecast and the actual seconds."""
        if not self.products:
            self._reset()
        for row in self.products:
            row[:] = [DECAY * each for each in row]
        self.answers[:] = [DECAY * each for each in self.answers]
        for terms, truth in samples:
            self._add(terms, truth)
        self.weights = self._solve()

    def _add(self, terms: Sequence[float], truth: float) -> None:
        share = 1.0 / ((truth + ERROR_OFFSET) * max(abs(self.total(terms) - truth), MIN_ERROR))
        for i, row in enumerate(self.products):
            weighted = share * terms[i]
            self.answers[i] += weighted * truth
            row[:] = [each + weighted * term for each, term in zip(row, terms, strict=True)]

    def _reset(self) -> None:
        """Start from sums as if COLD_WORTH forecasts had confirmed the cold weights."""
        size = len(TERMS)
        sizes = [SECONDS if name in TERMS[-2:] else _TYPICAL for name in TERMS]
        evidence = [COLD_EVIDENCE * each**2 / (_TYPICAL + ERROR_OFFSET) / _TYPICAL_ERROR for each in sizes]
        self.weights = COLD_WEIGHTS
        self.products = [[evidence[i] if i == j else 0.0 for j in range(size)] for i in range(size)]
        self.answers = [amount * weight for amount, weight in zip(evidence, COLD_WEIGHTS, strict=True)]

    def _solve(self) -> tuple[float, ...]:
        """Solve the non-negative least squares by coordinate descent from the previous weights."""
        solution = list(self.weights)
        for _ in range(SWEEPS):
            for i, row in enumerate(self.products):
                rest = sumprod(row, solution)
                solution[i] = max(0.0, solution[i] + (self.answers[i] - rest) / row[i])
        return tuple(solution)
