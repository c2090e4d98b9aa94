"""Verdicts on one driver's fixes: which of them are believed.

A fix is judged by the believed ones next to it in time, in whatever order they arrive. If two groups of fixes
contradict each other, the smaller one is doubted, unless both are large. Earlier verdicts may then change.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from tracker.domain.order import Vehicle
from tracker.domain.tracks.fix import Doubt, Fix, JudgedFix
from tracker.domain.tracks.teleport import is_teleport
from tracker.domain.tracks.window import Conflict, Window

JUMP_AFTER: Final = 3  # consistent doubted fixes in a row that move the marker all the same
FEW: Final = 10  # fixes; a contradicting group below this size is doubted, a larger one is believed as well
WINDOW: Final = 64  # fixes kept to judge the next ones by; about 20 kB
AFTER_KEPT: Final = 16  # entries of a past window after the last fix inserted into it
INTERVALS_KEPT: Final = 10
# Metres per second; no such vehicle is faster.
TOP_SPEED: Final[dict[Vehicle, float]] = {"car": 70.0, "scooter": 40.0, "bicycle": 25.0, "foot": 12.0}


class Track:
    """The fixes of one driver that judging needs: the newest, and those around the last late one.

    *judged_before* holds the newest fixes judged earlier, oldest first. Older ones are loaded with `recall`.
    """

    __slots__ = (
        "_changed_verdicts",
        "_floor",
        "_intervals",
        "_jump",
        "_last",
        "_live",
        "_marker",
        "_past",
        "_span",
        "_top_speed",
        "marker_jumped",
        "newest",
    )

    def __init__(self, vehicle: Vehicle, judged_before: Sequence[JudgedFix] = ()) -> None:
        self._top_speed = TOP_SPEED[vehicle]
        self._live = Window(self._top_speed, judged_before)
        # Fixes older than this are not in the live window.
        self._floor = judged_before[0].at if judged_before else None
        self._last = self._marker = self._last_believed()
        # The fix at the marker: the newest one that was believed on arrival. It never goes back in time.
        self.newest: Fix | None = None if self._marker is None else self._marker.fix
        self._past: Window | None = None  # around late fixes that are older than the live window
        self._span: tuple[datetime, datetime] | None = None  # `_past` holds all stored fixes between these
        # The fix to which the marker jumped from a group that is still believed.
        self._jump: JudgedFix | None = self._live.last_jump()
        self._intervals: deque[float] = deque(maxlen=INTERVALS_KEPT)  # seconds between live fixes
        self._changed_verdicts: list[JudgedFix] = []
        self.marker_jumped = False  # the last fix moved it to a place that the driver cannot have reached

    @property
    def last_believed(self) -> JudgedFix | None:
        """The last fix by time that is believed now; it may be older than `newest`."""
        return self._last

    @property
    def median_interval(self) -> float | None:
        """Seconds between the last ten live fixes; None before there are two."""
        ordered = sorted(self._intervals)
        return ordered[len(ordered) // 2] if ordered else None

    def judge(self, judged: JudgedFix) -> None:
        """Judge a fix. If it is believed and newer than all others, it moves the marker."""
        judged.judged = True
        self.marker_jumped = False
        if judged.is_inaccurate:
            judged.doubt = "inaccurate"
            return
        entries = self._live.entries
        if not entries or judged.fix.recorded_at > entries[-1].fix.recorded_at:
            self._judge_next(judged)
        elif self._floor is None or judged.fix.recorded_at >= self._floor:
            self._judge_late(self._live, judged)
        else:
            self._judge_past(judged)
            return
        if len(entries) > WINDOW:
            del entries[0]
            self._floor = entries[0].fix.recorded_at

    def judge_aside(self, judged: JudgedFix) -> None:
        """Judge a fix of the driver's second device by the fixes around it; it changes nothing else."""
        judged.judged = True
        if judged.is_inaccurate:
            judged.doubt = "inaccurate"
        elif not self._live.would_fit(judged):
            judged.doubt = "teleport"

    def take_rejudged(self) -> list[JudgedFix]:
        """Return the earlier fixes whose verdicts have changed since the last call, and clear that list."""
        if not self._changed_verdicts:
            return []
        rejudged, self._changed_verdicts = self._changed_verdicts, []
        return rejudged

    # --- the past

    def is_recent(self, judged: JudgedFix) -> bool:
        """Return whether a fix belongs to the live window, whose fixes are all in memory."""
        return self._floor is None or judged.fix.recorded_at >= self._floor

    def covers(self, judged: JudgedFix) -> bool:
        """Return whether the neighbours of a fix are in memory."""
        span = self._span
        return self.is_recent(judged) or (span is not None and span[0] <= judged.at <= span[1])

    @property
    def remembered(self) -> Iterable[JudgedFix]:
        """All fixes in memory. Pass these very objects to `recall`, not copies of them."""
        return [*self._live.entries, *(() if self._past is None else self._past.entries)]

    def recall(self, judged_before: Iterable[JudgedFix], begins: datetime, ends: datetime) -> None:
        """Load all stored fixes between these times, so that late fixes can be judged by them."""
        if self._floor is not None:
            ends = min(ends, self._floor)  # fixes that leave the live window later are not added here
        self._past = Window(self._top_speed, sorted(judged_before, key=lambda each: each.at))
        self._span = (begins, ends)

    def trim_past(self, at: datetime) -> None:
        """Trim the past window to what the next fix of a backlog, later than *at*, may need."""
        if self._past is None or self._span is None or len(self._past.entries) <= WINDOW:
            return
        entries, (begins, ends) = self._past.entries, self._span
        last = sum(each.at <= at for each in entries)
        first, end = max(last + AFTER_KEPT - WINDOW, 0), last + AFTER_KEPT
        kept = entries[first:end]
        self._past.entries = kept
        self._span = (kept[0].at if first else begins, kept[-1].at if end < len(entries) else ends)

    # --- judging

    def _judge_next(self, judged: JudgedFix) -> None:
        """Judge a fix that is newer than all others."""
        live, last = self._live, self._last
        live.entries.append(judged)
        newest = len(live.entries) - 1
        in_doubt = newest > 0 and live.entries[newest - 1] is not last  # the fixes just before
        if last is None or not is_teleport(last, judged, self._top_speed):
            self._move_marker(judged)
            if in_doubt:
                self._reconsider(live, newest)
            if self._jump is not None:
                self._reconsider_jump()
            return
        judged.doubt = "teleport"
        if in_doubt:
            self._contest(live, *live.group(newest))

    def _judge_late(self, window: Window, judged: JudgedFix) -> None:
        """Judge a fix that is not the newest. It moves the marker only if two other fixes agree with it."""
        index = window.insert(judged)
        first = window.entries[index - 1] if index else None
        if first is not None and first.sent_at == judged.sent_at:  # a duplicate: the first one is kept
            del window.entries[index]
            judged.doubt = first.doubt
            return
        if window.is_plausible(index):
            self._reconsider(window, index)
        else:
            judged.doubt = "teleport"
            self._contest(window, *window.group(index))
        self._follow()

    def _judge_past(self, judged: JudgedFix) -> None:
        """Judge a late fix that is older than the live window."""
        if self._past is None or self._span is None:
            oldest = self._live.entries[:1]
            self._past, self._span = Window(self._top_speed, oldest), (judged.at, judged.at)
        self._span = (min(self._span[0], judged.at), max(self._span[1], judged.at))
        self._judge_late(self._past, judged)

    def _reconsider(self, window: Window, index: int) -> None:
        """Reconsider the doubted neighbours of a fix that has just been believed."""
        entries = window.entries
        for beside in (index - 1, index + 1):
            if not 0 <= beside < len(entries) or entries[beside].doubt is None:
                continue
            if window.fits(min(index, beside), max(index, beside)):
                self._contest(window, *window.group(beside))

    def _contest(self, window: Window, first: int, last: int) -> None:
        """Decide between a group of doubted fixes and the believed ones that contradict it."""
        conflict = window.conflict(first, last)
        if window is self._live and conflict.after is None and not conflict.right:
            self._contest_marker(conflict)
        elif not conflict.against or _wins(window, conflict):
            self._exchange(window, conflict)
        elif conflict.size >= FEW and not (conflict.left and conflict.right):
            self._believe_group(window, conflict)

    def _contest_marker(self, conflict: Conflict) -> None:
        """Decide on a group newer than all believed fixes: three fixes are enough to move the marker."""
        if conflict.size < JUMP_AFTER:
            return
        entries = self._live.entries
        if self._outweighs(conflict, conflict.size):
            self._exchange(self._live, conflict)
        else:
            self._believe_group(self._live, conflict)
            self._jump = entries[conflict.first]
        target = entries[conflict.last]
        if self._marker is None or target.at > self._marker.at:
            self._move_marker(target)
            self.marker_jumped = True

    def _reconsider_jump(self) -> None:
        """Decide whether the group that the marker has left is now the smaller one, and doubt it then."""
        live, jump = self._live, self._jump
        first = None if jump is None or jump.doubt is not None else live.index_of(jump)
        if first is None:
            self._jump = None
            return
        conflict = live.conflict(first, first)
        size = sum(each.doubt is None for each in live.entries[first:])
        if not conflict.left or (size > FEW and not self._is_excursion(conflict)):
            self._jump = None
        elif self._outweighs(conflict, size):
            self._jump = None
            self._exchange(live, conflict)

    def _outweighs(self, conflict: Conflict, size: int) -> bool:
        """Return whether a group at the end of the track is the larger one.

        Fixes believed before a jump away and back also support it.
        """
        against = len(conflict.left)
        if self._is_excursion(conflict):
            assert conflict.before is not None
            return size + self._live.run(conflict.before) > against
        return size > against and against < FEW

    def _is_excursion(self, conflict: Conflict) -> bool:
        """Return whether the fixes that contradict the group began with a jump, too."""
        if conflict.before is None or not conflict.left:
            return False
        return not self._live.fits(conflict.before, conflict.left[-1])

    # --- changing verdicts

    def _exchange(self, window: Window, conflict: Conflict) -> None:
        """Believe the group, doubt what contradicts it, and believe doubted fixes that fit now."""
        for index in conflict.against:
            self._change(window.entries[index], "teleport")
        self._believe_group(window, conflict)
        for index in window.doubted_between(conflict.before, conflict.after):
            if index not in conflict.against and window.is_plausible(index):
                self._change(window.entries[index], None)

    def _believe_group(self, window: Window, conflict: Conflict) -> None:
        for judged in window.entries[conflict.first : conflict.last + 1]:
            if judged.doubt is not None:
                self._change(judged, None)

    def _change(self, judged: JudgedFix, doubt: Doubt | None) -> None:
        judged.doubt, judged.rejudged = doubt, True
        self._changed_verdicts.append(judged)

    # --- the marker

    def _move_marker(self, judged: JudgedFix) -> None:
        before = self._marker
        if before is not None:
            self._intervals.append((judged.fix.recorded_at - before.fix.recorded_at).total_seconds())
            self.marker_jumped = before.doubt is not None
        self._marker = self._last = judged
        self.newest = judged.fix

    def _follow(self) -> None:
        """Update the last believed fix after a late one; the marker never goes back in time."""
        last = self._last_believed()
        if last is None:
            return
        self._last = last
        if self._marker is None or last.at > self._marker.at:
            self._move_marker(last)

    def _last_believed(self) -> JudgedFix | None:
        return next((each for each in reversed(self._live.entries) if each.doubt is None), None)


def _wins(window: Window, conflict: Conflict) -> bool:
    """Return whether a group between believed fixes is larger, or of equal size with the shorter path."""
    against = len(conflict.against)
    if against >= FEW:
        return False
    if conflict.size > against and conflict.size >= JUMP_AFTER:
        return True
    return conflict.size >= against and window.shortens(conflict)
