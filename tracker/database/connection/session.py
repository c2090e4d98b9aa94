"""Sessions: asyncpg's connection with TCP keepalive, and one that works behind a pooler such as PgBouncer."""

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Literal

import asyncpg
from asyncpg.transaction import Transaction

from tracker.database.queries import sql
from tracker.database_url import Keepalive

if TYPE_CHECKING:

    class PlainConnection(asyncpg.Connection[asyncpg.Record]):
        pass
else:
    PlainConnection = asyncpg.Connection

type Isolation = Literal["read_committed", "repeatable_read", "serializable"]

UNCHECKED_S: Final = 1.0  # idle time after which a connection must answer before it is used
ANSWER_TIMEOUT_S: Final = 1.0
CLOSE_TIMEOUT_S: Final = 2.0
ROUTINE: Final = "R"  # the field of a notice that names the function of PostgreSQL; its text is translated


class Session(PlainConnection):
    """A connection that knows how long it has been idle."""

    def __init__(self, protocol: Any, transport: Any, *rest: Any) -> None:
        super().__init__(protocol, transport, *rest)
        self.idle_since = monotonic()
        self.unreplicated = False  # a commit did not wait for the synchronous standby to the end
        self._socket = transport.get_extra_info("socket")

    def keep_alive(self, keepalive: Keepalive) -> None:
        """Let the kernel notice a peer that a network has dropped without telling either side."""
        if self._socket is not None and self._socket.family in {socket.AF_INET, socket.AF_INET6}:
            for level, option, value in _socket_options(keepalive):
                self._socket.setsockopt(level, option, value)

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109  # asyncpg's
        """Close within CLOSE_TIMEOUT_S; abort if the server does not answer.

        An error would be lost: the pool closes expired connections in tasks that it does not await.
        """
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):  # TimeoutError is an OSError
            await super().close(timeout=CLOSE_TIMEOUT_S if timeout is None else timeout)

    def _process_log_message(self, fields: Mapping[str, str], last_query: str) -> None:
        """Note that a commit's wait for the standby was cancelled: PostgreSQL only warns of it.

        The statement succeeds, but one server alone holds what it wrote. asyncpg calls listeners later.
        """
        if fields.get(ROUTINE) == "SyncRepWaitForLSN":
            self.unreplicated = True
        super()._process_log_message(fields, last_query)  # type: ignore[misc]  # it is in no stub

    def released(self) -> None:
        """Note that the connection is idle from now on."""
        self.idle_since = monotonic()

    def _clean_tasks(self) -> None:
        """Let a request to cancel go out although the connection is terminated; asyncpg withdraws it.

        A commit that waits for a synchronous standby does not notice that its client is gone. Each would keep
        a connection of the server until there are none.
        """

    async def answers(self) -> bool:
        """Return whether the server still answers, unless the connection was used a moment ago."""
        if monotonic() - self.idle_since < UNCHECKED_S:
            return True
        try:
            await self.execute(sql("ping"), timeout=ANSWER_TIMEOUT_S)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):  # TimeoutError is an OSError
            return False
        return True

    async def is_shared(self) -> bool:
        """Return whether a pooler stands between: it gives out process ids that are not the server's."""
        async with self.transaction():
            return bool(await self.fetchval(sql("backend_pid")) != self.get_server_pid())


class SharedSession(Session):
    """A connection to a pooler, which assigns a server's session for one transaction at a time.

    Nothing may outlive a transaction: no prepared statement, no setting, no temporary table. asyncpg sends a
    statement with arguments in two steps, so each such statement gets a transaction. Open it with
    `statement_cache_size=0`.
    """

    def transaction(self, **options: Any) -> Transaction:
        return _LimitedTransaction(self, **options)

    @asynccontextmanager
    async def _in_transaction(self) -> AsyncIterator[None]:
        if self.is_in_transaction():
            yield
            return
        async with self.transaction():
            yield

    async def fetch(self, *args: Any, **options: Any) -> Any:
        async with self._in_transaction():
            return await super().fetch(*args, **options)

    async def fetchrow(self, *args: Any, **options: Any) -> Any:
        async with self._in_transaction():
            return await super().fetchrow(*args, **options)

    async def fetchval(self, *args: Any, **options: Any) -> Any:
        async with self._in_transaction():
            return await super().fetchval(*args, **options)

    async def execute(self, query: str, *args: Any, **options: Any) -> str:
        if not args:  # one step, without a prepared statement
            return await super().execute(query, **options)
        async with self._in_transaction():
            return await super().execute(query, *args, **options)

    async def executemany(self, *args: Any, **options: Any) -> None:
        async with self._in_transaction():
            await super().executemany(*args, **options)


class _LimitedTransaction(Transaction):
    """A transaction with the settings that a pooler does not accept at the start of a connection."""

    def __init__(
        self,
        session: SharedSession,
        *,
        isolation: Isolation | None = None,
        readonly: bool = False,
        deferrable: bool = False,
    ) -> None:
        super().__init__(session, isolation, readonly, deferrable)
        self._session = session

    async def start(self) -> None:
        await super().start()
        await self._session.execute(sql("limit_transaction"))


def _socket_options(keepalive: Keepalive) -> list[tuple[int, int, int]]:
    """Return the options for setsockopt; a system may lack some, and 0 means the system's default."""
    if not keepalive.on:
        return []
    named = {
        "TCP_KEEPIDLE": keepalive.idle_s,
        "TCP_KEEPINTVL": keepalive.interval_s,
        "TCP_KEEPCNT": keepalive.count,
        "TCP_USER_TIMEOUT": keepalive.user_timeout_ms,
    }
    tcp = [
        (socket.IPPROTO_TCP, int(getattr(socket, name)), value)
        for name, value in named.items()
        if value > 0 and hasattr(socket, name)
    ]
    return [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), *tcp]
