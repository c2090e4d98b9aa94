"""Estimate of how far one device's clock is ahead of the server's.

Each message gives one sample: the time of its newest fix minus the time of its receipt. A fix cannot arrive
before it is recorded, so a sample never exceeds the true offset. The largest of several steady ones is
closest to it. Only a fast clock gives positive samples, so three of them settle the offset. A slow clock is
like a device that sends stored fixes, so it takes more samples, and no message may have come on time.

A settled offset is found again in the stored fixes after a restart. Until it is settled, `claimed_ahead` sets
back the future fixes of apps that read no rejections.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

FUTURE_LIMIT: Final = timedelta(seconds=60)  # after correction; a fix further ahead is rejected
MAX_OFFSET: Final = timedelta(hours=48)  # a clock with a larger offset is not corrected
STEADY_WITHIN: Final = timedelta(seconds=2)  # samples agree if they differ by at most this
MIN_BEHIND: Final = timedelta(seconds=120)  # less comes from a slow network or from batching
AHEAD_SAMPLES: Final = 3
AHEAD_SPAN: Final = timedelta(seconds=0.5)  # between the first and the last of them
BEHIND_SAMPLES: Final = 6
BEHIND_SPAN: Final = timedelta(seconds=4)
APART: Final = timedelta(seconds=0.2)  # messages that arrive closer together give one sample
SAMPLES_KEPT: Final = 32  # samples: more than BEHIND_SPAN needs
FOLLOWS_WITHIN: Final = timedelta(
    minutes=5
)  # a fix later than the one before by more has a wrong time itself
ON_TIME_COUNTS: Final = timedelta(seconds=60)  # for so long after a message on time, no slow clock is assumed
NONE: Final = timedelta(0)


class _Sample(NamedTuple):
    ahead: timedelta
    at: datetime  # of receipt, by the server's clock


class DeviceClock:
    """Offset of one device's clock, estimated from the messages received."""

    __slots__ = ("_last", "_on_time_at", "_recent", "ahead")

    def __init__(self) -> None:
        self.ahead = NONE  # the settled offset; negative: behind
        self._last: tuple[datetime, timedelta] | None = (
            None  # newest fix of the last message, and how far ahead it was
        )
        self._recent: deque[_Sample] = deque(maxlen=SAMPLES_KEPT)
        self._on_time_at: datetime | None = None

    def restore(self, corrections: Sequence[timedelta]) -> None:
        """Adopt the offset of the newest stored fixes (oldest first) if the last ones agree on it."""
        last = corrections[-AHEAD_SAMPLES:]
        if len(last) == AHEAD_SAMPLES and max(last) - min(last) <= STEADY_WITHIN and min(last) > FUTURE_LIMIT:
            self.ahead = last[-1]

    def add_message(self, newest: datetime, now: datetime) -> None:
        """Take a sample from a message received at *now* whose newest fix has the device time *newest*."""
        sample = _Sample(newest - now, now)
        if abs(sample.ahead) > MAX_OFFSET:
            return
        if not self._recent or now - self._recent[-1].at >= APART:
            self._recent.append(sample)
        if abs(sample.ahead) <= FUTURE_LIMIT:
            self._on_time_at = now
        settled = self._steady(AHEAD_SAMPLES, AHEAD_SPAN)
        if settled is not None and settled > -MIN_BEHIND:
            self._settle(max(settled, NONE))
            return
        if self._on_time_at is not None and now - self._on_time_at < ON_TIME_COUNTS:
            return
        settled = self._steady(BEHIND_SAMPLES, BEHIND_SPAN)
        if settled is not None and settled <= -MIN_BEHIND:
            self._settle(settled)

    def correction(self, newest: datetime, now: datetime) -> timedelta:
        """Return what to subtract from the times of a message with this newest fix.

        After the correction no fix lies in the future. A message sent again gets the same correction.
        """
        if self._last is None or self._last[0] != newest:
            self._last = (newest, newest - now)
        return max(self.ahead, self._last[1])

    def _settle(self, ahead: timedelta) -> None:
        """Adopt an offset, unless it is only slightly lower: then the network is slower, not the clock."""
        if not NONE <= self.ahead - ahead <= STEADY_WITHIN:
            self.ahead = ahead

    def _steady(self, samples: int, span: timedelta) -> timedelta | None:
        """Return the largest of the last samples; None unless *samples* of them agree over *span*."""
        least = most = None
        for count, sample in enumerate(reversed(self._recent), 1):
            least = sample.ahead if least is None else min(least, sample.ahead)
            most = sample.ahead if most is None else max(most, sample.ahead)
            if most - least > STEADY_WITHIN:
                return None
            if count >= samples and self._recent[-1].at - sample.at >= span:
                return most
        return None


def claimed_ahead(times: Iterable[datetime], now: datetime) -> timedelta:
    """Return how far the times of one message show the device's clock to be ahead; zero if they do not.

    The newest fix is of now at the latest. A time that is far from all others is wrong itself.
    """
    ordered = sorted(times)
    future = [at for at in ordered if FUTURE_LIMIT < at - now <= MAX_OFFSET]
    if not future:
        return NONE
    newest = max((at for at in ordered if at - now <= FUTURE_LIMIT), default=future[0])
    for at in future:
        if at - newest > FOLLOWS_WITHIN:
            break
        newest = at
    return max(newest - now, NONE)
