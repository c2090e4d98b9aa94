"""Pace: how many frames are taken from one peer, and how soon the next ones.

A few at a time, so that between them the others have their turn. Whoever goes on and on is taken one by one,
and so slowly that others hardly notice: a flood costs less while it waits than when it is sent away and comes
back.
"""

from typing import Final

PORTION: Final = 8  # frames
REST: Final = 0.003  # seconds until the next portion
AT_ONCE: Final = 400  # frames in such portions: a backlog comes in fewer, each with hundreds of fixes
IDLE_COUNTS: Final = 8  # frames: one that brings no message, as nobody has many of them to send
FORGIVEN_PER_S: Final = 100.0  # of them
SLOW_REST: Final = 0.005  # seconds after each frame of whoever sent more, until half of it is forgiven
FLOOD: Final = 5_000  # frames in a row of whoever sent more; then it is over


class ReadLimiter:
    """Of one peer; no clock of its own."""

    __slots__ = ("_is_slow", "_over", "_since", "_spent", "_taken")

    def __init__(self, now: float) -> None:
        self._since = now
        self._taken = 0  # frames of the portion that began at `since`
        self._spent = 0.0  # frames that count yet
        self._is_slow = False
        self._over = 0  # frames while it was slow

    def portion(self, now: float) -> int:
        """How many frames may be taken now."""
        if now - self._since >= REST:
            self.rested(now)
        return (1 if self._is_slow else PORTION) - self._taken

    def rested(self, now: float) -> None:
        """The rest is over: a new portion begins."""
        self._spent = max(0.0, self._spent - (now - self._since) * FORGIVEN_PER_S)
        self._since, self._taken = now, 0
        if self._spent <= AT_ONCE / 2:
            self._is_slow, self._over = False, 0

    def took(self, frames: int, idle: int = 0) -> None:
        """So many have been taken, and so many of them brought no message: pings, and fragments."""
        self._taken += frames
        self._spent = min(AT_ONCE, self._spent + frames + idle * (IDLE_COUNTS - 1))
        if self._spent >= AT_ONCE:
            self._is_slow = True
        if self._is_slow:
            self._over += frames

    @property
    def rest(self) -> float:
        """Seconds until the next frames may be taken; 0 where some may now."""
        if self._is_slow:
            return SLOW_REST if self._taken else 0.0
        return REST if self._taken >= PORTION else 0.0

    @property
    def is_flood(self) -> bool:
        """It has gone on for so long that it has to end."""
        return self._over > FLOOD
