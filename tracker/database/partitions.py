"""Daily partitions of the fixes: created ahead, dropped after the retention time.

The SQL functions that create and drop them are in `sql/migrations/0002_partitions.sql`.
"""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

import asyncpg
import msgspec

from tracker.database.connection.errors import storage_errors
from tracker.database.pool import Database
from tracker.database.queries import sql

if TYPE_CHECKING:
    from tracker.database.pool import Raw

DAYS_AHEAD: Final = 7  # so that a week without this task does no harm
DAYS_BEHIND: Final = 1


class Partitions(msgspec.Struct, frozen=True):
    """The result of one run of `keep_partitions`."""

    made: int
    dropped: int
    in_default: int  # fixes without a partition for their day; alert if it stays above 0


async def keep_partitions(database: Database, retention_days: int, now: datetime) -> Partitions:
    """Create the next days' partitions and drop those older than *retention_days*. Call it every hour.

    Safe on several nodes at once and while fixes are stored. Raises StorageUnavailable, also if a lock is not
    available within a second; the next call does the rest.
    """
    today = now.astimezone(UTC).date()
    days = [today + timedelta(days=n) for n in range(-DAYS_BEHIND, DAYS_AHEAD + 1)]
    made = [await ensure_partition(database, day) for day in days]
    dropped = await _drop_before(database, today - timedelta(days=retention_days))
    return Partitions(sum(made), dropped, await fixes_in_default(database))


async def ensure_partition(database: Database, day: date) -> bool:
    """Create a UTC day's partition if it is missing, and move its fixes there. Return whether it was."""
    return bool(await database.fetchval("ensure_fix_partition", day))


async def ensure_partition_for(raw: "Raw", day: date) -> bool:
    """Create a UTC day's partition if it is missing. Return False if a lock is held; retry later."""
    with storage_errors():
        try:
            await raw.fetchval(sql("ensure_fix_partition"), day)
        except asyncpg.LockNotAvailableError:
            return False
    return True


async def fixes_in_default(database: Database) -> int:
    """Return how many fixes (up to 100,000) have no partition for their day; should be 0."""
    return int(await database.fetchval("count_fixes_in_default"))


async def _drop_before(database: Database, day: date) -> int:
    dropped = 0
    while await database.fetchval("drop_oldest_fix_partition", day) is not None:
        dropped += 1
    await database.execute("delete_fixes_in_default", datetime(day.year, day.month, day.day, tzinfo=UTC))
    return dropped
