"""Publisher: decides which views are sent to the watchers of each order."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import msgspec

from tracker.domain.trip import Trip
from tracker.domain.view import CustomerView, Trail
from tracker.live.delivery.channel import Channel, SentTrail
from tracker.live.delivery.hub import Hub
from tracker.messages import CustomerState, rfc3339
from tracker.messages.conversions import line, state_of

ETA_CHANGE: Final = timedelta(seconds=20)  # the least change of the ETA that is sent between fixes
REVIEW_EVERY: Final = timedelta(seconds=5)  # between fixes; freshness is checked every second
TRAIL_LAG: Final = timedelta(seconds=10)  # the sent trail is never further behind
TRAIL_SHARE: Final = 16  # send after growth by a sixteenth, so that the cost does not depend on the length


class Publisher:
    """Publishes views to the channels, which hold what their watchers know.

    Each method returns the views that it sent.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def publish(self, trip: Trip, now: datetime) -> list[CustomerView]:
        """Send what changed to the watchers of the trip's orders."""
        sent = []
        for order_id, channel in self._watched(trip):
            view = trip.view(order_id, now)
            _send(channel, view, now, with_trail=_trail_is_due(channel.trail, view.trail, now))
            sent.append(view)
        return sent

    def review(self, trip: Trip, now: datetime) -> list[CustomerView]:
        """Send what time alone has changed since the last fix, if a person would notice it."""
        sent = []
        for order_id, channel in self._watched(trip):
            last, is_recent = channel.view, now - channel.reviewed_at < REVIEW_EVERY
            if is_recent and last is not None and trip.freshness(last.position, now) == last.freshness:
                continue
            view = trip.view(order_id, now)
            with_trail = _trail_is_due(channel.trail, view.trail, now)
            if with_trail or _is_noticeable(last, view):
                _send(channel, view, now, with_trail=with_trail)
                sent.append(view)
            channel.reviewed_at = now
        return sent

    def refresh(self, view: CustomerView, now: datetime) -> list[CustomerView]:
        """Bring the channel of the view's order up to date, with the whole trail."""
        channel = self._hub.open(view.order.id)
        with_trail = _trail_is_due(channel.trail, view.trail, now, whole=True)
        if not with_trail and not _is_noticeable(channel.view, view):
            return []
        _send(channel, view, now, with_trail=with_trail)
        return [view]

    def _watched(self, trip: Trip) -> Iterator[tuple[str, Channel]]:
        for order_id in trip.orders:
            channel = self._hub.channel(order_id)
            if channel is not None and channel.is_watched and not channel.follows:
                yield order_id, channel


def _send(channel: Channel, view: CustomerView, now: datetime, *, with_trail: bool) -> None:
    """Publish a view. Lines that have not changed keep their wire form."""
    last, trail, state = channel.view, view.trail, channel.state
    trail_line = state.get("trail")
    if with_trail:
        places = [] if trail is None else trail.places
        channel.trail = SentTrail(trail, 0 if trail is None else trail.version, len(places), now)
        trail_line = line(places)
    same_route = last is not None and last.route is view.route
    route_line = state["route"] if same_route else line(view.route)
    channel.view, channel.reviewed_at = view, now
    new = state_of(view, route=route_line, trail=trail_line)
    channel.publish(new if last is not None else _with_known_eta(new, state), rfc3339(now))


def _with_known_eta(new: CustomerState, known: CustomerState) -> CustomerState:
    """Keep the ETA that another node has computed if only the time of its computation differs."""
    before, after = known.get("eta"), new["eta"]
    if before is None or after is None:
        return new
    is_same = msgspec.structs.replace(after, computed_at=before.computed_at) == before
    return {**new, "eta": before} if is_same else new


def _trail_is_due(sent: SentTrail, trail: Trail | None, now: datetime, *, whole: bool = False) -> bool:
    """Whether the trail was replaced, or has grown enough to be sent again; *whole*: at all."""
    if trail is not sent.source or (trail is not None and trail.version != sent.version):
        return True
    grown = 0 if trail is None else len(trail.places) - sent.places
    return grown > 0 and (whole or grown * TRAIL_SHARE >= sent.places or now - sent.at >= TRAIL_LAG)


def _is_noticeable(last: CustomerView | None, view: CustomerView) -> bool:
    """Whether a person would notice the difference."""
    return (
        last is None
        or (last.freshness, last.visibility, last.stops_before)
        != (view.freshness, view.visibility, view.stops_before)
        or last.order != view.order
        or last.driver != view.driver
        or last.arrival != view.arrival
        or last.position != view.position
        or last.route != view.route
        or _eta_changed(last, view)
    )


def _eta_changed(last: CustomerView, view: CustomerView) -> bool:
    before, after = last.eta, view.eta
    if before is None or after is None or before.arrives_at is None or after.arrives_at is None:
        return (before is None) != (after is None)
    return before.stale != after.stale or abs(after.arrives_at - before.arrives_at) > ETA_CHANGE
