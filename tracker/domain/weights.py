"""Weights: how much each of several answers counts, none below zero, fitted to what came true."""

from collections.abc import Iterable, Sequence
from operator import mul
from typing import Final

import msgspec

TERMS: Final = ("learned", "router", "metres", "crow", "service")  # the order of Told.terms; see domain.eta
COLD_WEIGHTS: Final = (1.0, 0.0, 0.0, 0.0, 1.0)
COLD_WORTH: Final = 100.0  # forecasts that the cold weights count as
FORGETS: Final = 0.999  # of what was learned stays with each arrival
EASE: Final = 60.0  # seconds; errors count relative to the time to go and this
DISAGREE: Final = 1.35  # times
_LITTLE: Final = 20.0  # seconds that no two answers disagree about
SWEEPS: Final = 60
_TYPICAL: Final = 240.0  # seconds; the size of a term in the cold weights' evidence


def disagree(terms: Sequence[float]) -> bool:
    """Whether the streets and the straight line say very different things: drivers may know a shorter way."""
    learned, straight = terms[0] + _LITTLE, terms[3] + _LITTLE
    return not 1.0 / DISAGREE < learned / straight < DISAGREE


class Weights(msgspec.Struct):
    """Weighted least squares on sums: each arrival adds to them, and nothing else is kept."""

    weights: tuple[float, ...] = COLD_WEIGHTS
    products: list[list[float]] = []  # of the terms with each other
    answers: list[float] = []  # of the terms with the truth

    def total(self, terms: Sequence[float]) -> float:
        """The terms as one answer."""
        total: float = sum(map(mul, self.weights, terms))
        return total

    def learn(self, samples: Iterable[tuple[Sequence[float], float]]) -> None:
        """The terms of one arrival's forecasts, each with the seconds that it took."""
        size = len(COLD_WEIGHTS)
        if not self.products:
            self._begin(size)
        for row in self.products:
            row[:] = [FORGETS * each for each in row]
        self.answers[:] = [FORGETS * each for each in self.answers]
        for terms, truth in samples:
            share = 1.0 / (truth + EASE)
            for i in range(size):
                self.answers[i] += share * terms[i] * truth
                for j in range(size):
                    self.products[i][j] += share * terms[i] * terms[j]
        self.weights = self._solved()

    def _begin(self, size: int) -> None:
        worth = COLD_WORTH * _TYPICAL**2 / (_TYPICAL + EASE)
        self.products = [[worth if i == j else 0.0 for j in range(size)] for i in range(size)]
        self.answers = [worth * weight for weight in COLD_WEIGHTS]

    def _solved(self) -> tuple[float, ...]:
        """Non-negative least squares by coordinate descent from the weights before."""
        solution = list(self.weights)
        for _ in range(SWEEPS):
            for i, row in enumerate(self.products):
                rest = sum(each * weight for each, weight in zip(row, solution, strict=True))
                solution[i] = max(0.0, solution[i] + (self.answers[i] - rest) / row[i])
        return tuple(solution)
