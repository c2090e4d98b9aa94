"""Examples of a brand, of what customers may do, and of an order in the customer's calendar."""

from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from tracker.api.merchant.branding import bodies
from tracker.api.tracking.acts.bodies import InstructionsBody, PlaceBody, RatingBody
from tracker.api.tracking.calendar import Event, calendar

_DRAWING: Final = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><circle cx="4" cy="4" r="4"/></svg>'
)
_FROM: Final = datetime(2026, 11, 22, 17, tzinfo=UTC)
_TO: Final = datetime(2026, 11, 22, 18, tzinfo=UTC)

_BRAND: Final[dict[str, Any]] = {
    "name": "Corner Bakery",
    "logo": f"data:image/svg+xml;base64,{b64encode(_DRAWING).decode()}",
    "colour": "#b3261e",
    "support_url": "https://bakery.example/help",
    "support_phone": "+358 9 1234567",
    "languages": ["fi", "sv", "en"],
    "customer_may": ["instruct", "move_pin", "rate"],
}
BRAND_EXAMPLES: Final[Mapping[Any, Any]] = {
    bodies.BrandBody: _BRAND,
    bodies.BrandAnswer: _BRAND,
    InstructionsBody: {"text": "Ring twice, third floor."},
    PlaceBody: {"lat": 60.1667, "lon": 24.9489},
    RatingBody: {"stars": 5, "text": "Fast and friendly."},
}
CALENDAR: Final = calendar(
    Event(
        "cal_8k2v", _FROM, _TO, "Delivery from Corner Bakery", "Kasarmikatu 36", "https://track.example/t/…"
    ),
    "en",
    _FROM,
)
