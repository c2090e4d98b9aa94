"""Orders as merchants see them, in responses and events."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from tracker.domain.eta.estimate import Eta
from tracker.domain.order import Order, OrderStatus
from tracker.domain.order_rules import late_s
from tracker.domain.privacy.visibility import Rules
from tracker.domain.proof import Requirements
from tracker.messages import Time, Uri, WireEta, WirePickup, WirePlace, WireWindow, rfc3339
from tracker.messages.conversions import timestamps, window, wire_pickup, wire_place

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


class RatingAnswer(Struct, frozen=True):
    stars: int
    """1 to 5."""
    text: str | None
    """What the customer wrote. Null if nothing or erased."""
    at: Time
    """When the customer sent it."""


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
    customer_instructions: str | None
    """What the customer added on the page for the driver. Null if nothing or erased."""
    rating: RatingAnswer | None
    """What the customer thinks of the delivery. Null before that."""
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
    customer, rating = order.customer, order.rating
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
        customer_instructions=order.customer_instructions,
        rating=None if rating is None else RatingAnswer(rating.stars, rating.text, rfc3339(rating.at)),
        contact=order.contact,
        metadata=order.metadata,
        requirements=order.requirements,
        attempt=order.attempt,
        late_s=late_s(order.window_to, arrived_at or order.delivered_at or forecast),
    )
