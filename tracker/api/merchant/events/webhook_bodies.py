"""Request bodies and responses of webhooks and their deliveries."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tracker.api.json_bodies import Id, RequestBody
from tracker.api.pagination import PageQuery
from tracker.database.events.deliveries import Delivery
from tracker.domain.events.event import EventType
from tracker.domain.events.webhook import DeliveryError, DeliveryStatus, DisabledReason, Webhook
from tracker.messages import Time, Uri, rfc3339, rfc3339_or_none

DAY_S: Final = 86_400

Types = Annotated[
    list[EventType],
    Meta(max_length=50, description="Types of events to send. Empty: all, also those of later versions."),
]
Url = Annotated[str, Meta(description="Where to send events: https, on port 80, 443, or 1024 and above.")]


class NewWebhookBody(RequestBody, frozen=True, kw_only=True):
    url: Url
    events: Types = msgspec.field(default_factory=list)


class WebhookChangeBody(RequestBody, frozen=True, kw_only=True):
    url: Url | UnsetType = UNSET
    events: Types | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    """Whether to send events. True enables a webhook that was disabled; it gets later events only."""


class SecretBody(RequestBody, frozen=True, kw_only=True):
    overlap_s: Annotated[int, Meta(ge=0, le=7 * DAY_S)] = DAY_S
    """Seconds for which the old secret signs, too. Default: a day."""


class RedeliverBody(RequestBody, frozen=True, kw_only=True):
    event_id: Id | None = None
    """Event to send again, also if it was delivered. Default: all deliveries that are dead."""


class DeliveryQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    status: DeliveryStatus | None = None
    """Only deliveries with this status."""


class WebhookAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook."""

    id: str
    """Id of the webhook."""
    url: Uri
    """Where events are sent."""
    events: list[EventType]
    """Types of events that it gets. Empty: all."""
    created_at: Time
    """When it was created."""
    failing_since: Time | None
    """When the first attempt after the last success failed. Null while it works."""
    disabled_at: Time | None
    """When it was disabled. Null while it is enabled."""
    disabled_reason: DisabledReason | None
    """Why: `gone` (it answered 410), `failing` (no success for three days), `by_merchant`. Null while it is
    enabled."""
    old_secret_until: Time | None
    """Until when the secret before the present one signs, too. Null if there was none."""


class NewWebhookAnswer(WebhookAnswer, frozen=True, kw_only=True):
    """A new webhook with its secret."""

    secret: str
    """Secret that signs, in the form of Standard Webhooks. It is shown this once."""


class SecretAnswer(msgspec.Struct, frozen=True):
    secret: str
    """New secret. It is shown this once."""
    old_secret_until: Time
    """Until when the old secret signs, too."""


class TestAnswer(msgspec.Struct, frozen=True):
    event_id: str
    """Id of the event `webhook.test`, which is sent at once."""


class RedeliverAnswer(msgspec.Struct, frozen=True):
    deliveries: int
    """Number of deliveries that are sent again."""


class DeliveryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One event on its way to one webhook."""

    event_id: str
    """Id of the event."""
    type: EventType
    """Type of the event."""
    timestamp: Time
    """When the event happened."""
    status: DeliveryStatus
    """`pending`: due at `next_attempt_at`; `waiting`: for an earlier event of the same order or driver;
    `delivered`; `dead`: given up."""
    attempts: int
    """Attempts so far."""
    last_attempt_at: Time | None
    """When the last attempt ended. Null before the first."""
    last_status: int | None
    """HTTP status of the last answer. Null without one."""
    last_error: DeliveryError | None
    """What was wrong with the last attempt. Null: nothing."""
    next_attempt_at: Time | None
    """When the next attempt is due. Null unless it is pending."""


def webhook_answer(webhook: Webhook) -> WebhookAnswer:
    return WebhookAnswer(**_fields(webhook))


def new_webhook_answer(webhook: Webhook, secret: str) -> NewWebhookAnswer:
    return NewWebhookAnswer(secret=secret, **_fields(webhook))


def _fields(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "url": webhook.url,
        "events": list(webhook.types),
        "created_at": rfc3339(webhook.created_at),
        "failing_since": rfc3339_or_none(webhook.failing_since),
        "disabled_at": rfc3339_or_none(webhook.disabled_at),
        "disabled_reason": webhook.disabled_reason,
        "old_secret_until": rfc3339_or_none(webhook.old_secret_until),
    }


def delivery_answer(delivery: Delivery) -> DeliveryAnswer:
    return DeliveryAnswer(
        event_id=delivery.event_id,
        type=delivery.type,
        timestamp=rfc3339(delivery.event_at),
        status=delivery.status,
        attempts=delivery.attempts,
        last_attempt_at=rfc3339_or_none(delivery.last_attempt_at),
        last_status=delivery.last_status,
        last_error=delivery.last_error,
        next_attempt_at=rfc3339_or_none(delivery.next_attempt_at),
    )
