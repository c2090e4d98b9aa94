"""Outbox: a driver's unacknowledged fixes and reports, and which to send next. Pure.

Nothing is dropped before its `ack`. Only memory bounds the outbox: a fix takes about 300 bytes, so a day
offline at one fix a second takes 26 MB. After a disconnect the newest fix goes first, so that one message
corrects the live view. The reports follow, then newer fixes, then the backlog, oldest first.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Final, Literal

import msgspec

from tracker.domain.tracks.fix import Fix
from tracker.messages import FIXES_PER_MESSAGE, Ack, DriverNote, Fixes, StatusReport

MAX_IN_FLIGHT: Final = 8  # unanswered messages of fixes
ACK_TIMEOUT: Final = 45.0  # seconds; an older message counts as lost

Report = StatusReport | DriverNote
Outcome = Literal["acknowledged", "retry", "rejected"]
type OnStored = Callable[[Iterable[Fix]], None]


class SentFixes(msgspec.Struct, frozen=True):
    """A message in flight: its fixes, and when it was sent, on a monotonic clock in seconds."""

    fixes: tuple[Fix, ...]
    at: float


class Outbox:
    """The unacknowledged fixes and reports of one driver."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.batch_size = FIXES_PER_MESSAGE
        self.rejections: Counter[str] = Counter()  # count by reason
        self._backlog: deque[Fix] = deque()
        self._new: deque[Fix] = deque()
        self._in_flight: dict[int, SentFixes] = {}
        self._reports: deque[Report] = deque()
        self._report_sent_at: float | None = None
        self._report_resent = False
        self._last_id = 0

    # --- input

    def add(self, fix: Fix) -> None:
        self._new.append(fix)

    def report(self, report: Report) -> None:
        """Queue a report. One is in flight at a time, so that `delivered` never overtakes `picked_up`."""
        self._reports.append(report)

    def next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    @property
    def unacked(self) -> int:
        """The number of fixes without an ack."""
        return len(self._new) + len(self._backlog) + sum(len(sent.fixes) for sent in self._in_flight.values())

    @property
    def empty(self) -> bool:
        return not self.unacked and not self._reports

    # --- output

    def next_message(self, now: float) -> Fixes | Report | None:
        """Take the next message to send. None if the outbox is empty or too much is in flight."""
        if self._reports and self._report_sent_at is None and not self._new:
            self._report_sent_at = now
            return self._reports[0]
        if len(self._in_flight) >= MAX_IN_FLIGHT:
            return None
        queue = self._new or self._backlog
        return self._fixes_message(queue, now) if queue else None

    def _fixes_message(self, queue: deque[Fix], now: float) -> Fixes:
        fixes = [queue.popleft() for _ in range(min(len(queue), self.batch_size))]
        message = Fixes(self.next_id(), fixes)
        self._in_flight[message.id] = SentFixes(tuple(fixes), now)
        self.counts["sent"] += len(fixes)
        return message

    # --- answers

    def acknowledge(self, ack: Ack) -> SentFixes | None:
        """Drop what the ack covers. Return the message of fixes, or None for reports and unknown ids."""
        if ack.id is None:
            return None
        if self._is_report(ack.id):
            self._drop_report()
            return None
        sent = self._in_flight.pop(ack.id, None)
        if sent is None:
            return None
        rejected = ack.rejected or []
        self.counts["acked"] += len(sent.fixes) - len(rejected)
        self.counts["duplicates"] += ack.duplicates or 0
        self.counts["rejected"] += len(rejected)
        self.rejections.update(one.reason for one in rejected)
        return sent

    def reject(self, message_id: int | None, code: str) -> Outcome:
        """Handle an `error` in place of an ack.

        Retry `too_many_fixes` in halves. Other errors would recur, so drop the message and count it by code.
        """
        if self._is_report(message_id):
            resent = self._report_resent
            self._drop_report()
            # the service stored the report before the disconnect, and only its ack was lost
            return "acknowledged" if resent and code in {"forbidden_transition", "conflict"} else "rejected"
        sent = self._in_flight.pop(message_id, None) if message_id is not None else None
        if sent is None:
            return "rejected"
        if code == "too_many_fixes" and len(sent.fixes) > 1:
            self.batch_size = max(1, len(sent.fixes) // 2)
            self._requeue([sent])
            return "retry"
        self.counts["rejected"] += len(sent.fixes)
        self.rejections[code] += len(sent.fixes)
        return "rejected"

    def requeue(self) -> None:
        """After a disconnect, requeue what is in flight and put the newest fix first."""
        self._requeue(self._in_flight.values())
        self._in_flight.clear()
        self._report_resent |= self._report_sent_at is not None
        self._report_sent_at = None
        self.resume()

    def resume(self) -> None:
        """After a `slow`, put the newest fix first. The service still answers what is in flight."""
        self._backlog.extend(self._new)
        self._new.clear()
        if self._backlog:
            self._new.append(self._backlog.pop())

    def is_overdue(self, now: float) -> bool:
        """Whether a message has waited longer than ACK_TIMEOUT for its answer."""
        oldest = min((sent.at for sent in self._in_flight.values()), default=now)
        report = now if self._report_sent_at is None else self._report_sent_at
        return now - min(oldest, report) > ACK_TIMEOUT

    def _requeue(self, messages: Iterable[SentFixes]) -> None:
        requeued = [fix for sent in messages for fix in sent.fixes]
        self.counts["sent"] -= len(requeued)  # they count once, however often they are sent
        if requeued:
            self._backlog = deque(sorted([*requeued, *self._backlog], key=lambda fix: fix.recorded_at))

    def _is_report(self, message_id: int | None) -> bool:
        return self._report_sent_at is not None and self._reports[0].id == message_id

    def _drop_report(self) -> None:
        self._reports.popleft()
        self._report_sent_at = None
        self._report_resent = False
