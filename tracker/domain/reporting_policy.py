"""How often a driver's device reports: faster while a customer watches or a stop is near."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

NEAR: Final = 300.0  # metres to the next stop
NO_LONGER_NEAR: Final = 400.0  # hysteresis: a driver at the border of NEAR does not alternate
CALM: Final = timedelta(seconds=30)  # a slower policy must have sufficed for so long before it applies


class Policy(msgspec.Struct, frozen=True):
    """The minimum time and movement between two reports of a device."""

    interval_s: float = 5
    """Seconds between two fixes."""
    min_move_m: float = 10
    """Metres to move before the next fix."""


QUICK: Final = Policy(2, 5)
USUAL: Final = Policy()
IDLE: Final = Policy(15, 25)


class Need(msgspec.Struct, frozen=True):
    """The present use of a driver's positions."""

    watched: bool = False  # a customer watches one of the orders
    busy: bool = False  # the driver has a stop to serve
    to_stop_m: float | None = None  # metres to the next stop, in a straight line


class PolicyState(msgspec.Struct, frozen=True):
    """A driver's policy, and the time since when a slower one suffices."""

    policy: Policy = USUAL
    enough_since: datetime | None = None


def next_policy(state: PolicyState, need: Need, now: datetime) -> PolicyState:
    """Return the next policy: a faster one applies at once, a slower one only after CALM."""
    target = _target(need, was_quick=state.policy == QUICK)
    if target.interval_s <= state.policy.interval_s:
        return PolicyState(target)
    since = state.enough_since or now
    return PolicyState(target) if now - since >= CALM else PolicyState(state.policy, since)


def _target(need: Need, *, was_quick: bool) -> Policy:
    near = NO_LONGER_NEAR if was_quick else NEAR
    if need.watched or (need.to_stop_m is not None and need.to_stop_m <= near):
        return QUICK
    return USUAL if need.busy else IDLE
