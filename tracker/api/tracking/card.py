"""The texts of the customer's card in the page that the server sends, before any script runs.

`web/src/card.js` writes the same texts in the browser; `tests/samples/cards.json` tests both.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from tracker.api.tracking.times import Times
from tracker.api.tracking.translations import Translations
from tracker.messages import Snapshot
from tracker.time_zones import clock_of

STEPS: Final = ("step.picked_up", "step.on_the_way", "step.nearby", "step.delivered")
NEAR_METRES: Final = 250.0
NEAR_SECONDS: Final = 60.0
MAX_COUNTDOWN_MIN: Final = 60  # minutes; for longer waits the card gives the time of day
WIDEST_S: Final = 45 * 60  # seconds; of a wider interval the card gives only the beginning
LATE_MIN: Final = 5  # minutes
AT_THE_DOOR_S: Final = 30 * 60  # seconds that a courier may need there


class Card(Struct, frozen=True, kw_only=True):
    """The texts of a card; each may be empty. `steps` are 0..1 each; `current` is -1 without one."""

    phase: str
    eyebrow: str
    headline: str
    stale: bool = False  # whether the headline rests on old positions
    estimate: str = ""
    late: str = ""  # how much later the order comes than was said
    reason: str = ""  # why it was not delivered
    next: str = ""  # what happens next
    steps: Sequence[float] = (0, 0, 0, 0)
    current: int = -1
    progress: float = 0.0
    stops: str = ""
    place: str  # what the address is
    code: str = ""  # the PIN that the customer tells the courier


def describe(snapshot: Snapshot, words: Translations) -> Card:
    """Return the card of an order at the time of the snapshot."""
    return _Writer(snapshot, words).card()


def newest_photo(snapshot: Snapshot) -> str | None:
    """Return the id of the newest photo that proves the delivery; None if there is none."""
    return next((proof.id for proof in reversed(snapshot.proofs or ()) if proof.kind == "photo"), None)


class _Writer:
    def __init__(self, snapshot: Snapshot, words: Translations) -> None:
        self._snapshot, self._order, self._eta = snapshot, snapshot.order, snapshot.eta
        self._say, self._words = words.say, words
        self._times = Times(words, clock_of(snapshot.order.dropoff.time_zone), snapshot.now)
        arrived_at = self._order.arrived_at if self._order.status == "picked_up" else None
        self._is_there = arrived_at is not None and _seconds(arrived_at, snapshot.now) < AT_THE_DOOR_S
        self._is_old = (self._eta is not None and self._eta.stale) or snapshot.freshness == "lost"

    def card(self) -> Card:
        status = str(self._order.status)
        if status == "delivered":
            return self._delivered()
        return self._undelivered(status) if status in {"failed", "cancelled"} else self._on_the_way()

    def _delivered(self) -> Card:
        return Card(
            phase="done",
            eyebrow=self._say("eyebrow.delivered"),
            headline=self._ended("delivered"),
            steps=(1, 1, 1, 1),
            current=3,
            progress=1.0,
            place=self._say("address.delivered"),
        )

    def _undelivered(self, end: str) -> Card:
        reason = f"reason.{self._order.outcome}"
        return Card(
            phase="over",
            eyebrow=self._say(f"eyebrow.{end}"),
            headline=self._ended(end),
            reason=self._say(reason) if end == "failed" and reason in self._words else "",
            next=self._say(f"next.{end}"),
            place=self._say("address.over"),
        )

    def _on_the_way(self) -> Card:
        status, driver = str(self._order.status), self._snapshot.driver
        progress = 1.0 if self._is_there else self._travelled()
        current = 0 if status != "picked_up" else 2 if self._is_there or self._is_near() else 1
        started = max(0.08, progress) if driver else 0.0
        stage = "arrived" if self._is_there else "nearby" if current == 2 else status
        return Card(
            phase="moving" if driver else "waiting",
            eyebrow=self._say(f"eyebrow.{stage}"),
            headline=self._headline(status),
            stale=self._is_old and not self._is_there,
            estimate=self._estimate(),
            late=self._late(),
            steps=[1.0 if i < current else started if i == current else 0.0 for i in range(len(STEPS))],
            current=current if driver else -1,
            progress=progress,
            stops=self._stops(),
            place=self._say("address.open"),
            code=self._snapshot.pin or "",
        )

    def _ended(self, end: str) -> str:
        """Return when the order ended."""
        at = self._order.timestamps.get(end)
        return self._say(f"headline.{end}") if at is None else self._say_at(f"headline.{end}", at)

    def _say_at(self, name: str, at: str) -> str:
        """Return a text of today, or one with another day."""
        time, day = self._times.clock(at), self._times.other_day(at)
        return self._say(f"{name}.{'day' if day else 'today'}", time=time, day=day)

    def _headline(self, status: str) -> str:
        at = None if self._eta is None else self._eta.arrives_at
        if self._is_there:
            return self._say("headline.arrived")
        if at is None and (window := self._planned()) is not None:
            return self._times.span(*window)
        if at is None:
            return self._say("headline.on_the_way" if status == "picked_up" else "headline.preparing")
        minutes = max(0, int(_seconds(self._snapshot.now, at) / 60 + 0.5))
        if self._is_old or minutes > MAX_COUNTDOWN_MIN:
            return self._say_at("headline.about", at)
        return self._say("headline.minutes", count=minutes) if minutes else self._say("headline.now")

    def _estimate(self) -> str:
        eta, window = self._eta, self._order.window
        if self._is_there:
            return ""
        if eta is not None and eta.earliest and eta.latest:
            return self._with_distance(self._interval(eta.earliest, eta.latest))
        if self._planned() is not None:
            return self._say("planned")
        if window is None or not window.from_ or not window.to:
            return ""
        return self._say("planned.at", time=self._times.range(window.from_, window.to))

    def _interval(self, earliest: str, latest: str) -> str:
        if _seconds(earliest, latest) <= WIDEST_S:
            return self._say("estimate", time=self._times.range(earliest, latest))
        return self._say_at("estimate.after", earliest)

    def _with_distance(self, estimate: str) -> str:
        metres = None if self._eta is None else self._eta.distance_m
        is_direct = self._order.status == "picked_up" and not self._snapshot.stops_before
        if not metres or not is_direct or self._is_old or self._snapshot.freshness != "live":
            return estimate
        if metres < 975:
            distance = self._words.amount(max(50, int(metres / 50 + 0.5) * 50), "length-meter")
        else:
            kilometres = int(metres / 100 + 0.5) / 10 if metres < 9_950 else int(metres / 1_000 + 0.5)
            distance = self._words.amount(kilometres, "length-kilometer")
        return self._say("estimate.distance", estimate=estimate, distance=distance)

    def _late(self) -> str:
        window, eta = self._order.window, self._eta
        planned = None if window is None else window.to
        promised = planned or self._order.first_forecast
        if eta is None or eta.arrives_at is None or promised is None or self._is_there:
            return ""
        minutes = int(_seconds(promised, eta.arrives_at) // 60)
        if minutes < LATE_MIN:
            return ""
        return self._say("late.planned" if planned else "late.first", count=minutes)

    def _stops(self) -> str:
        count, snapshot = self._snapshot.stops_before, self._snapshot
        if self._is_there:
            return ""
        if snapshot.driver is None or snapshot.visibility != "hidden" or not self._order.shows_position:
            return self._say("stops", count=count) if count else ""
        return self._say("hidden.stops", count=count) if count else self._say("hidden")

    def _planned(self) -> tuple[str, str] | None:
        """Return the delivery window, or None once it is over."""
        window = self._order.window
        if window is None or not window.from_ or not window.to:
            return None
        return None if _seconds(window.to, self._snapshot.now) > 0 else (window.from_, window.to)

    def _is_near(self) -> bool:
        eta, snapshot = self._eta, self._snapshot
        if snapshot.stops_before or eta is None or eta.arrives_at is None:
            return False
        close = eta.distance_m is not None and eta.distance_m <= NEAR_METRES
        due = _seconds(snapshot.now, eta.arrives_at) <= NEAR_SECONDS
        # after the position is lost, only the clock advances
        return close or (due and snapshot.freshness != "lost")

    def _travelled(self) -> float:
        """Return the elapsed share of the time from the last status to the forecast arrival, 0..1."""
        since = self._order.timestamps.get(self._order.status)
        until = self._eta.arrives_at if self._eta else None
        if since is None or until is None or _seconds(since, until) <= 0:
            return 0.0
        return min(1.0, max(0.0, _seconds(since, self._snapshot.now) / _seconds(since, until)))


def _seconds(begin: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()
