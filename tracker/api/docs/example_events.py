"""The events and the webhook in the examples."""

from typing import Final

from tracker.api.docs.example_delivery import CREATED, NOW, ORDER, PICKED_UP
from tracker.api.merchant.events.webhook_bodies import DeliveryAnswer, NewWebhookAnswer, WebhookAnswer
from tracker.messages.events import EventData, WireEvent

EVENT: Final = WireEvent(
    id="evt_0b1f6f0e6c4f4b5f9a3e2d1c0b9a8f7e",
    type="order.picked_up",
    timestamp=PICKED_UP,
    data=EventData(order=ORDER),
)
NEW_WEBHOOK: Final = NewWebhookAnswer(
    id="whk_5tqk3hzpxr2vlm7snd4ybeaw",
    url="https://shop.example/events",
    events=["order.delivered", "order.failed"],
    created_at=CREATED,
    failing_since=None,
    disabled_at=None,
    disabled_reason=None,
    old_secret_until=None,
    secret="whsec_ZXhhbXBsZSBvZiBhIHNlY3JldCwgMzIgYnl0ZXMgbG8=",
)
WEBHOOK: Final = WebhookAnswer(
    **{name: getattr(NEW_WEBHOOK, name) for name in WebhookAnswer.__struct_fields__}
)
DELIVERY: Final = DeliveryAnswer(
    event_id=EVENT.id,
    type=EVENT.type,
    timestamp=PICKED_UP,
    status="pending",
    attempts=1,
    last_attempt_at=PICKED_UP,
    last_status=503,
    last_error="http_status",
    next_attempt_at=NOW,
)
