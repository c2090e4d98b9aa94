"""Opening connections: one for a command, a pool for a node, and the wait for a server that starts."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, cast

import asyncpg
import msgspec

from tracker.database.connection.errors import storage_errors, url_errors
from tracker.database.connection.hosts import Hosts
from tracker.database.connection.session import Session, SharedSession
from tracker.database_url import Address
from tracker.errors import StorageUnavailable

if TYPE_CHECKING:
    type Pool = asyncpg.Pool[asyncpg.Record]

ACQUIRE_TIMEOUT: Final = 2.0  # seconds until there is a connection
COMMAND_TIMEOUT: Final = 3.0  # seconds a statement may take
WAIT_S: Final = 300.0  # for a database that is unreachable at the start
RETRY_S: Final = 0.5
REPORT_S: Final = 10.0
# A pooler refuses these at the start of a connection; SharedSession sets them for each transaction.
# A node that cannot be reached must not hold a driver's row for longer than its leases last.
_SESSION_SETTINGS: Final = {"jit": "off", "idle_in_transaction_session_timeout": "5s"}


async def wait_for_database(url: str, say: Callable[[str], None]) -> None:
    """Return when the database accepts connections; report why it does not, at once and every REPORT_S.

    Raises ConfigError at once for a wrong user, password or database, and StorageUnavailable after WAIT_S.
    """
    began, reports = monotonic(), 0
    while True:
        try:
            async with connect(url):
                return
        except StorageUnavailable as error:
            waited = monotonic() - began
            if waited > WAIT_S:
                raise
            if waited >= reports * REPORT_S:
                say(f"{error} Waiting for it: {waited:.0f} s of at most {WAIT_S:.0f} s.")
                reports = int(waited / REPORT_S) + 1
        await asyncio.sleep(RETRY_S)


@asynccontextmanager
async def connect(url: str, setting: str = "DATABASE_URL") -> AsyncIterator[SharedSession]:
    """Open one connection without a statement timeout, directly or through a pooler.

    Raises StorageUnavailable if the server does not answer, ConfigError if the URL, of *setting*, is wrong.
    """
    hosts = Hosts.of(url, setting, once=True)
    with storage_errors(), url_errors(setting):
        address = hosts.address
        session = cast(
            "SharedSession",
            await hosts.connect(
                timeout=ACQUIRE_TIMEOUT,
                connection_class=SharedSession,
                statement_cache_size=0,
                servicefile=address.service_file,
                server_settings={"timezone": "UTC", "application_name": address.name},
            ),
        )
        session.keep_alive(address.keepalive)
    try:
        yield session
    finally:
        session.terminate()


async def is_shared(url: str, setting: str = "DATABASE_URL") -> bool:
    """Return whether a pooler stands before the server. Raises as `connect` does."""
    async with connect(url, setting) as session:
        with storage_errors(), url_errors(setting):
            return await session.is_shared()


@asynccontextmanager
async def pool_of(hosts: Hosts, part: str, size: int, *, shared: bool) -> AsyncIterator["Pool"]:
    """Open a pool whose connections are named after *part*. Raises as `connect` does."""
    with storage_errors(), url_errors(hosts.setting):
        pool: Pool = await asyncpg.create_pool(
            connect=cast("Any", hosts.connect),
            max_size=size,
            **_pool_options(hosts.address, part, shared=shared),
        )
        await pool.release(await pool.acquire(timeout=ACQUIRE_TIMEOUT))  # raises now if the URL is wrong
    try:
        yield pool
    finally:
        await _close(pool)


def _pool_options(address: Address, part: str, *, shared: bool) -> dict[str, Any]:
    settings = {"application_name": address.name + part, "timezone": "UTC"}
    if shared:
        kind = {"connection_class": SharedSession, "statement_cache_size": 0, "server_settings": settings}
    else:
        kind = {"connection_class": Session, "server_settings": settings | _SESSION_SETTINGS}
    return {
        "min_size": 0,  # above 0 the pool would log a traceback each second while the server is away
        "max_inactive_connection_lifetime": 0,
        "timeout": ACQUIRE_TIMEOUT,
        "command_timeout": COMMAND_TIMEOUT,
        "max_cached_statement_lifetime": 0,
        "init": _preparer(address),
        "reset": _release,
        "servicefile": address.service_file,
        **kind,
    }


async def _close(pool: "Pool") -> None:
    try:
        with storage_errors():
            await asyncio.wait_for(pool.close(), ACQUIRE_TIMEOUT)
    except StorageUnavailable:
        pool.terminate()


def _preparer(address: Address) -> Callable[[Session], Any]:
    """Return what each new connection goes through before its first use."""

    async def prepare(session: Session) -> None:
        session.keep_alive(address.keepalive)
        await session.set_type_codec(  # jsonb from and to plain values
            "jsonb",
            schema="pg_catalog",
            encoder=lambda value: b"\x01" + msgspec.json.encode(value),  # the version byte of the binary form
            decoder=lambda data: msgspec.json.decode(data[1:]),
            format="binary",
        )

    return prepare


async def _release(session: Session) -> None:
    """Skip RESET ALL on release: no session setting is changed, and it would cost a round trip."""
    session.released()
