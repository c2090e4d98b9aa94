"""Progress of long jobs, as lines for people and parent processes."""

import re
from collections.abc import Callable
from time import monotonic
from typing import IO, Final

type Say = Callable[[str], None]  # receives one line about a long step, for people to read

EVERY: Final = 1.0  # seconds between two lines
STEP: Final = 10  # per cent between two lines of a job, if the output is not a terminal
_PERCENT: Final = re.compile(r"(?P<job>.+): (?P<percent>\d{1,3}) %")


class Percent:
    """Reports the progress of one job in lines that end with `NN %`, such as `Map tiles: 37 %`.

    Reports at most one line a second, with rising numbers. The last line says 100 %. A job that ends within
    the first *quiet_for* seconds reports nothing.
    """

    def __init__(
        self,
        say: Say,
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
    """Shows the progress of long jobs: on a terminal in one line that is overwritten, else in few lines.

    A line that begins with `JOB: NN %` is progress. Without a terminal, each job shows its first percentage,
    its last, and one for each STEP between. With *log*, that function writes all lines that stay.
    """

    def __init__(self, stream: IO[str], *, indent: str = "", log: Say | None = None) -> None:
        self._stream = stream
        self._log = log
        self._indent = indent
        self._rewrites = stream.isatty()
        self._last_percent: dict[str, int] = {}  # per cent, by job
        self._is_open = False  # whether the next line overwrites the last one

    def say(self, text: str) -> None:
        """Show a line, unless it is progress that need not be shown."""
        found = _PERCENT.match(text)
        if found is None:
            self._write(text, ends=True)
            return
        job, percent = found["job"], int(found["percent"])
        if self._rewrites:
            self._write(text, ends=percent >= 100)
        elif self._is_due(job, percent):
            self._last_percent[job] = percent
            self._write(text, ends=True)

    def _is_due(self, job: str, percent: int) -> bool:
        last = self._last_percent.get(job)
        return last is None or percent < last or percent >= last + STEP or (percent >= 100 > last)

    def _write(self, text: str, *, ends: bool) -> None:
        begin = "\x1b[K" if self._is_open else ""
        if ends and self._log is not None:
            self._stream.write(begin)
            self._log(text)
        else:
            self._stream.write(f"{begin}{self._indent}{text}" + ("\n" if ends else "\r"))
        self._stream.flush()
        self._is_open = not ends
