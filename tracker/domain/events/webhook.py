"""Webhooks, their deliveries, and when a delivery is sent again."""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final, Literal

import msgspec

from tracker.domain.events.event import EventType

DisabledReason = Literal["gone", "failing", "by_merchant"]
DeliveryStatus = Literal["waiting", "pending", "delivered", "dead"]
DeliveryError = Literal[
    "name_unresolved",
    "address_not_allowed",
    "connection_failed",
    "tls_failed",
    "timed_out",
    "connection_lost",
    "http_status",
    "webhook_disabled",
    "internal",
]

FAILING_FOR: Final = timedelta(days=3)  # without a success; then a webhook is disabled

# Seconds from an attempt to the next: a random time between the two. All together 17 to 42 hours.
PAUSES_S: Final = (
    (1.0, 5.0),
    (5.0, 30.0),
    (30.0, 120.0),
    (120.0, 600.0),
    (600.0, 1_800.0),
    (1_800.0, 7_200.0),
    (7_200.0, 18_000.0),
    (18_000.0, 36_000.0),
    (36_000.0, 86_400.0),
)
LONGEST_WISH_S: Final = 3_600.0  # of a receiver's Retry-After


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """An address that gets events. Its secrets are derived from its id and `secret_number`."""

    id: str
    url: str
    types: tuple[EventType, ...]  # empty: all
    base_url: str  # start of tracking links, without a slash at its end
    created_at: datetime
    secret_number: int = 1
    old_secret_until: datetime | None = None  # the secret before signs, too, until then
    failing_since: datetime | None = None  # the first failure after the last success
    disabled_at: datetime | None = None
    disabled_reason: DisabledReason | None = None


class Result(msgspec.Struct, frozen=True):
    """What came of one attempt."""

    status: int | None = None  # of the answer; None: there was none
    error: DeliveryError | None = None  # None: the receiver has the event
    retry_after_s: float = 0.0  # what the receiver asks for

    @property
    def is_gone(self) -> bool:
        """Whether the receiver wants no further events."""
        return self.status == HTTPStatus.GONE


def pause_s(attempts: int, share: float, wish_s: float = 0.0) -> float | None:
    """Return the seconds until the next attempt after so many failed ones; None: there is none.

    *share* is a random number from 0 to 1. Pauses grow with each attempt, and differ from delivery to
    delivery, so that a receiver that comes back does not get all of them at once.
    """
    if attempts > len(PAUSES_S):
        return None
    least, most = PAUSES_S[attempts - 1]
    return max(least + share * (most - least), min(wish_s, LONGEST_WISH_S))
