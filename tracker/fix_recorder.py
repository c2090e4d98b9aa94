"""FixRecorder: stores the fixes of many drivers in one commit and answers each caller after it.

Two commit pipelines alternate: while one waits for the disk, the other collects. Each takes all that is
queued. An idle recorder commits at once. A busy one waits a moment: commits cost more than their rows.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Final, Self

import msgspec

from tracker.database.fix_batch import EPOCH, FEW, Batch, Key, Stored, microseconds, store
from tracker.database.partitions import ensure_partition_for
from tracker.database.pool import Database
from tracker.domain.tracks.fix import JudgedFix
from tracker.errors import LeaseLost, StorageUnavailable

if TYPE_CHECKING:
    from tracker.database.pool import Raw

PIPELINES: Final = 2
ROWS_PER_COMMIT: Final = 5_000
WINDOW_S: Final = 0.005  # that a busy recorder waits for more rows
BUSY_S: Final = 0.03  # since the last commit
ROWS_WAITING: Final = 50_000  # about 15 MB; beyond this, calls are refused at once
TIMEOUT_S: Final = 5.0  # then StorageUnavailable
RETRY_DELAY_S: Final = 0.2
TIMEOUT_CHECK_S: Final = 0.1
DAYS_BACK: Final = timedelta(days=3_660)  # older fixes go to the default partition
DAYS_AHEAD: Final = timedelta(days=2)
PARTITION_RETRY_S: Final = 60.0  # after a partition could not be created
PARTITION_CHECK_S: Final = 3_600.0  # after a partition was found or created

type NewestFix = Callable[[], JudgedFix | None]
"""Called at each commit, so that a retry stores the verdict of that moment."""


class Recorded(msgspec.Struct, frozen=True):
    """The result of one `record` call. Fixes of a driver erased in the meantime count in neither number."""

    stored: int
    duplicates: int


class _Submission:
    """One call of `record` that waits for its commit."""

    __slots__ = ("answer", "driver", "first", "fixes", "newest_fix", "rejudged", "since", "size")

    def __init__(
        self,
        driver: int,
        fixes: Sequence[JudgedFix],
        rejudged: Sequence[JudgedFix],
        newest_fix: NewestFix | None,
    ) -> None:
        self.driver = driver
        self.fixes = fixes
        self.rejudged = rejudged
        self.newest_fix = newest_fix
        self.size = len(fixes)
        self.since = monotonic()
        self.first: list[Key] = []  # the keys that this submission was the first to add to the batch
        self.answer: asyncio.Future[Recorded] = asyncio.get_running_loop().create_future()

    def add_to(self, batch: Batch) -> None:
        """Add the fixes with their current verdicts, which may have changed since an earlier attempt."""
        self.first = []
        newest: JudgedFix | None = None
        received_at, received = EPOCH, 0
        for judged in self.fixes:
            if judged.received_at is not received_at:
                received_at = judged.received_at
                received = microseconds(received_at)
            key = self.driver, microseconds(judged.sent_at)
            if batch.add(key, judged, received):
                self.first.append(key)
            if judged.rejudged:
                batch.add_verdict(self.driver, judged)
            if judged.doubt is None and not judged.aside and (newest is None or judged.at > newest.at):
                newest = judged
        if newest is not None:
            batch.add_state(self.driver, newest)
        for judged in self.rejudged:
            batch.add_verdict(self.driver, judged)
        replacing = None if self.newest_fix is None else self.newest_fix()
        if replacing is not None:
            batch.replacing[self.driver] = replacing

    def resolve(self, stored: Stored) -> None:
        if self.answer.done():
            return
        if self.driver in stored.fenced:
            self.fail(LeaseLost())
            return
        new = sum(key in stored for key in self.first)
        driver_exists = self.driver in stored.drivers
        self.answer.set_result(Recorded(new, self.size - new if driver_exists else 0))
        self.fixes = self.rejudged = ()

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class _CommitLocks:
    """Locks that let the pipelines commit concurrently, or one of them exclusively. They are fair."""

    def __init__(self) -> None:
        self._locks = [asyncio.Lock() for _ in range(PIPELINES)]

    def shared(self, pipeline: int) -> asyncio.Lock:
        return self._locks[pipeline]

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as locks:
            for lock in self._locks:
                await locks.enter_async_context(lock)
            yield


class FixRecorder:
    """Owns the commit tasks. Cancelling a caller does not withdraw fixes that are being committed."""

    def __init__(self, database: Database, node: str = "") -> None:
        self._database, self._node = database, node
        self._queue: deque[_Submission] = deque()
        self._waiting = 0  # rows
        self._work = asyncio.Event()
        self._closing = False
        self._pipelines: list[asyncio.Task[None]] = []
        self._unanswered: deque[_Submission] = deque()  # oldest first; answered ones leave from the front
        self._clock: asyncio.Task[None] | None = None
        self._behind_since: float | None = None  # the time of the first call since the last commit
        self._last_call_at = 0.0  # the time of the last call
        self._committed_at = 0.0  # the time of the last commit
        self._locks = _CommitLocks()
        self._partitions: dict[date, float] = {}  # day -> when to check it again

    async def __aenter__(self) -> Self:
        self._pipelines = [asyncio.create_task(self._commit_forever(number)) for number in range(PIPELINES)]
        self._clock = asyncio.create_task(self._time_out())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Commit what is queued, for at most TIMEOUT_S; then fail the rest."""
        self._closing = True
        self._work.set()
        await asyncio.wait(self._pipelines, timeout=TIMEOUT_S)
        tasks = [task for task in (*self._pipelines, self._clock) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for submission in self._unanswered:
            submission.fail(StorageUnavailable("The server is shutting down; reconnect."))

    @property
    def waiting(self) -> int:
        """The number of queued rows."""
        return self._waiting

    @property
    def in_doubt(self) -> bool:
        """Whether a synchronous standby may lack what is stored. A later commit ends the doubt."""
        return self._database.in_doubt

    @property
    def lag(self) -> float:
        """Seconds since the first call that is not committed; 0 if the last call is over 10 s ago."""
        now = monotonic()
        if self._behind_since is None or now - self._last_call_at > 2 * TIMEOUT_S:
            return 0.0
        return now - self._behind_since

    async def record(
        self,
        driver: int,
        fixes: Sequence[JudgedFix],
        rejudged: Sequence[JudgedFix] = (),
        newest_fix: NewestFix | None = None,
    ) -> Recorded:
        """Store fixes and return after the commit. *driver* is drivers.number.

        The same commit updates the verdicts of *rejudged*, which were recorded before. *newest_fix* returns
        the newest believed fix; pass it if the stored one is now in doubt.

        Raises LeaseLost if another node owns the driver's trip; nothing was stored. Raises
        StorageUnavailable if the commit takes over 5 s or the queue is full. Some fixes may be stored even
        then; repeating the call is safe.
        """
        if not fixes:
            return Recorded(0, 0)
        self._check_capacity(len(fixes))
        submission = _Submission(driver, fixes, rejudged, newest_fix)
        self._last_call_at = submission.since
        self._behind_since = self._behind_since or submission.since
        self._queue.append(submission)
        self._waiting += submission.size
        self._work.set()
        self._unanswered.append(submission)
        return await submission.answer

    async def _time_out(self) -> None:
        """Fail submissions that time out. A timer for each call would cost a third of the recorder's time."""
        while True:
            await asyncio.sleep(TIMEOUT_CHECK_S)
            latest = monotonic() - TIMEOUT_S
            while (waiting := self._unanswered) and (waiting[0].answer.done() or waiting[0].since < latest):
                waiting.popleft().fail(
                    StorageUnavailable(
                        f"The database did not store the fixes within {TIMEOUT_S:.0f} s; retry later."
                    )
                )

    def _check_capacity(self, rows: int) -> None:
        if self._closing:
            raise StorageUnavailable("The server is shutting down; reconnect.")
        if self._waiting + rows > ROWS_WAITING:
            raise StorageUnavailable("Too many fixes are waiting to be stored; retry later.")

    def _dequeue(self) -> list[_Submission]:
        """Return the oldest unanswered submissions, up to the size of one commit."""
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

    async def _commit_forever(self, pipeline: int) -> None:
        while self._queue or not self._closing:
            await self._work.wait()
            await asyncio.sleep(self._window())
            taken = self._dequeue()
            if self._closing:
                self._work.set()  # no submission follows, so do not wait for one
            if taken:
                await self._commit(taken, pipeline)

    def _window(self) -> float:
        """Return the seconds to wait for more rows. 0 waits for this iteration of the loop only."""
        is_busy = monotonic() - self._committed_at < BUSY_S
        return WINDOW_S if is_busy and self._waiting < FEW and not self._closing else 0.0

    async def _commit(self, submissions: list[_Submission], pipeline: int) -> None:
        """Commit exclusively if verdicts change, because the other pipeline may be inserting their rows."""
        exclusive = any(submission.rejudged for submission in submissions)
        try:
            async with self._locks.exclusive() if exclusive else self._locks.shared(pipeline):
                await self._store(submissions)
        except StorageUnavailable:
            self._requeue(submissions)
            await asyncio.sleep(RETRY_DELAY_S)
        except Exception as error:
            await self._commit_singly(submissions, pipeline, error)

    async def _commit_singly(self, submissions: list[_Submission], pipeline: int, error: Exception) -> None:
        """Commit each submission by itself, so that only the one that the database rejects fails."""
        if len(submissions) == 1:
            submissions[0].fail(error)
            return
        for submission in submissions:
            await self._commit([submission], pipeline)

    def _requeue(self, submissions: Iterable[_Submission]) -> None:
        """Return submissions to the front of the queue, in order; `_dequeue` drops the answered ones."""
        waiting = list(submissions)
        self._queue.extendleft(reversed(waiting))
        self._waiting += sum(submission.size for submission in waiting)
        self._work.set()

    async def _store(self, submissions: Sequence[_Submission]) -> None:
        batch = Batch()
        for submission in submissions:
            submission.add_to(batch)
        async with self._database.ingesting() as raw:
            await self._ensure_partitions(raw, batch.days, submissions[0].fixes[0].received_at.date())
            stored = await store(raw, batch, self._node)
        self._committed_at = monotonic()
        self._behind_since = self._queue[0].since if self._queue else None
        for submission in submissions:
            submission.resolve(stored)

    async def _ensure_partitions(self, raw: "Raw", days: Iterable[date], today: date) -> None:
        """Create missing partitions for late fixes; the default partition takes a day that has none."""
        for day in days:
            if today - DAYS_BACK < day < today + DAYS_AHEAD and self._partitions.get(day, 0.0) < monotonic():
                exists = await ensure_partition_for(raw, day)
                self._partitions[day] = monotonic() + (PARTITION_CHECK_S if exists else PARTITION_RETRY_S)
