"""Breaker: after several failures in a row the router counts as down, and is left alone for a while."""

from collections.abc import Callable
from time import monotonic
from typing import Final

from tracker.errors import RouterUnavailable

FAILURES: Final = 5  # in a row
REST: Final = 10.0  # seconds; then one request tries whether it is back
PROBE: Final = 10.0  # seconds that the one who tries may take until another one does


class CircuitBreaker:
    """Closed lets everybody through, open nobody, half-open one at a time. Belongs to one event loop."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._closed_until = 0.0  # for requests, while the router counts as down

    @property
    def up(self) -> bool:
        """Whether the router counts as working."""
        return self._failures < FAILURES

    def enter(self) -> None:
        """Before each request: RouterUnavailable at once where the router is to be left alone."""
        if self.up:
            return
        now = self._clock()
        if now < self._closed_until:
            raise RouterUnavailable(f"The router failed {FAILURES} times in a row and is left alone.")
        self._closed_until = now + PROBE

    def succeeded(self) -> None:
        """It answered, if only that there is no way."""
        self._failures = 0

    def failed(self) -> None:
        """It was not there, or took too long."""
        self._failures += 1
        if not self.up:
            self._closed_until = self._clock() + REST
