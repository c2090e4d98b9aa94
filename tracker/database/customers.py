"""Customers' data of ended orders, and its end: names, contacts, addresses, words, and who opened links.

Coordinates, times and statuses stay.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from tracker.database.pool import Connection, Database

ERASED_AT_ONCE: Final = 200  # orders of one transaction: some 50 ms


async def erase_customers(connection: Connection, order_ids: Sequence[str], at: datetime) -> None:
    """Erase the customers' data of ended orders that the caller has locked. Idempotent."""
    ids = list(order_ids)
    await connection.execute("erase_customers", ids, at)
    await connection.execute("erase_words_of_orders", ids)
    await connection.execute("delete_opens_of_orders", ids)


async def erase_answers_about(connection: Connection, order_id: str, created_at: datetime) -> None:
    """Delete the answers kept for idempotency keys that hold this order, made at *created_at*."""
    await connection.execute("delete_answers_about_order", order_id, created_at)


async def erase_expired_customers(database: Database, ended_before: datetime, at: datetime) -> int:
    """Erase the customers' data of at most ERASED_AT_ONCE orders that ended before that; return how many.

    Several nodes may do so at once: each takes orders that no other transaction holds.
    """
    async with database.transaction() as connection:
        rows = await connection.fetch("lock_expired_customers", ended_before, ERASED_AT_ONCE)
        if rows:
            await erase_customers(connection, [row["id"] for row in rows], at)
    return len(rows)
