"""Progress: how far a long job is, as lines that people and parent processes can read."""

from collections.abc import Callable
from time import monotonic
from typing import Final

EVERY: Final = 1.0  # seconds between two lines


class Percent:
    """Say how far one job is, in lines that end with `NN %`, such as `Map tiles: 37 %`.

    At most one line a second, and never a smaller number than before. The last line says 100 %. A job that
    ends within the first `quiet_for` seconds says nothing.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        job: str,
        *,
        quiet_for: float = 0.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._say = say
        self._job = job
        self._clock = clock
        self._next = clock() + quiet_for
        self._silent = quiet_for > 0
        self._last = -1

    def reach(self, part: float) -> None:
        """Report that *part* of the work, 0 to 1, is done."""
        percent = min(100, max(0, int(part * 100)))
        if percent <= self._last:
            return
        now = self._clock()
        if now >= self._next or (percent == 100 and not self._silent):
            self._say(f"{self._job}: {percent} %")
            self._last, self._next, self._silent = percent, now + EVERY, False
