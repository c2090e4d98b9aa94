"""FirstCard: the words of the customer's card as the server writes them, before any script runs.

`web/src/card.js` says the same in the browser; `tests/samples/cards.json` holds both to it. Times are in UTC.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from tracker.messages import Snapshot, WireEta

STEPS: Final = ("Picked up", "On the way", "Nearby", "Delivered")
VEHICLES: Final = {"car": "Car", "bicycle": "Bicycle", "scooter": "Scooter", "foot": "On foot"}
NEAR_METRES: Final = 250.0
NEAR_SECONDS: Final = 60.0
LONG: Final = 60  # minutes: from there on the time of day says more
OVER: Final = {
    "failed": ("Not delivered", "Delivery did not succeed"),
    "cancelled": ("Cancelled", "This order was cancelled"),
}


class Card(Struct, frozen=True):
    """What is read; `steps` are 0..1 each, `current` is -1 where none is."""

    phase: str
    eyebrow: str
    headline: str
    estimate: str
    steps: Sequence[float]
    current: int
    progress: float
    stops: str


def describe(snapshot: Snapshot) -> Card:
    """The card of an order as it was when the snapshot was taken."""
    status = snapshot.order.status
    if status == "delivered":
        at = snapshot.order.timestamps.get("delivered")
        headline = f"Delivered at {_clock(at)}" if at else "Delivered"
        return Card("done", "Delivered", headline, "", (1, 1, 1, 1), 3, 1.0, "")
    if status in OVER:
        return Card("over", *OVER[status], "", (0, 0, 0, 0), -1, 0.0, "")
    return _on_the_way(snapshot)


def _on_the_way(snapshot: Snapshot) -> Card:
    progress, status = _travelled(snapshot), snapshot.order.status
    current = 0 if status != "picked_up" else 2 if _is_near(snapshot) else 1
    begun = max(0.08, progress) if snapshot.driver else 0.0
    return Card(
        "moving" if snapshot.driver else "waiting",
        _eyebrow(status, current),
        _headline(snapshot),
        _estimate(snapshot),
        [1.0 if i < current else begun if i == current else 0.0 for i in range(len(STEPS))],
        current if snapshot.driver else -1,
        progress,
        _stops(snapshot.stops_before, hidden=snapshot.driver is not None and snapshot.visibility == "hidden"),
    )


def _eyebrow(status: str, current: int) -> str:
    if status == "created":
        return "Order received"
    if status == "assigned":
        return "Courier assigned"
    return "Nearby" if current == 2 else "On the way"


def _headline(snapshot: Snapshot) -> str:
    status, eta = snapshot.order.status, snapshot.eta
    if status == "created":
        return "Looking for a courier"
    if eta is None or eta.arrives_at is None:
        return "On the way to you" if status == "picked_up" else "Your order is being prepared"
    minutes = max(0, int(_seconds(snapshot.now, eta.arrives_at) / 60 + 0.5))
    if eta.stale or snapshot.freshness == "lost" or minutes > LONG:
        return f"Arriving about {_clock(eta.arrives_at)}"
    return f"Arriving in {minutes} min" if minutes else "Arriving now"


def _estimate(snapshot: Snapshot) -> str:
    eta, window = snapshot.eta, snapshot.order.window
    if eta is not None and eta.earliest and eta.latest:
        return _range("Estimated", _clock(eta.earliest), _clock(eta.latest))
    if window is not None and window.from_ and window.to:
        return _range("Planned", _clock(window.from_), _clock(window.to))
    return ""


def _range(word: str, begin: str, end: str) -> str:
    return f"{word} {begin}" if begin == end else f"{word} {begin} – {end}"


def _stops(count: int | None, *, hidden: bool) -> str:
    stops = "1 stop" if count == 1 else f"{count} stops"
    if not hidden:
        return f"{stops} before yours" if count else ""
    if not count:
        return "You will see your courier on the map when they are near."
    return f"Your courier has {stops} before yours; you will see them on the map when they are near."


def _is_near(snapshot: Snapshot) -> bool:
    eta: WireEta | None = snapshot.eta
    if snapshot.stops_before or eta is None or eta.arrives_at is None:
        return False
    close = eta.distance_m is not None and eta.distance_m <= NEAR_METRES
    due = _seconds(snapshot.now, eta.arrives_at) <= NEAR_SECONDS
    return close or (due and snapshot.freshness != "lost")  # of a lost one only the clock goes on


def _travelled(snapshot: Snapshot) -> float:
    """How much of the time since the last status is over, 0..1."""
    since = snapshot.order.timestamps.get(snapshot.order.status)
    until = snapshot.eta.arrives_at if snapshot.eta else None
    if since is None or until is None or _seconds(since, until) <= 0:
        return 0.0
    return min(1.0, max(0.0, _seconds(since, snapshot.now) / _seconds(since, until)))


def _seconds(begin: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


def _clock(at: str) -> str:
    """`17:55`; the browser puts the visitor's own time in its place."""
    return f"{datetime.fromisoformat(at):%H:%M}"
