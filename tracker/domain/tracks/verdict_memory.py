"""First verdicts on one driver's recent fixes, so that no fix is judged twice."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final

from tracker.domain.tracks.fix import JudgedFix

UNSTORED_KEPT: Final = 2_000  # fixes of one driver that are not stored yet; about 600 kB
STORED_KEPT: Final = 64  # the size of a track's window


class VerdictMemory:
    """Judged fixes by key, which is the device's own time. Bounded: the oldest are evicted first."""

    __slots__ = ("_stored", "_unstored")

    def __init__(self) -> None:
        self._unstored: dict[datetime, JudgedFix] = {}
        self._stored: dict[datetime, JudgedFix] = {}

    def first(self, sent_at: datetime) -> JudgedFix | None:
        """Return the first fix received with this key; None if it is not remembered."""
        judged = self._unstored.get(sent_at)
        return self._stored.get(sent_at) if judged is None else judged

    def remember(self, judged: JudgedFix) -> None:
        """Add a new fix that is not stored yet."""
        self._unstored[judged.sent_at] = judged
        if len(self._unstored) > UNSTORED_KEPT:
            del self._unstored[next(iter(self._unstored))]

    def forget(self, judged: JudgedFix) -> None:
        """Remove a fix that turns out to be a duplicate of a stored one."""
        self._unstored.pop(judged.sent_at, None)

    def is_stored(self, judged: JudgedFix) -> bool:
        """Return whether this fix is known to be stored, with its present verdict."""
        return not judged.rejudged and judged.sent_at in self._stored

    def stored(self, fixes: Iterable[JudgedFix]) -> None:
        """Mark these fixes as committed. Idempotent."""
        kept = self._stored
        for judged in fixes:
            self._unstored.pop(judged.sent_at, None)
            kept[judged.sent_at] = judged
        while len(kept) > STORED_KEPT:
            del kept[next(iter(kept))]

    def unstored(self) -> Collection[JudgedFix]:
        """Return the fixes that the database may not hold yet."""
        return self._unstored.values()
