"""Navigator: what a phone's own navigation says of the next stop, and how right such words have proved."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import exp, log
from typing import Final, NamedTuple

import msgspec

from tracker.domain.eta.interval import BLUR, residual
from tracker.domain.eta.ratio import Ratio

HOLDS: Final = 60.0  # seconds for which such a word counts; a navigation that goes on says it again
FARTHEST: Final = timedelta(hours=24)  # to go; what is said of a later arrival says nothing
PLAUSIBLE: Final = 3.0  # times; further from our own answer it is about another place
RATIO_PRIOR: Final = 1_200.0  # seconds said that are believed as they are
ERROR: Final = 0.25  # of either answer until it is learned, as a logarithm: then both count the same
ERROR_PRIOR: Final = 10.0  # arrivals that it counts as


class DeviceEta(NamedTuple):
    """When the driver is at the next stop, as the phone said at `said_at`; both by our clock."""

    said_at: datetime
    arrives_at: datetime

    def seconds(self, at: datetime) -> float | None:
        """To go at this moment; None where it was said too long ago, or should be over."""
        if abs((at - self.said_at).total_seconds()) > HOLDS:
            return None
        left = (self.arrives_at - at).total_seconds()
        return left if left > 0.0 else None


class Opinions(NamedTuple):
    """Seconds to go to the next stop at one moment, as forecast without the phone, and as the phone said."""

    ours: float
    said: float

    @property
    def agree(self) -> bool:
        """Whether they can be about the same place."""
        return 1.0 / PLAUSIBLE <= (self.said + BLUR) / (self.ours + BLUR) <= PLAUSIBLE


def _unknown() -> Ratio:
    return Ratio()


class Trust(msgspec.Struct):
    """How much such words are worth beside our own forecasts, by what came true."""

    real: Ratio = msgspec.field(default_factory=_unknown)  # seconds, and those that were said
    ours: Ratio = msgspec.field(default_factory=_unknown)  # squares of residuals, and arrivals
    theirs: Ratio = msgspec.field(default_factory=_unknown)

    def joined(self, opinions: Opinions) -> float:
        """One answer of both, in seconds: between them, nearer to the one that errs less."""
        if not opinions.agree:
            return opinions.ours
        ours, theirs = (each.ratio(ERROR**2, ERROR_PRIOR) for each in (self.ours, self.theirs))
        share = ours / (ours + theirs)
        said = log(self._meant(opinions.said) + BLUR)
        return exp((1.0 - share) * log(opinions.ours + BLUR) + share * said) - BLUR

    def learn(self, samples: Sequence[tuple[Opinions, float]]) -> None:
        """One arrival's: both opinions, and the seconds that it took. Each arrival counts the same."""
        agreeing = [(opinions, real) for opinions, real in samples if opinions.agree]
        if not agreeing:
            return
        each = 1.0 / len(agreeing)
        for opinions, real in agreeing:
            self.ours.add(each * residual(opinions.ours, real) ** 2, each)
            self.theirs.add(each * residual(self._meant(opinions.said), real) ** 2, each)
        for opinions, real in agreeing:
            self.real.add(each * real, each * opinions.said)

    def _meant(self, said: float) -> float:
        """Navigation knows no lights and no lifts: real seconds for those said."""
        return said * self.real.ratio(1.0, RATIO_PRIOR)
