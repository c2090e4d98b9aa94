"""`/v1/webhooks` as a merchant's program uses it, with a receiver of its own."""

import base64
import hmac
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.api.merchant import all_pages, problem, wrong_fields
from tests.receiver import Received, Receiver
from tests.service import Service, running_service
from tests.waiting import until


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def private(data_dir: Path, own_database: str) -> AsyncIterator[Service]:
    """A service whose webhooks may go to this machine."""
    async with running_service(data_dir, own_database, TRACKER_WEBHOOKS_PRIVATE="on") as running:
        yield running


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver.open() as receiver:
        yield receiver


def signed_by(received: Received, secret: str) -> bool:
    """Check a signature as a receiver does that knows the secret and Standard Webhooks."""
    headers, key = received.headers, base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + received.body
    expected = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return expected in headers["webhook-signature"].split(" ")


async def deliveries(service: Service, webhook: Any, **query: str) -> list[Any]:
    return await all_pages(service, f"/v1/webhooks/{webhook['id']}/deliveries", limit=1, **query)


async def test_from_the_first_call_to_the_first_event(private: Service, receiver: Receiver) -> None:
    """Create, test, get events, change the secret, repeat, disable, delete; the secret is shown once."""
    webhook = await private.post("/v1/webhooks", {"url": receiver.url, "events": ["order.cancelled"]})
    path, secret = f"/v1/webhooks/{webhook['id']}", webhook.pop("secret")
    assert await private.get(path) == webhook
    assert webhook in await all_pages(private, "/v1/webhooks", limit=1)
    test = await private.post(f"{path}/test", None)
    await until(lambda: len(receiver.received) == 1)
    [received] = receiver.received
    assert (received.event["id"], received.event["type"]) == (test["event_id"], "webhook.test")
    assert received.headers["webhook-id"] == test["event_id"]
    assert signed_by(received, secret)
    order = await private.new_order()
    cancelled = await private.post(f"/v1/orders/{order['id']}/status", {"status": "cancelled"})
    await until(lambda: receiver.of_order(order))
    [event] = [one.event for one in receiver.of_order(order)]
    assert event["type"] == "order.cancelled"
    assert event["data"]["order"] == cancelled
    listed = (await private.get("/v1/events?limit=500"))["items"]
    assert event in listed
    assert test["event_id"] not in {one["id"] for one in listed}

    async def delivered() -> bool:
        return [one["status"] for one in await deliveries(private, webhook)] == ["delivered"] * 2

    await until(delivered)
    newest, _ = await deliveries(private, webhook)
    assert (newest["event_id"], newest["attempts"], newest["last_status"]) == (event["id"], 1, 204)
    assert await deliveries(private, webhook, status="dead") == []
    renewed = await private.post(f"{path}/secret", {"overlap_s": 600})
    assert await private.post(f"{path}/redeliver", {"event_id": event["id"]}) == {"deliveries": 1}
    await until(lambda: len(receiver.of_order(order)) == 2)
    again = receiver.of_order(order)[-1]
    assert again.event == event
    assert signed_by(again, secret)
    assert signed_by(again, renewed["secret"])
    changed = (await private.http.patch(path, json={"enabled": False})).json()
    assert changed["disabled_reason"] == "by_merchant"
    problem(await private.http.post(f"{path}/test"), 409, "conflict")
    assert (await private.http.patch(path, json={"enabled": True})).json()["disabled_at"] is None
    for secret_text in (secret, renewed["secret"]):
        for shown in (path, "/v1/webhooks", f"{path}/deliveries"):
            assert secret_text not in (await private.http.get(shown)).text
        assert secret_text not in private.log.read_text("utf-8")
    assert (await private.http.delete(path)).status_code == 204
    problem(await private.http.get(path), 404, "not-found")
    problem(await private.http.delete(path), 404, "not-found")


async def test_an_event_that_fails_is_sent_again(private: Service, receiver: Receiver) -> None:
    """With longer pauses; each attempt is visible, and a repeat does not wait for the pause."""
    receiver.answer = lambda _: (503, {})
    webhook = await private.post("/v1/webhooks", {"url": receiver.url})
    order = await private.new_order()
    await until(lambda: len(receiver.of_order(order)) == 2)

    async def second() -> Any:
        [one] = [one for one in await deliveries(private, webhook, status="pending")]
        return one if one["attempts"] == 2 else None

    pending = await until(second)
    assert (pending["last_status"], pending["last_error"]) == (503, "http_status")
    assert pending["next_attempt_at"] > pending["last_attempt_at"]
    assert (await private.get(f"/v1/webhooks/{webhook['id']}"))["failing_since"]
    receiver.answer = lambda _: (200, {})
    repeat = {"event_id": pending["event_id"]}
    assert await private.post(f"/v1/webhooks/{webhook['id']}/redeliver", repeat) == {"deliveries": 1}

    async def works() -> bool:
        return (await private.get(f"/v1/webhooks/{webhook['id']}"))["failing_since"] is None

    await until(works)
    assert {one.headers["webhook-id"] for one in receiver.of_order(order)} == {pending["event_id"]}
    await private.http.delete(f"/v1/webhooks/{webhook['id']}")


async def test_private_addresses_need_the_setting(service: Service, receiver: Receiver) -> None:
    """The usual service refuses them at once where the URL shows it, and else at each connection."""
    for url in (
        receiver.url,
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/",
        "https://user@a/",
    ):
        assert wrong_fields(await service.http.post("/v1/webhooks", json={"url": url})) == ["url"]
    webhook = await service.post("/v1/webhooks", {"url": f"https://localhost.localdomain:{receiver.port}/"})
    await service.post(f"/v1/webhooks/{webhook['id']}/test", None)

    async def failed() -> Any:
        return [one for one in await deliveries(service, webhook) if one["attempts"]]

    [delivery] = await until(failed)
    assert delivery["last_error"] in {"address_not_allowed", "name_unresolved"}
    assert receiver.connections == 0
    assert (await service.http.delete(f"/v1/webhooks/{webhook['id']}")).status_code == 204


async def test_wrong_calls_are_named(service: Service) -> None:
    """Unknown types and ids; a read key changes nothing."""
    wrong = {"url": "https://shop.example/", "events": ["order.eaten"]}
    assert wrong_fields(await service.http.post("/v1/webhooks", json=wrong)) == ["events[0]"]
    for call in ("test", "redeliver", "secret"):
        problem(await service.http.post(f"/v1/webhooks/whk_none/{call}"), 404, "not-found")
    problem(await service.http.get("/v1/webhooks/whk_none/deliveries"), 404, "not-found")
    problem(await service.http.patch("/v1/webhooks/whk_none", json={}), 404, "not-found")
    webhook = await service.post("/v1/webhooks", {"url": "https://shop.example/"})
    path = f"/v1/webhooks/{webhook['id']}"
    problem(await service.http.post(f"{path}/redeliver", json={"event_id": "evt_none"}), 404, "not-found")
    assert wrong_fields(await service.http.post(f"{path}/secret", json={"overlap_s": -1})) == ["overlap_s"]
    assert wrong_fields(await service.http.get(f"{path}/deliveries?cursor=00")) == ["cursor"]
    assert (await service.http.delete(path)).status_code == 204
