"""`/v1/drivers`: made, listed, given new tokens, put into sequence, erased."""

import asyncio
import re
from datetime import UTC, datetime

import httpx
import pytest

from tests.api.merchant import all_pages, fixes_from, problem, send_fixes, wrong_fields
from tests.service import Service, hear, token_of


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
        *("owntracks", "osmand", "traccar_client", "gpslogger", "dawarich", "overland", "colota"),
        *("traccar_server", "mqtt", "driver_page"),
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


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"name": "Dr. Anna Schmidt"}, "Anna"),
        ({"name": "van der Berg, Pat"}, "Pat"),
        ({"name": "🚲"}, "🚲"),
        ({"name": "anna.schmidt@example.com"}, ""),
        ({"name": "Anna Schmidt", "display_name": "Speedy Anna"}, "Speedy Anna"),
    ],
)
async def test_customers_read_the_first_or_the_display_name(
    service: Service, body: dict[str, str], name: str
) -> None:
    """In the snapshot and on the page, whose initial is one character; the merchant reads what they gave."""
    driver = await service.post("/v1/drivers", {"vehicle": "foot", **body})
    order = await service.new_order(driver["id"])
    assert (await service.get(f"/v1/track/{token_of(order)}"))["driver"] == {"name": name, "vehicle": "foot"}
    page = (await service.http.get(f"/t/{token_of(order)}")).text
    assert f'id="courier-name">{name or "Your courier"}</b>' in page
    assert f'aria-hidden="true">{name[:1] or "?"}</span>' in page
    assert "example.com" not in page
    shown = await service.get(f"/v1/drivers/{driver['id']}")
    assert (shown["name"], shown["display_name"]) == (body["name"], body.get("display_name"))


async def test_a_driver_is_changed_and_watchers_see_it(service: Service) -> None:
    """Name, display name, vehicle and reference; a page that is open shows the new ones at once."""
    driver = await service.new_driver("Aino Korhonen", "bicycle")
    order = await service.new_order(driver["id"])
    path = f"/v1/drivers/{driver['id']}"
    async with service.watch(order) as customer:
        assert (await hear(customer, "snapshot"))["driver"] == {"name": "Aino", "vehicle": "bicycle"}
        for change, told in (
            ({"name": "Frau Dr. Anna Aalto"}, ("Anna", "bicycle")),
            ({"display_name": "Speedy"}, ("Speedy", "bicycle")),
            ({"vehicle": "car"}, ("Speedy", "car")),
            ({"display_name": None, "vehicle": "scooter"}, ("Anna", "scooter")),
        ):
            answer = await service.http.patch(path, json=change)
            assert answer.status_code == 200, answer.text
            assert answer.json() | change == answer.json()
            update = await hear(customer, "update")
            while "driver" not in update:
                update = await hear(customer, "update")
            assert update["driver"] == {"name": told[0], "vehicle": told[1]}
    changed = await service.http.patch(path, json={"reference": "D-99"})
    assert changed.json()["orders"] == [order["id"]]
    assert (await service.get(path)) == changed.json()
    assert (await service.http.patch(path, json={})).json() == changed.json()
    at = fixes_from(datetime.now(UTC), [(60.1712, 24.9441)])
    await send_fixes(service, driver["token"], *at)
    assert (await service.get(f"/v1/track/{token_of(order)}"))["position"] is not None


async def test_a_wrong_change_of_a_driver_changes_nothing(service: Service) -> None:
    """Each wrong field is named; a driver needs a name and a vehicle; unknown drivers are 404."""
    driver = await service.new_driver()
    path = f"/v1/drivers/{driver['id']}"
    for change, fields in (
        ({"name": None, "vehicle": "tank"}, ["name", "vehicle"]),
        ({"name": " ", "reference": "D-1"}, ["name"]),
        ({"display_name": "x" * 201, "token": "t"}, ["token", "display_name"]),
    ):
        assert wrong_fields(await service.http.patch(path, json=change)) == fields
    assert (await service.get(path))["name"] == driver["name"]
    problem(await service.http.patch("/v1/drivers/drv_none", json={"name": "A"}), 404, "not-found")


async def test_drivers_are_found_by_reference(service: Service) -> None:
    """All with exactly this one, in pages."""
    made = [
        await service.post("/v1/drivers", {"name": "A", "vehicle": "car", "reference": "shared/1"})
        for _ in range(3)
    ]
    await service.post("/v1/drivers", {"name": "A", "vehicle": "car", "reference": "shared/12"})
    found = await all_pages(service, "/v1/drivers", limit=2, reference="shared/1")
    assert [driver["id"] for driver in found] == [driver["id"] for driver in reversed(made)]
    assert (await service.get("/v1/drivers?reference=nobody"))["items"] == []
