"""The audit: who changed or looked up what, by API key. It holds ids and no personal data."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from tracker.database.pool import Connection, Database, Queries

AuditKind = Literal["change", "lookup"]


class AuditEntry:
    """One act of an API key. A change is stored in the transaction that makes it: see `pool.commit_hook`."""

    __slots__ = ("action", "api_key", "at", "is_stored", "kind", "subjects")

    def __init__(
        self, at: datetime, api_key: str, kind: AuditKind, action: str, subjects: Sequence[str]
    ) -> None:
        self.at, self.api_key, self.kind, self.action = at, api_key, kind, action
        self.subjects = list(subjects)
        self.is_stored = False

    @property
    def columns(self) -> tuple[object, ...]:
        """In the sequence of `insert_audit_entry`."""
        return self.at, self.api_key, self.kind, self.action, self.subjects

    async def before_commit(self, connection: Connection) -> None:
        """Store the entry, unless an earlier transaction of the same request has."""
        if not self.is_stored:
            await connection.execute("insert_audit_entry", *self.columns)

    def after_commit(self) -> None:
        self.is_stored = True


class StoredEntry(NamedTuple):
    """One stored act; `number` grows with each."""

    number: int
    at: datetime
    api_key: str
    name: str  # of the key
    kind: AuditKind
    action: str
    subjects: list[str]


class AuditFilter(NamedTuple):
    """Which entries to return; None: any."""

    kind: AuditKind | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def insert_audit_entries(database: Database, entries: Sequence[AuditEntry]) -> None:
    """Store entries that no transaction has stored."""
    await database.executemany("insert_audit_entry", [entry.columns for entry in entries])


async def select_audit(
    queries: Queries, limit: int, before: int | None, filter_: AuditFilter
) -> list[StoredEntry]:
    """Return entries, newest first, below the number *before*."""
    rows = await queries.fetch("select_audit", before, limit, *filter_)
    return [StoredEntry(*row) for row in rows]


async def delete_old_audit(queries: Queries, before: datetime) -> None:
    await queries.execute("delete_old_audit", before)
