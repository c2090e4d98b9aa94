"""The events in the examples."""

from typing import Final

from tracker.api.docs.example_delivery import ORDER, PICKED_UP
from tracker.messages.events import EventData, WireEvent

EVENT: Final = WireEvent(
    id="evt_0b1f6f0e6c4f4b5f9a3e2d1c0b9a8f7e",
    type="order.picked_up",
    timestamp=PICKED_UP,
    data=EventData(order=ORDER),
)
