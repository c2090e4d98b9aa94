"""What is sent to watchers, and when: a real hub, publisher and trip, and no time but the argument."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from tests.domain.test_trip import NOW, at, fix, order, routed, trip_with
from tracker.domain.order import OrderStatus
from tracker.domain.trip import Trip
from tracker.domain.view import CustomerView, Trail, view_without_trip
from tracker.live.delivery.channel import Channel
from tracker.live.delivery.hub import Hub
from tracker.live.delivery.publisher import ETA_CHANGE, REVIEW_EVERY, TRAIL_LAG, Publisher
from tracker.live.delivery.subscription import Subscription
from tracker.messages import rfc3339

FAR = 200.0  # steps to the dropoff, about 11 km


def second(n: float) -> datetime:
    return NOW + timedelta(seconds=n)


class Watched:
    """Orders on a trip, the first one watched."""

    def __init__(self, *order_ids: str, **more: Any) -> None:
        fields = {"visibility": {"position": "always"}, **more}
        self.trip = trip_with(*(order(one, FAR + n, **fields) for n, one in enumerate(order_ids)))
        self.hub = Hub()
        self.publisher = Publisher(self.hub)
        self.subscription = self.watch(order_ids[0])

    def watch(self, order_id: str) -> Subscription:
        return self.hub.subscribe(order_id, "lnk_1")

    @property
    def channel(self) -> Channel:
        return self.hub.open("ord_1")

    @property
    def trail(self) -> Trail:
        trail = self.trip.view("ord_1", NOW).trail
        assert trail is not None
        return trail

    def moves(self, steps: float, seconds: float) -> list[dict[str, Any]]:
        """Report a fix; return what the watcher is sent."""
        self.trip.receive_fix(fix(steps, seconds), second(seconds))
        self.publisher.publish(self.trip, second(seconds))
        return self.sent()

    def refresh(self, seconds: float) -> None:
        self.publisher.refresh(self.trip.view("ord_1", second(seconds)), second(seconds))

    def review(self, seconds: float) -> list[CustomerView]:
        return self.publisher.review(self.trip, second(seconds))

    def snapshot(self) -> dict[str, Any]:
        return fields_of(self.channel.snapshot("now"))

    def sent(self) -> list[dict[str, Any]]:
        sent = []
        while (outgoing := self.subscription.take()) is not None:
            sent.append(fields_of(outgoing.message))
        return sent


def fields_of(message: Any) -> dict[str, Any]:
    fields = ((name, getattr(message, name)) for name in message.__struct_fields__)
    return {name: value for name, value in fields if value is not msgspec.UNSET}


def places(trail: Any) -> int:
    return len(trail.coordinates)


class CountingTrip(Trip):
    views = 0

    def view(self, order_id: str, now: datetime) -> CustomerView:
        self.views += 1
        return super().view(order_id, now)


def test_only_views_of_watched_orders_are_computed() -> None:
    """One view for each watched order, at each publication, and none without a watcher."""
    trip = CountingTrip(trip_with().driver)
    source = trip_with(*(order(f"ord_{n}", FAR + n) for n in range(4)))
    trip.replan(list(source.orders.values()), source.stops)
    hub = Hub()
    publisher = Publisher(hub)
    trip.receive_fix(fix(0.0, 0.0), NOW)
    hub.open("ord_0")  # it may be reconnected to, but is not watched
    assert (publisher.publish(trip, NOW), publisher.review(trip, NOW), trip.views) == ([], [], 0)
    watchers = [hub.subscribe(one, "lnk_1") for one in ("ord_1", "ord_1", "ord_3")]
    sent = publisher.publish(trip, NOW)
    assert ([view.order.id for view in sent], trip.views) == (["ord_1", "ord_3"], 2)
    for watcher in watchers:
        hub.unsubscribe("ord_1", watcher)
        hub.unsubscribe("ord_3", watcher)
    trip.receive_fix(fix(1.0, 9.0), second(9))
    assert (publisher.publish(trip, second(9)), publisher.review(trip, second(20)), trip.views) == ([], [], 2)


def test_a_fix_sends_what_it_changed() -> None:
    """Position, ETA and trail, but not the order, the driver or a route that is the same."""
    watched = Watched("ord_1")
    watched.moves(0.0, 0.0)
    routed(watched.trip)
    watched.moves(1.0, 1.0)
    (update,) = watched.moves(2.0, 2.0)
    assert set(update) == {"cursor", "now", "position", "eta", "trail"}
    assert update["position"].recorded_at == rfc3339(second(2))


def test_a_route_is_sent_whole_when_it_changes_and_only_then() -> None:
    """The wire form of an unchanged route is the same object, so that it is not compared place by place."""
    watched = Watched("ord_1")
    watched.moves(0.0, 0.0)
    assert watched.snapshot()["route"] is None
    routed(watched.trip)
    (first,) = watched.moves(1.0, 1.0)
    line = watched.snapshot()["route"]
    assert first["route"] is line and places(line) == 2
    assert "route" not in watched.moves(2.0, 2.0)[0]
    assert watched.snapshot()["route"] is line
    routed(watched.trip, start=2.0)
    (second_route,) = watched.moves(3.0, 3.0)
    assert second_route["route"].coordinates != line.coordinates


def test_a_silent_driver_ages_at_once_although_reviews_are_rare() -> None:
    """Freshness is checked at every review, a new view is computed every 5 s."""
    watched = Watched("ord_1")
    watched.moves(0.0, 0.0)
    changed = {n: view.freshness for n in range(1, 130) for view in watched.review(n)}
    assert changed[16] == "stale" and changed[121] == "lost"
    assert all(freshness == "live" for n, freshness in changed.items() if n < 16)


def test_between_fixes_an_eta_is_sent_once_it_differs_by_20_seconds() -> None:
    """Less is not noticeable; more is sent at the next review. What is sent is what the channel holds."""
    watched = Watched("ord_1")
    watched.moves(0.0, 0.0)
    watched.sent()
    told, sent = watched.channel.view, 0
    for n in range(1, 600):
        views = watched.review(n)
        assert watched.channel.view is (views[0] if views else told)
        for view in views:
            assert told is not None and view.eta is not None and told.eta is not None
            aged = (view.freshness, view.eta.stale) != (told.freshness, told.eta.stale)
            assert aged or abs(arrival(view) - arrival(told)) > ETA_CHANGE
            sent += not aged
            told = view
        if watched.channel.reviewed_at == second(n):
            assert told is not None
            assert abs(arrival(watched.trip.view("ord_1", second(n))) - arrival(told)) <= ETA_CHANGE
    assert sent > 5


def arrival(view: CustomerView) -> datetime:
    assert view.eta is not None and view.eta.arrives_at is not None
    return view.eta.arrives_at


def test_a_review_computes_a_view_every_five_seconds() -> None:
    """A fix is a review too."""
    watched = Watched("ord_1")
    watched.moves(0.0, 0.0)
    reviewed = []
    for n in range(1, 15):
        if n == 8:
            watched.moves(0.001, n)
        watched.review(n)
        if watched.channel.reviewed_at == second(n):
            reviewed.append(n)
    assert reviewed == [5, 8, 13]
    assert timedelta(seconds=5) == REVIEW_EVERY


def test_a_trail_is_sent_again_after_a_sixteenth_or_ten_seconds() -> None:
    """The cost of a trail does not grow with its length, and its end is at most 10 s old."""
    watched = Watched("ord_1")
    sent: list[tuple[int, int]] = []  # second and places
    for n in range(400):
        for update in watched.moves(n / 10, float(n)):
            if (trail := update.get("trail")) is not None:
                sent.append((n, places(trail)))
    gaps = {count: later - earlier for (earlier, count), (later, _) in pairwise(sent)}
    assert all(gap == 1 for count, gap in gaps.items() if count <= 16)
    assert all(gap == -(-count // 16) for count, gap in gaps.items() if count <= 160)
    assert all(gap == 10 for count, gap in gaps.items() if count > 160)
    assert max(gaps) > 300 and timedelta(seconds=10) == TRAIL_LAG


def test_a_trail_that_was_replaced_is_sent_at_once() -> None:
    """After a hidden section no customer keeps the old one."""
    watched = Watched("ord_1")
    for n in range(100):
        watched.moves(n / 10, float(n))
    watched.trail.restart([at(9.0), at(9.5)])
    (update,) = watched.moves(10.0, 100.0)
    assert places(update["trail"]) == 3


def test_the_end_of_a_trail_is_sent_to_a_parked_drivers_customer() -> None:
    """No fix moves the driver any more, but the last metres are not kept back."""
    watched = Watched("ord_1")
    for n in range(300):
        watched.moves(n / 10, float(n))
    behind = len(watched.trail.places) - places(watched.snapshot()["trail"])
    assert behind > 0
    watched.trip.receive_fix(fix(29.9, 300.0), second(300))
    for n in range(301, 312):
        watched.review(n)
    assert places(watched.snapshot()["trail"]) == len(watched.trail.places)


@pytest.mark.parametrize("watched_before", [False, True])
def test_a_new_customer_gets_the_whole_trail(watched_before: bool) -> None:
    """Also while the others wait for a due one, and if nobody watched until now."""
    watched = Watched("ord_1")
    if not watched_before:
        watched.hub.unsubscribe("ord_1", watched.subscription)
    for n in range(300):
        watched.moves(n / 10, float(n))
    watched.refresh(300.0)
    assert places(watched.snapshot()["trail"]) == len(watched.trail.places) == 300
    assert len(watched.sent()) == watched_before


def test_a_refresh_without_news_sends_nothing() -> None:
    """A thousand customers who reconnect cost their watching neighbours no update."""
    watched = Watched("ord_1")
    watched.moves(0.0, 0.0)
    cursor = watched.channel.cursor
    for n in range(10):
        watched.refresh(float(n))
    assert (watched.channel.cursor, watched.sent()) == (cursor, [])


def test_the_same_eta_computed_by_another_node_is_no_news() -> None:
    """When a node computes views that came from the owner of the trip up to now."""
    watched = Watched("ord_1")
    watched.moves(0.0, 0)
    watched.channel.view = None  # as of states that came over the bus
    sent = watched.channel.state["eta"]
    watched.channel.state["eta"] = msgspec.structs.replace(sent, computed_at="earlier")
    watched.refresh(0)
    assert watched.sent() == []
    watched.channel.view = None
    watched.channel.state["eta"] = msgspec.structs.replace(sent, stops_before=7)
    watched.refresh(0)
    assert [set(message) & {"eta", "position"} for message in watched.sent()] == [{"eta"}]


@pytest.mark.parametrize("status", [OrderStatus.DELIVERED, OrderStatus.FAILED, OrderStatus.CANCELLED])
def test_an_ended_order_shows_nothing_of_the_driver(status: OrderStatus) -> None:
    """Every field is cleared in one update, and a reconnecting customer gets a snapshot."""
    watched = Watched("ord_1")
    watched.moves(0.0, 0.0)
    routed(watched.trip)
    watched.moves(1.0, 1.0)
    cursor = watched.channel.cursor
    times = {"closed_at": second(2), f"{status.value}_at": second(2)}
    ended = msgspec.structs.replace(watched.trip.orders["ord_1"], status=status, **times)
    watched.publisher.refresh(view_without_trip(ended), second(2))
    (update,) = watched.sent()
    cleared = ("driver", "position", "eta", "stops_before", "route", "trail")
    assert {name: update[name] for name in cleared} == dict.fromkeys(cleared)
    assert (update["visibility"], update["order"].status) == ("ended", status)
    assert watched.channel.updates_since(cursor, "now") is None


def test_a_customer_who_reconnects_gets_what_the_others_were_sent() -> None:
    """Whenever they left: their state and that of one who stayed are equal after the replay."""
    watched = Watched("ord_1")
    watched.moves(0.0, 0.0)
    stayed = watched.snapshot()
    left = {0: (watched.channel.cursor, dict(stayed))}
    for n in range(1, 120):
        if n == 40:
            routed(watched.trip)
        for update in watched.moves(n / 10, float(n)):
            stayed |= update
        left[n] = watched.channel.cursor, dict(stayed)
    for cursor, state in left.values():
        replay = watched.channel.updates_since(cursor, "now")
        assert replay is not None
        missed = {name: value for outgoing in replay for name, value in fields_of(outgoing.message).items()}
        assert state | missed | {"now": stayed["now"]} == stayed


def test_the_fields_of_a_replay_are_those_that_changed() -> None:
    """The route that the customer has is not sent again."""
    watched = Watched("ord_1")
    watched.moves(0.0, 0.0)
    routed(watched.trip)
    watched.moves(1.0, 1.0)
    cursor = watched.channel.cursor
    assert watched.channel.updates_since(cursor, "now") == []
    watched.moves(2.0, 2.0)
    (replay,) = watched.channel.updates_since(cursor, "now") or []
    assert set(fields_of(replay.message)) == {"cursor", "now", "position", "eta", "trail"}
