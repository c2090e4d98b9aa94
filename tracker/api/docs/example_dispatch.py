"""Examples of what dispatchers send and get."""

from collections.abc import Mapping
from typing import Any, Final

from tracker.api.dispatch import audit, session
from tracker.api.docs.example_delivery import ORDER_ID

DISPATCH_EXAMPLES: Final[Mapping[Any, Any]] = {
    audit.AuditPage: audit.AuditPage(
        [
            audit.AuditAnswer(
                "2026-11-22T16:43:00.250Z",
                "key_mfrggzdfmztwq2lknnwg23tp",
                "dispatch desk",
                "change",
                "assign_order",
                [ORDER_ID],
            )
        ],
        "1041",
    ),
    session.NewSessionBody: {"key": "tak_3q2-7wAAAABJRU5ErkJggg1a2b3c4d5e"},
    session.SessionAnswer: session.SessionAnswer(
        "dispatch desk", ["read", "orders"], "2026-11-29T16:43:00.250Z"
    ),
}
