"""Deliveries: each event at least once, in its order's sequence, again after failures, and then given up."""

import asyncio
import base64
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.receiver import Received, Receiver
from tests.waiting import until
from tracker.database import Database
from tracker.database.events import webhooks as rows
from tracker.database.events.deliveries import (
    Delivery,
    claim_deliveries,
    repeat_deliveries,
    select_deliveries,
    select_delivery_backlog,
)
from tracker.domain.eta.estimate import Eta
from tracker.domain.events.webhook import Webhook
from tracker.domain.order import OrderStatus, Place
from tracker.metrics import Metrics
from tracker.orders.changes import NewOrder, OrderChange
from tracker.orders.lifecycle import OrderLifecycle
from tracker.tokens import LinkTokens, WebhookSecrets, new_id
from tracker.webhooks import sender as sender_module
from tracker.webhooks.bodies import EventBodies
from tracker.webhooks.feed import EventFeed
from tracker.webhooks.poster import Poster
from tracker.webhooks.sender import WebhookSender

PICKUP, DROPOFF = Place(60.17, 24.94), Place(60.18, 24.95, "Street 5", 60.0)
SECRET, BASE = "a-secret-for-tests-only", "https://track.example"
SECRETS = WebhookSecrets(SECRET)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of milliseconds, and as many attempts as there are."""
    monkeypatch.setattr("tracker.domain.events.webhook.PAUSES_S", ((0.01, 0.02), (0.02, 0.04), (0.04, 0.08)))
    monkeypatch.setattr(sender_module, "POLL_S", 0.02)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver.open() as receiver:
        yield receiver


@pytest.fixture
def orders(database: Database) -> OrderLifecycle:
    async def ignore(change: OrderChange) -> None:
        del change

    return OrderLifecycle(database, ignore, now)


@asynccontextmanager
async def sending(database: Database, *, within_s: float = 5.0) -> AsyncIterator[EventFeed]:
    """A node that numbers and sends."""

    async def no_etas(_: object) -> dict[str, Eta]:
        return {}

    bodies = EventBodies(database, LinkTokens(SECRET), no_etas, now)
    async with (
        EventFeed.open(database) as feed,
        Poster(private=True, within_s=within_s).running() as poster,
        WebhookSender(
            database=database,
            feed=feed,
            bodies=bodies,
            secrets=SECRETS,
            poster=poster,
            metrics=Metrics(),
            now=now,
        ).running(),
    ):
        yield feed


async def add_webhook(database: Database, url: str, *types: Any) -> Webhook:
    new = Webhook(id=new_id("whk"), url=url, types=types, base_url=BASE, created_at=now())
    return await rows.insert_webhook(database, new)


async def deliver(orders: OrderLifecycle) -> str:
    """Four events of one order."""
    order = await orders.create(NewOrder(pickup=PICKUP, dropoff=DROPOFF))
    await orders.patch(order.id, lambda one: one)
    await orders.set_status(order.id, OrderStatus.CANCELLED)
    return order.id


async def deliveries(database: Database, webhook: Webhook) -> list[Delivery]:
    """Oldest first."""
    return (await select_deliveries(database, webhook.id, None, None, 1000))[::-1]


async def until_statuses(database: Database, webhook: Webhook, *statuses: str) -> list[Delivery]:
    async def found() -> list[Delivery]:
        all_ = await deliveries(database, webhook)
        return all_ if [one.status for one in all_] == list(statuses) else []

    return await until(found)


def verified(received: Received, key: bytes) -> bool:
    """Check a signature as a receiver does."""
    headers = received.headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + received.body
    expected = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return expected in headers["webhook-signature"].split(" ")


async def test_events_arrive_signed_and_in_sequence(
    database: Database, orders: OrderLifecycle, receiver: Receiver
) -> None:
    """Only wanted types; the body is the event of the list, with a tracking link for the customer."""
    webhook = await add_webhook(database, receiver.url)
    picky = await add_webhook(database, receiver.url + "/picky", "order.cancelled")
    async with sending(database):
        order_id = await deliver(orders)
        await until_statuses(database, webhook, "delivered", "delivered")
        [delivery] = await until_statuses(database, picky, "delivered")
    assert (delivery.attempts, delivery.last_status, delivery.last_error) == (1, 204, None)
    own = [one for one in receiver.received if one.path == "/events"]
    assert [one.event["type"] for one in own] == ["order.created", "order.cancelled"]
    assert [one.event["type"] for one in receiver.received if one not in own] == ["order.cancelled"]
    assert all(one.headers["webhook-id"] == one.event["id"] for one in receiver.received)
    assert all(verified(one, SECRETS.key(webhook.id, 1)) for one in own)
    assert not any(verified(one, SECRETS.key(picky.id, 1)) for one in own)
    body = own[0].event["data"]["order"]
    assert (body["id"], body["status"]) == (order_id, "created")
    assert body["tracking_url"].startswith(f"{BASE}/t/")


async def test_a_later_event_waits_for_the_earlier_one(
    database: Database, orders: OrderLifecycle, receiver: Receiver
) -> None:
    """Of one order, also while the first one fails. Other orders go on meanwhile."""
    webhook = await add_webhook(database, receiver.url)
    failures = 2
    first = await orders.create(NewOrder(pickup=PICKUP, dropoff=DROPOFF))

    def answer(received: Received) -> tuple[int, dict[str, str]]:
        tries = len([one for one in receiver.received if one.event["id"] == received.event["id"]])
        is_stubborn = received.order_id == first.id and received.event["type"] == "order.created"
        return (500, {}) if is_stubborn and tries <= failures else (200, {})

    receiver.answer = answer
    await orders.set_status(first.id, OrderStatus.CANCELLED)
    async with sending(database):
        await deliver(orders)
        found = await until_statuses(database, webhook, *["delivered"] * 4)
    own = [one.event["type"] for one in receiver.received if one.order_id == first.id]
    assert own == ["order.created"] * 3 + ["order.cancelled"]
    assert sorted(one.attempts for one in found) == [1, 1, 1, 3]


async def test_what_is_given_up_lets_the_next_one_go_and_can_be_sent_again(
    database: Database, orders: OrderLifecycle, receiver: Receiver
) -> None:
    """After the last attempt a delivery is dead; it stays visible, with why, until it is repeated."""
    webhook = await add_webhook(database, receiver.url)
    receiver.answer = lambda one: (200, {}) if one.event["type"] == "order.cancelled" else (400, {})
    async with sending(database):
        await deliver(orders)
        dead, delivered = await until_statuses(database, webhook, "dead", "delivered")
        assert (dead.attempts, dead.last_status, dead.last_error) == (4, 400, "http_status")
        assert dead.next_attempt_at is None
        assert (await select_delivery_backlog(database))[:2] == (0, 1)
        receiver.answer = lambda _: (200, {})
        for event_id, count in ((None, 1), (None, 0), (delivered.event_id, 1), ("evt_none", None)):
            async with database.transaction() as connection:
                assert await repeat_deliveries(connection, webhook.id, event_id) == count
        await until(lambda: len(receiver.received) == 7)
        found = await until_statuses(database, webhook, "delivered", "delivered")
    assert [one.attempts for one in found] == [1, 1]
    assert receiver.received[-1].event["type"] == "order.cancelled"


async def test_a_killed_node_leaves_its_claims_to_others(
    database: Database, orders: OrderLifecycle, receiver: Receiver
) -> None:
    """What a node has claimed and not sent is due again after the lease."""
    webhook = await add_webhook(database, receiver.url)
    await deliver(orders)
    await EventFeed(database).catch_up()
    lease = timedelta(seconds=0.3)
    claim = {"per_webhook": 8, "busy": {}, "limit": 64, "lease": lease}
    [claimed] = await claim_deliveries(database, **claim)  # type: ignore[arg-type]
    assert claimed.webhook == webhook
    assert await claim_deliveries(database, **claim) == []  # type: ignore[arg-type]
    async with sending(database):
        await until_statuses(database, webhook, "delivered", "delivered")
    assert [one.event["type"] for one in receiver.received] == ["order.created", "order.cancelled"]


async def test_several_nodes_send_each_delivery_once(
    database: Database, orders: OrderLifecycle, receiver: Receiver
) -> None:
    """And each order's events in sequence, whichever node sends them."""
    webhook = await add_webhook(database, receiver.url)
    async with sending(database), sending(database), sending(database):
        order_ids = await asyncio.gather(*(deliver(orders) for _ in range(20)))
        await until_statuses(database, webhook, *["delivered"] * 40)
    assert len({one.event["id"] for one in receiver.received}) == len(receiver.received) == 40
    for order_id in order_ids:
        own = [one.event["type"] for one in receiver.received if one.order_id == order_id]
        assert own == ["order.created", "order.cancelled"]


async def test_a_receiver_that_hangs_delays_no_other(
    database: Database, orders: OrderLifecycle, receiver: Receiver
) -> None:
    """Each webhook has its own share of the attempts under way."""
    async with Receiver.open() as hanging:
        hanging.held.clear()
        stuck = await add_webhook(database, hanging.url)
        webhook = await add_webhook(database, receiver.url)
        async with sending(database, within_s=30.0):
            await asyncio.gather(*(deliver(orders) for _ in range(20)))
            await until_statuses(database, webhook, *["delivered"] * 40)
            assert len(hanging.received) == sender_module.SENDS_PER_WEBHOOK
            hanging.held.set()
            await until_statuses(database, stuck, *["delivered"] * 40)


async def test_410_and_days_of_failures_disable_a_webhook(
    database: Database, orders: OrderLifecycle, receiver: Receiver
) -> None:
    """With the reason; what is not sent is dead, and later events are not for it."""
    gone = await add_webhook(database, receiver.url)
    receiver.answer = lambda _: (410, {})
    await deliver(orders)
    await EventFeed(database).catch_up()  # both are for it before the first is sent
    async with sending(database):
        found = await until_statuses(database, gone, "dead", "dead")
        assert [one.last_error for one in found] == ["http_status", "webhook_disabled"]
        disabled = await rows.select_webhook(database, gone.id)
        assert disabled is not None
        assert (disabled.disabled_reason, disabled.disabled_at is None) == ("gone", False)
        failing = await add_webhook(database, receiver.url)
        await database.pool.execute(
            "UPDATE webhooks SET failing_since = now() - interval '73 hours' WHERE id = $1", failing.id
        )
        receiver.answer = lambda _: (500, {})
        await deliver(orders)
        await EventFeed(database).catch_up()

        async def is_disabled() -> bool:
            found = await rows.select_webhook(database, failing.id)
            return found is not None and found.disabled_reason == "failing"

        await until(is_disabled)
        ended = await deliveries(database, failing)
        assert {one.status for one in ended} == {"dead"}
        assert len(await deliveries(database, gone)) == 2
        receiver.answer = lambda _: (200, {})
        await rows.enable_webhook(database, failing.id)
        async with database.transaction() as connection:
            await repeat_deliveries(connection, failing.id, None)
        await until_statuses(database, failing, *["delivered"] * len(ended))


async def test_both_secrets_sign_during_the_overlap(
    database: Database, orders: OrderLifecycle, receiver: Receiver
) -> None:
    """A receiver may change to the new one at any time until then; afterwards only the new one signs."""
    webhook = await add_webhook(database, receiver.url)
    async with sending(database):
        await rows.renew_webhook_secret(database, webhook.id, now() + timedelta(hours=1))
        await orders.create(NewOrder(pickup=PICKUP, dropoff=DROPOFF))
        await until(lambda: len(receiver.received) == 1)
        await rows.renew_webhook_secret(database, webhook.id, now())
        await orders.create(NewOrder(pickup=PICKUP, dropoff=DROPOFF))
        await until(lambda: len(receiver.received) == 2)
    keys = [SECRETS.key(webhook.id, number) for number in (1, 2, 3)]
    assert [verified(receiver.received[0], key) for key in keys] == [True, True, False]
    assert [verified(receiver.received[1], key) for key in keys] == [False, False, True]


async def test_an_erased_customer_is_in_no_pending_delivery(
    database: Database, orders: OrderLifecycle, receiver: Receiver
) -> None:
    """The body is made when it is sent, from what the order holds then."""
    webhook = await add_webhook(database, receiver.url)
    order = await orders.create(NewOrder(pickup=PICKUP, dropoff=Place(60.18, 24.95, "kanarialintu 5")))
    await orders.set_status(order.id, OrderStatus.CANCELLED)
    await EventFeed(database).catch_up()
    await orders.erase_customer(order.id)
    async with sending(database):
        await until_statuses(database, webhook, "delivered", "delivered")
    assert b"kanarialintu" not in b"".join(one.body for one in receiver.received)
