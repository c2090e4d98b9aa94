"""Progress: how far a long job is, as lines that people and parent processes can read."""

import re
from collections.abc import Callable
from time import monotonic
from typing import IO, Final

EVERY: Final = 1.0  # seconds between two lines
STEP: Final = 10  # per cent between two lines of a job where they are kept
_PERCENT: Final = re.compile(r"(?P<job>.+): (?P<percent>\d{1,3}) %")


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


class Teller:
    """Show the progress of long steps: on a terminal in a line that is written over, else in few lines.

    A line is progress if it says `JOB: NN %`, whatever follows. Where nobody watches, each job says its
    first percentage, the last one, and one in STEP between.
    """

    def __init__(self, stream: IO[str], *, indent: str = "") -> None:
        self._stream = stream
        self._indent = indent
        self._rewrites = stream.isatty()
        self._told: dict[str, int] = {}
        self._is_open = False  # whether a line stands there that the next one writes over

    def say(self, text: str) -> None:
        """Show a line, if it is not one of too many."""
        found = _PERCENT.match(text)
        if found is None:
            self._write(text, ends=True)
            return
        job, percent = found["job"], int(found["percent"])
        if self._rewrites:
            self._write(text, ends=percent >= 100)
        elif self._is_due(job, percent):
            self._told[job] = percent
            self._write(text, ends=True)

    def _is_due(self, job: str, percent: int) -> bool:
        last = self._told.get(job)
        return last is None or percent < last or percent >= last + STEP or (percent >= 100 > last)

    def _write(self, text: str, *, ends: bool) -> None:
        begin = "\x1b[K" if self._is_open else ""
        self._stream.write(f"{begin}{self._indent}{text}" + ("\n" if ends else "\r"))
        self._stream.flush()
        self._is_open = not ends
