"""A tracking link's token: what it opens now, and the log of who opened it."""

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
from tracker.node import Node, parts
from tracker.tokens import derived_id, new_id

OPENS_KEPT: Final = 1_000  # of each link
VISIT: Final = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)

log = structlog.get_logger()


class OpenLink(msgspec.Struct, frozen=True):
    """A tracking link that is good now."""

    link: Link
    order_id: str
    ends_at: datetime | None  # None: not while the order is open
    is_over: bool  # the order; the link shows a last snapshot


async def find_link(here: Node, token: str) -> OpenLink:
    """What a token opens. Raises NotFound for unknown, revoked and expired links alike."""
    return await look_up(here, link_id_of(here, token))


def link_id_of(here: Node, token: str) -> str:
    """Raises NotFound for a token that is none of ours."""
    link_id = here.link_tokens.link_id(token)
    if link_id is None:
        raise credential_error(here, NotFound("tracking link"))
    return link_id


async def look_up(here: Node, link_id: str) -> OpenLink:
    """What a link opens. Raises NotFound for unknown, revoked and expired ones alike."""
    if (link := await here.fleet.views.link(link_id)) is None:
        raise NotFound("tracking link")
    try:
        order = await here.fleet.views.order(link.order_id)
    except NotFound:
        raise NotFound("tracking link") from None
    if not link.is_live(order, here.now()):
        raise NotFound("tracking link")
    return OpenLink(link, order.id, link.ends_at(order), order.ended_at is not None)


async def snapshot_of(token: str) -> Snapshot:
    """Return what a link shows now, without counting an opening. Raises NotFound."""
    here = parts()
    opened = await find_link(here, token)
    return await here.fleet.views.snapshot(opened.order_id)


async def record_opening(
    here: Node, opened: OpenLink, transport: Transport, client: ClientInfo, visit: str
) -> None:
    """Count an opening for the merchant; a failure to store it keeps no customer out.

    Only a running page counts: not a prefetch, nor a program that makes link previews. *visit* is the page's
    name for one load of it; its connections count once, by whichever way it tries to connect.
    """
    if not client.is_watching:
        return
    id_ = derived_id("opn", f"{opened.link.id} {visit}") if VISIT.fullmatch(visit) else new_id("opn")
    opening = LinkOpen(id_, here.now(), transport, client.network, client.agent)
    try:
        await here.fleet.shield(_insert_opening(here, opened.link.id, opening))
    except StorageUnavailable as error:
        log.warning("opening_not_noted", link=opened.link.id, why=str(error))


async def _insert_opening(here: Node, link_id: str, opening: LinkOpen) -> None:
    """A few at a time: when a crowd comes, nobody's reads wait behind everybody's commits."""
    async with here.crowd.noting:
        await insert_link_open(here.database, link_id, opening, OPENS_KEPT)
