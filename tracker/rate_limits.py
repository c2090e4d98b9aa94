"""Rate limits: token buckets, and random spread of pauses. Bounded, in memory, without a clock."""

from collections import OrderedDict
from random import uniform
from typing import Final

MOST_KEYS: Final = 100_000  # the key that was idle longest is dropped first
SPREAD: Final = 0.3  # largest share by which a pause is shortened
ROUNDING_S: Final = 1e-6  # seconds; sums of floats may exceed a full bucket by less

PAIRINGS_AT_ONCE: Final = 30  # attempts with a pairing code from one address, right or wrong
PAIRINGS_PER_S: Final = 0.2
ALL_PAIRINGS_AT_ONCE: Final = 1_000  # the same of all addresses together
ALL_PAIRINGS_PER_S: Final = 10.0


def spread(seconds: float) -> float:
    """Shorten *seconds* by a random share, so that timers that began together do not fire together."""
    return uniform(1.0 - SPREAD, 1.0) * seconds


class RateLimit:
    """A token bucket for each key: `at_once` tokens, refilled by `per_s` a second; full ones are dropped."""

    __slots__ = ("_at_once", "_full_again", "_per_s")

    def __init__(self, at_once: float, per_s: float) -> None:
        self._at_once, self._per_s = at_once, per_s
        self._full_again: OrderedDict[str, float] = OrderedDict()  # when the key's bucket is full again

    def __len__(self) -> int:
        return len(self._full_again)

    def take(self, key: str, amount: float, now: float) -> float:
        """Take *amount* in any case and return the seconds that the caller has to wait before it acts."""
        self._full_again[key] = self._full_at(key, now) + amount / self._per_s
        self._full_again.move_to_end(key)
        self._drop_full(now)
        return self.wait(key, now)

    def try_take(self, key: str, amount: float, now: float) -> bool:
        """Take *amount* if that needs no wait; else take nothing. Return whether it was taken."""
        if self._full_at(key, now) + amount / self._per_s - now > self.window_s + ROUNDING_S:
            return False
        self.take(key, amount, now)
        return True

    def wait(self, key: str, now: float) -> float:
        """Return the seconds until the key's debt is paid; 0 if it has none. Takes nothing."""
        return max(0.0, self._full_at(key, now) - now - self.window_s)

    def left(self, key: str, now: float) -> float:
        """Return how much can be taken without a wait."""
        return max(0.0, self._at_once - (self._full_at(key, now) - now) * self._per_s)

    @property
    def window_s(self) -> float:
        """Seconds in which an empty bucket becomes full."""
        return self._at_once / self._per_s

    @property
    def at_once(self) -> float:
        """Size of a full bucket."""
        return self._at_once

    def _full_at(self, key: str, now: float) -> float:
        return max(self._full_again.get(key, now), now)

    def _drop_full(self, now: float) -> None:
        while len(self._full_again) > 1:
            oldest = next(iter(self._full_again.values()))
            if len(self._full_again) <= MOST_KEYS and oldest > now:
                return
            self._full_again.popitem(last=False)


class PairingLimit:
    """Attempts with pairing codes, which are short: of each address, and of all addresses together."""

    __slots__ = ("_all", "_of_address")

    def __init__(self) -> None:
        self._of_address = RateLimit(PAIRINGS_AT_ONCE, PAIRINGS_PER_S)
        self._all = RateLimit(ALL_PAIRINGS_AT_ONCE, ALL_PAIRINGS_PER_S)

    def take(self, address: str, now: float) -> float:
        """Count an attempt and return 0.0; or return the seconds after which one may be made."""
        if not self._of_address.try_take(address, 1.0, now):
            return 1.0 / PAIRINGS_PER_S
        return 0.0 if self._all.try_take("", 1.0, now) else 1.0 / ALL_PAIRINGS_PER_S
