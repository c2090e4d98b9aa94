"""Replica: one streaming replica, watched so that whoever asks it knows what it holds.

A replica may be used while it answers, belongs to this primary, and is seconds behind at most. Then each
request compares positions in the write-ahead log: the replica must have replayed all that was committed
before. Positions of two timelines cannot be compared. So after each promotion of another server to be the
primary, the replica must first show what this node has written since.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import asyncpg
import structlog

from tracker.database.connection.hosts import Hosts
from tracker.database.connection.opening import is_shared, pool_of
from tracker.database.pool import Connection, Database, PoolUsage, Row, acquire, usage_of
from tracker.database.replica.identity import SETTING, check_identity
from tracker.errors import ConfigError, StorageUnavailable
from tracker.metrics.replica import ReplicaMetrics

if TYPE_CHECKING:
    from tracker.database.pool import Pool

CONNECTIONS: Final = 8
WATCH_EVERY_S: Final = 1.5
ANSWER_WITHIN_S: Final = 1.0
FAR_BEHIND_S: Final = 5.0
PAUSES_S: Final = (0.0, 0.002, 0.005, 0.01, 0.02)  # while the replica catches up; the primary answers then
NEVER: Final = datetime.min.replace(tzinfo=UTC)

log = structlog.get_logger()


class CommitMark(NamedTuple):
    """What the primary has committed, and until when this node's own row is valid there."""

    timeline: int
    lsn: str
    beat: datetime | None


class Replica:
    """The replica as this node sees it. `trouble` says why it may not be used; None if it may."""

    def __init__(self, url: str, primary: Database, node: str, metrics: ReplicaMetrics) -> None:
        self.trouble: str | None = "it was not asked yet"
        self.metrics = metrics
        self._url, self._primary, self._node = url, primary, node
        self._pool: Pool | None = None
        self._timeline = 0  # of the primary
        self._before = NEVER  # the replica must show a later row of this node
        self._said: str | None = None  # the trouble that was logged last

    @classmethod
    @asynccontextmanager
    async def open(
        cls, url: str, primary: Database, node: str, metrics: ReplicaMetrics
    ) -> AsyncIterator[Self]:
        """Watch the replica during the block. It may be away, or be none at all."""
        replica = cls(url, primary, node, metrics)
        async with AsyncExitStack() as stack:
            watching = asyncio.create_task(replica._watch(stack))
            try:
                yield replica
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)

    @property
    def usage(self) -> PoolUsage:
        """The usage of the connections to the replica."""
        return PoolUsage(0, 0, 0) if self._pool is None else usage_of(self._pool)

    async def has_all(self) -> bool:
        """Return whether the replica has, within milliseconds, all that was committed before this call.

        Raises StorageUnavailable if one of the two servers does not answer.
        """
        mark = await self._mark()
        if mark.timeline != self._timeline:
            return False
        for pause in PAUSES_S:
            await asyncio.sleep(pause)
            if await self._answer("select_has_replayed", mark.lsn):
                return True
        return False

    async def fetch(self, name: str, *args: object) -> list[Row]:
        async with acquire(self._open_pool) as raw:
            return await Connection(raw).fetch(name, *args)

    async def fetchrow(self, name: str, *args: object) -> Row | None:
        async with acquire(self._open_pool) as raw:
            return await Connection(raw).fetchrow(name, *args)

    async def fetchval(self, name: str, *args: object) -> Any:
        async with acquire(self._open_pool) as raw:
            return await Connection(raw).fetchval(name, *args)

    def failed(self, error: StorageUnavailable) -> bool:
        """Note an error of a read. Return whether the replica itself is well, and only stopped this read.

        PostgreSQL stops a read on a replica that keeps it from replaying.
        """
        if isinstance(error.__cause__, asyncpg.TransactionRollbackError):
            return True
        self._judge(str(error))
        return False

    # --- watching

    async def _watch(self, stack: AsyncExitStack) -> None:
        while True:
            try:
                mark = await self._mark()
            except StorageUnavailable:
                pass  # the primary is away, which is not the replica's fault
            else:
                self._judge(await self._trouble(mark, stack))
            await asyncio.sleep(WATCH_EVERY_S)

    async def _trouble(self, mark: CommitMark, stack: AsyncExitStack) -> str | None:
        """Return why the replica may not be used; None if it may."""
        if mark.timeline != self._timeline:
            self._timeline, self._before = mark.timeline, mark.beat or NEVER
        try:
            if self._pool is None:
                await self._open(stack)
            state = await self.fetchrow("select_replica_state", self._node)
        except (ConfigError, StorageUnavailable) as error:
            return error.why if isinstance(error, ConfigError) else str(error)
        assert state is not None
        if not state["is_replica"]:
            return "it is a primary; give a streaming replica of the database in DATABASE_URL"
        if mark.beat is None or state["beat"] is None or state["beat"] <= self._before:
            return "it does not show what this node has written"
        behind = (mark.beat - state["beat"]).total_seconds()
        self.metrics.lag.set(max(0.0, behind))
        return f"it is {behind:.0f} s behind" if behind > FAR_BEHIND_S else None

    async def _open(self, stack: AsyncExitStack) -> None:
        """Open the pool. Raises ConfigError for another database than the primary's."""
        await check_identity(self._url, self._primary)
        shared = await is_shared(self._url, SETTING)
        pool = pool_of(Hosts.of(self._url, SETTING), " replica", CONNECTIONS, shared=shared)
        self._pool = await stack.enter_async_context(pool)

    def _judge(self, trouble: str | None) -> None:
        """Take the verdict, and log a change of it."""
        self.trouble = trouble
        self.metrics.up.set(trouble is None)
        if trouble != self._said and (trouble is not None or self._said is not None):
            if trouble is None:
                log.info("replica_usable")
            else:
                log.warning("replica_unusable", why=f"{SETTING}: {trouble}")
        self._said = trouble

    # --- statements

    async def _mark(self) -> CommitMark:
        row = await self._primary.fetchrow("select_commit_mark", self._node)
        assert row is not None
        return CommitMark(**row)

    @property
    def _open_pool(self) -> "Pool":
        if self._pool is None:
            raise StorageUnavailable("The replica was never reached.")
        return self._pool

    async def _answer(self, name: str, *args: object) -> Any:
        """Ask with a shorter limit than a read has, so that a replica that hangs delays nobody for long."""
        async with acquire(self._open_pool) as raw:
            return await Connection(raw).fetchval(name, *args, within=ANSWER_WITHIN_S)
