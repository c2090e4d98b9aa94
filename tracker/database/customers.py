"""Erasure of customers' data of ended orders: names, contacts, addresses, notes, proofs and link openings.

Coordinates, times and statuses are kept.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from tracker.database.pool import Connection, Database

ERASED_AT_ONCE: Final = 200  # orders in one transaction: about 50 ms


async def erase_customers(connection: Connection, order_ids: Sequence[str], at: datetime) -> None:
    """Erase the customers' data of ended orders that the caller has locked. Idempotent."""
    ids = list(order_ids)
    await connection.execute("erase_customers", ids, at)
    await connection.execute("erase_words_of_orders", ids)
    await connection.execute("delete_opens_of_orders", ids)
    await connection.execute("delete_proofs_of_orders", ids)


async def erase_answers_about(connection: Connection, order_id: str, created_at: datetime) -> None:
    """Erase the stored idempotent responses that contain this order, created at *created_at*."""
    await connection.execute("erase_answers_about_order", order_id, created_at)


async def erase_expired_customers(database: Database, ended_before: datetime, at: datetime) -> int:
    """Erase the customers' data of at most ERASED_AT_ONCE orders that ended before then; return how many.

    Safe on several nodes at once: each takes orders that no other transaction has locked.
    """
    async with database.transaction() as connection:
        rows = await connection.fetch("lock_expired_customers", ended_before, ERASED_AT_ONCE)
        if rows:
            await erase_customers(connection, [row["id"] for row in rows], at)
    return len(rows)
