"""Hosts: connecting to that one of a URL's hosts which is the primary, also after a failover.

asyncpg tries several hosts in turn under one time limit, so one that is cut off keeps it from the next. It
ends at a host that starts up. And it takes a former primary that came back for the present one. Here each
host has a limit of its own, and the next attempt begins where the last one ended. A lower timeline than the
highest seen is refused: PostgreSQL increments it at each promotion.
"""

import asyncio
from typing import TYPE_CHECKING, Any, Final, Self, cast
from urllib.parse import parse_qsl, quote, urlsplit

import asyncpg
import structlog

from tracker.database.connection.errors import url_errors
from tracker.database.queries import sql
from tracker.database_url import Address, read

if TYPE_CHECKING:
    from tracker.database.connection.session import Session

HOST_TIMEOUT_S: Final = 0.9  # of several hosts; a pool waits two seconds for a connection
TARGET: Final = "target_session_attrs"
# The next host may be better than one that fails like this; libpq goes on too.
_NEXT: Final = (
    OSError,  # TimeoutError is one
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InternalClientError,  # the host is a replica, or closed the connection
)

log = structlog.get_logger()


class FormerPrimary(ConnectionError):
    """The server was the primary before another one was promoted; what it stores is lost."""


class Hosts:
    """The hosts of one URL, where the last connection was made, and the newest timeline seen."""

    def __init__(self, address: Address, setting: str, *, once: bool) -> None:
        self.address, self.setting = address, setting
        primary = setting == "DATABASE_URL"  # that of another setting may lead to any server
        self._passes = _passes(address.url, primary=primary)
        self._first = 0  # the host to try first
        self._several = len(self._passes[0]) > 1
        self._guards = primary and (self._several or not once)
        self._timeline = 0
        self._refused: set[str] = set()  # former primaries that were logged

    @classmethod
    def of(cls, url: str, setting: str = "DATABASE_URL", *, once: bool = False) -> Self:
        """Read the setting's URL; *once*: for one connection. Raises ConfigError."""
        with url_errors(setting):
            return cls(read(url), setting, once=once)

    async def connect(self, _dsn: str | None = None, **options: Any) -> "Session":
        """Connect as `asyncpg.connect` does. Raises the error of the host that was tried last."""
        if self._several:
            options["timeout"] = HOST_TIMEOUT_S
            if self._guards and not self._timeline:
                await self._survey(options)
        error: Exception | None = None
        for urls in self._passes:
            for number in (*range(self._first, len(urls)), *range(self._first)):
                self._first = (number + 1) % len(urls)  # if the caller gives up meanwhile
                try:
                    session = await self._connect(urls[number], options)
                except _NEXT as one:
                    error = one
                    continue
                self._first = number
                return session
        assert error is not None
        raise error

    async def _connect(self, url: str, options: dict[str, Any]) -> "Session":
        session = cast("Session", await asyncpg.connect(url, **options))
        try:
            if self._guards:
                await self._check(session, url)
        except BaseException:
            session.terminate()
            raise
        return session

    async def _check(self, session: "Session", url: str) -> None:
        """Refuse a server whose timeline is over. A replica has none; its first write fails."""
        within = HOST_TIMEOUT_S if self._several else None
        timeline = await session.fetchval(sql("select_timeline_number"), timeout=within)
        if timeline is not None and timeline < self._timeline:
            if url not in self._refused:
                self._refused.add(url)
                log.error("former_primary_refused", timeline=timeline, newest=self._timeline)
            raise FormerPrimary(f"a former primary answers, on timeline {timeline} of {self._timeline}")
        self._timeline = max(self._timeline, timeline or 0)

    async def _survey(self, options: dict[str, Any]) -> None:
        """Learn the newest timeline of all hosts, before the first connection is chosen."""

        async def ask(url: str) -> int:
            session = await asyncpg.connect(url, **options)
            try:
                return await session.fetchval(sql("select_timeline_number"), timeout=HOST_TIMEOUT_S) or 0
            finally:
                session.terminate()

        found = await asyncio.gather(*map(ask, self._passes[0]), return_exceptions=True)
        self._timeline = max((one for one in found if isinstance(one, int)), default=0)


def _passes(url: str, *, primary: bool) -> list[list[str]]:
    """Return a URL for each host, for each round of attempts.

    Of several hosts without `target_session_attrs` the one that can be written to is the right one.
    """
    parameters = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    hosts = parameters.pop("host", "").split(",")
    if len(hosts) == 1:
        return [[url]]
    ports = parameters.pop("port", "").split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    target = parameters.pop(TARGET, "read-write" if primary else "any")
    targets = ["standby", "any"] if target == "prefer-standby" else [target]
    return [
        [
            _url(parameters | {"host": host, **({"port": port} if port else {}), TARGET: each})
            for host, port in zip(hosts, ports, strict=True)
        ]
        for each in targets
    ]


def _url(parameters: dict[str, str]) -> str:
    return "postgresql://?" + "&".join(
        f"{name}={quote(value, safe='')}" for name, value in parameters.items()
    )
