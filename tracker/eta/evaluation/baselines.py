"""Peers: what else one could say, from the same knowledge, to hold the forecast against."""

from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from tracker.domain.eta.model import ROUTER_RATIO, STRAIGHT_SPEED
from tracker.domain.order import Vehicle


class Plain(NamedTuple):
    """What every peer is given of one moment."""

    router_s: float | None  # the router's remaining seconds of driving; None where it has no way
    straight_m: float  # from stop to stop as the crow flies
    service_s: float  # that had been told for the stops before, and is not over yet


class Baselines:
    """The single constants: fitted to the trips learned from, so that they are the best possible ones."""

    def __init__(self) -> None:
        self.constant = ROUTER_RATIO
        self._straight_s = 1.0  # for one second at the cold speed

    def said(self, vehicle: Vehicle, plain: Plain) -> dict[str, float]:
        """Seconds to go, by each of them."""
        straight = self._straight_s * plain.straight_m / STRAIGHT_SPEED[vehicle]
        router = straight / self.constant if plain.router_s is None else plain.router_s
        return {
            "router": router + plain.service_s,
            "router_scaled": (router + plain.service_s) * self.constant,
            "straight_line": straight + plain.service_s,
        }

    def fit(self, router: Sequence[tuple[float, float]], straight: Sequence[tuple[float, float]]) -> None:
        """Takes the constants with the least mean absolute error, from pairs of seconds said and real."""
        self.constant = best_constant(router) or self.constant
        self._straight_s *= best_constant(straight) or 1.0


def best_constant(pairs: Sequence[tuple[float, float]]) -> float | None:
    """The c with the least mean |c said - real|: the median of the ratios, weighted by what was said."""
    ordered = sorted((real / said, said) for said, real in pairs if said > 0.0)
    if not ordered:
        return None
    reached = list(accumulate(said for _, said in ordered))
    return ordered[bisect(reached, reached[-1] / 2)][0]
