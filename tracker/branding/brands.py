"""Brands: the merchant's brand, at hand on every node.

A change is told to all nodes over the bus. In case a message is lost, the brand in memory is compared with
PostgreSQL every few seconds. Without PostgreSQL, pages keep the last brand that was read.
"""

from collections.abc import Callable
from datetime import datetime
from time import monotonic
from typing import Final

from tracker.database import Database
from tracker.database.brand import select_brand, select_brand_version, upsert_brand
from tracker.domain.branding.brand import NO_BRAND, Brand
from tracker.errors import StorageUnavailable
from tracker.live.nodes.exchange import Exchange

COMPARED_EVERY_S: Final = 3.0


class Brands:
    """Reads, keeps and replaces the brand."""

    def __init__(self, database: Database, exchange: Exchange, now: Callable[[], datetime]) -> None:
        self._database, self._exchange, self._now = database, exchange, now
        self._kept: Brand | None = None
        self._compared_at = -COMPARED_EVERY_S  # on the monotonic clock
        self._changes = 0  # what was being read before a change is not kept
        exchange.on_brand_change(self._forget)

    async def current(self) -> Brand:
        """Return the brand for a page; without a database, the last one known."""
        if self._kept is not None and self._is_fresh:
            return self._kept
        try:
            return await self._read()
        except StorageUnavailable:
            return self._kept or NO_BRAND

    async def of_version(self, version: str) -> Brand | None:
        """Return the brand if it has this version; None if it was replaced. Raises StorageUnavailable."""
        brand = await self.current()
        if brand.version != version:  # perhaps it is newer than what this node has heard of
            brand = await self._read()
        return brand if brand.version == version else None

    @property
    def _is_fresh(self) -> bool:
        return monotonic() - self._compared_at < COMPARED_EVERY_S

    async def stored(self) -> Brand:
        """Return the brand as it is in the database. Raises StorageUnavailable."""
        return await select_brand(self._database)

    async def replace(self, brand: Brand) -> None:
        """Store the brand and tell every node. Raises StorageUnavailable."""
        async with self._database.transaction() as connection:  # with the audit's entry
            await upsert_brand(connection, brand, self._now())
        self._forget()
        self._exchange.publish_brand_change()

    async def _read(self) -> Brand:
        changes, read_at, kept = self._changes, monotonic(), self._kept
        if kept is None or kept.version != await select_brand_version(self._database):
            kept = await select_brand(self._database)
        if changes == self._changes:
            self._kept, self._compared_at = kept, read_at
        return kept

    def _forget(self) -> None:
        self._changes += 1
        self._compared_at = -COMPARED_EVERY_S
