"""Window: judged fixes around a moment, by time, and which of them contradict each other."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final, NamedTuple

from tracker.domain.geo import distance
from tracker.domain.tracks.fix import JudgedFix

REACH: Final = 64  # entries on either side that a judgement looks at


def is_teleport(earlier: JudgedFix, later: JudgedFix, top_speed: float) -> bool:
    """Whether two independent signs speak against the move: the vehicle's top speed and the device's own.

    A jump within what the two accuracies explain is never a teleport.
    """
    before, fix = earlier.fix, later.fix
    jump = distance(before.lonlat, fix.lonlat)
    if jump <= 2.0 * ((before.accuracy or 20.0) + (fix.accuracy or 20.0)):
        return False
    fastest = max(top_speed, 3.0 * (fix.speed or 0.0) + 10.0)
    if jump <= fastest * (fix.recorded_at - before.recorded_at).total_seconds():
        return False
    # Two messages may be corrected differently while the device's clock is not settled.
    return jump > fastest * (later.sent_at - earlier.sent_at).total_seconds()


class Conflict(NamedTuple):
    """A group of doubted fixes that agree, and the believed fixes around it; all are indices of a window."""

    first: int  # of the group
    last: int
    left: list[int]  # believed fixes before the group that contradict its first, the nearest first
    before: int | None  # the nearest believed fix before the group that does not
    right: list[int]  # the same behind the group
    after: int | None

    @property
    def size(self) -> int:
        return self.last - self.first + 1

    @property
    def against(self) -> list[int]:
        return [*self.left, *self.right]


class Window:
    """Fixes of one driver, oldest first. Inaccurate ones are left out: nothing is judged by them."""

    __slots__ = ("_top_speed", "entries")

    def __init__(self, top_speed: float, entries: Iterable[JudgedFix] = ()) -> None:
        self._top_speed = top_speed
        self.entries = [each for each in entries if each.doubt != "inaccurate"]

    def insert(self, judged: JudgedFix) -> int:
        """Put a fix in its place, behind those of the same time; return its index."""
        index = bisect_right(self.entries, judged.at, key=_at)
        self.entries.insert(index, judged)
        return index

    def index_of(self, judged: JudgedFix) -> int | None:
        """Where this very fix is; None if it has left the window."""
        end = bisect_right(self.entries, judged.at, key=_at)
        for index in range(end - 1, -1, -1):
            if self.entries[index] is judged:
                return index
            if self.entries[index].at < judged.at:
                return None
        return None

    def fits(self, earlier: int, later: int) -> bool:
        """Whether the driver can have been at both."""
        return not is_teleport(self.entries[earlier], self.entries[later], self._top_speed)

    def is_plausible(self, index: int) -> bool:
        """Whether a fix fits the believed ones next to it on both sides."""
        before, after = self._believed(index, -1), self._believed(index, 1)
        return (before is None or self.fits(before, index)) and (after is None or self.fits(index, after))

    def group(self, index: int) -> tuple[int, int]:
        """The first and last of the doubted fixes in a row around this one that agree with each other."""
        first = last = index
        while first > 0 and self.entries[first - 1].doubt is not None and self.fits(first - 1, first):
            first -= 1
        end = len(self.entries) - 1
        while last < end and self.entries[last + 1].doubt is not None and self.fits(last, last + 1):
            last += 1
        return first, last

    def conflict(self, first: int, last: int) -> Conflict:
        """What speaks against a group that begins and ends with these."""
        return Conflict(first, last, *self._opposed(first, -1), *self._opposed(last, 1))

    def run(self, last: int) -> int:
        """How many believed fixes, up to this one, agree with each other one after the other."""
        count, later = 1, last
        while (earlier := self._believed(later, -1)) is not None and self.fits(earlier, later):
            count, later = count + 1, earlier
        return count

    def last_jump(self) -> JudgedFix | None:
        """The last believed fix that does not fit the one before it."""
        believed = [index for index, each in enumerate(self.entries) if each.doubt is None]
        for earlier, later in reversed(list(pairwise(believed))):
            if not self.fits(earlier, later):
                return self.entries[later]
        return None

    def shortens(self, conflict: Conflict) -> bool:
        """Whether the way through the group is less than half as long as through what speaks against it."""
        ends_before = [] if conflict.before is None else [conflict.before]
        ends_after = [] if conflict.after is None else [conflict.after]
        group = range(conflict.first, conflict.last + 1)
        through = self._metres([*ends_before, *group, *ends_after])
        past = self._metres([*ends_before, *sorted(conflict.against), *ends_after])
        return through < past / 2.0

    def doubted_between(self, before: int | None, after: int | None) -> Sequence[int]:
        """The doubted fixes between two indices, ends excluded, oldest first."""
        begins = 0 if before is None else before + 1
        ends = len(self.entries) if after is None else after
        return [index for index in range(begins, ends) if self.entries[index].doubt is not None]

    def _believed(self, index: int, step: int) -> int | None:
        """The next believed fix before (-1) or behind (1) this one, within reach."""
        for other in range(index + step, index + step * (REACH + 1), step):
            if not 0 <= other < len(self.entries):
                return None
            if self.entries[other].doubt is None:
                return other
        return None

    def _opposed(self, edge: int, step: int) -> tuple[list[int], int | None]:
        against: list[int] = []
        other = edge
        while (next_one := self._believed(other, step)) is not None and len(against) < REACH:
            other = next_one
            if self.fits(min(edge, other), max(edge, other)):
                return against, other
            against.append(other)
        return against, None

    def _metres(self, indices: Sequence[int]) -> float:
        places = (self.entries[index].fix.lonlat for index in indices)
        return sum(distance(a, b) for a, b in pairwise(places))


def _at(judged: JudgedFix) -> datetime:
    return judged.at
