"""Every JSON body has a limit that fits its endpoint, and is counted before it is read."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import connect

from tests.api.merchant import DROPOFF, ORDER, all_pages, problem, wrong_fields
from tests.branded import branded
from tests.service import Service, hear, say, token_of
from tests.waiting import becomes_true, until
from tracker.api.merchant.branding.bodies import BODY_BYTES
from tracker.api.merchant.driver_bodies import STOPS_BYTES
from tracker.api.merchant.map import ADDRESSES_BYTES
from tracker.api.merchant.order_bodies import BULK_BYTES, ORDER_BYTES, RULES
from tracker.api.request_body import BUFFER_BYTES, LARGEST_BYTES, BoundedBody
from tracker.errors import TooLarge
from tracker.messages import FRAME_BYTES
from tracker.node import NOTE_BODIES_AT_ONCE, NOTES_AT_ONCE, REQUESTS_AT_ONCE

SMALL = 16_384
ACTS: Any = {"instructions": "instruct", "place": "move_pin", "rating": "rate"}  # with what allows them


async def limits(service: Service) -> list[tuple[str, str, int, dict[str, str]]]:
    """Each endpoint that takes a body: method, path, bytes, and headers."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    bearer = {"Authorization": f"Bearer {driver['token']}"}
    webhook = await service.post(
        "/v1/webhooks", {"url": "https://shop.example/hook", "events": ["order.created"]}
    )
    of_webhook = f"/v1/webhooks/{webhook['id']}"
    of_order, of_driver = f"/v1/orders/{order['id']}", f"/v1/drivers/{driver['id']}"
    return [
        ("POST", f"/v1/track/{token_of(order)}/messages", SMALL, {}),
        *(("POST", f"/v1/track/{token_of(order)}/{act}", SMALL, {}) for act in ACTS),
        ("POST", "/v1/session", SMALL, {}),
        ("PUT", "/v1/brand", BODY_BYTES, {}),
        ("POST", "/v1/drivers/fixes", FRAME_BYTES, bearer),
        ("POST", "/v1/drivers", SMALL, {}),
        ("POST", "/v1/drivers/pair", SMALL, {}),
        ("PUT", f"{of_driver}/stops", STOPS_BYTES, {}),
        ("POST", f"{of_driver}/duty", SMALL, {}),
        ("POST", "/v1/orders", ORDER_BYTES, {}),
        ("POST", "/v1/orders/bulk", BULK_BYTES, {}),
        ("PATCH", of_order, ORDER_BYTES, {}),
        ("POST", f"{of_order}/assign", SMALL, {}),
        ("POST", f"{of_order}/attempts", SMALL, {}),
        ("POST", f"{of_order}/status", SMALL, {}),
        ("POST", f"{of_order}/links", SMALL, {}),
        ("POST", "/v1/routes", SMALL, {}),
        ("POST", "/v1/geocode", ADDRESSES_BYTES, {}),
        ("POST", "/v1/webhooks", SMALL, {}),
        ("PATCH", of_webhook, SMALL, {}),
        ("POST", f"{of_webhook}/secret", SMALL, {}),
        ("POST", f"{of_webhook}/redeliver", SMALL, {}),
    ]


async def test_each_endpoint_has_a_limit(service: Service) -> None:
    """One byte beyond it is 413, with a length or in chunks; a body of that length is looked into."""
    async with branded(service, customer_may=list(ACTS.values())):
        for method, path, limit, headers in await limits(service):
            for size, statuses in ((limit, {400, 422}), (limit + 1, {413}), (3_000_000, {413})):
                body = b'{"x":"%s"}' % (b"x" * (size - 8))

                async def pieces(body: bytes = body) -> AsyncIterator[bytes]:
                    for begin in range(0, len(body), 50_000):
                        yield body[begin : begin + 50_000]

                for content in (body, pieces()):
                    answer = await service.http.request(method, path, content=content, headers=headers)
                    assert answer.status_code in statuses, (method, path, size, answer.text)


async def test_the_limits_are_those_of_all_endpoints(service: Service) -> None:
    """An endpoint with a body that is new has to be thought of here; phone apps have tests of their own."""
    described = (await service.get("/openapi.json"))["paths"]
    with_body = {
        (method.upper(), path.count("/"), path.rsplit("/", 1)[1].split("}")[-1])
        for path, calls in described.items()
        for method, call in calls.items()
        if isinstance(call, dict) and "requestBody" in call and path.startswith("/v1/")
    }
    known = {
        (method, path.count("/"), "" if "_" in (end := path.rsplit("/", 1)[1]) else end)
        for method, path, _, _ in await limits(service)
    }
    assert with_body - {("POST", 4, "proofs")} <= known  # a form: tests/api/driver/test_proofs.py


async def test_a_large_refused_body_is_drained(service: Service) -> None:
    """20 MB are read before the 413, so that a client that writes all of it can read the answer."""
    order = await service.new_order()
    path = f"/v1/track/{token_of(order)}/messages"
    answers = await asyncio.gather(*(service.http.post(path, content=b"[" * 20_000_000) for _ in range(2)))
    for answer in answers:
        problem(answer, 413, "too-large")


async def test_what_a_link_sends_is_counted_before_it_is_read(service: Service) -> None:
    """Wrong bodies, too: after thirty each is 429 whatever it holds. Another link is not concerned."""
    order, other = await service.new_order(), await service.new_order()
    path = f"/v1/track/{token_of(order)}/messages"
    hostile = b'{"text":"a","%s":[%s0]}' % (b"k" * 6_000, b"0," * 4_000)
    answers = await asyncio.gather(
        *(service.http.post(path, content=hostile) for _ in range(3 * NOTE_BODIES_AT_ONCE))
    )
    refused = [problem(one, 429, "rate-limited") for one in answers if one.status_code != 422]
    assert 0 < len(refused) <= 2 * NOTE_BODIES_AT_ONCE
    assert all("errors" not in one for one in refused)
    await service.post(f"/v1/track/{token_of(other)}/messages", {"text": "Hello"})


async def test_at_most_fifty_wrong_fields_are_named(service: Service) -> None:
    """And the others counted."""
    answer = await service.http.post("/v1/orders", json={f"x{n}": n for n in range(3_000)})
    assert len(wrong_fields(answer)) == 50
    assert "2952 more" in answer.json()["detail"]


async def test_answers_to_keys_and_tokens_say_what_is_left(service: Service) -> None:
    """As the IETF's draft says, and no cache keeps them; what a link gets says nothing of a key."""
    driver = await service.new_driver()
    bearer = {"Authorization": f"Bearer {driver['token']}"}
    answer = await service.http.get("/v1/orders")
    assert answer.headers["RateLimit-Policy"] == f'"default";q={REQUESTS_AT_ONCE};w=60'
    assert answer.headers["RateLimit"].startswith('"default";r=')
    assert answer.headers["Cache-Control"] == "private, no-store"
    answer = await service.http.post("/v1/drivers/fixes", json=[], headers=bearer)
    assert answer.headers["RateLimit-Policy"] == '"default";q=20000;w=20'
    assert "RateLimit" not in (await service.http.get("/livez")).headers


async def test_a_query_string_has_few_fields(service: Service) -> None:
    """Thousands of them are not taken apart."""
    assert wrong_fields(await service.http.get("/v1/orders?" + "a&" * 7_000)) == [""]


async def test_visibility_takes_ten_rules_a_field(service: Service) -> None:
    """In a new order and in a change; the field is named. Ten are taken."""
    order = await service.new_order()
    for count, rule in ((RULES + 1, "never"), (2_000, {"stops": 1})):
        for field in ("position", "route", "eta", "stops_before"):
            change = {"visibility": {field: [rule] * count}}
            answer = await service.http.post("/v1/orders", json={**ORDER, **change})
            assert wrong_fields(answer) == [f"visibility.{field}"]
            answer = await service.http.patch(f"/v1/orders/{order['id']}", json=change)
            assert wrong_fields(answer) == [f"visibility.{field}"]
    ten = {"visibility": {"position": [{"stops": n} for n in range(RULES)], "eta": []}}
    assert (await service.http.patch(f"/v1/orders/{order['id']}", json=ten)).status_code == 200


async def test_notes_of_drivers_are_limited_like_those_of_customers(service: Service) -> None:
    """Five at once to one customer, then errors. The connection stays, and other customers get theirs."""
    driver = await service.new_driver()
    order, other = await service.new_order(driver["id"]), await service.new_order(driver["id"])
    async with service.drive(driver["token"]) as courier:
        await hear(courier, "welcome")
        answers = []
        for n in range(400):
            await say(courier, type="message", id=n, order_id=order["id"], text="x" * 4_000)
            answers.append(await hear(courier, "ack", "error"))
        acknowledged = [answer["id"] for answer in answers if answer["type"] == "ack"]
        assert acknowledged[:NOTES_AT_ONCE] == list(range(NOTES_AT_ONCE))
        assert len(acknowledged) <= NOTES_AT_ONCE + 2
        assert {answer["code"] for answer in answers if answer["type"] == "error"} == {"rate_limited"}
        await say(courier, type="message", id=1_000, order_id=other["id"], text="Nearly there")
        assert (await hear(courier, "ack", "error"))["type"] == "ack"
        await say(courier, type="message", id=1_001, order_id="o" * 200_000, text="Nearly there")
        assert (await hear(courier, "ack", "error"))["code"] == "not_found"


async def test_a_first_message_is_short(service: Service) -> None:
    """It holds only a token, so a longer message from an unauthenticated client is not parsed."""
    async with connect(f"{service.ws_url}/v1/drivers/stream", compression=None) as stranger:
        await say(stranger, type="fixes", id=1, fixes=[[]] * 60_000)
        async with asyncio.timeout(5):
            await stranger.wait_closed()
        assert stranger.close_code == 4008


async def test_the_timeline_comes_in_pages(service: Service) -> None:
    """From the oldest entry on, none twice and none left out, with the order and the numbers beside each."""
    order = await service.new_order()
    path = f"/v1/orders/{order['id']}"
    for n in range(30):
        await service.post(f"{path}/links", {"expires_at": f"2999-01-01T00:00:{n:02}Z"})
    whole = await service.get(f"{path}/history")
    assert whole["next"] is None
    assert len(whole["timeline"]) == 31
    seen: list[Any] = []
    cursor = ""
    while True:
        answer = await service.get(f"{path}/history?limit=7{cursor}")
        assert answer["order"] == whole["order"]
        assert answer["summary"] == whole["summary"]
        assert len(answer["timeline"]) <= 7
        seen += answer["timeline"]
        if answer["next"] is None:
            break
        cursor = f"&cursor={answer['next']}"
    assert seen == whole["timeline"]
    for wrong in ("limit=0", "limit=501", "cursor=x", f"cursor={json.dumps([1, 'x']).encode().hex()}"):
        assert wrong_fields(await service.http.get(f"{path}/history?{wrong}")) == [wrong.split("=")[0]]


async def test_other_lists_cursors_are_no_cursors_of_a_timeline(service: Service) -> None:
    """They are refused by name."""
    for _ in range(2):
        order = await service.new_order(dropoff=DROPOFF)
    assert await all_pages(service, "/v1/orders", limit=500)
    cursor = (await service.get("/v1/orders?limit=1"))["next"]
    answer = await service.http.get(f"/v1/orders/{order['id']}/history?cursor={cursor}")
    assert wrong_fields(answer) == ["cursor"]


@pytest.mark.parametrize("path", ["/v1/track/{}/poll?wait_s=5", "/v1/track/{}/events", "/t/{}", "/livez"])
async def test_a_body_where_none_is_expected_is_not_kept(service: Service, path: str) -> None:
    """What comes with a GET is dropped: 30 MB of it, which would otherwise wait in memory for nobody."""
    order = await service.new_order()
    before = resident_mb(service)
    host, _, port = service.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"GET {path.format(token_of(order))} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n"
    writer.write(head.encode())
    for _ in range(30):
        writer.write(b"x" * 1_000_000)
        async with asyncio.timeout(30):
            await writer.drain()
    assert resident_mb(service) - before < 10
    writer.transport.abort()
    assert reader is not None


def resident_mb(service: Service) -> float:
    with open(f"/proc/{service.process.pid}/status") as status:  # noqa: PTH123
        (line,) = [line for line in status if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


async def test_a_body_waits_until_it_is_wanted() -> None:
    """Before the endpoint reads it, little is buffered; then all up to its limit, or nothing."""
    body = BoundedBody(None, None)
    chunks = [b"x" * 65_536] * 8

    async def receive() -> None:
        for chunk in chunks:
            await body.put(chunk)
        body.set_complete()

    receiving = asyncio.create_task(receive())
    await until(lambda: body.received == BUFFER_BYTES)
    assert not await becomes_true(lambda: body.received > BUFFER_BYTES, within=0.2)
    assert await body.whole(1_000_000) == b"".join(chunks)
    await receiving


@pytest.mark.parametrize("limit", [100_000, 400_000])
async def test_a_body_beyond_its_limit_is_dropped(limit: int) -> None:
    """However much came before the endpoint read it; the rest is taken and forgotten."""
    body = BoundedBody(None, None)

    async def receive() -> None:
        for _ in range(16):
            await body.put(b"x" * 65_536)
        body.set_complete()

    receiving = asyncio.create_task(receive())
    with pytest.raises(TooLarge):
        await body.whole(limit)
    await body.discard()
    await receiving
    assert body.received == 16 * 65_536


async def test_a_body_arrives_from_either_version_of_quart() -> None:
    """Quart 0.23 awaits `put`; 0.22, the last for Python 3.12, calls `append`, before the endpoint reads."""
    body = BoundedBody(None, None)
    body.append(b"x" * BUFFER_BYTES)
    body.append(b"y" * BUFFER_BYTES)
    body.set_complete()
    assert await body.whole(BULK_BYTES) == b"x" * BUFFER_BYTES + b"y" * BUFFER_BYTES
    assert BULK_BYTES <= LARGEST_BYTES
