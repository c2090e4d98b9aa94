"""Tracking links: look up a token, and record who opened it."""

import re
from datetime import datetime
from typing import Final

import msgspec
import structlog

from tracker.api.auth import credential_error
from tracker.api.client_info import ClientInfo
from tracker.database.links import insert_link_open
from tracker.domain.link import Link, LinkOpen, Transport
from tracker.errors import NotFound, StorageUnavailable
from tracker.messages import Snapshot
from tracker.node import Node, current_node
from tracker.tokens import derived_id, new_id

OPENS_KEPT: Final = 1_000  # opens of each link
VISIT: Final = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)

log = structlog.get_logger()


class OpenLink(msgspec.Struct, frozen=True):
    """A tracking link that is valid now."""

    link: Link
    order_id: str
    ends_at: datetime | None  # None while the order is open and the link has no end
    is_over: bool  # the order has ended; the link shows a last snapshot


async def find_link(node: Node, token: str) -> OpenLink:
    """Find the link of a token. Raises NotFound for unknown, revoked and expired links alike, RateLimited."""
    return await look_up(node, link_id_of(node, token))


def link_id_of(node: Node, token: str) -> str:
    """Return the id in a token. Raises NotFound for a forged token, RateLimited."""
    link_id = node.link_tokens.link_id(token)
    if link_id is None:
        raise credential_error(node, NotFound("tracking link"))
    return link_id


async def look_up(node: Node, link_id: str) -> OpenLink:
    """Find a link by its id. Raises NotFound for unknown, revoked and expired links alike."""
    if (link := await node.fleet.views.link(link_id)) is None:
        raise NotFound("tracking link")
    try:
        order = await node.fleet.views.order(link.order_id)
    except NotFound:
        raise NotFound("tracking link") from None
    if not link.is_live(order, node.now()):
        raise NotFound("tracking link")
    return OpenLink(link, order.id, link.ends_at(order), order.ended_at is not None)


async def snapshot_of(token: str) -> tuple[Snapshot, str | None]:
    """Return what a link shows now, without counting an opening, and the language of the order's customer.

    Raises NotFound, RateLimited.
    """
    node = current_node()
    link_id = link_id_of(node, token)
    order_id = (await look_up(node, link_id)).order_id
    snapshot = await node.fleet.views.snapshot(order_id)
    customer = (await node.fleet.views.order(order_id)).customer
    await look_up(node, link_id)  # it may have been revoked meanwhile
    return snapshot, None if customer is None else customer.language


async def record_opening(
    node: Node, open_link: OpenLink, transport: Transport, client: ClientInfo, visit: str
) -> None:
    """Record an opening for the merchant. If that fails, log it and let the customer in.

    Only a running page counts: not a prefetch, nor a program that makes link previews. *visit* names one load
    of a page; its connections count once, whichever transports it tries.
    """
    if not client.is_watching:
        return
    id_ = derived_id("opn", f"{open_link.link.id} {visit}") if VISIT.fullmatch(visit) else new_id("opn")
    opening = LinkOpen(id_, node.now(), transport, client.network, client.agent)
    try:
        await node.fleet.shield(_insert_opening(node, open_link.link.id, opening))
    except StorageUnavailable as error:
        log.warning("link_open_failed", link=open_link.link.id, reason=str(error))


async def _insert_opening(node: Node, link_id: str, opening: LinkOpen) -> None:
    """Insert a few at a time, so that in a rush no read waits behind all these commits."""
    async with node.admission.writes:
        await insert_link_open(node.database, link_id, opening, OPENS_KEPT)
