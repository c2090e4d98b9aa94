"""Ratio: two running sums and their quotient, the estimator behind most of the ETA model."""

import msgspec


class Ratio(msgspec.Struct, gc=False):
    """Observed and expected sums: seconds and seconds, dwell seconds and stops, or metres and seconds."""

    observed: float = 0.0
    expected: float = 0.0

    def add(self, observed: float, expected: float) -> None:
        self.observed += observed
        self.expected += expected

    def ratio(self, prior: float, weight: float) -> float:
        """Return observed per expected, shrunk towards *prior*, which counts as *weight* expected units."""
        return (weight * prior + self.observed) / (weight + self.expected)
