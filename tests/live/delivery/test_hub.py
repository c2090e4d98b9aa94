"""Fan-out and the conflating subscription."""

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.order import OrderStatus
from tracker.live.delivery.hub import Hub
from tracker.live.delivery.subscription import Subscription
from tracker.messages import End, TrackedOrder, Update, WirePlace

PLACE = WirePlace(60.0, 24.0)


def tracked(status: str) -> TrackedOrder:
    return TrackedOrder(OrderStatus(status), None, {}, PLACE, None)


def state(**more: Any) -> dict[str, Any]:
    plain = {
        "order": tracked("assigned"),
        "driver": None,
        "position": None,
        "eta": None,
        "stops_before": 0,
        "route": None,
        "trail": None,
        "visibility": "live",
        "freshness": "none",
    }
    return plain | more


def watching(hub: Hub) -> Subscription:
    subscription = hub.subscribe("ord_1", "lnk_1")
    publish(hub)
    subscription.start(hub.open("ord_1").cursor)
    return subscription


def publish(hub: Hub, now: str = "now", **more: Any) -> None:
    hub.open("ord_1").publish(state(**more), now)


async def taken(subscription: Subscription) -> Any:
    async with asyncio.timeout(1.0):
        outgoing = await subscription.next()
    return None if outgoing is None else outgoing.message


async def test_an_update_holds_what_changed_and_nothing_else() -> None:
    """Each field whole; what is as before is left out; a state that did not change is not told."""
    hub = Hub()
    subscription = watching(hub)
    publish(hub)
    publish(hub, stops_before=1)
    update = await taken(subscription)
    said = {name for name in update.__struct_fields__ if getattr(update, name) is not msgspec.UNSET}
    assert said == {"cursor", "now", "stops_before"}
    assert update.cursor == hub.open("ord_1").cursor


async def test_a_slow_reader_gets_the_newest_and_no_backlog() -> None:
    """A thousand updates nobody took are one."""
    hub = Hub()
    subscription = watching(hub)
    for n in range(1_000):
        publish(hub, str(n), stops_before=n)
    update = await taken(subscription)
    assert (update.stops_before, update.now) == (999, "999")
    publish(hub, stops_before=7)
    assert (await taken(subscription)).stops_before == 7


@given(st.lists(st.sampled_from(["assigned", "picked_up", "delivered", "move"]), max_size=40))
def test_no_status_is_ever_skipped(steps: list[str]) -> None:
    """However updates are merged, the statuses come out in their order."""
    hub = Hub()
    subscription = watching(hub)
    status, told, n = "assigned", [], 0
    for step in steps:
        n += 1
        if step not in ("move", status):
            status = step
            told.append(step)
        publish(hub, order=tracked(status), stops_before=n)
    hub.finish("ord_1", End("delivered"))

    async def read() -> tuple[list[str], list[int]]:
        statuses: list[str] = []
        counts: list[int] = []
        while not isinstance(message := await taken(subscription), End):
            if isinstance(message.order, TrackedOrder):
                statuses.append(message.order.status)
            if isinstance(message.stops_before, int):
                counts.append(message.stops_before)
        return statuses, counts

    statuses, counts = asyncio.run(read())
    assert statuses == told
    assert counts == sorted(counts) and (not steps or counts[-1] == n)


async def test_one_message_is_encoded_once_for_everybody() -> None:
    """All watchers are handed the same object."""
    hub = Hub()
    first, second = watching(hub), watching(hub)
    publish(hub, stops_before=3)
    assert await first.next() is await second.next()


async def test_a_client_that_tells_what_it_showed_is_never_more_than_two_behind() -> None:
    """The third update waits for `seen`, and is then the newest; unknown cursors give no credit."""
    hub = Hub()
    subscription = watching(hub)
    subscription.confirm("anything")
    cursors = []
    for n in (1, 2):
        publish(hub, stops_before=n)
        cursors.append((await taken(subscription)).cursor)
    publish(hub, stops_before=3)
    waiting = asyncio.create_task(subscription.next())
    subscription.confirm("unknown")
    publish(hub, stops_before=4)
    done, _ = await asyncio.wait([waiting], timeout=0.05)
    assert not done
    subscription.confirm(cursors[0])
    outgoing = await waiting
    assert outgoing is not None and isinstance(outgoing.message, Update)
    assert outgoing.message.stops_before == 4


async def test_notes_are_kept_beside_updates_and_bounded() -> None:
    """Words are not state: each is passed on, up to twenty unread ones."""
    hub = Hub()
    subscription = watching(hub)
    for n in range(30):
        hub.open("ord_1").note(str(n), "now")
    assert [(await taken(subscription)).text for _ in range(20)] == [str(n) for n in range(10, 30)]


async def test_a_revoked_link_ends_its_own_watchers_only() -> None:
    """Another link to the same order goes on."""
    hub = Hub()
    revoked, other = watching(hub), hub.subscribe("ord_1", "lnk_2")
    hub.revoke("lnk_1")
    publish(hub, stops_before=5)
    assert isinstance(await taken(other), Update)
    assert isinstance(await taken(revoked), Update | End)


async def test_an_order_that_nobody_watches_is_forgotten_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at once, since who left may come back; and never more than a thousand of them."""
    hub = Hub()
    subscription = watching(hub)
    assert (len(hub), hub.is_watched(["ord_2", "ord_1"])) == (1, True)
    hub.unsubscribe("ord_1", subscription)
    assert (len(hub), hub.is_watched(["ord_1"]), hub.has_channel(["ord_1"]), hub.prune()) == (
        0,
        False,
        True,
        [],
    )
    for n in range(1_500):
        hub.open(f"ord_other_{n}")
    assert len(hub.prune()) == 501 and not hub.has_channel(["ord_1"])
    monkeypatch.setattr("tracker.live.delivery.hub.CHANNEL_KEPT_S", 0.0)
    assert len(hub.prune()) == 1_000


async def test_a_stopping_node_sends_everybody_away_after_the_last_update() -> None:
    """What was already there is still given."""
    hub = Hub()
    subscription = watching(hub)
    publish(hub, stops_before=1)
    hub.restart()
    assert isinstance(await taken(subscription), Update)
    assert await taken(subscription) is None
