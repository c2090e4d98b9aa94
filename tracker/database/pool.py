"""Database: the connections of one node, and statements called by name. asyncpg's errors are translated here.

Every call is bounded: ACQUIRE_TIMEOUT to get a connection, and COMMAND_TIMEOUT for each statement. After a
timeout the connection is terminated: a frozen server does not answer, not even to a cancel request.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, Self, cast

import asyncpg

from tracker.database.connection.errors import storage_errors
from tracker.database.connection.hosts import Hosts
from tracker.database.connection.opening import ACQUIRE_TIMEOUT, is_shared, pool_of
from tracker.database.queries import sql
from tracker.errors import StorageUnavailable

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    type Pool = asyncpg.Pool[asyncpg.Record]
    from tracker.database.connection.session import Session

    type Raw = PoolConnectionProxy[asyncpg.Record]

type Row = asyncpg.Record

API_CONNECTIONS: Final = 8
INGEST_CONNECTIONS: Final = 3  # two commit pipelines and a spare


class PoolUsage(NamedTuple):
    """The connections of a pool, and the tasks that wait for one."""

    used: int
    idle: int
    waiting: int


class Reads(Protocol):
    """Runs named statements that only read: also a replica."""

    async def fetch(self, name: str, *args: object) -> list[Row]: ...
    async def fetchrow(self, name: str, *args: object) -> Row | None: ...
    async def fetchval(self, name: str, *args: object) -> Any: ...


class Queries(Reads, Protocol):
    """Runs named statements: a Database (each in its own transaction) or an open Connection."""

    async def execute(self, name: str, *args: object) -> str: ...
    async def executemany(self, name: str, rows: Iterable[Sequence[object]]) -> None: ...


class Connection:
    """A connection inside a transaction, with named statements. Its methods raise StorageUnavailable."""

    __slots__ = ("raw",)

    def __init__(self, raw: "Raw") -> None:
        self.raw = raw

    async def fetch(self, name: str, *args: object) -> list[Row]:
        with storage_errors():
            return await self.raw.fetch(sql(name), *args)

    async def fetchrow(self, name: str, *args: object) -> Row | None:
        with storage_errors():
            return await self.raw.fetchrow(sql(name), *args)

    async def fetchval(self, name: str, *args: object, within: float | None = None) -> Any:
        """Return the first value. *within*: seconds, instead of COMMAND_TIMEOUT."""
        with storage_errors():
            return await self.raw.fetchval(sql(name), *args, timeout=within)

    async def execute(self, name: str, *args: object) -> str:
        """The server's command tag: `UPDATE 1`."""
        with storage_errors():
            return await self.raw.execute(sql(name), *args)

    async def executemany(self, name: str, rows: Iterable[Sequence[object]]) -> None:
        with storage_errors():
            await self.raw.executemany(sql(name), rows)


class CommitHook(Protocol):
    """What belongs into a transaction besides its own work, such as the audit of a request."""

    async def before_commit(self, connection: Connection) -> None:
        """Add to the transaction. Raises StorageUnavailable."""

    def after_commit(self) -> None:
        """Note that the transaction was committed."""


commit_hook: Final[ContextVar[CommitHook | None]] = ContextVar("commit_hook", default=None)
"""Of the transactions that this task, and those that it starts, will commit."""


class Database:
    """Two pools, so that slow history requests never take the connections that commit fixes."""

    def __init__(self, pool: "Pool", ingest: "Pool") -> None:
        self.pool = pool
        self.ingest = ingest
        self.committed = asyncio.Event()  # set after each transaction, for who waits for new events
        self.in_doubt = False  # what can be read now may be missing on the synchronous standby
        self._doubted_at = 0.0

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator[Self]:
        """Open both pools. They close within seconds even if the server hangs.

        Raises StorageUnavailable if the server does not answer, ConfigError if the URL is wrong.
        """
        shared, hosts = await is_shared(url), Hosts.of(url)
        async with (
            pool_of(hosts, "", API_CONNECTIONS, shared=shared) as pool,
            pool_of(hosts, " ingest", INGEST_CONNECTIONS, shared=shared) as ingest,
        ):
            yield cls(pool, ingest)

    def usage(self) -> dict[str, PoolUsage]:
        """Return the usage of each pool by name."""
        return {"api": usage_of(self.pool), "ingest": usage_of(self.ingest)}

    @asynccontextmanager
    async def ingesting(self) -> AsyncIterator["Raw"]:
        """Acquire a connection for fixes, for a commit that writes something. Raises StorageUnavailable.

        A commit that was given up while it waited for a synchronous standby can be read, but may not outlive
        the server. Once a later one succeeds, the standby has both.
        """
        began = monotonic()
        try:
            async with acquire(self.ingest) as raw:
                yield raw
        except BaseException:
            self.in_doubt, self._doubted_at = True, monotonic()
            raise
        if began > self._doubted_at:
            self.in_doubt = False

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Commit at the end of the block; roll back after an exception. Raises StorageUnavailable."""
        hook = commit_hook.get()
        async with acquire(self.pool) as raw, in_transaction(raw):
            yield (connection := Connection(raw))
            if hook is not None:
                await hook.before_commit(connection)
        if hook is not None:
            hook.after_commit()
        self.committed.set()

    async def fetch(self, name: str, *args: object) -> list[Row]:
        async with acquire(self.pool) as raw:
            return await Connection(raw).fetch(name, *args)

    async def fetchrow(self, name: str, *args: object) -> Row | None:
        async with acquire(self.pool) as raw:
            return await Connection(raw).fetchrow(name, *args)

    async def fetchval(self, name: str, *args: object) -> Any:
        async with acquire(self.pool) as raw:
            return await Connection(raw).fetchval(name, *args)

    async def execute(self, name: str, *args: object) -> str:
        """The server's command tag: `UPDATE 1`."""
        async with acquire(self.pool) as raw:
            return await Connection(raw).execute(name, *args)

    async def executemany(self, name: str, rows: Iterable[Sequence[object]]) -> None:
        """Run the statement with each row of arguments, all of them or none."""
        async with acquire(self.pool) as raw:
            await Connection(raw).executemany(name, rows)


def usage_of(pool: "Pool") -> PoolUsage:
    """Return the usage by what asyncpg keeps itself: a count of ours would cost every statement."""
    idle = pool.get_idle_size()
    waiting = len(pool._queue._getters)  # type: ignore[attr-defined]  # a queue of asyncio
    return PoolUsage(pool.get_size() - idle, idle, waiting)


@asynccontextmanager
async def acquire(pool: "Pool") -> AsyncIterator["Raw"]:
    """Acquire a connection; release it afterwards, or terminate it after StorageUnavailable.

    If one is found dead, the network may have dropped them all: the pool then opens new ones.
    """
    with storage_errors():
        raw = await _living(pool)
    try:
        yield raw
        if cast("Session", raw).unreplicated:
            raise StorageUnavailable("The standby did not confirm a commit.")
    except StorageUnavailable as error:
        with suppress(asyncpg.InterfaceError):  # a terminated connection is back in the pool already
            raw.terminate()
        if isinstance(error.__cause__, TimeoutError):
            await pool.expire_connections()
        raise
    finally:
        with storage_errors():
            await pool.release(raw, timeout=ACQUIRE_TIMEOUT)


async def _living(pool: "Pool") -> "Raw":
    """Acquire a connection that answers."""
    raw = await pool.acquire(timeout=ACQUIRE_TIMEOUT)
    if await cast("Session", raw).answers():
        return raw
    raw.terminate()
    await pool.expire_connections()
    return await pool.acquire(timeout=ACQUIRE_TIMEOUT)


@asynccontextmanager
async def in_transaction(raw: "Raw") -> AsyncIterator[None]:
    """Wrap the block in BEGIN and COMMIT; ROLLBACK after an exception."""
    transaction = raw.transaction()
    with storage_errors():
        await transaction.start()
    try:
        yield
    except StorageUnavailable:
        raise  # acquire() terminates the connection, and the server rolls back
    except BaseException:
        with storage_errors():
            await transaction.rollback()
        raise
    with storage_errors():
        await transaction.commit()
