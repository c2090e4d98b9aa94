"""Rates: so many at once, then one every so often. Held in memory, bounded, without a clock of its own."""

from collections import OrderedDict
from random import uniform
from typing import Final

MOST: Final = 100_000  # keys; the one that was quiet for longest is forgotten first
SPREAD: Final = 0.3  # of a pause, at the most


def spread(seconds: float) -> float:
    """So long or a little less, so that what began at one moment does not come again at one moment."""
    return uniform(1.0 - SPREAD, 1.0) * seconds


class Bucket:
    """`capacity` at once, then `per_s` a second."""

    __slots__ = ("_at", "_left")

    def __init__(self, capacity: float, now: float) -> None:
        self._left = capacity
        self._at = now

    def take(self, capacity: float, per_s: float, now: float) -> bool:
        """Whether one more is allowed; then it counts."""
        self._left = min(capacity, self._left + (now - self._at) * per_s)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True

    def is_full(self, capacity: float, per_s: float, now: float) -> bool:
        return self._left + (now - self._at) * per_s >= capacity


class Allowances:
    """For each key `at_once`, then `per_s` a second; whoever takes more has to wait for it."""

    def __init__(self, at_once: float, per_s: float) -> None:
        self._at_once, self._per_s = at_once, per_s
        self._spent_until: OrderedDict[str, float] = OrderedDict()  # when all that was taken is earned

    def __len__(self) -> int:
        return len(self._spent_until)

    def take(self, key: str, amount: float, now: float) -> float:
        """Takes this much; for how many seconds the taker has to wait."""
        spent = max(self._spent_until.get(key, now), now) + amount / self._per_s
        self._spent_until[key] = spent
        self._spent_until.move_to_end(key)
        self._forget(now)
        return self.wait(key, now)

    def wait(self, key: str, now: float) -> float:
        """For how many seconds whoever took more than was there still has to wait."""
        return max(0.0, self._spent_until.get(key, now) - now - self._at_once / self._per_s)

    def left(self, key: str, now: float) -> float:
        """How much may be taken at once now."""
        spent_s = max(0.0, self._spent_until.get(key, now) - now)
        return max(0.0, self._at_once - spent_s * self._per_s)

    @property
    def window_s(self) -> float:
        """Seconds in which all that may be taken at once is earned anew."""
        return self._at_once / self._per_s

    @property
    def at_once(self) -> float:
        return self._at_once

    def take_if_free(self, key: str, amount: float, now: float) -> bool:
        """Takes this much where nobody has to wait for it; else takes nothing."""
        spent = max(self._spent_until.get(key, now), now) + amount / self._per_s
        if spent - now > self._at_once / self._per_s:
            return False
        self.take(key, amount, now)
        return True

    def _forget(self, now: float) -> None:
        while len(self._spent_until) > 1:
            oldest = next(iter(self._spent_until.values()))
            if len(self._spent_until) <= MOST and oldest > now:
                return
            self._spent_until.popitem(last=False)


class Buckets:
    """One bucket for each key; a full one is like none."""

    def __init__(self, capacity: float, per_s: float) -> None:
        self._capacity, self._per_s = capacity, per_s
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str, now: float) -> bool:
        """Whether one more is allowed for this key at `now` (seconds); then it counts."""
        bucket = self._buckets.setdefault(key, Bucket(self._capacity, now))
        self._buckets.move_to_end(key)
        self._forget(now)
        return bucket.take(self._capacity, self._per_s, now)

    def _forget(self, now: float) -> None:
        while len(self._buckets) > 1:
            oldest = next(iter(self._buckets.values()))
            if len(self._buckets) <= MOST and not oldest.is_full(self._capacity, self._per_s, now):
                return
            self._buckets.popitem(last=False)
