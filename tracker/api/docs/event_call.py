"""The call that this service makes to a merchant's program, for the section `webhooks` of OpenAPI."""

from typing import Any, Final

import msgspec

from tracker.api.describe import JSON
from tracker.api.docs.example_events import EVENT

DESCRIPTION: Final = """Check the signature as Standard Webhooks says, and answer 2xx within 10 s.
After any other answer the event is sent again. It may come twice, with the same `webhook-id`."""
HEADERS: Final = (
    ("webhook-id", "Id of the event.", EVENT.id),
    ("webhook-timestamp", "When it was sent, in seconds since 1970.", "1795365667"),
    (
        "webhook-signature",
        "One signature or two with a space between: `v1,` and an HMAC-SHA256 in base64.",
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ),
)


def receive_event(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the operation; *schema* is that of an event."""
    return {
        "operationId": "receive_event",
        "tags": ["Events"],
        "summary": "The service sends an event to a webhook.",
        "description": DESCRIPTION,
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": description,
                "schema": {"type": "string"},
                "example": example,
            }
            for name, description, example in HEADERS
        ],
        "requestBody": {
            "required": True,
            "content": {JSON: {"schema": schema, "example": msgspec.to_builtins(EVENT)}},
        },
        "responses": {"204": {"description": "The event was taken."}},
    }
