"""Audience: what the watchers of each order were told, and what is worth telling them now."""

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


class _Sent(msgspec.Struct, frozen=True):
    """What the watchers of an order know."""

    view: CustomerView
    reviewed_at: datetime
    route: LineString | None
    trail: LineString | None
    source: Trail | None  # whence the trail is
    version: int  # of the source
    places: int  # how many of the source were told
    trail_at: datetime


class Publisher:
    """Turns views of the core into the hub's updates; remembers only orders that the hub knows.

    `shown` hears of each view that is told.
    """

    def __init__(self, hub: Hub, shown: Callable[[CustomerView], None]) -> None:
        self._hub, self._shown = hub, shown
        self._told: dict[str, _Sent] = {}

    def publish(self, view: CustomerView, now: datetime) -> None:
        """Tells the watchers of the view's order what changed."""
        if self._hub.is_watched(view.order.id):
            self._tell(view, now, whole_trail=False)

    def refresh(self, view: CustomerView, now: datetime) -> None:
        """Somebody new looks: brings what is known of the order, its trail too, up to this moment."""
        told = self._told.get(view.order.id)
        if told is None or _noticeable(told.view, view) or _grown(told, view):
            self._tell(view, now, whole_trail=True)

    def look(self, trip: Trip, order_id: str, now: datetime) -> None:
        """Between two fixes, of what time alone has changed only what a person would notice."""
        told = self._told.get(order_id)
        if told is None:
            self._tell(trip.view(order_id, now), now, whole_trail=True)
        elif now - told.reviewed_at >= REVIEW_EVERY or _aged(trip, told.view, now):
            view = trip.view(order_id, now)
            if _noticeable(told.view, view) or _trail_is_due(told, view, now):
                self._tell(view, now, whole_trail=False)
            else:
                self._told[order_id] = msgspec.structs.replace(told, reviewed_at=now)

    def forget(self, order_id: str) -> None:
        self._told.pop(order_id, None)

    def _tell(self, view: CustomerView, now: datetime, *, whole_trail: bool) -> None:
        before = self._told.get(view.order.id)
        known = before is not None and before.view.route is view.route
        route = before.route if before is not None and known else line(view.route)
        if before is None or whole_trail or _trail_is_due(before, view, now):
            told = _with_trail(view, route, now)
        else:
            told = msgspec.structs.replace(before, view=view, reviewed_at=now, route=route)
        self._told[view.order.id] = told
        self._shown(view)
        self._hub.publish(view.order.id, state_of(view, route=route, trail=told.trail), rfc3339(now))


def _with_trail(view: CustomerView, route: LineString | None, now: datetime) -> _Sent:
    trail = view.trail
    if trail is None:
        return _Sent(view, now, route, None, None, 0, 0, now)
    return _Sent(view, now, route, line(trail.places), trail, trail.version, len(trail.places), now)


def _trail_is_due(told: _Sent, view: CustomerView, now: datetime) -> bool:
    """Whether the trail broke, or has grown enough to be told whole again."""
    if view.trail is not told.source or (view.trail is not None and view.trail.version != told.version):
        return True
    grown = 0 if view.trail is None else len(view.trail.places) - told.places
    return grown > 0 and (grown * TRAIL_SHARE >= told.places or now - told.trail_at >= TRAIL_LAG)


def _grown(told: _Sent, view: CustomerView) -> bool:
    trail = view.trail
    return trail is not told.source or (
        trail is not None and (trail.version, len(trail.places)) != (told.version, told.places)
    )


def _aged(trip: Trip, told: CustomerView, now: datetime) -> bool:
    return trip.freshness(told.position, now) != told.freshness


def _noticeable(told: CustomerView, view: CustomerView) -> bool:
    """Whether a person would notice the difference."""
    if (told.freshness, told.visibility, told.stops_before) != (
        view.freshness,
        view.visibility,
        view.stops_before,
    ):
        return True
    if told.order != view.order or told.driver != view.driver or told.position != view.position:
        return True
    return told.route != view.route or _eta_changed(told, view)


def _eta_changed(told: CustomerView, view: CustomerView) -> bool:
    before, after = told.eta, view.eta
    if before is None or after is None or before.arrives_at is None or after.arrives_at is None:
        return (before is None) != (after is None)
    return before.stale != after.stale or abs(after.arrives_at - before.arrives_at) > ETA_CHANGE
