"""Circuit breaker: after several consecutive failures, requests to the router fail at once for a while."""

from collections.abc import Callable
from time import monotonic
from typing import Final

from tracker.errors import RouterUnavailable

FAILURES: Final = 5  # consecutive
OPEN_FOR: Final = 10.0  # seconds; then one request probes whether the router works again
PROBE: Final = 10.0  # seconds that a probe may take before another request may probe


class CircuitBreaker:
    """Closed it admits every request, open none, half-open one at a time. Belongs to one event loop."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._open_until = 0.0  # seconds; counts only while the router is down

    @property
    def up(self) -> bool:
        """Whether the router counts as working."""
        return self._failures < FAILURES

    def enter(self) -> None:
        """Admit a request, or raise RouterUnavailable if the breaker is open."""
        if self.up:
            return
        now = self._clock()
        if now < self._open_until:
            raise RouterUnavailable(
                f"The router failed {FAILURES} times in a row; the next try follows within {OPEN_FOR:.0f} s."
            )
        self._open_until = now + PROBE

    def succeeded(self) -> None:
        """Note that the router answered, if only that there is no route."""
        self._failures = 0

    def failed(self) -> None:
        """Note that the router did not answer, or too late."""
        self._failures += 1
        if not self.up:
            self._open_until = self._clock() + OPEN_FOR
