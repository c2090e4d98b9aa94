"""When a driver was off duty or on a break, as requests and their answers say it, and what they sent then."""

from math import inf
from typing import Literal

import msgspec

from tests.privacy.places import Place, Seen

type Duty = Literal["on", "on_break", "off"]

LATE = 120.0  # seconds: whose fixes are all later than that may have a slow clock
STEADY = 6  # messages that show it
ONE_PLACE = 10.0  # metres


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
        last = [
            one
            for one in settled
            if not any(other.began >= one.sure for other in settled if other is not one)
        ]
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
    """Places of one test that were recorded off duty, and that nobody told for another reason."""

    def __init__(self) -> None:
        self._off: list[Place] = []
        self._told = Seen()
        self._secret: set[Place] | None = None

    def add(self, place: Place) -> None:
        """It was recorded off duty; one that is given coarsely tells nothing."""
        if min(_decimals(place.lat), _decimals(place.lon)) > 3:
            self._off.append(place)
            self._secret = None

    def told(self, place: Place) -> None:
        """It was recorded on duty, or is the place of an order."""
        self._told.add(place, 0.0)
        self._secret = None

    @property
    def secret(self) -> set[Place]:
        if self._secret is None:
            self._secret = {one for one in self._off if not self._told.times_within(one, ONE_PLACE)}
        return self._secret


def _decimals(degrees: float) -> int:
    """How many there are, of five."""
    return len(f"{degrees:.5f}".rstrip("0").partition(".")[2])
