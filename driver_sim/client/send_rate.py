"""Pace: how fast a client may send: the service's rate, and its `slow`. Pure; times on a monotonic clock."""

from typing import Final

BURST: Final = 1.0  # seconds' worth of fixes that may go at once


class SendRate:
    """Asked before each message."""

    def __init__(self, fixes_per_s: float) -> None:
        self._fixes_per_s = max(1.0, fixes_per_s)
        self._free_at = 0.0
        self._slow_until = 0.0

    def slow_down(self, now: float, retry_s: float) -> None:
        """Nothing more is sent for so long."""
        self._slow_until = now + retry_s

    def is_slow(self, now: float) -> bool:
        return now < self._slow_until

    def wait(self, now: float, fixes: int) -> float:
        """Seconds to wait before so many fixes more may go; they count as sent then."""
        self._free_at = max(self._free_at, now - BURST) + fixes / self._fixes_per_s
        return max(0.0, self._free_at - now)
