"""Pace: how fast this driver is, against what is expected of the streets driven."""

from math import exp, log
from typing import Final

import msgspec

MEMORY: Final = 900.0  # seconds of driving after which what was seen counts 1/e
SHRINKAGE: Final = 100.0  # seconds of driving as expected, added to what was seen: a short look proves little
FADES: Final = 300.0  # seconds of driving ahead after which a driver's own ratio has lost most of its meaning
SLOW: Final = 1.1  # times the expected seconds; up to that everybody is as usual
STRAIN: Final = 6.0  # by so much more uncertain at e times the seconds beyond that


class SpeedFactor(msgspec.Struct, gc=False):
    """Seconds that one driver drove lately, and the seconds that were expected for the same way."""

    observed: float = 0.0
    expected: float = 0.0

    def drove(self, seconds: float, expected: float) -> None:
        """Adds a stretch of driving; no time at a stop belongs to it."""
        keep = exp(-seconds / MEMORY)
        self.observed = keep * self.observed + seconds
        self.expected = keep * self.expected + max(expected, 0.0)

    def applied(self, expected: float, usual: float = 1.0) -> float:
        """The seconds for a way: its first minutes at the driver's own ratio, the rest as everybody's.

        `usual` is everybody's ratio at the moment; a driver's own is near it until enough was seen.
        """
        own = (SHRINKAGE * usual + self.observed) / (SHRINKAGE + self.expected)
        return usual * expected + (own - usual) * FADES * (1.0 - exp(-expected / FADES))

    @property
    def strain(self) -> float:
        """How much more uncertain a slow driver's arrival is: 1 at about the expected pace, or a better one.

        Who is slower than the streets usually are is in something that may well get worse.
        """
        slower = (SHRINKAGE + self.observed) / (SHRINKAGE + self.expected)
        return 1.0 if slower <= SLOW else 1.0 + STRAIN * log(slower / SLOW)
