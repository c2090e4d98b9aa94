"""Standby: a second real server that streams from a first one, and can be promoted in its place."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import parse_qs, quote, urlsplit

import asyncpg

from tests.faults.cluster import Cluster
from tests.waiting import until
from tracker.postgres.data_files import PORT, socket_folder

NAME: Final = "standby"  # as the primary knows it


class Standby(Cluster):
    """A copy of a primary's files, made while that runs, which then follows it."""

    def __init__(self, folder: Path, primary: Cluster) -> None:
        super().__init__(folder)
        self._primary = primary

    @classmethod
    @asynccontextmanager
    async def of(cls, primary: Cluster, folder: Path, **settings: str) -> AsyncIterator[Self]:
        """A standby of this primary with these settings, up and streaming."""
        standby = cls(folder, primary)
        standby.settings = settings
        try:
            await asyncio.to_thread(standby._set_up)
            await standby.start()
            yield standby
        finally:
            await standby._tear_down()

    async def promote(self) -> None:
        """Make it a primary, on a timeline of its own; returns when it accepts writes."""
        assert await self.ask("SELECT pg_promote(true, 60)")

    async def ask(self, statement: str) -> Any:
        """The value of a statement at this server."""
        return await ask(self.url, statement)

    def _set_up(self) -> None:
        (self._folder / "disk").mkdir(parents=True)
        self._account.take(self._folder / "disk")
        self._sockets = socket_folder(self._folder / "data", self._account)
        source = parse_qs(urlsplit(self._primary.url).query)["host"][0]
        program = str(self._programs.folder / "pg_basebackup")
        copy = [program, "--pgdata", str(self._data), "--checkpoint=fast"]
        where = f"host={source} port={PORT} user=tracker application_name={NAME}"
        follow = ["--write-recovery-conf", "--wal-method=stream", "--no-sync", "--dbname", where]
        with (self._folder / "copy.log").open("ab") as log:
            code = self._account.popen([*copy, *follow], log).wait()
        assert code == 0, (self._folder / "copy.log").read_text()


async def ask(url: str, statement: str) -> Any:
    """The value of a statement."""
    connection = await asyncpg.connect(url, timeout=5)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def make_synchronous(primary: Cluster) -> None:
    """From now on a commit at the primary waits for the standby."""
    await execute(primary.url, f"ALTER SYSTEM SET synchronous_standby_names = '{NAME}'")
    await execute(primary.url, "SELECT pg_reload_conf()")

    async def is_synchronous() -> bool:
        return bool(await ask(primary.url, "SELECT sync_state FROM pg_stat_replication") == "sync")

    await until(is_synchronous)


def at(server: Cluster, url: str) -> str:
    """The database of this URL at another server."""
    return urlsplit(server.url)._replace(path=urlsplit(url).path).geturl()


def of_both(first: Cluster, second: Cluster, url: str) -> str:
    """The URL of a database of two servers, whichever of them is the primary."""
    hosts = [parse_qs(urlsplit(each.url).query)["host"][0] for each in (first, second)]
    query = f"host={quote(','.join(hosts))}&port={PORT}"
    return urlsplit(url)._replace(query=query).geturl()
