"""Policy: how often a driver's device should report. Faster while somebody watches or a stop is near."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

NEAR: Final = 300.0  # metres to the next stop
NO_MORE_NEAR: Final = 400.0  # further than NEAR, so that a driver at the border does not switch to and fro
CALM: Final = timedelta(seconds=30)  # so long a slower policy must have been enough before it is given


class Policy(msgspec.Struct, frozen=True):
    """A device reports after so many seconds, if it has moved by so many metres."""

    interval_s: float = 5
    """Seconds between two fixes."""
    min_move_m: float = 10
    """Metres to move before the next fix."""


QUICK: Final = Policy(2, 5)
USUAL: Final = Policy()
IDLE: Final = Policy(15, 25)


class Need(msgspec.Struct, frozen=True):
    """What the positions are wanted for now."""

    watched: bool = False  # a customer looks at one of the orders
    busy: bool = False  # there is something to fetch or to bring
    to_stop_m: float | None = None  # metres to the next stop, in a straight line


class PolicyState(msgspec.Struct, frozen=True):
    """The policy that a driver has, and since when a slower one would do."""

    policy: Policy = USUAL
    enough_since: datetime | None = None


def next_policy(given: PolicyState, need: Need, now: datetime) -> PolicyState:
    """A quicker policy is given at once, a slower one only after CALM."""
    wanted = _wanted(need, was_quick=given.policy == QUICK)
    if wanted.interval_s <= given.policy.interval_s:
        return PolicyState(wanted)
    since = given.enough_since or now
    return PolicyState(wanted) if now - since >= CALM else PolicyState(given.policy, since)


def _wanted(need: Need, *, was_quick: bool) -> Policy:
    near = NO_MORE_NEAR if was_quick else NEAR
    if need.watched or (need.to_stop_m is not None and need.to_stop_m <= near):
        return QUICK
    return USUAL if need.busy else IDLE
