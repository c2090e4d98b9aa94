"""Tracking links."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from tracker.database.pool import Queries, Row
from tracker.domain.link import Link, LinkOpen


async def insert_links(queries: Queries, links: Iterable[Link]) -> None:
    rows = [(link.id, link.order_id, link.created_at, link.expires_at) for link in links]
    await queries.executemany("insert_link", rows)


async def select_link(queries: Queries, link_id: str) -> Link | None:
    row = await queries.fetchrow("select_link", link_id)
    return None if row is None else _link(row)


async def select_links(queries: Queries, order_id: str) -> list[Link]:
    """Return the links of an order, revoked ones too, oldest first."""
    return [_link(row) for row in await queries.fetch("select_links", order_id)]


async def select_links_of_orders(queries: Queries, order_ids: Sequence[str]) -> list[Link]:
    """Return the links of these orders that are not revoked, oldest first."""
    return [_link(row) for row in await queries.fetch("select_links_of_orders", list(order_ids))]


async def revoke_link(queries: Queries, link_id: str, order_id: str, at: datetime) -> bool:
    """Revoke a link. Return False if it was revoked before or the order has no such link."""
    return await queries.execute("revoke_link", link_id, order_id, at) == "UPDATE 1"


async def insert_link_open(queries: Queries, link_id: str, opening: LinkOpen, keep: int) -> None:
    """Count and store an opening, unless its id is stored already; keep only the newest *keep*."""
    opened = await queries.fetchval(
        "insert_link_open", opening.id, link_id, opening.at, opening.way, opening.network, opening.agent
    )
    if opened is not None and opened > keep:
        await queries.execute("delete_old_link_opens", link_id, keep)


async def select_link_opens(
    queries: Queries, link_id: str, below: tuple[datetime, str] | None, limit: int
) -> list[LinkOpen]:
    """Return openings, newest first, beginning below the key (at, id)."""
    at, id_ = below or (None, None)
    return [LinkOpen(*row) for row in await queries.fetch("select_link_opens", link_id, at, id_, limit)]


class OpeningForDriver(msgspec.Struct, frozen=True):
    """An opening of a tracking link while the driver had its order; nothing about who opened it."""

    id: str
    at: datetime
    order_id: str
    reference: str | None


async def select_openings_for_driver(
    queries: Queries, number: int, below: tuple[datetime, str] | None, limit: int
) -> list[OpeningForDriver]:
    """Return openings, newest first, beginning below the key (at, id). *number* is drivers.number."""
    at, id_ = below or (None, None)
    rows = await queries.fetch("select_openings_for_driver", number, at, id_, limit)
    return [OpeningForDriver(row["id"], row["at"], row["order_id"], row["reference"]) for row in rows]


def _link(row: Row) -> Link:
    return Link(
        id=row["id"],
        order_id=row["order_id"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        opened=row["opened"],
        last_opened_at=row["last_opened_at"],
    )
