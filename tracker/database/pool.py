"""Database: the connections of one node, and statements called by name. asyncpg's errors are translated here.

Every call is bounded: ACQUIRE_TIMEOUT to get a connection, and COMMAND_TIMEOUT for each statement. After a
timeout the connection is terminated: a frozen server does not answer, not even to a cancel request.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

import asyncpg
import msgspec

from tracker.database.queries import sql
from tracker.database_url import asyncpg_url
from tracker.errors import ConfigError, StorageUnavailable

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    type Pool = asyncpg.Pool[asyncpg.Record]
    type Raw = PoolConnectionProxy[asyncpg.Record]
    type Session = asyncpg.Connection[asyncpg.Record]

type Row = asyncpg.Record

ACQUIRE_TIMEOUT: Final = 2.0  # seconds until there is a connection
COMMAND_TIMEOUT: Final = 3.0  # seconds a statement may take
API_CONNECTIONS: Final = 8
INGEST_CONNECTIONS: Final = 3  # two commit pipelines and a spare

# The server is unreachable, stopping, starting, full or out of connections; a retry may succeed.
_AWAY: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,  # deadlocks
    asyncpg.InternalClientError,
    asyncpg.InterfaceError,
    OSError,  # TimeoutError is one
)


class Queries(Protocol):
    """Runs named statements: a Database (each in its own transaction) or an open Connection."""

    async def fetch(self, name: str, *args: object) -> list[Row]: ...
    async def fetchrow(self, name: str, *args: object) -> Row | None: ...
    async def fetchval(self, name: str, *args: object) -> Any: ...
    async def execute(self, name: str, *args: object) -> str: ...


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

    async def fetchval(self, name: str, *args: object) -> Any:
        with storage_errors():
            return await self.raw.fetchval(sql(name), *args)

    async def execute(self, name: str, *args: object) -> str:
        """The server's command tag: `UPDATE 1`."""
        with storage_errors():
            return await self.raw.execute(sql(name), *args)

    async def executemany(self, name: str, rows: Iterable[Sequence[object]]) -> None:
        with storage_errors():
            await self.raw.executemany(sql(name), rows)


class Database:
    """Two pools, so that slow history requests never take the connections that commit fixes."""

    def __init__(self, pool: "Pool", ingest: "Pool") -> None:
        self.pool = pool
        self.ingest = ingest

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator[Self]:
        """Open both pools. They close within seconds even if the server hangs.

        Raises StorageUnavailable if the server does not answer, ConfigError if the URL is wrong.
        """
        async with (
            _pool(url, "tracker", API_CONNECTIONS) as pool,
            _pool(url, "tracker ingest", INGEST_CONNECTIONS) as ingest,
        ):
            yield cls(pool, ingest)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Commit at the end of the block; roll back after an exception. Raises StorageUnavailable."""
        async with acquire(self.pool) as raw, in_transaction(raw):
            yield Connection(raw)

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


@contextmanager
def storage_errors() -> Iterator[None]:
    """Translate every error that means an unavailable database to StorageUnavailable."""
    try:
        yield
    except _AWAY as error:
        if isinstance(error, ValueError):  # asyncpg's client-side DataError: a wrong argument
            raise
        raise StorageUnavailable(f"The database does not answer ({type(error).__name__}).") from error


@contextmanager
def _url_errors() -> Iterator[None]:
    """Translate errors about DATABASE_URL to ConfigError, and connection errors to StorageUnavailable."""
    try:
        yield
    except (
        asyncpg.InvalidCatalogNameError,
        asyncpg.InvalidAuthorizationSpecificationError,
        asyncpg.ClientConfigurationError,
        asyncpg.InsufficientPrivilegeError,
        ssl.SSLError,
        ValueError,  # asyncpg raises it for invalid arguments
    ) as error:
        raise ConfigError("DATABASE_URL", str(error)) from error
    except OSError as error:
        if "SSL upgrade" in str(error):
            why = f"{error}; leave out sslmode, or turn on TLS at the server"
            raise ConfigError("DATABASE_URL", why) from error
        what = str(error) or type(error).__name__
        why = f"The database does not answer ({what}); is it running, and is DATABASE_URL right?"
        raise StorageUnavailable(why) from error


@asynccontextmanager
async def acquire(pool: "Pool") -> AsyncIterator["Raw"]:
    """Acquire a connection; release it afterwards, or terminate it after StorageUnavailable."""
    with storage_errors():
        raw = await pool.acquire(timeout=ACQUIRE_TIMEOUT)
    try:
        yield raw
    except StorageUnavailable:
        with suppress(asyncpg.InterfaceError):  # a terminated connection is back in the pool already
            raw.terminate()
        raise
    finally:
        with storage_errors():
            await pool.release(raw, timeout=ACQUIRE_TIMEOUT)


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


@asynccontextmanager
async def connect(url: str) -> AsyncIterator["Session"]:
    """Open one connection without a statement timeout, for migrations. Raises as `Database.open` does."""
    with storage_errors(), _url_errors():
        session = await asyncpg.connect(
            asyncpg_url(url), timeout=ACQUIRE_TIMEOUT, server_settings={"timezone": "UTC"}
        )
    try:
        yield session
    finally:
        session.terminate()


@asynccontextmanager
async def _pool(url: str, name: str, size: int) -> AsyncIterator["Pool"]:
    with storage_errors(), _url_errors():
        pool = await asyncpg.create_pool(
            asyncpg_url(url),
            min_size=0,  # above 0 the pool would log a traceback each second while the server is away
            max_inactive_connection_lifetime=0,
            max_size=size,
            timeout=ACQUIRE_TIMEOUT,
            command_timeout=COMMAND_TIMEOUT,
            max_cached_statement_lifetime=0,
            init=_prepare_connection,
            reset=_keep_session,
            server_settings={
                "application_name": name,
                "timezone": "UTC",
                "jit": "off",
                "idle_in_transaction_session_timeout": "15s",
            },
        )
        await pool.release(await pool.acquire(timeout=ACQUIRE_TIMEOUT))  # raises now if the URL is wrong
    try:
        yield pool
    finally:
        await _close(pool)


async def _close(pool: "Pool") -> None:
    try:
        with storage_errors():
            await asyncio.wait_for(pool.close(), ACQUIRE_TIMEOUT)
    except StorageUnavailable:
        pool.terminate()


async def _prepare_connection(connection: "Session") -> None:
    """Convert jsonb from and to plain values with msgspec."""
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: b"\x01" + msgspec.json.encode(value),  # the version byte of the binary form
        decoder=lambda data: msgspec.json.decode(data[1:]),
        format="binary",
    )


async def _keep_session(_connection: "Session") -> None:
    """Skip RESET ALL on release: no session setting is changed, and it would cost a round trip."""
