"""What customers do on their page: only where the brand allows it, only while it makes sense, seen by all."""

from typing import Any

import httpx
import pytest

from tests.branded import branded
from tests.service import Service, hear, token_of
from tests.waiting import until

EVERYTHING: Any = ["instruct", "move_pin", "rate"]
DOOR = {"lat": 60.1666, "lon": 24.9486}
NEXT_DOOR = {"lat": 60.1672, "lon": 24.9486}  # 67 m north
FAR = {"lat": 60.1682, "lon": 24.9486}  # 178 m

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def act(service: Service, order: Any, what: str, body: object, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=service.url) as anybody:
        return await anybody.post(f"/v1/track/{token_of(order)}/{what}", json=body, headers=headers)


async def end(service: Service, order: Any, *statuses: str) -> None:
    for status in statuses:
        await service.post(f"/v1/orders/{order['id']}/status", {"status": status})


async def entries(service: Service, order: Any, kind: str) -> list[Any]:
    history = await service.get(f"/v1/orders/{order['id']}/history")
    return [entry for entry in history["timeline"] if entry["kind"] == kind]


async def snapshot(service: Service, order: Any) -> Any:
    async with httpx.AsyncClient() as anybody:
        return (await anybody.get(f"{service.url}/v1/track/{token_of(order)}")).json()


async def test_without_the_brand_s_leave_nothing_is_done(service: Service) -> None:
    """403 by name, one act at a time; an unknown link is 404 whatever the brand allows."""
    order = await service.new_order()
    acts: list[tuple[str, object]] = [
        ("instructions", {"text": "x"}),
        ("place", NEXT_DOOR),
        ("rating", {"stars": 5}),
    ]
    for what, body in acts:
        answer = await act(service, order, what, body)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/customer-may-not")
    async with branded(service, customer_may=["rate"]):
        assert (await act(service, order, "instructions", {"text": "x"})).status_code == 403
        assert (await act(service, order, "rating", {"stars": 5})).status_code == 409
        async with httpx.AsyncClient(base_url=service.url) as anybody:
            assert (await anybody.post("/v1/track/nonsense/rating", json={"stars": 5})).status_code == 404
    assert not await entries(service, order, "instructions") and not await entries(service, order, "place")


async def test_the_driver_gets_instructions_and_the_door(service: Service) -> None:
    """With what the merchant wrote, on the open connection; the merchant and the history have both."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"], instructions="Fragile")
    async with branded(service, customer_may=EVERYTHING), service.drive(driver["token"]) as socket:
        await hear(socket, "welcome")
        assert (await act(service, order, "instructions", {"text": " Ring twice "})).status_code == 204
        [seen] = (await hear(socket, "orders"))["orders"]
        assert seen["instructions"] == "Fragile\nRing twice"
        assert (await act(service, order, "place", NEXT_DOOR)).status_code == 204
        [seen] = (await hear(socket, "orders"))["orders"]
        assert {name: seen["dropoff"][name] for name in ("lat", "lon")} == NEXT_DOOR
    shown = await service.get(f"/v1/orders/{order['id']}")
    assert (shown["instructions"], shown["customer_instructions"]) == ("Fragile", "Ring twice")
    assert (shown["dropoff"]["lat"], shown["version"]) == (NEXT_DOOR["lat"], order["version"] + 2)
    [told] = await entries(service, order, "instructions")
    [moved] = await entries(service, order, "place")
    assert (told["text"], told["from"]) == ("Ring twice", "customer")
    assert (moved["lat"], round(moved["distance_m"])) == (NEXT_DOOR["lat"], 67)
    assert (await snapshot(service, order))["order"]["instructions"] == "Ring twice"


async def test_a_pin_stays_near_the_merchant_s_address(service: Service) -> None:
    """Measured from there, however often it was moved; from the new one once the merchant has moved it."""
    order = await service.new_order()
    async with branded(service, customer_may=EVERYTHING):
        assert (await act(service, order, "place", NEXT_DOOR)).status_code == 204
        answer = await act(service, order, "place", FAR)
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == ["lat", "lon"]
        assert "150 m" in answer.json()["errors"][0]["detail"]
        assert (await act(service, order, "place", DOOR)).status_code == 204
        await service.http.patch(f"/v1/orders/{order['id']}", json={"dropoff": NEXT_DOOR})
        assert (await act(service, order, "place", FAR)).status_code == 204


async def test_a_pin_makes_the_place_exact(service: Service) -> None:
    """A later change of the address alone is then a text, and the door stays where the customer put it."""
    order = await service.new_order(dropoff={"address": "Kasarmikatu 36, Helsinki"})
    assert order["dropoff"]["precision"] == "house"
    place = {name: order["dropoff"][name] for name in ("lat", "lon")}
    async with branded(service, customer_may=EVERYTHING):
        assert (await act(service, order, "place", place)).status_code == 204
    shown = await service.get(f"/v1/orders/{order['id']}")
    assert (shown["dropoff"]["precision"], shown["dropoff"]["lat"]) == ("exact", place["lat"])


async def test_a_rating_is_given_once_after_the_end(service: Service) -> None:
    """The merchant reads it, and the page knows of it. Erased with the customer's data, but for the stars."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    async with branded(service, customer_may=EVERYTHING):
        assert (await act(service, order, "rating", {"stars": 4})).status_code == 409
        await act(service, order, "instructions", {"text": "Ring twice"})
        await end(service, order, "picked_up", "delivered")
        key = {"Idempotency-Key": "a-rating"}
        assert (await act(service, order, "rating", {"stars": 4, "text": "Cold"}, **key)).status_code == 204
        again = await act(service, order, "rating", {"stars": 4, "text": "Cold"}, **key)
        assert (again.status_code, again.headers["idempotent-replayed"]) == (204, "true")
        assert (await act(service, order, "rating", {"stars": 5})).status_code == 409
        answer = await act(service, order, "place", NEXT_DOOR)
        assert (answer.status_code, "delivered" in answer.json()["detail"]) == (409, True)
    rating = (await service.get(f"/v1/orders/{order['id']}"))["rating"]
    assert (rating["stars"], rating["text"]) == (4, "Cold")
    assert [entry["stars"] for entry in await entries(service, order, "rating")] == [4]

    async def has_stars() -> bool:
        return bool((await snapshot(service, order))["order"]["rating"] == 4)

    await until(has_stars)
    assert (await service.http.delete(f"/v1/orders/{order['id']}/customer")).status_code == 204
    erased = await service.get(f"/v1/orders/{order['id']}")
    assert (erased["rating"]["stars"], erased["rating"]["text"]) == (4, None)
    assert erased["customer_instructions"] is None
    assert "text" not in (await entries(service, order, "rating"))[0]
    assert "text" not in (await entries(service, order, "instructions"))[0]


@pytest.mark.parametrize(
    ("what", "body", "field"),
    [
        ("instructions", {"text": " "}, "text"),
        ("instructions", {"text": "x" * 501}, "text"),
        ("instructions", {}, "text"),
        ("place", {"lat": 91, "lon": 0}, "lat"),
        ("place", {"lat": 60.1}, "lon"),
        ("rating", {"stars": 0}, "stars"),
        ("rating", {"stars": 6}, "stars"),
        ("rating", {"stars": 4.5}, "stars"),
        ("rating", {"stars": 5, "text": ""}, "text"),
    ],
)
async def test_a_wrong_value_is_named(service: Service, what: str, body: object, field: str) -> None:
    """422 with the field, before anything is looked at in the order."""
    order = await service.new_order()
    async with branded(service, customer_may=EVERYTHING):
        answer = await act(service, order, what, body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


async def test_a_link_cannot_change_an_order_all_the_time(service: Service) -> None:
    """Five at once, then one every ten seconds."""
    order = await service.new_order()
    async with branded(service, customer_may=EVERYTHING):
        answers = [await act(service, order, "instructions", {"text": f"no. {n}"}) for n in range(6)]
    assert [answer.status_code for answer in answers] == [204] * 5 + [429]
