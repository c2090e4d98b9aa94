"""Answers to writes that create something: where it is, and what a repeated key gets."""

from typing import Any

import httpx
import pytest

from tests.api.merchant import ORDER, problem
from tests.service import Service, token_of

REPLAYED = "Idempotent-Replayed"


async def creating_writes(service: Service) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Each path that creates something, with a body and another one."""
    order = await service.new_order()
    later = {"expires_at": "2999-01-01T00:00:00Z"}
    return [
        ("/v1/drivers", {"name": "Aino", "vehicle": "car"}, {"name": "Bo", "vehicle": "car"}),
        ("/v1/orders", ORDER, ORDER | {"reference": "x"}),
        (f"/v1/orders/{order['id']}/links", {}, later),
    ]


async def test_what_was_created_can_be_read_at_its_location(service: Service) -> None:
    """Every 201 names where; what is there has the same id."""
    for path, body, _ in await creating_writes(service):
        made = await service.http.post(path, json=body)
        assert made.status_code == 201, made.text
        assert made.headers["Location"] == f"{path}/{made.json()['id']}"
        assert (await service.get(made.headers["Location"]))["id"] == made.json()["id"]
        assert REPLAYED not in made.headers


async def test_a_repeated_key_gets_the_same_answer(service: Service) -> None:
    """Status, headers and body, marked as replayed; another body is 409, another key creates another one."""
    for number, (path, body, other) in enumerate(await creating_writes(service)):
        key = {"Idempotency-Key": f"replayed-{number}"}
        made, again = [await service.http.post(path, json=body, headers=key) for _ in range(2)]
        assert (again.status_code, again.content) == (201, made.content)
        assert {name: again.headers.get(name) for name in ("Location", "ETag", REPLAYED)} == {
            **{name: made.headers.get(name) for name in ("Location", "ETag")},
            REPLAYED: "true",
        }
        problem(await service.http.post(path, json=other, headers=key), 409, "idempotency-mismatch")
        fresh = await service.http.post(path, json=body, headers={"Idempotency-Key": f"fresh-{number}"})
        assert fresh.json()["id"] != made.json()["id"]
        assert REPLAYED not in fresh.headers


async def test_a_retry_after_the_erasure_of_its_answer_creates_nothing(service: Service) -> None:
    """The key stays used, for one order, for a bulk with one erased customer, and for an erased driver."""
    one = await repeated(service, "/v1/orders", ORDER, "erased-order")
    bulk = await repeated(service, "/v1/orders/bulk", {"orders": [ORDER, ORDER]}, "erased-bulk")
    driver = await repeated(service, "/v1/drivers", {"name": "Aino", "vehicle": "car"}, "erased-driver")
    for order in (one.json(), bulk.json()["items"][0]["order"]):
        await service.post(f"/v1/orders/{order['id']}/status", {"status": "cancelled"})
        assert (await service.http.delete(f"/v1/orders/{order['id']}/customer")).is_success
    assert (await service.http.delete(f"/v1/drivers/{driver.json()['id']}")).is_success
    orders = await service.get("/v1/orders?limit=500")
    for path, body, key in (
        ("/v1/orders", ORDER, "erased-order"),
        ("/v1/orders/bulk", {"orders": [ORDER, ORDER]}, "erased-bulk"),
        ("/v1/drivers", {"name": "Aino", "vehicle": "car"}, "erased-driver"),
    ):
        problem(await repeated(service, path, body, key), 409, "answer-erased")
    assert [order["id"] for order in (await service.get("/v1/orders?limit=500"))["items"]] == [
        order["id"] for order in orders["items"]
    ]


async def test_a_repeated_key_stores_a_customers_note_once(service: Service) -> None:
    """204 again, marked as replayed; another text is 409. Each link has its own keys."""
    orders = [await service.new_order(), await service.new_order()]
    paths = [f"/v1/track/{token_of(order)}/messages" for order in orders]
    made, again = [await repeated(service, paths[0], {"text": "Ring twice."}, "note-1") for _ in range(2)]
    assert (made.status_code, made.content, made.headers.get(REPLAYED)) == (204, b"", None)
    assert (again.status_code, again.content, again.headers.get(REPLAYED)) == (204, b"", "true")
    problem(await repeated(service, paths[0], {"text": "Knock."}, "note-1"), 409, "idempotency-mismatch")
    other = await repeated(service, paths[1], {"text": "Knock."}, "note-1")
    assert (other.status_code, other.headers.get(REPLAYED)) == (204, None)
    for order, text in zip(orders, ("Ring twice.", "Knock."), strict=True):
        history = await service.get(f"/v1/orders/{order['id']}/history")
        notes = [entry for entry in history["timeline"] if entry["kind"] == "message"]
        assert [note["text"] for note in notes] == [text]


async def test_a_repeated_note_takes_nothing_from_the_links_allowance(service: Service) -> None:
    """Five notes come at once; a sixth must wait, but the fifth may be sent again."""
    path = f"/v1/track/{token_of(await service.new_order())}/messages"
    for number in range(5):
        assert (await repeated(service, path, {"text": "x"}, f"note-{number}")).status_code == 204
    assert (await repeated(service, path, {"text": "x"}, "note-4")).status_code == 204
    problem(await repeated(service, path, {"text": "x"}, "note-5"), 429, "rate-limited")


async def repeated(service: Service, path: str, body: dict[str, Any], key: str) -> httpx.Response:
    """The answer to a request that may have been sent before with this key."""
    return await service.http.post(path, json=body, headers={"Idempotency-Key": key})


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_malformed_key_creates_nothing(service: Service, key: str) -> None:
    """It is named as the wrong field."""
    answer = await service.http.post("/v1/orders", json=ORDER, headers={"Idempotency-Key": key})
    assert problem(answer, 422, "invalid-fields")["errors"][0]["field"] == "Idempotency-Key"


async def test_every_creating_write_is_described_as_such(service: Service) -> None:
    """Each operation with a 201 takes a key and says its Location."""
    paths = (await service.get("/openapi.json"))["paths"]
    creating = {
        path: operation
        for path, operations in paths.items()
        for operation in operations.values()
        if "201" in operation["responses"]
    }
    assert set(creating) == {
        "/v1/drivers",
        "/v1/drivers/{driver_id}/pairing",
        "/v1/orders",
        "/v1/orders/{order_id}/attempts",
        "/v1/orders/{order_id}/links",
        "/v1/orders/{order_id}/proofs",
        "/v1/webhooks",
    }
    for path, operation in creating.items():
        assert "Idempotency-Key" in {parameter["name"] for parameter in operation["parameters"]}, path
        assert set(operation["responses"]["201"]["headers"]) >= {"Location", REPLAYED, "RateLimit"}, path
