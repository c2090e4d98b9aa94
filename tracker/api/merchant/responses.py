"""Responses to merchants: orders and links in the public interface."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from tracker.api.client_info import base_url
from tracker.domain.eta.estimate import Eta
from tracker.domain.link import Link, LinkOpen, Transport
from tracker.domain.order import Order, OrderStatus, StopKind
from tracker.domain.order_rules import late_s
from tracker.domain.privacy.visibility import Rules
from tracker.domain.proof import Requirements
from tracker.messages import Time, Uri, WireEta, WirePickup, WirePlace, WireWindow, rfc3339, rfc3339_or_none
from tracker.messages.conversions import timestamps, window, wire_pickup, wire_place
from tracker.node import Node

LateSeconds = Annotated[
    int, Meta(description="Seconds from `window.to` to the arrival, forecast or real; null if unknown.")
]


class CustomerAnswer(Struct, frozen=True):
    name: str | None
    """Name of the customer. Null if not given."""
    phone: str | None
    """Phone number. Null if not given."""
    email: str | None
    """E-mail address. Null if not given."""
    language: str | None
    """Language that the customer reads (BCP 47). Null if not given."""


class OrderAnswer(Struct, frozen=True, kw_only=True):
    """An order."""

    id: str
    """Id of the order."""
    reference: str | None
    """The merchant's own number of the order. Null if not given."""
    status: OrderStatus
    """Status of the order."""
    created_at: Time
    """When the order was created."""
    driver_id: str | None
    """Id of the driver. Null while nobody is assigned."""
    pickup: WirePickup
    """Where the order is picked up."""
    dropoff: WirePlace
    """Where the order goes."""
    customer: CustomerAnswer | None
    """Who receives the order. Null if not given or erased."""
    window: WireWindow | None
    """When the customer expects it. Null if not given."""
    eta: WireEta | None
    """Forecast arrival. Null if nothing is known or the order is over."""
    tracking_url: Uri | None
    """Page for the customer. Null once every link has ended."""
    timestamps: dict[str, Time]
    """When the order came to each status, by status."""
    visibility: Rules
    """What the customer sees, and when."""
    version: int
    """Grows by 1 with each change; also its `ETag`."""
    instructions: str | None
    """What the driver has to know. Null if not given or erased."""
    contact: str | None
    """What the driver gets instead of the customer's phone. Null if not given or erased."""
    metadata: dict[str, str]
    """The merchant's own pairs."""
    requirements: Requirements
    """What the driver has to prove. Empty: nothing."""
    attempt: int
    """1, and 1 more with each further attempt."""
    late_s: LateSeconds | None


def order_answer(
    order: Order, *, eta: Eta | None, tracking_url: str | None, arrived_at: datetime | None = None
) -> OrderAnswer:
    customer = order.customer
    forecast = None if eta is None or order.ended_at is not None else eta.arrives_at
    return OrderAnswer(
        id=order.id,
        reference=order.reference,
        status=order.status,
        created_at=rfc3339(order.created_at),
        driver_id=order.driver_id,
        pickup=wire_pickup(order.pickup),
        dropoff=wire_place(order.dropoff),
        customer=None if customer is None else CustomerAnswer(*msgspec.structs.astuple(customer)),
        window=window(order),
        eta=None if eta is None else WireEta.of(eta),
        tracking_url=tracking_url,
        timestamps=timestamps(order),
        visibility=msgspec.convert(order.visibility, Rules),
        version=order.version,
        instructions=order.instructions,
        contact=order.contact,
        metadata=order.metadata,
        requirements=order.requirements,
        attempt=order.attempt,
        late_s=late_s(order.window_to, arrived_at or order.delivered_at or forecast),
    )


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
