"""Recorder: fixes into PostgreSQL, many drivers' in one commit; who handed them over is told after it.

Two commit pipelines take turns: while one waits for the disk the other fills. Each takes all that is waiting:
batches grow by themselves with the load, and an idle recorder commits at once.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Final, Self

import msgspec

from tracker.database.fix_batch import EPOCH, Batch, Key, Stored, microseconds, pack, store
from tracker.database.partitions import ensure_partition_for
from tracker.database.pool import Database, acquire
from tracker.domain.tracks.fix import JudgedFix
from tracker.errors import StorageUnavailable

if TYPE_CHECKING:
    from tracker.database.pool import Raw

PIPELINES: Final = 2
ROWS_PER_COMMIT: Final = 5_000
ROWS_WAITING: Final = 50_000  # about 15 MB; beyond this nobody is kept waiting
TIMEOUT_S: Final = 5.0  # seconds, then StorageUnavailable
RETRY_DELAY_S: Final = 0.2  # seconds
CLOCK: Final = 0.1  # seconds between two looks for whom it has taken too long
DAYS_BACK: Final = timedelta(days=3_660)  # beyond these a fix goes to the default partition
DAYS_AHEAD: Final = timedelta(days=2)
PARTITION_RETRY_S: Final = 60.0  # seconds until the next look, after one could not be made
PARTITION_CHECK_S: Final = 3_600.0  # seconds until the next look, where there is one

type Newest = Callable[[], JudgedFix | None]
"""Asked at each commit."""


class Recorded(msgspec.Struct, frozen=True):
    """What became of one call's fixes; neither counts those of a driver who was erased meanwhile."""

    stored: int
    duplicates: int


class _Submission:
    """One call of `record`, on its way to a commit."""

    __slots__ = ("answer", "driver", "first", "fixes", "newest_fix", "rejudged", "since", "size")

    def __init__(
        self,
        driver: int,
        fixes: Sequence[JudgedFix],
        rejudged: Sequence[JudgedFix],
        newest_fix: Newest | None,
    ) -> None:
        self.driver = driver
        self.fixes = fixes
        self.rejudged = rejudged
        self.newest_fix = newest_fix
        self.size = len(fixes)
        self.since = monotonic()
        self.first: list[Key] = []  # the keys that nobody in the batch had before
        self.answer: asyncio.Future[Recorded] = asyncio.get_running_loop().create_future()

    def join(self, batch: Batch) -> None:
        """With the verdicts of this moment: a retry may come after they have changed."""
        self.first = []
        newest: JudgedFix | None = None
        received_at, received = EPOCH, 0
        for judged in self.fixes:
            if judged.received_at is not received_at:
                received_at = judged.received_at
                received = microseconds(received_at)
            key, row = pack(self.driver, judged, received)
            if batch.add(key, row):
                self.first.append(key)
            if judged.rejudged:
                batch.add_verdict(self.driver, judged)
            if judged.doubt is None and (newest is None or judged.fix.recorded_at > newest.fix.recorded_at):
                newest = judged
        if newest is not None:
            batch.add_state(self.driver, newest)
        for judged in self.rejudged:
            batch.add_verdict(self.driver, judged)
        replacing = None if self.newest_fix is None else self.newest_fix()
        if replacing is not None:
            batch.replacing[self.driver] = replacing

    def settle(self, stored: Stored) -> None:
        if self.answer.done():
            return
        new = sum(key in stored for key in self.first)
        known = self.driver in stored.drivers
        self.answer.set_result(Recorded(new, self.size - new if known else 0))
        self.fixes = self.rejudged = ()

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class _CommitLocks:
    """The pipelines commit side by side, but where one has to be alone. First come, first served."""

    def __init__(self) -> None:
        self._locks = [asyncio.Lock() for _ in range(PIPELINES)]

    def one(self, pipeline: int) -> asyncio.Lock:
        return self._locks[pipeline]

    @asynccontextmanager
    async def all(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as turns:
            for turn in self._locks:
                await turns.enter_async_context(turn)
            yield


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
        self._last_call_at = 0.0  # the last call
        self._locks = _CommitLocks()
        self._partitions: dict[date, float] = {}  # day -> when to look after it again

    async def __aenter__(self) -> Self:
        self._pipelines = [asyncio.create_task(self._commit_forever(number)) for number in range(PIPELINES)]
        self._clock = asyncio.create_task(self._time_out())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Commits what is waiting, for at most as long as somebody waits for an answer."""
        self._closing = True
        self._work.set()
        await asyncio.wait(self._pipelines, timeout=TIMEOUT_S)
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
        if self._behind_since is None or now - self._last_call_at > 2 * TIMEOUT_S:
            return 0.0
        return now - self._behind_since

    async def record(
        self,
        driver: int,
        fixes: Sequence[JudgedFix],
        rejudged: Sequence[JudgedFix] = (),
        newest_fix: Newest | None = None,
    ) -> Recorded:
        """Return after the commit. `driver` is drivers.number.

        The same commit changes the verdicts of `rejudged`, which were recorded before. `newest_fix` gives
        the newest believed fix where what is stored as that has come to be doubted.

        Raises StorageUnavailable where it is not committed within 5 s, or too much is waiting already. Then
        nothing is promised; some may be stored all the same, and the same call again is safe.
        """
        if not fixes:
            return Recorded(0, 0)
        self._check_capacity(len(fixes))
        submission = _Submission(driver, fixes, rejudged, newest_fix)
        self._last_call_at = submission.since
        self._behind_since = self._behind_since or submission.since
        self._put((submission,))
        self._unanswered.append(submission)
        return await submission.answer

    async def _time_out(self) -> None:
        """One clock for all: a timer for each call would cost a third of the recorder's time."""
        while True:
            await asyncio.sleep(CLOCK)
            latest = monotonic() - TIMEOUT_S
            while (waiting := self._unanswered) and (waiting[0].answer.done() or waiting[0].since < latest):
                waiting.popleft().fail(StorageUnavailable("The database has not stored in time."))

    def _check_capacity(self, rows: int) -> None:
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

    async def _commit_forever(self, pipeline: int) -> None:
        while self._queue or not self._closing:
            await self._work.wait()
            await asyncio.sleep(0)  # who is ready in this turn of the loop comes along
            taken = self._take()
            if self._closing:
                self._work.set()  # nothing comes any more, nobody shall wait for it
            if taken:
                await self._commit(taken, pipeline)

    async def _commit(self, submissions: list[_Submission], pipeline: int) -> None:
        """One that changes earlier verdicts waits until their rows are committed: it is alone."""
        alone = any(submission.rejudged for submission in submissions)
        try:
            async with self._locks.all() if alone else self._locks.one(pipeline):
                await self._store(submissions)
        except StorageUnavailable:
            self._requeue(submissions)
            await asyncio.sleep(RETRY_DELAY_S)
        except Exception as error:
            await self._commit_singly(submissions, pipeline, error)

    async def _commit_singly(self, submissions: list[_Submission], pipeline: int, error: Exception) -> None:
        """The database refuses something in the batch: only who sent it shall know."""
        if len(submissions) == 1:
            submissions[0].fail(error)
            return
        for submission in submissions:
            await self._commit([submission], pipeline)

    def _requeue(self, submissions: Iterable[_Submission]) -> None:
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
            await self._ensure_partitions(raw, batch.days, submissions[0].fixes[0].received_at.date())
            stored = await store(raw, batch)
        self._behind_since = self._queue[0].since if self._queue else None
        for submission in submissions:
            submission.settle(stored)

    async def _ensure_partitions(self, raw: "Raw", days: Iterable[date], today: date) -> None:
        """Late fixes may be of days that have none; where it can't be made now, the default one serves."""
        for day in days:
            if today - DAYS_BACK < day < today + DAYS_AHEAD and self._partitions.get(day, 0.0) < monotonic():
                stands = await ensure_partition_for(raw, day)
                self._partitions[day] = monotonic() + (PARTITION_CHECK_S if stands else PARTITION_RETRY_S)
