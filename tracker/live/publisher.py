"""Publisher: decides which views are sent to the watchers of each order."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from tracker.domain.trip import Trip
from tracker.domain.view import CustomerView, Trail
from tracker.live.hub import Hub
from tracker.messages import LineString, rfc3339
from tracker.messages.conversions import line, state_of

ETA_CHANGE: Final = timedelta(seconds=20)  # the least change of the ETA that is sent between fixes
REVIEW_EVERY: Final = timedelta(seconds=5)  # between fixes; freshness is checked every second
TRAIL_LAG: Final = timedelta(seconds=10)  # the sent trail is never further behind
TRAIL_SHARE: Final = 16  # send after growth by a sixteenth, so that the cost does not depend on the length


class _LastSent(msgspec.Struct, frozen=True):
    """What was last sent to the watchers of an order."""

    view: CustomerView
    reviewed_at: datetime
    route: LineString | None
    trail: LineString | None
    source: Trail | None  # the trail that was sent
    version: int  # of the source
    places: int  # how many of its places were sent
    trail_at: datetime


class Publisher:
    """Publishes views through the hub; remembers only orders that have a channel.

    It calls *on_publish* with each view that it sends.
    """

    def __init__(self, hub: Hub, on_publish: Callable[[CustomerView], None]) -> None:
        self._hub, self._on_publish = hub, on_publish
        self._last_sent: dict[str, _LastSent] = {}

    def publish(self, view: CustomerView, now: datetime) -> None:
        """Send what changed to the watchers of the view's order, if there are any."""
        if self._hub.is_watched(view.order.id):
            self._send(view, now, whole_trail=False)

    def refresh(self, view: CustomerView, now: datetime) -> None:
        """Bring the order's published state up to date before a new customer's snapshot."""
        last = self._last_sent.get(view.order.id)
        if last is None or _noticeable(last.view, view) or _trail_changed(last, view):
            self._send(view, now, whole_trail=True)

    def review(self, trip: Trip, order_id: str, now: datetime) -> None:
        """Send what time alone has changed since the last fix, if a person would notice it."""
        last = self._last_sent.get(order_id)
        if last is None:
            self._send(trip.view(order_id, now), now, whole_trail=True)
        elif now - last.reviewed_at >= REVIEW_EVERY or _freshness_changed(trip, last.view, now):
            view = trip.view(order_id, now)
            if _noticeable(last.view, view) or _trail_is_due(last, view, now):
                self._send(view, now, whole_trail=False)
            else:
                self._last_sent[order_id] = msgspec.structs.replace(last, reviewed_at=now)

    def forget(self, order_id: str) -> None:
        self._last_sent.pop(order_id, None)

    def _send(self, view: CustomerView, now: datetime, *, whole_trail: bool) -> None:
        before = self._last_sent.get(view.order.id)
        unchanged = before is not None and before.view.route is view.route
        route = before.route if before is not None and unchanged else line(view.route)
        if before is None or whole_trail or _trail_is_due(before, view, now):
            last = _with_trail(view, route, now)
        else:
            last = msgspec.structs.replace(before, view=view, reviewed_at=now, route=route)
        self._last_sent[view.order.id] = last
        self._on_publish(view)
        self._hub.publish(view.order.id, state_of(view, route=route, trail=last.trail), rfc3339(now))


def _with_trail(view: CustomerView, route: LineString | None, now: datetime) -> _LastSent:
    trail = view.trail
    if trail is None:
        return _LastSent(view, now, route, None, None, 0, 0, now)
    return _LastSent(view, now, route, line(trail.places), trail, trail.version, len(trail.places), now)


def _trail_is_due(last: _LastSent, view: CustomerView, now: datetime) -> bool:
    """Whether the trail was replaced, or has grown enough to be sent whole again."""
    if view.trail is not last.source or (view.trail is not None and view.trail.version != last.version):
        return True
    grown = 0 if view.trail is None else len(view.trail.places) - last.places
    return grown > 0 and (grown * TRAIL_SHARE >= last.places or now - last.trail_at >= TRAIL_LAG)


def _trail_changed(last: _LastSent, view: CustomerView) -> bool:
    trail = view.trail
    return trail is not last.source or (
        trail is not None and (trail.version, len(trail.places)) != (last.version, last.places)
    )


def _freshness_changed(trip: Trip, last: CustomerView, now: datetime) -> bool:
    return trip.freshness(last.position, now) != last.freshness


def _noticeable(last: CustomerView, view: CustomerView) -> bool:
    """Whether a person would notice the difference."""
    if (last.freshness, last.visibility, last.stops_before) != (
        view.freshness,
        view.visibility,
        view.stops_before,
    ):
        return True
    if last.order != view.order or last.driver != view.driver or last.position != view.position:
        return True
    return last.route != view.route or _eta_changed(last, view)


def _eta_changed(last: CustomerView, view: CustomerView) -> bool:
    before, after = last.eta, view.eta
    if before is None or after is None or before.arrives_at is None or after.arrives_at is None:
        return (before is None) != (after is None)
    return before.stale != after.stale or abs(after.arrives_at - before.arrives_at) > ETA_CHANGE
