"""DeviceClock: how far one device's clock is ahead of ours, where it is so steadily.

Each message gives one sample: the time of its newest fix minus the time at which it came. A fix cannot come
before it was made, so a sample is never more than the true offset, and the largest of several steady ones is
closest to it. A clock that is ahead cannot be taken for anything else: three samples settle it. One that is
behind looks like a device that sends what it kept, so it takes more of them, none of which came on time.
"""

from collections import deque
from datetime import datetime, timedelta
from typing import Final, NamedTuple

FUTURE_LIMIT: Final = timedelta(seconds=60)  # what is left after correcting; beyond, a fix is refused
MOST: Final = timedelta(hours=48)  # a clock that is further off is not corrected
STEADY_WITHIN: Final = timedelta(seconds=2)  # samples that differ by no more agree
BEHIND_LEAST: Final = timedelta(seconds=120)  # less: a slow network, or a device that collects
AHEAD_SAMPLES: Final = 3
AHEAD_SPAN: Final = timedelta(seconds=0.5)  # between the first and the last of them
BEHIND_SAMPLES: Final = 6
BEHIND_SPAN: Final = timedelta(seconds=4)
APART: Final = timedelta(seconds=0.2)  # what comes closer together is one sample
KEPT: Final = 32  # samples: more than BEHIND_SPAN needs
ON_TIME_COUNTS: Final = timedelta(seconds=60)  # after a message on time, nothing is a slow clock
NONE: Final = timedelta(0)


class _Sample(NamedTuple):
    ahead: timedelta
    at: datetime  # by our clock


class DeviceClock:
    """Hears when messages come and of what time they are; says by how much to set their times back."""

    __slots__ = ("_last", "_on_time_at", "_recent", "ahead")

    def __init__(self) -> None:
        self.ahead = NONE  # steady; negative: behind
        self._last: tuple[datetime, timedelta] | None = None  # a message's newest fix, and its correction
        self._recent: deque[_Sample] = deque(maxlen=KEPT)
        self._on_time_at: datetime | None = None

    def hear(self, newest: datetime, now: datetime) -> None:
        """A message came whose newest fix claims this time."""
        sample = _Sample(newest - now, now)
        if abs(sample.ahead) > MOST:
            return
        if not self._recent or now - self._recent[-1].at >= APART:
            self._recent.append(sample)
        if abs(sample.ahead) <= FUTURE_LIMIT:
            self._on_time_at = now
        settled = self._steady(AHEAD_SAMPLES, AHEAD_SPAN)
        if settled is not None and settled > -BEHIND_LEAST:
            self._settle(max(settled, NONE))
            return
        settled = self._steady(BEHIND_SAMPLES, BEHIND_SPAN)
        if settled is not None and settled <= -BEHIND_LEAST and not self._lately_on_time(now):
            self._settle(settled)

    def correction(self, newest: datetime, now: datetime) -> timedelta:
        """What to take off the times of a message with this newest fix: afterwards none is of the future.

        The same message sent again is no newer than it was.
        """
        if self._last is None or self._last[0] != newest:
            self._last = (newest, newest - now)
        return max(self.ahead, self._last[1])

    def _settle(self, ahead: timedelta) -> None:
        """A little less than before is a slower network and no other clock."""
        if not NONE <= self.ahead - ahead <= STEADY_WITHIN:
            self.ahead = ahead

    def _steady(self, samples: int, span: timedelta) -> timedelta | None:
        """What the last ones agree on: at least so many, over so long a time."""
        least = most = None
        for count, sample in enumerate(reversed(self._recent), 1):
            least = sample.ahead if least is None else min(least, sample.ahead)
            most = sample.ahead if most is None else max(most, sample.ahead)
            if most - least > STEADY_WITHIN:
                return None
            if count >= samples and self._recent[-1].at - sample.at >= span:
                return most
        return None

    def _lately_on_time(self, now: datetime) -> bool:
        return self._on_time_at is not None and now - self._on_time_at < ON_TIME_COUNTS
