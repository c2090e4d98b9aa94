"""Responses to merchants: orders and links in the public interface."""

from typing import Any

from msgspec import Struct

from tracker.api.client_info import base_url
from tracker.domain.link import Link, LinkOpen, Transport
from tracker.domain.order import Order, StopKind
from tracker.messages import Time, Uri, rfc3339, rfc3339_or_none
from tracker.node import Node


class StopAnswer(Struct, frozen=True):
    order_id: str
    """Id of the order."""
    kind: StopKind
    """What happens there."""
    lat: float
    """Degrees north, WGS 84."""
    lon: float
    """Degrees east, WGS 84."""
    service_s: float | None
    """Seconds that the driver needs there. Null if not given."""


class StopsAnswer(Struct, frozen=True):
    stops: list[StopAnswer]
    """Remaining stops, in the sequence of serving."""


class LinkAnswer(Struct, frozen=True):
    id: str
    """Id of the link."""
    url: Uri
    """Page for the customer. Anyone who knows the URL can watch the order."""
    created_at: Time
    """When the link was created."""
    expires_at: Time | None
    """When the link ends. Null: two hours after the order."""
    revoked_at: Time | None
    """When the link was revoked. Null if it was not."""
    opened: int
    """How often a page opened it."""
    last_opened_at: Time | None
    """When a page last opened it. Null if none did."""


def link_answer(link: Link, url: str) -> LinkAnswer:
    return LinkAnswer(
        link.id,
        url,
        rfc3339(link.created_at),
        rfc3339_or_none(link.expires_at),
        rfc3339_or_none(link.revoked_at),
        link.opened,
        rfc3339_or_none(link.last_opened_at),
    )


class OpenAnswer(Struct, frozen=True):
    """One opening of a tracking link.

    Only earlier versions recorded `page` and `snapshot` as `way`.
    """

    at: Time
    """When the page opened it."""
    way: Transport
    """Transport of the page: WebSocket, server-sent events or polling."""
    address: str | None
    """Network that the page came from, not the full address. Null if unknown."""
    agent: str | None
    """Browser and system, in short. Null if unknown."""


def open_answer(opening: LinkOpen) -> OpenAnswer:
    return OpenAnswer(rfc3339(opening.at), opening.way, opening.network, opening.agent)


class Page[T](Struct, frozen=True):
    """A page of a list."""

    items: list[T]
    """Rows of this page."""
    next: str | None
    """Cursor of the next page. Null on the last one."""


def link_url(node: Node, link_id: str) -> str:
    """Return the URL that the customer opens."""
    return f"{base_url()}/t/{node.link_tokens.token(link_id)}"


def tracking_urls(node: Node, orders: dict[str, Order], links: list[Link]) -> dict[str, Any]:
    """Return by order id the URL of its first valid link."""
    urls: dict[str, Any] = {}
    for link in links:
        if link.order_id not in urls and link.is_live(orders[link.order_id], node.now()):
            urls[link.order_id] = link_url(node, link.id)
    return urls
