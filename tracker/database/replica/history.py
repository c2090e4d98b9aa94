"""History: what reads the past. It reads a replica if that holds all that was committed, else the primary."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

from tracker.database.pool import Database, PoolUsage, Reads, Row
from tracker.database.replica.replica import Replica
from tracker.errors import StorageUnavailable
from tracker.metrics.replica import ReplicaMetrics


class History:
    """Chooses for each request. An answer holds all that was committed before the request, from either."""

    def __init__(self, database: Database, replica: Replica | None = None) -> None:
        self._database, self._replica = database, replica

    @classmethod
    @asynccontextmanager
    async def open(
        cls, url: str | None, database: Database, node: str, metrics: ReplicaMetrics
    ) -> AsyncIterator[Self]:
        """Read the replica of this URL during the block; None: read the primary."""
        if url is None:
            yield cls(database)
            return
        async with Replica.open(url, database, node, metrics) as replica:
            yield cls(database, replica)

    @property
    def is_degraded(self) -> bool:
        """Whether there is a replica that may not be used."""
        return self._replica is not None and self._replica.trouble is not None

    def usage(self) -> dict[str, PoolUsage]:
        """Return the usage of the connections to the replica, by the name of the pool."""
        return {} if self._replica is None else {"replica": self._replica.usage}

    async def reads(self) -> Reads:
        """Return what to read the past from, for one request. Raises StorageUnavailable."""
        if self._replica is None:
            return self._database
        reason = await self._unfit(self._replica)
        if reason is not None:
            self._replica.metrics.fallbacks.labels(reason).inc()
            return self._database
        self._replica.metrics.reads.inc()
        return _ReplicaReads(self._replica, self._database)

    @staticmethod
    async def _unfit(replica: Replica) -> str | None:
        """Return why the primary answers this request; None if the replica does."""
        if replica.trouble is not None:
            return "unusable"
        try:
            return None if await replica.has_all() else "behind"
        except StorageUnavailable as error:
            return "conflict" if replica.failed(error) else "failed"


class _ReplicaReads:
    """Reads the replica until it fails, then the primary. A statement that failed runs there once more."""

    def __init__(self, replica: Replica, primary: Database) -> None:
        self._replica, self._primary = replica, primary
        self._source: Reads = replica

    async def fetch(self, name: str, *args: object) -> list[Row]:
        try:
            return await self._source.fetch(name, *args)
        except StorageUnavailable as error:
            return await self._instead(error).fetch(name, *args)

    async def fetchrow(self, name: str, *args: object) -> Row | None:
        try:
            return await self._source.fetchrow(name, *args)
        except StorageUnavailable as error:
            return await self._instead(error).fetchrow(name, *args)

    async def fetchval(self, name: str, *args: object) -> Any:
        try:
            return await self._source.fetchval(name, *args)
        except StorageUnavailable as error:
            return await self._instead(error).fetchval(name, *args)

    def _instead(self, error: StorageUnavailable) -> Reads:
        """Return the primary, for the rest of the request. Raises the error if it came from there."""
        if self._source is self._primary:
            raise error
        reason = "conflict" if self._replica.failed(error) else "failed"
        self._replica.metrics.fallbacks.labels(reason).inc()
        self._source = self._primary
        return self._source
