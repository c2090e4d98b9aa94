"""Speed factor: a driver's recent driving time against the expected time."""

from math import exp
from typing import Final

import msgspec

MEMORY: Final = 900.0  # seconds of driving after which an observation is weighted 1/e
SHRINKAGE: Final = 100.0  # expected seconds, added to the observations: short ones prove little
FADE_SECONDS: Final = 300.0  # seconds ahead after which the driver's own ratio has lost most of its influence


class SpeedFactor(msgspec.Struct, gc=False):
    """One driver's recent seconds of driving, and the expected seconds for the same path."""

    observed: float = 0.0
    expected: float = 0.0

    def add(self, seconds: float, expected: float) -> None:
        """Add a section of driving, in seconds, without time at stops."""
        keep = exp(-seconds / MEMORY)
        self.observed = keep * self.observed + seconds
        self.expected = keep * self.expected + max(expected, 0.0)

    def apply(self, expected: float, usual: float = 1.0) -> float:
        """Return the seconds for a path: the first minutes at the driver's own ratio, the rest at *usual*.

        *usual* is the current ratio of all drivers. The driver's own stays near it until there is evidence.
        """
        own = (SHRINKAGE * usual + self.observed) / (SHRINKAGE + self.expected)
        return usual * expected + (own - usual) * FADE_SECONDS * (1.0 - exp(-expected / FADE_SECONDS))

    @property
    def ratio(self) -> float:
        """The driver's seconds per expected second."""
        return (SHRINKAGE + self.observed) / (SHRINKAGE + self.expected)
