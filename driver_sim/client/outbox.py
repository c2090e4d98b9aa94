"""Outbox: everything a driver's device has not yet seen acknowledged, and what of it to send next. Pure.

Nothing is dropped before its `ack`. There is no bound but memory: a fix is about 300 bytes, so a day without
the network at one fix a second is 26 MB. After a break the newest fix goes first, so that the live view is
right after one message; then the reports; then what is new since; then the backlog, oldest first.
"""

from collections import Counter, deque
from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from tracker.domain.tracks.track import Fix
from tracker.messages import FIXES_PER_MESSAGE, Ack, DriverNote, Fixes, StatusReport

MAX_IN_FLIGHT: Final = 8  # messages of fixes sent and not yet answered
ACK_TIMEOUT: Final = 45.0  # seconds; then it is sent again

Report = StatusReport | DriverNote
Outcome = Literal["acknowledged", "again", "refused"]


class SentFixes(msgspec.Struct, frozen=True):
    """A message on its way: what it carried and when it left, on a monotonic clock."""

    fixes: tuple[Fix, ...]
    at: float


class Outbox:
    """One driver's unacknowledged fixes and reports."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.batch_size = FIXES_PER_MESSAGE
        self.rejections: Counter[str] = Counter()  # by the service's reason
        self._backlog: deque[Fix] = deque()
        self._new: deque[Fix] = deque()
        self._in_flight: dict[int, SentFixes] = {}
        self._reports: deque[Report] = deque()
        self._report_sent_at: float | None = None
        self._report_resent = False
        self._last_id = 0

    # --- what comes in

    def add(self, fix: Fix) -> None:
        self._new.append(fix)

    def report(self, report: Report) -> None:
        """Kept in order, one on the way at a time: `delivered` never overtakes `picked_up`."""
        self._reports.append(report)

    def next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    @property
    def unacked(self) -> int:
        """Fixes of which we don't know that they are stored."""
        return len(self._new) + len(self._backlog) + sum(len(sent.fixes) for sent in self._in_flight.values())

    @property
    def empty(self) -> bool:
        return not self.unacked and not self._reports

    @property
    def reports_waiting(self) -> int:
        return len(self._reports)

    # --- what goes out

    def next_message(self, now: float) -> Fixes | Report | None:
        """The next message to send, or None while there is nothing or too much is unanswered."""
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

    # --- what happened to it

    def acknowledge(self, ack: Ack, now: float) -> float | None:
        """Drops what is stored; the seconds it took, or None where the ack answers nothing we wait for."""
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
        return now - sent.at

    def reject(self, message_id: int | None, code: str) -> Outcome:
        """An `error` came instead of an ack. Too many at once are sent again in halves; what else is refused
        would be refused again and is dropped, counted under its code."""
        if self._is_report(message_id):
            resent = self._report_resent
            self._drop_report()
            # it was stored before the break whose ack we missed: the order is already where we say it is
            return "acknowledged" if resent and code in {"forbidden_transition", "conflict"} else "refused"
        sent = self._in_flight.pop(message_id, None) if message_id is not None else None
        if sent is None:
            return "refused"
        if code == "too_many_fixes" and len(sent.fixes) > 1:
            self.batch_size = max(1, len(sent.fixes) // 2)
            self._requeue([sent])
            return "again"
        self.counts["rejected"] += len(sent.fixes)
        self.rejections[code] += len(sent.fixes)
        return "refused"

    def requeue(self) -> None:
        """After a break or a pause: what is unanswered waits again, and the newest fix goes first."""
        self._requeue(self._in_flight.values())
        self._in_flight.clear()
        self._backlog.extend(self._new)
        self._new.clear()
        if self._backlog:
            self._new.append(self._backlog.pop())
        self._requeue_report()

    def resume(self) -> None:
        """After a `slow`: what is on its way will still be answered; of the rest the newest goes first."""
        self._backlog.extend(self._new)
        self._new.clear()
        if self._backlog:
            self._new.append(self._backlog.pop())

    def is_overdue(self, now: float) -> bool:
        """Whether something has been unanswered for so long that it has to be sent again."""
        oldest = min((sent.at for sent in self._in_flight.values()), default=now)
        report = now if self._report_sent_at is None else self._report_sent_at
        return now - min(oldest, report) > ACK_TIMEOUT

    def _requeue(self, messages: Iterable[SentFixes]) -> None:
        requeued = [fix for sent in messages for fix in sent.fixes]
        if requeued:
            self._backlog = deque(sorted([*requeued, *self._backlog], key=lambda fix: fix.recorded_at))

    def _is_report(self, message_id: int | None) -> bool:
        return self._report_sent_at is not None and self._reports[0].id == message_id

    def _drop_report(self) -> None:
        self._reports.popleft()
        self._report_sent_at = None
        self._report_resent = False

    def _requeue_report(self) -> None:
        if self._report_sent_at is not None:
            self._report_resent = True
        self._report_sent_at = None
