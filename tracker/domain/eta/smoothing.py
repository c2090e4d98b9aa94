"""Smoothing: move the displayed arrival towards the forecast without visible jumps."""

from datetime import datetime, timedelta
from math import copysign, exp
from typing import Final

import msgspec

from tracker.domain.eta.estimate import Eta

DEAD_BAND: Final = 4.0  # seconds; a smaller difference moves nothing, so that the shown minute changes less
DEAD_BAND_SHARE: Final = 0.1  # dead band per second to go, if less
TIME_CONSTANT: Final = 10.0  # time constant in seconds
TIME_CONSTANT_SHARE: Final = (
    0.04  # time constant per second to go, if less: a lag is most visible shortly before arrival
)
MIN_TIME_CONSTANT: Final = 1.0  # seconds; lower bound of the time constant


class SmoothedEta(msgspec.Struct):
    """The arrival as one customer sees it. Call `reset` on a reroute or a change of stops."""

    arrives_at: datetime | None = None
    at: datetime | None = None  # time of the last update

    def follow(self, arrives_at: datetime, now: datetime) -> datetime:
        """Return the arrival to display for a forecast of *arrives_at*; never before *now*."""
        if self.arrives_at is None or self.at is None:
            self.arrives_at = arrives_at
        else:
            passed = max((now - self.at).total_seconds(), 0.0)
            off = (arrives_at - self.arrives_at).total_seconds()
            to_go = max((arrives_at - now).total_seconds(), 0.0)
            off -= copysign(min(DEAD_BAND, DEAD_BAND_SHARE * to_go, abs(off)), off)
            time_constant = min(max(TIME_CONSTANT_SHARE * to_go, MIN_TIME_CONSTANT), TIME_CONSTANT)
            self.arrives_at += timedelta(seconds=(1.0 - exp(-passed / time_constant)) * off)
        self.at = now
        return max(self.arrives_at, now)

    def eta(self, forecast: Eta) -> Eta:
        """Return the ETA to display: a smoothed arrival, and an interval that contains it."""
        assert forecast.arrives_at is not None
        assert forecast.earliest is not None
        assert forecast.latest is not None
        displayed = self.follow(forecast.arrives_at, forecast.computed_at)
        earliest, latest = min(forecast.earliest, displayed), max(forecast.latest, displayed)
        return msgspec.structs.replace(forecast, arrives_at=displayed, earliest=earliest, latest=latest)

    def reset(self) -> None:
        """Reset, so that the next forecast is displayed unsmoothed."""
        self.arrives_at = self.at = None
