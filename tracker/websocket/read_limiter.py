"""ReadLimiter: how much of one peer is parsed at a time, and how long reading then rests.

A short message costs a point, a long one more, and every other frame OTHER_POINTS. After PORTION points,
reading rests for 3 ms, so that no client monopolises the event loop. A peer that keeps sending is read one
frame at a time, so slowly that others hardly notice. Slowing a flood costs less than disconnecting its
sender, who would reconnect.
"""

from typing import Final

PORTION: Final = 80  # points. A rest costs as much as 30 short messages, so it must be rare
OTHER_POINTS: Final = 10  # for a control frame or a fragment: no client sends many
POINT_BYTES: Final = 512  # of a message: each costs a further point, as its content takes time
REST: Final = 0.003  # seconds until the next portion
AT_ONCE: Final = 400  # frames at full speed; a backlog needs fewer, as each holds hundreds of fixes
IDLE_COUNTS: Final = 8  # weight of a frame that completes no message, which no client sends often
FORGIVEN_PER_S: Final = 100.0  # counted frames
SLOW_REST: Final = 0.005  # seconds after each frame of a peer over AT_ONCE, until half is forgiven
FLOOD: Final = 5_000  # frames in succession while slowed; more disconnect the peer


class ReadLimiter:
    """The limiter of one peer, without a clock."""

    __slots__ = ("_counted", "_in_portion", "_is_slow", "_since", "_while_slow")

    def __init__(self, now: float) -> None:
        self._since = now
        self._in_portion = 0  # points of the portion that began at `since`
        self._counted = 0.0  # counted frames that are not forgiven
        self._is_slow = False
        self._while_slow = 0  # frames since it was slowed

    def points_allowed(self, now: float) -> int:
        """Return for how many points frames may be parsed now."""
        if now - self._since >= REST:
            self.begin_portion(now)
        return (1 if self._is_slow else PORTION) - self._in_portion

    def begin_portion(self, now: float) -> None:
        """Begin a new portion after a rest."""
        self._counted = max(0.0, self._counted - (now - self._since) * FORGIVEN_PER_S)
        self._since, self._in_portion = now, 0
        if self._counted <= AT_ONCE / 2:
            self._is_slow, self._while_slow = False, 0

    def count(self, frames: int, idle: int, points: int) -> None:
        """Count parsed frames, of which *idle* completed no message (control frames, fragments)."""
        self._in_portion += points
        self._counted = min(AT_ONCE, self._counted + frames + idle * (IDLE_COUNTS - 1))
        if self._counted >= AT_ONCE:
            self._is_slow = True
        if self._is_slow:
            self._while_slow += frames

    @property
    def rest(self) -> float:
        """Seconds until more frames may be parsed; 0 if some may be parsed now."""
        if self._is_slow:
            return SLOW_REST if self._in_portion else 0.0
        return REST if self._in_portion >= PORTION else 0.0

    @property
    def is_flood(self) -> bool:
        """Whether the peer has sent more than FLOOD frames while slowed."""
        return self._while_slow > FLOOD
