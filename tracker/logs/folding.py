"""Folding: repeated errors become one line with a count, so that an outage or an attack does not fill a disk.

The first event of a kind is logged at once. Repetitions within WINDOW_S become one line: the last of them,
with their number as `repeated`.
"""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

import msgspec
import structlog
from structlog.types import EventDict

WINDOW_S: Final = 10.0
MOST_KINDS: Final = 500  # kinds that are counted at the same time
FOLDED_LEVELS: Final = frozenset({"warning", "error", "critical"})
FOLDED_SUFFIX: Final = "_refused"  # of events that clients can cause as often as they like
# Two events are of one kind if all these fields agree. Ids and counts are left out.
KIND: Final = (
    "event",
    "level",
    "crash",
    "problem",
    "status",
    "route",
    "code",
    "why",
    "reason",
    "logger",
    "at",
)


class _Repetitions(msgspec.Struct):
    """The repetitions of one kind of event since its last line."""

    until: float  # when the window ends
    count: int = 0
    logger: Any = None
    last: EventDict = {}


class Folding:
    """A structlog processor that drops repetitions; `flush` writes one line for those of each kind."""

    def __init__(self, render: structlog.types.Processor, clock: Callable[[], float] = monotonic) -> None:
        self.render, self._clock = render, clock
        self._kinds: dict[tuple[Any, ...], _Repetitions] = {}
        self._lock = threading.Lock()  # threads log, too

    def __call__(self, logger: Any, _method: str, event: EventDict) -> EventDict:
        """Return the first event of its kind. Raises DropEvent for a repetition, which it counts."""
        level, name = event.get("level"), str(event.get("event"))
        if level not in FOLDED_LEVELS and not name.endswith(FOLDED_SUFFIX):
            return event
        kind = tuple(str(event.get(field)) for field in KIND)
        self.flush()
        with self._lock:
            found = self._kinds.get(kind)
            if found is None:
                if len(self._kinds) < MOST_KINDS:
                    self._kinds[kind] = _Repetitions(self._clock() + WINDOW_S)
                return event
            found.count += 1
            found.logger, found.last = logger, event
        raise structlog.DropEvent

    def flush(self, *, early: bool = False) -> None:
        """Write the repetitions whose window has ended; with *early*, all."""
        now = self._clock()
        with self._lock:
            due = [(kind, one) for kind, one in self._kinds.items() if early or one.until <= now]
            written = [(one.logger, {**one.last, "repeated": one.count}) for _, one in due if one.count]
            for kind, one in due:
                if one.count:  # they go on: the next line is due a window later
                    self._kinds[kind] = _Repetitions(now + WINDOW_S)
                else:
                    del self._kinds[kind]
        for logger, event in written:
            logger.msg(self.render(logger, str(event["level"]), event))
