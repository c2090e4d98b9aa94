"""Weights: how much each of several answers counts, none below zero, fitted to what came true.

They are fitted for the least share of the time to go that forecasts are wrong by: least absolute errors, as
least squares in which a sample that was missed by much counts the less.
"""

from collections.abc import Iterable, Sequence
from math import sumprod
from typing import Final

import msgspec

from tracker.domain.eta.interval import Guess

TERMS: Final = ("learned", "router", "metres", "crow", "between", "service", "still", "near")  # of Told.terms
OF_LEARNED, OF_CROW, OF_SERVICE = (TERMS.index(name) for name in ("learned", "crow", "service"))
COLD_WEIGHTS: Final = (0.5, 0.0, 0.0, 0.0, 0.5, 1.0, 0.0, 0.0)
COLD_WORTH: Final = 100.0  # forecasts that the cold weights count as
FORGETS: Final = 0.999  # of what was learned stays with each arrival
EASE: Final = 20.0  # seconds; errors count relative to the time to go and this
CLOSE: Final = 5.0  # seconds; no error counts as smaller
LEAN: Final = 2.0 / 3.0  # of the answer between the two is the streets', by ratio
SECONDS: Final = 10.0  # the size of the last two terms
BRISK: Final = 10.0  # m/s; who drives so does not wait
DISAGREE: Final = 1.35  # times
_LITTLE: Final = 20.0  # seconds that no two answers disagree about
SWEEPS: Final = 40
_TYPICAL: Final = 240.0  # seconds; the size of a term in the cold weights' evidence
_MISSED: Final = 40.0  # seconds; the error in it


def terms_of(
    learned: float, router: float, metres: float, crow: float, *, service: float, speed: float | None
) -> tuple[float, ...]:
    """Answers of their own, seconds each, in the order of TERMS.

    Drivers may know a shorter way than the streets ahead, so there is an answer between those and the
    straight line. Who stands waits for something that no street's usual time holds, and every way has an end.
    """
    between = learned**LEAN * crow ** (1.0 - LEAN)
    slow = 0.5 if speed is None else max(1.0 - speed / BRISK, 0.0)
    return learned, router, metres, crow, between, service, SECONDS * slow, SECONDS


def guessed(terms: Sequence[float]) -> Guess:
    """What a forecast of these had to guess: the way, where the streets and the straight line say very
    different things, as drivers may know a shorter one; before anything, how long a halt lasts."""
    if terms[OF_SERVICE] > 0.0:
        return "halt"
    learned, straight = terms[OF_LEARNED] + _LITTLE, terms[OF_CROW] + _LITTLE
    return "little" if 1.0 / DISAGREE < learned / straight < DISAGREE else "way"


class Ensemble(msgspec.Struct):
    """Least absolute errors on sums: each arrival adds to them, and nothing else is kept."""

    weights: tuple[float, ...] = COLD_WEIGHTS
    products: list[list[float]] = []  # of the terms with each other
    answers: list[float] = []  # of the terms with the truth

    def __post_init__(self) -> None:
        """What another version kept, with other terms, would mean something else: begun anew."""
        if len(self.weights) != len(TERMS):
            self._begin()

    def total(self, terms: Sequence[float]) -> float:
        """The terms as one answer."""
        return sumprod(self.weights, terms)

    def learn(self, samples: Iterable[tuple[Sequence[float], float]]) -> None:
        """The terms of one arrival's forecasts, each with the seconds that it took."""
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
        """As if so many forecasts had shown that the cold weights are right."""
        size = len(TERMS)
        sizes = [SECONDS if name in TERMS[-2:] else _TYPICAL for name in TERMS]
        worths = [COLD_WORTH * each**2 / (_TYPICAL + EASE) / _MISSED for each in sizes]
        self.weights = COLD_WEIGHTS
        self.products = [[worths[i] if i == j else 0.0 for j in range(size)] for i in range(size)]
        self.answers = [worth * weight for worth, weight in zip(worths, COLD_WEIGHTS, strict=True)]

    def _solved(self) -> tuple[float, ...]:
        """Non-negative least squares by coordinate descent from the weights before."""
        solution = list(self.weights)
        for _ in range(SWEEPS):
            for i, row in enumerate(self.products):
                rest = sumprod(row, solution)
                solution[i] = max(0.0, solution[i] + (self.answers[i] - rest) / row[i])
        return tuple(solution)
