"""What is asked for an order, and what is told of it after the commit."""

from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from tracker.domain.order import Customer, Place

Sender = Literal["customer", "driver"]


class Note(NamedTuple):
    """Words between a customer and a driver."""

    sender: Sender
    text: str
    at: datetime


class OrderChange(msgspec.Struct, frozen=True):
    """What was committed: the order, everyone whose stops changed (a former driver too), and words if any."""

    order_id: str
    driver_ids: tuple[str, ...] = ()
    note: Note | None = None
    appended_to: str | None = None  # the driver at the end of whose stops the order was put


class NewOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What a merchant gives; with `driver_id` it is assigned at once."""

    pickup: Place
    dropoff: Place
    reference: str | None = None
    customer: Customer | None = None
    driver_id: str | None = None
    window_from: datetime | None = None
    window_to: datetime | None = None
    visibility: dict[str, object] = {}
