"""Judged fixes around one moment, in order of time, and the conflicts between them."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final, NamedTuple

from tracker.domain.geo import distance
from tracker.domain.tracks.fix import JudgedFix
from tracker.domain.tracks.teleport import is_teleport

REACH: Final = 64  # entries on either side that a judgement considers


class Conflict(NamedTuple):
    """A group of consistent doubted fixes, and the believed fixes around it, all as indices of a window."""

    first: int  # of the group
    last: int
    left: list[int]  # believed fixes before the group that contradict its first one, nearest first
    before: int | None  # the nearest believed fix before the group that does not contradict it
    right: list[int]  # the same after the group
    after: int | None

    @property
    def size(self) -> int:
        return self.last - self.first + 1

    @property
    def against(self) -> list[int]:
        return [*self.left, *self.right]


class Window:
    """Fixes of one driver, oldest first, without inaccurate ones, which never affect a verdict."""

    __slots__ = ("_top_speed", "entries")

    def __init__(self, top_speed: float, entries: Iterable[JudgedFix] = ()) -> None:
        self._top_speed = top_speed
        self.entries = [each for each in entries if each.doubt != "inaccurate"]

    def insert(self, judged: JudgedFix) -> int:
        """Insert a fix by time, after those of the same time; return its index."""
        index = bisect_right(self.entries, judged.at, key=_at)
        self.entries.insert(index, judged)
        return index

    def would_fit(self, judged: JudgedFix) -> bool:
        """Return whether a fix that is not in the window fits the nearest believed ones on both sides."""
        index = self.insert(judged)
        fits = self.is_plausible(index)
        del self.entries[index]
        return fits

    def index_of(self, judged: JudgedFix) -> int | None:
        """Return the index of this very object; None if it is no longer in the window."""
        end = bisect_right(self.entries, judged.at, key=_at)
        for index in range(end - 1, -1, -1):
            if self.entries[index] is judged:
                return index
            if self.entries[index].at < judged.at:
                return None
        return None

    def fits(self, earlier: int, later: int) -> bool:
        """Return whether the driver can have been at both places."""
        return not is_teleport(self.entries[earlier], self.entries[later], self._top_speed)

    def is_plausible(self, index: int) -> bool:
        """Return whether a fix fits the nearest believed ones on both sides."""
        before, after = self._believed(index, -1), self._believed(index, 1)
        return (before is None or self.fits(before, index)) and (after is None or self.fits(index, after))

    def group(self, index: int) -> tuple[int, int]:
        """Return the first and last index of the run of consistent doubted fixes around this one."""
        first = last = index
        while first > 0 and self.entries[first - 1].doubt is not None and self.fits(first - 1, first):
            first -= 1
        end = len(self.entries) - 1
        while last < end and self.entries[last + 1].doubt is not None and self.fits(last, last + 1):
            last += 1
        return first, last

    def conflict(self, first: int, last: int) -> Conflict:
        """Return the conflict of the group from *first* to *last* with the believed fixes around it."""
        return Conflict(first, last, *self._opponents(first, -1), *self._opponents(last, 1))

    def run(self, last: int) -> int:
        """Count the believed fixes up to this one of which each fits the one before."""
        count, later = 1, last
        while (earlier := self._believed(later, -1)) is not None and self.fits(earlier, later):
            count, later = count + 1, earlier
        return count

    def last_jump(self) -> JudgedFix | None:
        """Return the last believed fix that does not fit the one before it; None if there is none."""
        believed = [index for index, each in enumerate(self.entries) if each.doubt is None]
        for earlier, later in reversed(list(pairwise(believed))):
            if not self.fits(earlier, later):
                return self.entries[later]
        return None

    def shortens(self, conflict: Conflict) -> bool:
        """Return whether the path through the group is less than half as long as through its opponents."""
        ends_before = [] if conflict.before is None else [conflict.before]
        ends_after = [] if conflict.after is None else [conflict.after]
        group = range(conflict.first, conflict.last + 1)
        through = self._metres([*ends_before, *group, *ends_after])
        past = self._metres([*ends_before, *sorted(conflict.against), *ends_after])
        return through < past / 2.0

    def doubted_between(self, before: int | None, after: int | None) -> Sequence[int]:
        """Return the indices of the doubted fixes between two indices, ends excluded, oldest first."""
        begins = 0 if before is None else before + 1
        ends = len(self.entries) if after is None else after
        return [index for index in range(begins, ends) if self.entries[index].doubt is not None]

    def _believed(self, index: int, step: int) -> int | None:
        """Return the next believed fix before (*step* -1) or after (1) this one, within REACH."""
        for other in range(index + step, index + step * (REACH + 1), step):
            if not 0 <= other < len(self.entries):
                return None
            if self.entries[other].doubt is None:
                return other
        return None

    def _opponents(self, edge: int, step: int) -> tuple[list[int], int | None]:
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
