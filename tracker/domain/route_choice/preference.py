"""Route preferences: how drivers choose routes, learned from driven paths. Only forecasts use them."""

from math import log, sqrt
from typing import Final, Literal

import msgspec

from tracker.domain.geo import LonLat

RoutePreference = Literal[
    "lawful", "unrestricted", "near_side", "far_side", "short", "short_near_side", "short_far_side"
]
LAWFUL: Final[RoutePreference] = "lawful"  # the fastest legal route, and the default
OTHER_PREFERENCES: Final[tuple[RoutePreference, ...]] = (
    "unrestricted",  # ignores turn restrictions
    "near_side",  # arrives with the stop on the driving side of the street
    "far_side",  # arrives with the stop across the street
    "short",  # the shortest route instead of the fastest
    "short_near_side",
    "short_far_side",
)
MIN_LEGS: Final = 20  # driven legs before another preference is believed
DECAY: Final = 0.997  # decay factor of the sums per leg
BLUR: Final = 50.0  # metres of uncertainty in a path's length
MAX_ERROR: Final = 0.25  # the largest length error: from here on the route is a different one
MIN_STANDARD_ERRORS: Final = 1.0  # standard errors by which a preference must be better
PRIOR_DEVIATION: Final = 0.1  # prior standard deviation of one leg's evidence
PRIOR_LEGS: Final = 10.0  # legs; weight of the prior


class DrivenPath(msgspec.Struct, frozen=True):
    """The path that a driver took to a stop."""

    begin: LonLat
    heading: float | None  # degrees, at the start
    metres: float
    places: tuple[LonLat, ...] = ()  # in order, until its streets are matched


class Evidence(msgspec.Struct):
    """How much better than `lawful` a preference predicted path lengths: sums over `ways` legs."""

    ways: float = 0.0
    better: float = 0.0
    squared: float = 0.0

    def add(self, better: float) -> None:
        self.ways = DECAY * self.ways + 1.0
        self.better = DECAY * self.better + better
        self.squared = DECAY * self.squared + better * better

    @property
    def lower_bound(self) -> float:
        """A lower bound of the improvement; negative until there is clear evidence."""
        if self.ways < MIN_LEGS * DECAY**MIN_LEGS:
            return -1.0
        worth = self.ways + PRIOR_LEGS
        spread = (self.squared + PRIOR_LEGS * PRIOR_DEVIATION**2) / worth
        return self.better / worth - MIN_STANDARD_ERRORS * sqrt(spread / worth)


class RoutePreferences(msgspec.Struct):
    """The evidence on how drivers of one kind of vehicle choose routes."""

    evidence: dict[RoutePreference, Evidence] = {}

    @property
    def usual(self) -> RoutePreference:
        """The preference that predicts paths best; `lawful` unless another is clearly better."""
        best = max(self.evidence, key=lambda each: self.evidence[each].lower_bound, default=LAWFUL)
        return best if best in self.evidence and self.evidence[best].lower_bound > 0.0 else LAWFUL

    def learn(self, off: dict[RoutePreference, float]) -> None:
        """Add the length error of each preference for one leg, see `length_error`."""
        if LAWFUL in off:
            for preference in OTHER_PREFERENCES:
                if preference in off:
                    self.evidence.setdefault(preference, Evidence()).add(off[LAWFUL] - off[preference])


def length_error(predicted_m: float | None, way: DrivenPath) -> float:
    """Return the length error of a predicted route, 0 to MAX_ERROR; MAX_ERROR without a route."""
    if predicted_m is None:
        return MAX_ERROR
    return min(abs(log((predicted_m + BLUR) / (way.metres + BLUR))), MAX_ERROR)
