"""Tracking links, whose tokens give access to the live view of one order."""

from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from tracker.domain.order import Order

VALID_AFTER_ORDER: Final = timedelta(hours=2)  # the last snapshot stays available for so long


Transport = Literal["page", "snapshot", "ws", "sse", "poll"]


class LinkOpen(msgspec.Struct, frozen=True):
    """One opening of a link, without anything that its merchant must not know."""

    id: str
    at: datetime
    way: Transport
    network: str | None  # never a full IP address
    agent: str | None  # `Firefox on Android`


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A tracking link; its token is derived from `id` and stored nowhere."""

    id: str
    order_id: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    opened: int = 0
    last_opened_at: datetime | None = None

    def ends_at(self, order: Order) -> datetime | None:
        """Return when the link ends, as known now; None while the order is open and no end is set."""
        ends = [self.revoked_at, self.expires_at, order.closed_at and order.closed_at + VALID_AFTER_ORDER]
        return min((end for end in ends if end is not None), default=None)

    def is_live(self, order: Order, now: datetime) -> bool:
        """Return whether the link is valid at *now*."""
        end = self.ends_at(order)
        return end is None or now < end
