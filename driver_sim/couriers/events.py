"""The events of a run, as couriers emit them and reports print them."""

from collections.abc import Callable
from datetime import datetime

import msgspec

from tracker.domain.order import Vehicle


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """An event of one courier. JSON lines carry it under these field names."""

    event: str  # order_created, order_taken, picked_up, delivered, failed, message, stopped, trouble
    at: datetime
    courier: str
    vehicle: Vehicle
    driver_id: str | None = None
    order_id: str | None = None
    reference: str | None = None
    tracking_url: str | None = None
    text: str = ""


EventSink = Callable[[Event], None]
