"""AuditLog: stores what no transaction has stored, off the hot path; a repeated lookup counts as one."""

from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

from tracker.database import Database
from tracker.database.dispatch.audit import AuditEntry, insert_audit_entries
from tracker.write_behind import WriteBehind

QUEUE_SIZE: Final = 20_000
BATCH: Final = 500
EVERY_S: Final = 1.0
SAME_WITHIN: Final = timedelta(hours=1)  # a program that reads an order again and again makes one entry
REMEMBERED: Final = 20_000  # lookups


class AuditLog:
    """The audit entries of one node that are still to be stored."""

    def __init__(self, database: Database) -> None:
        self._recent: OrderedDict[tuple[object, ...], datetime] = OrderedDict()
        self._queue: WriteBehind[AuditEntry] = WriteBehind(
            lambda entries: insert_audit_entries(database, entries),
            size=QUEUE_SIZE,
            batch=BATCH,
            every_s=EVERY_S,
            delayed="audit_delayed",
            failed="audit_failed",
        )

    @classmethod
    @asynccontextmanager
    async def open(cls, database: Database) -> AsyncIterator["AuditLog"]:
        """Store entries during the block, and what is left at its end."""
        audit = cls(database)
        async with audit._queue:
            yield audit

    def add(self, entry: AuditEntry) -> None:
        """Store the entry soon, unless it is stored or repeats a lookup of the last hour."""
        if entry.is_stored or (entry.kind == "lookup" and self._is_repeated(entry)):
            return
        self._queue.add(entry)

    def _is_repeated(self, entry: AuditEntry) -> bool:
        key = (entry.api_key, entry.action, *entry.subjects)
        last = self._recent.get(key)
        if last is not None and entry.at - last < SAME_WITHIN:
            return True
        self._recent[key] = entry.at
        self._recent.move_to_end(key)
        if len(self._recent) > REMEMBERED:
            self._recent.popitem(last=False)
        return False
