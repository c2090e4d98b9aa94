"""Baselines: simple forecasts from the same inputs, to compare ours with."""

from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from tracker.domain.eta.model import ROUTER_RATIO, STRAIGHT_SPEED
from tracker.domain.order import Vehicle


class BaselineInput(NamedTuple):
    """The inputs of every baseline at one time."""

    router_s: float | None  # the router's remaining seconds of driving; None without a route
    straight_m: float  # in straight lines from stop to stop
    service_s: float  # announced for earlier stops, less the time spent


class Baselines:
    """One constant per baseline, fitted to the training trips, so that each is the best possible one."""

    def __init__(self) -> None:
        self.constant = ROUTER_RATIO
        self._straight_s = 1.0  # per second at the prior speed

    def forecasts(self, vehicle: Vehicle, inputs: BaselineInput) -> dict[str, float]:
        """Return the seconds to go by baseline name."""
        straight = self._straight_s * inputs.straight_m / STRAIGHT_SPEED[vehicle]
        router = straight / self.constant if inputs.router_s is None else inputs.router_s
        return {
            "router": router + inputs.service_s,
            "router_scaled": (router + inputs.service_s) * self.constant,
            "straight_line": straight + inputs.service_s,
        }

    def fit(self, router: Sequence[tuple[float, float]], straight: Sequence[tuple[float, float]]) -> None:
        """Fit the constants with the least mean absolute error to pairs of forecast and actual seconds."""
        self.constant = best_constant(router) or self.constant
        self._straight_s *= best_constant(straight) or 1.0


def best_constant(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Return the c that minimises the mean of |c forecast - actual|, None without positive forecasts.

    It is the median of the ratios, weighted by the forecasts.
    """
    ordered = sorted((real / forecasts, forecasts) for forecasts, real in pairs if forecasts > 0.0)
    if not ordered:
        return None
    reached = list(accumulate(forecasts for _, forecasts in ordered))
    return ordered[bisect(reached, reached[-1] / 2)][0]
