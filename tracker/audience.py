"""Audience: what the watchers of each order were told, and what is worth telling them now."""

from datetime import datetime, timedelta
from typing import Final

from tracker.domain.trip import View
from tracker.hub import Hub
from tracker.messages import rfc3339
from tracker.shown import line, state_of

ETA_MOVED: Final = timedelta(seconds=20)  # a change of the forecast that is told between fixes


class Audience:
    """Turns views of the core into the hub's updates; remembers only orders that are watched."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._told: dict[str, View] = {}
        self._trails: dict[str, tuple[int, int]] = {}  # which trail it was, and its version

    def told(self, view: View) -> None:
        """A snapshot of this view was given."""
        self._told.setdefault(view.order.id, view)
        self._trails.setdefault(view.order.id, _trail_of(view))

    def publish(self, view: View, now: datetime) -> None:
        """Tells the watchers of the view's order what changed; the trail only where it did not just grow."""
        order_id, trail = view.order.id, _trail_of(view)
        if not self._hub.watches(order_id):
            return
        replaced = {"trail": line(view.trail.places) if view.trail else None}
        broke = trail != self._trails.get(order_id)
        self._told[order_id], self._trails[order_id] = view, trail
        self._hub.publish(order_id, state_of(view, with_lines=False), rfc3339(now), replaced if broke else {})

    def publish_if_worth_it(self, view: View, now: datetime) -> None:
        """Between two fixes only what a person would notice."""
        told = self._told.get(view.order.id)
        if told is None or _noticeable(told, view):
            self.publish(view, now)

    def forget(self, order_id: str) -> None:
        """Unless somebody still watches."""
        if not self._hub.watches(order_id):
            self._told.pop(order_id, None)
            self._trails.pop(order_id, None)


def _trail_of(view: View) -> tuple[int, int]:
    return (0, 0) if view.trail is None else (id(view.trail), view.trail.version)


def _noticeable(told: View, view: View) -> bool:
    if (told.freshness, told.shown) != (view.freshness, view.shown):
        return True
    before, after = told.eta, view.eta
    if before is None or after is None or before.arrives_at is None or after.arrives_at is None:
        return (before is None) != (after is None)
    return before.stale != after.stale or abs(after.arrives_at - before.arrives_at) > ETA_MOVED
