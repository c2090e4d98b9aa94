"""Events: facts about orders and drivers, for merchants' programs."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from tracker.domain.eta.estimate import Eta
from tracker.domain.order import Order

EventType = Literal[
    "order.created",
    "order.assigned",
    "order.picked_up",
    "order.approaching",
    "order.arrived",
    "order.delivered",
    "order.failed",
    "order.cancelled",
    "order.attempt",
    "order.delayed",
    "order.eta_changed",
    "order.stuck",
    "driver.silent",
    "driver.device",
    "webhook.test",  # sent to one webhook, and in no list
]


class OrderThen(msgspec.Struct, frozen=True):
    """An order with its status, times, driver and window at an event, and all else as it is now."""

    order: Order
    arrived_at: datetime | None  # at the dropoff, as positions had shown by then
    eta: Eta | None  # the forecast, if it was the reason of the event
    closed_at: datetime | None  # when the order ended, also after the event
    is_current: bool  # nothing has changed since


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An event at its place in the list of all events."""

    position: int
    id: str
    type: EventType
    at: datetime  # when it happened
    recorded_at: datetime  # when it was written
    order: OrderThen | None  # None: the event is about a driver
    driver_id: str | None
    detail: dict[str, Any] = {}
