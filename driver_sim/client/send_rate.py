"""SendRate: the rate at which a client may send fixes. Pure; times are seconds on a monotonic clock."""

from typing import Final

BURST: Final = 1.0  # seconds of the rate that may be sent at once


class SendRate:
    """The service's limit of fixes per second, and its `slow` requests."""

    def __init__(self, fixes_per_s: float) -> None:
        self._fixes_per_s = max(1.0, fixes_per_s)
        self._free_at = 0.0
        self._slow_until = 0.0

    def slow_down(self, now: float, retry_s: float) -> None:
        """Permit no fixes for *retry_s* seconds."""
        self._slow_until = now + retry_s

    def is_slow(self, now: float) -> bool:
        return now < self._slow_until

    def wait(self, now: float, fixes: int) -> float:
        """Count these fixes as sent, and return the seconds to wait before sending them."""
        self._free_at = max(self._free_at, now - BURST) + fixes / self._fixes_per_s
        return max(0.0, self._free_at - now)
