"""`POST /v1/orders/bulk`: many orders in one request."""

import asyncio
import json
from typing import Any

import pytest

from tests.api.merchant import DROPOFF, ORDER, all_pages, problem, wrong_fields
from tests.service import Service, hear, token_of
from tracker.api.merchant.order_bodies import BULK_BYTES, BULK_ORDERS

PATH = "/v1/orders/bulk"


async def bulk(service: Service, *orders: object, **headers: str) -> Any:
    answer = await service.http.post(PATH, json={"orders": orders}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def test_one_item_comes_back_for_each_order_in_sequence(service: Service) -> None:
    """Each is what a single call makes: it can be read, watched and listed."""
    driver = await service.new_driver()
    given = [
        ORDER | {"reference": "bulk-1", "metadata": {"n": "1"}},
        ORDER | {"reference": "bulk-1", "driver_id": driver["id"], "instructions": "Knock."},
        ORDER | {"reference": "bulk-1"},
    ]
    items = await bulk(service, *given)
    assert [item.keys() for item in items] == [{"status", "order"}] * 3
    assert [item["status"] for item in items] == [201] * 3
    orders = [item["order"] for item in items]
    assert [order["metadata"] for order in orders] == [{"n": "1"}, {}, {}]
    assert [(order["status"], order["version"]) for order in orders] == [
        ("created", 1),
        ("assigned", 2),
        ("created", 1),
    ]
    for order in orders:
        assert await service.get(f"/v1/orders/{order['id']}") | {"eta": None} == order
        snapshot = await service.get(f"/v1/track/{token_of(order)}")
        assert snapshot["order"]["status"] == order["status"]
    listed = await all_pages(service, "/v1/orders", reference="bulk-1")
    assert {order["id"] for order in listed} == {order["id"] for order in orders}
    history = await service.get(f"/v1/orders/{orders[1]['id']}/history")
    assert [entry["kind"] for entry in history["timeline"]] == ["created", "assigned"]


async def test_a_bulk_order_is_what_a_single_call_makes(service: Service) -> None:
    """Every field but the id, its times and its link, with and without a driver."""
    driver = await service.new_driver()

    def comparable(order: Any) -> Any:
        return (
            order
            | dict.fromkeys(("id", "created_at", "tracking_url"))
            | {"timestamps": set(order["timestamps"])}
        )

    for body in (ORDER, ORDER | {"driver_id": driver["id"], "customer": {"name": "Bo"}}):
        single = await service.post("/v1/orders", body)
        [item] = await bulk(service, body)
        assert comparable(item["order"]) == comparable(single)


async def test_a_wrong_order_does_not_spoil_the_others(service: Service) -> None:
    """Whatever is wrong with it: its item has the problem that a single call would have had."""
    wrong: list[Any] = [
        ORDER | {"pickup": {"lat": 91, "lon": 0}},
        ORDER | {"driver_id": "drv_nobody"},
        ORDER | {"unknown": 1},
        ORDER | {"dropoff": {"lat": 0, "lon": 0}},
        ORDER | {"reference": "\0"},
        ORDER | {"window": {"from": "2026-11-22T18:00:00Z", "to": "2026-11-22T17:00:00Z"}},
        {},
        None,
        "order",
        [],
    ]
    mixed = [one for each in wrong for one in (each, ORDER | {"reference": "bulk-mixed"})]
    items = await bulk(service, *mixed)
    assert [item["status"] for item in items] == [422, 201] * len(wrong)
    for body, item in zip(wrong, items[::2], strict=True):
        assert item.keys() == {"status", "problem"}
        single = await service.http.post("/v1/orders", content=json.dumps(body))
        assert item["problem"] == single.json(), body
    listed = await all_pages(service, "/v1/orders", reference="bulk-mixed")
    assert len(listed) == len(wrong)


async def test_each_order_counts_as_a_request(service: Service) -> None:
    """Wrong orders too, so that a bulk is no way around the allowance of a key."""

    def left(answer: Any) -> int:
        return int(answer.headers["RateLimit"].split(";")[1].removeprefix("r="))

    before = left(await service.http.get("/v1/orders?limit=1"))
    after = left(await service.http.post(PATH, json={"orders": [{}] * BULK_ORDERS}))
    assert before - BULK_ORDERS <= after < before - BULK_ORDERS // 2  # it grows by 100 a second


@pytest.mark.parametrize("part", ["[" * 40 + "]" * 40, '{"x":' * 40 + "1" + "}" * 40])
async def test_a_part_that_is_nested_too_deeply_is_a_400_of_its_item(service: Service, part: str) -> None:
    """As it would be alone; its neighbours are created."""
    good = json.dumps(ORDER)
    answer = await service.http.post(PATH, content=f'{{"orders":[{good},{part},{good}]}}')
    assert [item["status"] for item in answer.json()["items"]] == [201, 400, 201]


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"orders":[{"reference":"\\ud800"}]}', b'{"orders":[\xff]}']
)
async def test_what_is_no_json_is_a_400_as_a_whole(service: Service, content: bytes) -> None:
    """Nobody knows where one order ends in it."""
    problem(await service.http.post(PATH, content=content), 400, "unparsable")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"orders": [ORDER] * (BULK_ORDERS + 1)}, "orders"),
        ({"orders": ORDER}, "orders"),
        ({}, "orders"),
        ({"orders": [], "more": 1}, "more"),
    ],
)
async def test_a_wrong_request_is_refused_as_a_whole(service: Service, body: object, field: str) -> None:
    """More than 500 orders, no list, or unknown fields."""
    assert wrong_fields(await service.http.post(PATH, json=body)) == [field]


async def test_no_orders_are_no_mistake(service: Service) -> None:
    """An empty list, or only wrong orders."""
    assert await bulk(service) == []
    assert [item["status"] for item in await bulk(service, {})] == [422]


async def test_five_hundred_large_orders_fit(service: Service) -> None:
    """4 kB each: more than a body may have elsewhere."""
    large = ORDER | {"metadata": {f"k{n}": "x" * 480 for n in range(8)}}
    items = await bulk(service, *[large] * BULK_ORDERS)
    assert [item["status"] for item in items] == [201] * BULK_ORDERS
    assert len({item["order"]["id"] for item in items}) == BULK_ORDERS
    too_large = {"orders": [large], "x": "y" * BULK_BYTES}
    problem(await service.http.post(PATH, json=too_large), 413, "too-large")


async def test_a_repeated_request_creates_nothing_more(service: Service) -> None:
    """Eight at once with one key get the same answer, wrong orders included; another body is 409."""
    key = {"Idempotency-Key": "bulk-once"}
    body = {"orders": [ORDER | {"reference": "bulk-once"}, {}, ORDER | {"reference": "bulk-once"}]}
    answers = await asyncio.gather(*(service.http.post(PATH, json=body, headers=key) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 7
    assert len(await all_pages(service, "/v1/orders", reference="bulk-once")) == 2
    other = await service.http.post(PATH, json={"orders": []}, headers=key)
    problem(other, 409, "idempotency-mismatch")


async def test_the_driver_gets_all_of_their_orders_in_one_message(service: Service) -> None:
    """In the stop sequence that a single insertion of each gives, with the near one first."""
    driver = await service.new_driver()
    far = ORDER | {"dropoff": {"lat": 60.1600, "lon": 24.9400}, "driver_id": driver["id"]}
    near = ORDER | {"dropoff": DROPOFF, "driver_id": driver["id"]}
    async with service.drive(driver["token"]) as courier:
        assert (await hear(courier, "welcome"))["orders"] == []
        items = await bulk(service, far, near, far)
        message = await hear(courier, "orders")
    ids = {item["order"]["id"] for item in items}
    assert {order["id"] for order in message["orders"]} == ids
    stops = (await service.get(f"/v1/drivers/{driver['id']}/stops"))["stops"]
    assert len(stops) == 6
    places = [(stop["order_id"], stop["kind"]) for stop in stops]
    assert all(places.index((one, "pickup")) < places.index((one, "dropoff")) for one in ids)
