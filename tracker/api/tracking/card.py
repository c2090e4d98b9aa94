"""The text of the customer's card in the page that the server sends, before any script runs.

`web/src/card.js` writes the same text in the browser; `tests/samples/cards.json` tests both. Times are local
to the destination, in 24 hours, until the browser writes them in the customer's own format.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from tracker.messages import Snapshot, WireEta
from tracker.time_zones import clock_of

STEPS: Final = ("Picked up", "On the way", "Nearby", "Delivered")
VEHICLES: Final = {"car": "Car", "bicycle": "Bicycle", "scooter": "Scooter", "foot": "On foot"}
NEAR_METRES: Final = 250.0
NEAR_SECONDS: Final = 60.0
MAX_COUNTDOWN_MIN: Final = 60  # minutes; for longer waits the card gives the time of day
ENDED_TEXTS: Final = {
    "failed": ("Not delivered", "Delivery did not succeed"),
    "cancelled": ("Cancelled", "This order was cancelled"),
}


class Card(Struct, frozen=True):
    """The text of a card. `steps` are 0..1 each; `current` is -1 without a current step."""

    phase: str
    eyebrow: str
    headline: str
    estimate: str
    steps: Sequence[float]
    current: int
    progress: float
    stops: str
    code: str = ""  # the PIN that the customer tells the courier; may be empty


def describe(snapshot: Snapshot) -> Card:
    """Return the card of an order at the time of the snapshot."""
    status = snapshot.order.status
    if status == "delivered":
        at = snapshot.order.timestamps.get("delivered")
        headline = f"Delivered at {_Times.of(snapshot).clock(at)}" if at else "Delivered"
        return Card("done", "Delivered", headline, "", (1, 1, 1, 1), 3, 1.0, "")
    if status in ENDED_TEXTS:
        return Card("over", *ENDED_TEXTS[status], "", (0, 0, 0, 0), -1, 0.0, "")
    return _on_the_way(snapshot)


def _on_the_way(snapshot: Snapshot) -> Card:
    progress, status = _travelled(snapshot), snapshot.order.status
    current = 0 if status != "picked_up" else 2 if _is_near(snapshot) else 1
    started = max(0.08, progress) if snapshot.driver else 0.0
    return Card(
        "moving" if snapshot.driver else "waiting",
        _eyebrow(status, current),
        _headline(snapshot),
        _estimate(snapshot),
        [1.0 if i < current else started if i == current else 0.0 for i in range(len(STEPS))],
        current if snapshot.driver else -1,
        progress,
        _stops(snapshot.stops_before, hidden=snapshot.driver is not None and snapshot.visibility == "hidden"),
        snapshot.pin or "",
    )


def newest_photo(snapshot: Snapshot) -> str | None:
    """Return the id of the newest photo that proves the delivery; None if there is none."""
    return next((proof.id for proof in reversed(snapshot.proofs or ()) if proof.kind == "photo"), None)


def _eyebrow(status: str, current: int) -> str:
    if status == "created":
        return "Order received"
    if status == "assigned":
        return "Courier assigned"
    return "Nearby" if current == 2 else "On the way"


def _headline(snapshot: Snapshot) -> str:
    status, eta, times = snapshot.order.status, snapshot.eta, _Times.of(snapshot)
    if (eta is None or eta.arrives_at is None) and (window := _planned(snapshot)) is not None:
        return times.span(*window)
    if status == "created":
        return "Looking for a courier"
    if eta is None or eta.arrives_at is None:
        return "On the way to you" if status == "picked_up" else "Your order is being prepared"
    minutes = max(0, int(_seconds(snapshot.now, eta.arrives_at) / 60 + 0.5))
    if eta.stale or snapshot.freshness == "lost" or minutes > MAX_COUNTDOWN_MIN:
        return f"Arriving about {times.moment(eta.arrives_at)}"
    return f"Arriving in {minutes} min" if minutes else "Arriving now"


def _estimate(snapshot: Snapshot) -> str:
    eta, window, times = snapshot.eta, snapshot.order.window, _Times.of(snapshot)
    if eta is not None and eta.earliest and eta.latest:
        return f"Estimated {times.range(eta.earliest, eta.latest)}"
    if _planned(snapshot) is not None:
        return "Planned delivery"
    if window is not None and window.from_ and window.to:
        return f"Planned: {times.span(window.from_, window.to)}"
    return ""


def _planned(snapshot: Snapshot) -> tuple[str, str] | None:
    """Return the delivery window, or None once it is over."""
    window = snapshot.order.window
    if window is None or not window.from_ or not window.to or _seconds(window.to, snapshot.now) > 0:
        return None
    return window.from_, window.to


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
    return close or (
        due and snapshot.freshness != "lost"
    )  # after the position is lost, only the clock advances


def _travelled(snapshot: Snapshot) -> float:
    """Return the elapsed share of the time from the last status to the forecast arrival, 0..1."""
    since = snapshot.order.timestamps.get(snapshot.order.status)
    until = snapshot.eta.arrives_at if snapshot.eta else None
    if since is None or until is None or _seconds(since, until) <= 0:
        return 0.0
    return min(1.0, max(0.0, _seconds(since, snapshot.now) / _seconds(since, until)))


def _seconds(begin: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


class _Times:
    """Writes times in one time zone, relative to *now*."""

    def __init__(self, zone: ZoneInfo, now: str) -> None:
        self._zone, self._today = zone, self._at(now, zone).date()

    @classmethod
    def of(cls, snapshot: Snapshot) -> "_Times":
        return cls(clock_of(snapshot.order.dropoff.time_zone), snapshot.now)

    def clock(self, at: str) -> str:
        """Return such as `17:55`."""
        return f"{self._at(at, self._zone):%H:%M}"

    def moment(self, at: str) -> str:
        """Return text for a sentence: `17:55`, or `tomorrow, 08:00` if that is not today."""
        return self.range(at, at)

    def range(self, begin: str, end: str) -> str:
        """Return text for a sentence: `17:55 – 18:10`, with the day if that is not today."""
        if any(self._at(at, self._zone).date() != self._today for at in (begin, end)):
            return self.span(begin, end).replace("Today", "today").replace("Tomorrow", "tomorrow")
        first, last = self.clock(begin), self.clock(end)
        return first if first == last else f"{first} – {last}"

    def span(self, begin: str, end: str) -> str:
        """Return such as `Tomorrow, 14:00 – 16:00`."""
        if begin == end:
            return self._day_and_time(begin)
        same_day = self._at(begin, self._zone).date() == self._at(end, self._zone).date()
        return f"{self._day_and_time(begin)} – {self.clock(end) if same_day else self._day_and_time(end)}"

    def _day_and_time(self, at: str) -> str:
        day = self._at(at, self._zone)
        ahead = (day.date() - self._today).days
        name = "Today" if ahead == 0 else "Tomorrow" if ahead == 1 else f"{day:%A} {day.day} {day:%B}"
        return f"{name}, {self.clock(at)}"

    @staticmethod
    def _at(at: str, zone: ZoneInfo) -> datetime:
        return datetime.fromisoformat(at).astimezone(zone)
