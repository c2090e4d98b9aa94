"""Tally: two sums and their ratio, which is what nearly everything here learns by."""

import msgspec


class Ratio(msgspec.Struct, gc=False):
    """What was seen and what was expected: of seconds, or dwell and stops, or metres and seconds."""

    observed: float = 0.0
    expected: float = 0.0

    def add(self, observed: float, expected: float) -> None:
        self.observed += observed
        self.expected += expected

    def ratio(self, prior: float, weight: float) -> float:
        """Observed for one expected; `prior` until there is more than `weight` of them."""
        return (weight * prior + self.observed) / (weight + self.expected)
