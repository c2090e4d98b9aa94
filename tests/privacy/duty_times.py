"""When a driver was off duty or on a break, as requests and their answers say it, and what they sent then."""

from math import inf
from typing import Literal

import msgspec

from tests.privacy.places import Place, Seen

type Duty = Literal["on", "on_break", "off"]

LATE = 120.0  # seconds: whose fixes are all later than that may have a slow clock
STEADY = 6  # messages that show it


class DutyChange(msgspec.Struct):
    """From `began` to `sure` (seconds) it may have come into force; afterwards it has."""

    duty: Duty
    began: float
    sure: float = inf  # no answer yet


class DutyTimes:
    """The changes of one driver's duty, and the places that were sent from when they did not work."""

    def __init__(self) -> None:
        self.changes: list[DutyChange] = []
        self.hidden = Seen()  # recorded off duty or on a break for certain: for no customer
        self.shown = Seen()  # everything else
        self._is_fast = False
        self._late = 0

    def change(self, duty: Duty, began: float, sure: float = inf) -> DutyChange:
        self.changes.append(change := DutyChange(duty, began, sure))
        return change

    def possible(self, at: float) -> set[Duty]:
        """What the duty may have been then."""
        settled = [one for one in self.changes if one.sure <= at]
        last = [one for one in settled if not any(other.began >= one.sure for other in settled)]
        coming = {one.duty for one in self.changes if one.began <= at < one.sure}
        return coming | ({one.duty for one in last} or {"on"})

    def hears(self, newest: float | None, at: float) -> None:
        """Judge the device's clock by a message and its newest fix: of a wrong one nothing is certain."""
        if newest is not None:
            self._is_fast |= newest > at
            self._late += newest < at - LATE

    def take(self, place: Place, at: float, recorded: float | None) -> Duty | None:
        """The duty at the time of a fix; None if that is not certain."""
        duty: Duty | None = None
        if recorded is not None and not self._is_fast and self._late < STEADY:
            possible = self.possible(recorded)
            duty = possible.pop() if len(possible) == 1 else None
        seen = self.hidden if duty in {"off", "on_break"} else self.shown
        seen.add(place, at, recorded)
        return duty


class OffDuty:
    """Places of one test that were recorded off duty and that nobody told otherwise, to 5 decimals."""

    def __init__(self) -> None:
        self._off: set[tuple[float, float]] = set()
        self._told: set[tuple[float, float]] = set()

    def add(self, place: Place) -> None:
        if (key := _key(place)) is not None:
            self._off.add(key)

    def told(self, place: Place) -> None:
        """It was recorded on duty, or is the place of an order."""
        if (key := _key(place)) is not None:
            self._told.add(key)

    @property
    def secret(self) -> set[tuple[float, float]]:
        return self._off - self._told


def _key(place: Place) -> tuple[float, float] | None:
    """None for a place that is given so coarsely that others say the same."""
    lat, lon = round(place.lat, 5), round(place.lon, 5)
    return None if lat == round(lat, 3) or lon == round(lon, 3) else (lat, lon)
