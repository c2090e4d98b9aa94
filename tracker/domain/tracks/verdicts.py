"""Verdicts: the first verdict on each of one driver's recent fixes, so that none is judged a second time."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final

from tracker.domain.tracks.fix import JudgedFix

UNSTORED_KEPT: Final = 2_000  # fixes of one driver that wait for the database; some 600 kB
STORED_KEPT: Final = 64  # as many as a track's window has


class Verdicts:
    """By the device's own time, which is a fix's key. Bounded: the oldest verdicts are forgotten first."""

    __slots__ = ("_stored", "_unstored")

    def __init__(self) -> None:
        self._unstored: dict[datetime, JudgedFix] = {}
        self._stored: dict[datetime, JudgedFix] = {}

    def first(self, sent_at: datetime) -> JudgedFix | None:
        """The fix that came first with this key, if it is remembered."""
        judged = self._unstored.get(sent_at)
        return self._stored.get(sent_at) if judged is None else judged

    def remember(self, judged: JudgedFix) -> None:
        """Keep a fix that nothing was known of; it is not stored yet."""
        self._unstored[judged.sent_at] = judged
        if len(self._unstored) > UNSTORED_KEPT:
            del self._unstored[next(iter(self._unstored))]

    def stored(self, fixes: Iterable[JudgedFix]) -> None:
        """Note that these are committed. Idempotent."""
        kept = self._stored
        for judged in fixes:
            self._unstored.pop(judged.sent_at, None)
            kept[judged.sent_at] = judged
        while len(kept) > STORED_KEPT:
            del kept[next(iter(kept))]

    def unstored(self) -> Collection[JudgedFix]:
        """Fixes that the database may not know yet."""
        return self._unstored.values()
