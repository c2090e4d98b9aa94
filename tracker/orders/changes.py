"""A new order's fields, and the changes that are notified after the commit."""

from datetime import datetime

import msgspec

from tracker.domain.order import Customer, Note, Place
from tracker.domain.proof import Requirements


class OrderChange(msgspec.Struct, frozen=True):
    """A committed change: the order, drivers whose stops changed (former ones too), and any note."""

    order_id: str
    driver_ids: tuple[str, ...] = ()
    note: Note | None = None
    appended_to: str | None = None  # the driver to whose stops the order was appended


class NewOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A merchant's fields of a new order; with `driver_id` it is assigned at once."""

    pickup: Place
    dropoff: Place
    reference: str | None = None
    customer: Customer | None = None
    driver_id: str | None = None
    window_from: datetime | None = None
    window_to: datetime | None = None
    visibility: dict[str, object] = {}
    instructions: str | None = None
    contact: str | None = None
    metadata: dict[str, str] = {}
    requirements: Requirements = Requirements()
