"""Recorder: fixes into PostgreSQL, many drivers' in one commit; who handed them over is told after it.

Two commit pipelines take turns: while one waits for the disk the other fills. Each takes all that is waiting:
batches grow by themselves with the load, and an idle recorder commits at once.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Final, Self

import msgspec

from tracker.database.batch import Batch, Key, Stored, microseconds, pack, store
from tracker.database.partitions import ensure_partition_for
from tracker.database.pool import Database, acquire
from tracker.domain.skew import FUTURE_LIMIT, NONE
from tracker.domain.track import Fix
from tracker.errors import StorageUnavailable

if TYPE_CHECKING:
    from tracker.database.pool import Raw

PIPELINES: Final = 2
ROWS_PER_COMMIT: Final = 5_000
ROWS_WAITING: Final = 50_000  # about 15 MB; beyond this nobody is kept waiting
ANSWER_WITHIN: Final = 5.0  # seconds, then StorageUnavailable
RETRY_AFTER: Final = 0.2  # seconds
CLOCK: Final = 0.1  # seconds between two looks for whom it has taken too long
DAYS_BACK: Final = timedelta(days=3_660)  # beyond these a fix goes to the default partition
DAYS_AHEAD: Final = timedelta(days=2)
PARTITION_AGAIN: Final = 60.0  # seconds until the next look, after one could not be made
PARTITION_STANDS: Final = 3_600.0  # seconds until the next look, where there is one


class Recorded(msgspec.Struct, frozen=True):
    """What became of one call's fixes; neither counts those of a driver who was erased meanwhile."""

    stored: int
    duplicates: int


class _Submission:
    """One call of `record`, on its way to a commit."""

    __slots__ = ("answer", "driver", "first", "newest", "received_at", "rows", "since", "size")

    def __init__(
        self, driver: int, rows: list[tuple[Key, bytes]], newest: Fix | None, received_at: datetime
    ) -> None:
        self.driver = driver
        self.rows = rows
        self.size = len(rows)
        self.since = monotonic()
        self.newest = newest  # of the believed ones
        self.received_at = received_at
        self.first: list[Key] = []  # the keys that nobody in the batch had before
        self.answer: asyncio.Future[Recorded] = asyncio.get_running_loop().create_future()

    def join(self, batch: Batch) -> None:
        self.first = [key for key, row in self.rows if batch.add(key, row)]
        if self.newest is not None:
            batch.add_state(self.driver, self.newest, self.received_at)

    def settle(self, stored: Stored) -> None:
        if self.answer.done():
            return
        new = sum(key in stored for key in self.first)
        known = self.driver in stored.drivers
        self.answer.set_result(Recorded(new, self.size - new if known else 0))
        self.rows = []

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class Recorder:
    """Owns its tasks: a caller that is cancelled, or gives up, takes nothing back that was on its way."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: deque[_Submission] = deque()
        self._waiting = 0  # rows
        self._work = asyncio.Event()
        self._closing = False
        self._pipelines: list[asyncio.Task[None]] = []
        self._unanswered: deque[_Submission] = deque()  # by age; answered ones leave when their turn comes
        self._clock: asyncio.Task[None] | None = None
        self._behind_since: float | None = None  # the first call since the last commit
        self._handed_at = 0.0  # the last call
        self._partitions: dict[date, float] = {}  # day -> when to look after it again

    async def __aenter__(self) -> Self:
        self._pipelines = [asyncio.create_task(self._commit_forever()) for _ in range(PIPELINES)]
        self._clock = asyncio.create_task(self._answer_late_ones())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Commits what is waiting, for at most as long as somebody waits for an answer."""
        self._closing = True
        self._work.set()
        await asyncio.wait(self._pipelines, timeout=ANSWER_WITHIN)
        tasks = [task for task in (*self._pipelines, self._clock) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for submission in self._unanswered:
            submission.fail(StorageUnavailable("The service ends."))

    @property
    def waiting(self) -> int:
        """Rows handed over and not yet committed."""
        return self._waiting

    @property
    def lag(self) -> float:
        """Seconds since which nothing could be committed, while somebody hands over fixes."""
        now = monotonic()
        if self._behind_since is None or now - self._handed_at > 2 * ANSWER_WITHIN:
            return 0.0
        return now - self._behind_since

    async def record(
        self,
        driver: int,
        fixes: Sequence[Fix],
        received_at: datetime,
        reasons: Sequence[str | None],
        correction: timedelta = NONE,
    ) -> Recorded:
        """Returns after the commit. `driver` is drivers.number; `reasons[i]` is None where a fix is believed.

        What their times have to be corrected by is kept beside them: the key stays as the device sent it.

        Raises StorageUnavailable where it is not committed within 5 s, or too much is waiting already. Then
        nothing is promised; some may be stored all the same, and the same call again is safe.
        """
        if not fixes:
            return Recorded(0, 0)
        self._check_room(len(fixes))
        received = microseconds(received_at)
        kept = correction if abs(correction) > FUTURE_LIMIT else NONE
        rows = [pack(driver, fix, received, why, kept) for fix, why in zip(fixes, reasons, strict=True)]
        believed = [fix for fix, why in zip(fixes, reasons, strict=True) if why is None]
        newest = max(believed, key=lambda fix: fix.recorded_at, default=None)
        if newest is not None and correction:
            newest = msgspec.structs.replace(newest, recorded_at=newest.recorded_at - correction)
        submission = _Submission(driver, rows, newest, received_at)
        self._handed_at = submission.since
        self._behind_since = self._behind_since or submission.since
        self._put((submission,))
        self._unanswered.append(submission)
        return await submission.answer

    async def _answer_late_ones(self) -> None:
        """One clock for all: a timer for each call would cost a third of the recorder's time."""
        while True:
            await asyncio.sleep(CLOCK)
            latest = monotonic() - ANSWER_WITHIN
            while (waiting := self._unanswered) and (waiting[0].answer.done() or waiting[0].since < latest):
                waiting.popleft().fail(StorageUnavailable("The database has not stored in time."))

    def _check_room(self, rows: int) -> None:
        if self._closing:
            raise StorageUnavailable("The service ends.")
        if self._waiting + rows > ROWS_WAITING:
            raise StorageUnavailable("The storage is behind.")

    def _put(self, submissions: Sequence[_Submission]) -> None:
        self._queue.extend(submissions)
        self._waiting += sum(submission.size for submission in submissions)
        self._work.set()

    def _take(self) -> list[_Submission]:
        """The oldest submissions that somebody still waits for, up to one commit's size."""
        taken: list[_Submission] = []
        rows = 0
        while self._queue and rows < ROWS_PER_COMMIT:
            submission = self._queue.popleft()
            self._waiting -= submission.size
            if not submission.answer.done():
                taken.append(submission)
                rows += submission.size
        if not self._queue:
            self._work.clear()
        return taken

    async def _commit_forever(self) -> None:
        while self._queue or not self._closing:
            await self._work.wait()
            await asyncio.sleep(0)  # who is ready in this turn of the loop comes along
            taken = self._take()
            if self._closing:
                self._work.set()  # nothing comes any more, nobody shall wait for it
            if taken:
                await self._commit(taken)

    async def _commit(self, submissions: list[_Submission]) -> None:
        try:
            await self._store(submissions)
        except StorageUnavailable:
            self._put_back(submissions)
            await asyncio.sleep(RETRY_AFTER)
        except Exception as error:
            await self._commit_apart(submissions, error)

    async def _commit_apart(self, submissions: list[_Submission], error: Exception) -> None:
        """The database refuses something in the batch: only who sent it shall know."""
        if len(submissions) == 1:
            submissions[0].fail(error)
            return
        for submission in submissions:
            await self._commit([submission])

    def _put_back(self, submissions: Iterable[_Submission]) -> None:
        """In front and in order; those that nobody waits for any more are left out at the next `_take`."""
        waiting = list(submissions)
        self._queue.extendleft(reversed(waiting))
        self._waiting += sum(submission.size for submission in waiting)
        self._work.set()

    async def _store(self, submissions: Sequence[_Submission]) -> None:
        batch = Batch()
        for submission in submissions:
            submission.join(batch)
        async with acquire(self._database.ingest) as raw:
            await self._ensure_partitions(raw, batch.days, submissions[0].received_at.date())
            stored = await store(raw, batch)
        self._behind_since = self._queue[0].since if self._queue else None
        for submission in submissions:
            submission.settle(stored)

    async def _ensure_partitions(self, raw: "Raw", days: Iterable[date], today: date) -> None:
        """Late fixes may be of days that have none; where it can't be made now, the default one serves."""
        for day in days:
            if today - DAYS_BACK < day < today + DAYS_AHEAD and self._partitions.get(day, 0.0) < monotonic():
                stands = await ensure_partition_for(raw, day)
                self._partitions[day] = monotonic() + (PARTITION_STANDS if stands else PARTITION_AGAIN)
