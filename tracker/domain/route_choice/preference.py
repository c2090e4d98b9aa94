"""Manners: how drivers choose their way, learned from the ways they took. Only forecasts follow it."""

from math import log, sqrt
from typing import Final, Literal

import msgspec

from tracker.domain.geo import LonLat

RoutePreference = Literal[
    "lawful", "unrestricted", "near_side", "far_side", "short", "short_near_side", "short_far_side"
]
LAWFUL: Final[RoutePreference] = (
    "lawful"  # the fastest way that the law allows, and what everybody begins with
)
OTHERS: Final[tuple[RoutePreference, ...]] = (
    "unrestricted",  # turns where no turn is allowed
    "near_side",  # arrives with the stop on the side of the street that people drive on
    "far_side",  # arrives with the stop across the street
    "short",  # the shortest way instead of the fastest
    "short_near_side",
    "short_far_side",
)
WAYS: Final = 20  # finished ways before anybody is believed to drive otherwise
FORGETS: Final = 0.997  # of what was seen stays with each way
BLUR: Final = 50.0  # metres by which the length of a way is uncertain
ANOTHER: Final = 0.25  # off by so much, a way is another one altogether: further off is no worse
CLEAR: Final = 1.0  # standard errors that a manner has to be better by
DOUBT: Final = 0.1  # the standard deviation of one way's evidence that is taken for granted
DOUBTS: Final = 10.0  # ways that it counts as


class DrivenPath(msgspec.Struct, frozen=True):
    """A way as it was driven to a stop."""

    begin: LonLat
    heading: float | None  # degrees, at its beginning
    metres: float
    places: tuple[LonLat, ...] = ()  # one after the other, until its streets are known


class Evidence(msgspec.Struct):
    """How much better than the lawful way a manner foretold ways: sums, over `ways`."""

    ways: float = 0.0
    better: float = 0.0
    squared: float = 0.0

    def add(self, better: float) -> None:
        self.ways = FORGETS * self.ways + 1.0
        self.better = FORGETS * self.better + better
        self.squared = FORGETS * self.squared + better * better

    @property
    def surely(self) -> float:
        """By so much it is better at least; below zero until there is clear evidence."""
        if self.ways < WAYS * FORGETS**WAYS:
            return -1.0
        worth = self.ways + DOUBTS
        spread = (self.squared + DOUBTS * DOUBT**2) / worth
        return self.better / worth - CLEAR * sqrt(spread / worth)


class RoutePreferences(msgspec.Struct):
    """What is known of how the drivers of one kind of vehicle choose their way."""

    evidence: dict[RoutePreference, Evidence] = {}

    @property
    def usual(self) -> RoutePreference:
        """The one that foretells ways best; the lawful one unless another is clearly better."""
        best = max(self.evidence, key=lambda each: self.evidence[each].surely, default=LAWFUL)
        return best if best in self.evidence and self.evidence[best].surely > 0.0 else LAWFUL

    def learn(self, off: dict[RoutePreference, float]) -> None:
        """How far off each manner was for one way, see `off_by`."""
        if LAWFUL in off:
            for manner in OTHERS:
                if manner in off:
                    self.evidence.setdefault(manner, Evidence()).add(off[LAWFUL] - off[manner])


def off_by(foretold_m: float | None, way: DrivenPath) -> float:
    """How far off a foretold way is from the one that was driven, 0 to ANOTHER; None: there was none."""
    if foretold_m is None:
        return ANOTHER
    return min(abs(log((foretold_m + BLUR) / (way.metres + BLUR))), ANOTHER)
