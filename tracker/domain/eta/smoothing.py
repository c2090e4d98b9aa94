"""Smoothing: the arrival that is shown follows the forecast without jumping to and fro."""

from datetime import datetime, timedelta
from math import exp
from typing import Final

import msgspec

from tracker.domain.eta.estimate import Eta

SETTLES: Final = 20.0  # seconds in which the shown arrival goes most of the way to the forecast
NEARER: Final = 0.08  # of the seconds to go, where that is less: a lag shows most shortly before the arrival
LEAST: Final = 1.0  # second


class SmoothedEta(msgspec.Struct):
    """The arrival as one customer sees it. Bypass it (`None`) on a reroute or a change of stops."""

    arrives_at: datetime | None = None
    at: datetime | None = None  # when it was last moved

    def follow(self, arrives_at: datetime, now: datetime) -> datetime:
        """What is shown now that the forecast is `arrives_at`; never in the past."""
        if self.arrives_at is None or self.at is None:
            self.arrives_at = arrives_at
        else:
            passed = max((now - self.at).total_seconds(), 0.0)
            off = (arrives_at - self.arrives_at).total_seconds()
            settles = min(max(NEARER * (arrives_at - now).total_seconds(), LEAST), SETTLES)
            self.arrives_at += timedelta(seconds=(1.0 - exp(-passed / settles)) * off)
        self.at = now
        return max(self.arrives_at, now)

    def eta(self, forecast: Eta) -> Eta:
        """As it is shown: the arrival follows the forecast, and the interval holds it."""
        assert forecast.arrives_at is not None
        assert forecast.earliest is not None
        assert forecast.latest is not None
        shown = self.follow(forecast.arrives_at, forecast.computed_at)
        earliest, latest = min(forecast.earliest, shown), max(forecast.latest, shown)
        return msgspec.structs.replace(forecast, arrives_at=shown, earliest=earliest, latest=latest)

    def bypass(self) -> None:
        """The next forecast is shown as it is."""
        self.arrives_at = self.at = None
