"""`/v1/drivers`: made, listed, given new tokens, put into sequence, erased."""

import asyncio
import re
from datetime import UTC, datetime

import httpx
import pytest

from tests.api.merchant import all_pages, fixes_from, problem, send_fixes, wrong_fields
from tests.service import Service


async def test_a_driver_is_made_with_a_token_and_everything_a_phone_needs(service: Service) -> None:
    """The token is in the answer and in each app's set-up; nobody shows it again."""
    answer = await service.http.post(
        "/v1/drivers", json={"name": "Aino Aalto", "vehicle": "bicycle", "reference": "D-1"}
    )
    assert answer.status_code == 201
    made = answer.json()
    assert re.fullmatch(r"drv_\w+", made["id"])
    assert (made["name"], made["vehicle"], made["reference"]) == ("Aino Aalto", "bicycle", "D-1")
    assert set(made["setup"]) == {
        *("owntracks", "osmand", "traccar_client", "gpslogger", "overland", "mqtt", "driver_page")
    }
    assert made["setup"]["mqtt"] is None
    assert made["setup"]["osmand"]["url"].startswith(f"{service.url}/ingest/osmand/{made['token']}?lat={{0}}")
    assert made["token"] not in (await service.http.get(f"/v1/drivers/{made['id']}")).text
    assert made["token"] not in (await service.http.get("/v1/drivers")).text


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["name", "vehicle"]),
        ({"name": "  ", "vehicle": "car"}, ["name"]),
        ({"name": "A", "vehicle": "tank"}, ["vehicle"]),
        ({"name": "A", "vehicle": "car", "wheels": 4}, ["wheels"]),
        ({"name": 7, "vehicle": None, "colour": "red"}, ["colour", "name", "vehicle"]),
        ({"name": "A\0", "vehicle": "car"}, ["name"]),
    ],
)
async def test_every_wrong_field_of_a_driver_is_named(
    service: Service, body: dict[str, object], fields: list[str]
) -> None:
    """Missing, unknown, empty, of the wrong type: all of them at once."""
    assert wrong_fields(await service.http.post("/v1/drivers", json=body)) == fields


async def test_a_driver_shows_their_newest_fix_and_orders(service: Service) -> None:
    """`online`, `last_fix` and the orders in stop sequence, alone and in the list."""
    made = await service.new_driver()
    order = await service.new_order(made["id"])
    quiet = await service.get(f"/v1/drivers/{made['id']}")
    assert (quiet["online"], quiet["last_fix"], quiet["orders"]) == (False, None, [order["id"]])
    await send_fixes(service, made["token"], *fixes_from(datetime.now(UTC), [(60.17, 24.94)], speed=3.2))
    driver = await service.get(f"/v1/drivers/{made['id']}")
    assert driver["online"] is True
    assert (driver["last_fix"]["lat"], driver["last_fix"]["speed"]) == (60.17, 3.2)
    assert driver in await all_pages(service, "/v1/drivers", limit=500)


async def test_a_new_token_ends_the_old_one_at_once(service: Service) -> None:
    """Whoever still sends the old one is refused as unknown."""
    made = await service.new_driver()
    answer = await service.http.post(f"/v1/drivers/{made['id']}/token")
    assert answer.status_code == 200
    assert answer.json()["token"] != made["token"]
    assert await status_with_token(service, made["token"]) == 401
    assert await status_with_token(service, answer.json()["token"]) == 200


async def test_an_erased_driver_leaves_nothing(service: Service) -> None:
    """The driver is unknown, the token refused, the fixes gone; the order is free or failed, and stays."""
    made = await service.new_driver("Erik Eräs")
    waiting, fetched = await service.new_order(made["id"]), await service.new_order(made["id"])
    await service.post(f"/v1/orders/{fetched['id']}/status", {"status": "picked_up"})
    await send_fixes(service, made["token"], *fixes_from(datetime.now(UTC), [(60.17, 24.94)] * 3))
    assert (await service.http.delete(f"/v1/drivers/{made['id']}")).status_code == 204
    problem(await service.http.get(f"/v1/drivers/{made['id']}"), 404, "not-found")
    problem(await service.http.delete(f"/v1/drivers/{made['id']}"), 404, "not-found")
    assert await status_with_token(service, made["token"]) == 401
    for order, status in ((waiting, "created"), (fetched, "failed")):
        history = await service.get(f"/v1/orders/{order['id']}/history")
        assert (history["order"]["status"], history["order"]["driver_id"]) == (status, None)
        assert history["summary"]["fixes"] == 0
        assert made["id"] not in str(history)


async def test_a_token_is_made_once_for_one_idempotency_key(service: Service) -> None:
    """The answer that got lost comes again, token and all; the same key with another body is refused."""
    key = {"Idempotency-Key": "driver-once-1"}
    first = await service.http.post("/v1/drivers", json={"name": "A", "vehicle": "car"}, headers=key)
    again = await service.http.post("/v1/drivers", content=b'{ "vehicle":"car","name":"A" }', headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    other = await service.http.post("/v1/drivers", json={"name": "B", "vehicle": "car"}, headers=key)
    problem(other, 409, "idempotency-mismatch")


async def test_the_stop_sequence_is_put_as_a_whole(service: Service) -> None:
    """What was put is what is read, by stops and by orders."""
    made = await service.new_driver()
    first, second = await service.new_order(made["id"]), await service.new_order(made["id"])
    path = f"/v1/drivers/{made['id']}/stops"
    wanted = [
        {"order_id": order["id"], "kind": kind} for kind in ("pickup", "dropoff") for order in (second, first)
    ]
    answer = await service.http.put(path, json={"stops": wanted})
    assert answer.status_code == 200
    shown = [{name: stop[name] for name in ("order_id", "kind")} for stop in answer.json()["stops"]]
    assert shown == wanted
    assert (await service.get(path)) == answer.json()
    assert (await service.get(f"/v1/drivers/{made['id']}"))["orders"] == [second["id"], first["id"]]


async def test_a_wrong_stop_sequence_is_refused(service: Service) -> None:
    """What is missing or foreign is named, and an unknown kind by its place."""
    made = await service.new_driver()
    order, foreign = await service.new_order(made["id"]), await service.new_order()
    path = f"/v1/drivers/{made['id']}/stops"
    stops = [{"order_id": foreign["id"], "kind": "pickup"}, {"order_id": order["id"], "kind": "pickup"}]
    assert wrong_fields(await service.http.put(path, json={"stops": stops})) == ["stops[0]", "stops"]
    fly = {"order_id": order["id"], "kind": "fly"}
    assert wrong_fields(await service.http.put(path, json={"stops": [fly]})) == ["stops[0].kind"]
    problem(await service.http.put("/v1/drivers/drv_none/stops", json={"stops": []}), 404, "not-found")


async def test_drivers_come_in_pages_that_new_ones_do_not_disturb(service: Service) -> None:
    """Each driver comes once, though others are made between the pages."""
    made = [(await service.new_driver())["id"] for _ in range(5)]
    first = (await service.http.get("/v1/drivers", params={"limit": 3})).json()
    late = await asyncio.gather(*(service.new_driver() for _ in range(3)))
    rest = await all_pages(service, "/v1/drivers", limit=2, cursor=first["next"])
    ids = [driver["id"] for driver in [*first["items"], *rest]]
    assert ids[:5] == made[::-1]
    assert len(ids) == len(set(ids))
    assert not {driver["id"] for driver in late} & set(ids)


async def status_with_token(service: Service, token: str) -> int:
    """How the service answers to a driver with this token."""
    headers = {"Authorization": f"Bearer {token}"}
    body = fixes_from(datetime.now(UTC), [(60.17, 24.94)])
    answer: httpx.Response = await service.http.post("/v1/drivers/fixes", json=body, headers=headers)
    return answer.status_code
