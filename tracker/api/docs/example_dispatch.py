"""Examples of what dispatchers send and get."""

from collections.abc import Mapping
from typing import Any, Final

from tracker.api.dispatch import session

DISPATCH_EXAMPLES: Final[Mapping[Any, Any]] = {
    session.NewSessionBody: {"key": "tak_3q2-7wAAAABJRU5ErkJggg1a2b3c4d5e"},
    session.SessionAnswer: session.SessionAnswer(
        "dispatch desk", ["read", "orders"], "2026-11-29T16:43:00.250Z"
    ),
}
