"""Device ETA: the arrival that a phone's navigation reports for the next stop, and its measured accuracy."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import exp, log
from typing import Final, NamedTuple

import msgspec

from tracker.domain.eta.interval import BLUR, residual
from tracker.domain.eta.ratio import Ratio

HOLDS: Final = 60.0  # seconds for which a report is valid; running navigation repeats it
FARTHEST: Final = timedelta(hours=24)  # a later arrival is not plausible
PLAUSIBLE: Final = 3.0  # ratio to our own forecast; beyond it, the report is about another place
RATIO_PRIOR: Final = 1_200.0  # reported seconds; weight of the ratio 1
ERROR: Final = 0.25  # prior logarithmic error of both forecasts, so that they start with equal weights
ERROR_PRIOR: Final = 10.0  # arrivals; weight of ERROR


class DeviceEta(NamedTuple):
    """The arrival at the next stop, as the phone reported it at `reported_at`. Both times are server time."""

    reported_at: datetime
    arrives_at: datetime

    def seconds(self, at: datetime) -> float | None:
        """Return the seconds to go at *at*; None if the report is too old or its arrival is past."""
        if abs((at - self.reported_at).total_seconds()) > HOLDS:
            return None
        left = (self.arrives_at - at).total_seconds()
        return left if left > 0.0 else None


class EtaPair(NamedTuple):
    """Seconds to the next stop at one time: our forecast without the phone, and the phone's."""

    ours: float
    reported: float

    @property
    def agree(self) -> bool:
        """Whether both can refer to the same place."""
        return 1.0 / PLAUSIBLE <= (self.reported + BLUR) / (self.ours + BLUR) <= PLAUSIBLE


class DeviceEtaAccuracy(msgspec.Struct):
    """The measured errors of our forecasts and of the phones', which decide their weights."""

    real: Ratio = msgspec.field(default_factory=Ratio)  # actual and reported seconds
    ours: Ratio = msgspec.field(default_factory=Ratio)  # squares of residuals, and arrivals
    theirs: Ratio = msgspec.field(default_factory=Ratio)

    def combine(self, pair: EtaPair) -> float:
        """Return the seconds combined from both, weighted towards the one with the smaller error."""
        if not pair.agree:
            return pair.ours
        ours, theirs = (each.ratio(ERROR**2, ERROR_PRIOR) for each in (self.ours, self.theirs))
        share = ours / (ours + theirs)
        reported = log(self._calibrated(pair.reported) + BLUR)
        return exp((1.0 - share) * log(pair.ours + BLUR) + share * reported) - BLUR

    def learn(self, samples: Sequence[tuple[EtaPair, float]]) -> None:
        """Update the errors with the forecasts and actual seconds of one arrival. Arrivals weigh the same."""
        agreeing = [(pair, real) for pair, real in samples if pair.agree]
        if not agreeing:
            return
        each = 1.0 / len(agreeing)
        for pair, real in agreeing:
            self.ours.add(each * residual(pair.ours, real) ** 2, each)
            self.theirs.add(each * residual(self._calibrated(pair.reported), real) ** 2, each)
        for pair, real in agreeing:
            self.real.add(each * real, each * pair.reported)

    def _calibrated(self, reported: float) -> float:
        """Scale reported to actual seconds: navigation ignores traffic lights and lifts."""
        return reported * self.real.ratio(1.0, RATIO_PRIOR)
