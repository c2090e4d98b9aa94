"""`/v1/orders`: made, read, listed, changed, assigned, moved on."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.api.merchant import (
    DROPOFF,
    ORDER,
    PICKUP,
    all_pages,
    backdate,
    parse,
    problem,
    rfc3339,
    wrong_fields,
)
from tests.service import Service

WINDOW = {"from": "2026-11-22T18:00:00+02:00", "to": "2026-11-22T16:30:00.250Z"}
STOP: dict[str, object] = {
    "address": None,
    "service_s": None,
    "time_zone": "Europe/Helsinki",
    "precision": "exact",
}


async def test_an_order_is_made_with_all_its_fields(service: Service) -> None:
    """Every name, unit and null of the interface, and times in UTC with milliseconds."""
    answer = await service.http.post(
        "/v1/orders",
        json={
            **ORDER,
            "pickup": {**PICKUP, "address": "Kauppatori 1", "service_s": 90, "ready_at": WINDOW["from"]},
            "reference": "A-17",
            "customer": {"name": "Bo Berg", "phone": "+358 40 1234567"},
            "window": WINDOW,
            "visibility": {"eta": "never", "position": [{"distance_m": 500}]},
        },
    )
    assert answer.status_code == 201
    order = answer.json()
    assert re.fullmatch(r"ord_\w+", order["id"])
    assert order["pickup"] == {
        **PICKUP,
        **STOP,
        **{"address": "Kauppatori 1", "service_s": 90, "ready_at": "2026-11-22T16:00:00.000Z"},
    }
    assert order["dropoff"] == {**DROPOFF, **STOP}
    assert order["customer"] == {
        "name": "Bo Berg",
        "phone": "+358 40 1234567",
        "email": None,
        "language": None,
    }
    assert order["window"] == {"from": "2026-11-22T16:00:00.000Z", "to": "2026-11-22T16:30:00.250Z"}
    assert order["visibility"]["position"] == [{"distance_m": 500}]
    assert order["timestamps"] == {"created": order["created_at"]}
    assert (order["status"], order["driver_id"], order["eta"], order["version"]) == ("created", None, None, 1)
    assert order["tracking_url"].startswith(f"{service.url}/t/")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", order["created_at"])
    assert (await service.get(f"/v1/orders/{order['id']}")) == order


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"pickup": None}, "pickup"),
        ({"pickup": {"lat": 90.1, "lon": 0}}, "pickup.lat"),
        ({"dropoff": {"lat": 0, "lon": -180.1}}, "dropoff.lon"),
        ({"dropoff": {"lat": True, "lon": 0}}, "dropoff.lat"),
        ({"dropoff": {"lat": "60", "lon": 0}}, "dropoff.lat"),
        ({"dropoff": {"lat": 60}}, "dropoff.lon"),
        ({"dropoff": {**DROPOFF, "service_s": -1}}, "dropoff.service_s"),
        ({"dropoff": {**DROPOFF, "floor": 3}}, "dropoff.floor"),
        ({"dropoff": {**DROPOFF, "ready_at": WINDOW["from"]}}, "dropoff.ready_at"),
        ({"pickup": {**PICKUP, "ready_at": "2026-11-22T18:00:00"}}, "pickup.ready_at"),
        ({"pickup": {**PICKUP, "ready_at": "9999-12-31T23:59:59-12:00"}}, "pickup.ready_at"),
        ({"reference": "x" * 201}, "reference"),
        ({"reference": "\0"}, "reference"),
        ({"customer": {"email": 1}}, "customer.email"),
        ({"customer": {"language": "Suomi, ruotsi"}}, "customer.language"),
        ({"customer": {"language": "fi-" + "a" * 8 * 5}}, "customer.language"),
        ({"customer": {"language": "fi\n"}}, "customer.language"),
        ({"window": {"from": WINDOW["from"]}}, "window.to"),
        ({"window": {"from": "2026-11-22T18:00:00", "to": WINDOW["to"]}}, "window.from"),
        ({"window": {"from": WINDOW["to"], "to": "2026-11-22T16:00:00Z"}}, "window.to"),
        ({"window": {"from": "0001-01-01T00:00:00+14:00", "to": WINDOW["to"]}}, "window.from_"),
        ({"visibility": {"position": "sometimes"}}, "visibility.position"),
        ({"visibility": {"position": {"stops": -1}}}, "visibility.position"),
        ({"visibility": {"trail": "never"}}, "visibility.trail"),
        ({"driver_id": "drv_nobody"}, "driver_id"),
        ({"status": "delivered"}, "status"),
    ],
)
async def test_a_wrong_field_of_an_order_is_named(
    service: Service, change: dict[str, object], field: str
) -> None:
    """By its path, whatever is wrong with it; nothing is made."""
    [named] = wrong_fields(await service.http.post("/v1/orders", json={**ORDER, **change}))
    assert named == field.rstrip("_")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"pickup": NaN}',
        b"\xff\xfe",
        b'{"reference": "\\ud800"}',
        b"[" * 60_000,
        b"[" * 40 + b"]" * 40,
        b'{"pickup": {"lat": 91}, "dropoff": ',
    ],
    ids=["empty", "cut", "NaN", "not UTF-8", "surrogate", "bomb", "deep", "wrong and cut"],
)
async def test_an_unreadable_body_is_a_400(service: Service, body: bytes) -> None:
    """What is not JSON in UTF-8 is refused as such, even where its beginning would be a wrong value."""
    problem(await service.http.post("/v1/orders", content=body), 400, "unparsable")


@pytest.mark.parametrize("number", ["1e309", "1" * 60_000], ids=["infinite", "endless"])
async def test_a_number_that_nothing_can_hold_is_a_wrong_value(service: Service, number: str) -> None:
    """It is JSON, so it is the field that is wrong."""
    body = '{"dropoff": {"lat": 60, "lon": 24}, "pickup": {"lat": ' + number + ', "lon": 24}}'
    assert wrong_fields(await service.http.post("/v1/orders", content=body.encode())) == ["pickup.lat"]


async def test_too_long_a_body_is_a_413(service: Service) -> None:
    """Whether it says its length or comes piece by piece."""
    body = b'{"reference": "' + b"x" * 1_100_000 + b'"}'
    problem(await service.http.post("/v1/orders", content=body), 413, "too-large")

    async def pieces() -> Any:
        for begin in range(0, len(body), 50_000):
            yield body[begin : begin + 50_000]

    problem(await service.http.post("/v1/orders", content=pieces()), 413, "too-large")


async def test_what_does_not_exist_is_not_found_everywhere(service: Service) -> None:
    """The same answer for every address below an order that there is not."""
    answers = [
        await service.http.request(method, f"/v1/orders/{order_id}{path}", json=body)
        for order_id in ("ord_nothing", "ord_%00", "☃")
        for method, path, body in (
            ("GET", "", None),
            ("PATCH", "", {}),
            ("POST", "/assign", {"driver_id": "drv_nobody"}),
            ("POST", "/status", {"status": "cancelled"}),
            ("GET", "/eta", None),
            ("GET", "/history", None),
            ("GET", "/track", None),
            ("GET", "/links", None),
            ("POST", "/links", {}),
            ("DELETE", "/links/lnk_nothing", None),
        )
    ]
    for answer in answers:
        problem(answer, 404, "not-found")


async def test_one_idempotency_key_makes_one_order_however_many_ask(service: Service) -> None:
    """Ten at once get the same answer, and there is one order."""
    key = {"Idempotency-Key": "order-once-1"}
    body = {**ORDER, "reference": "once-1"}
    answers = await asyncio.gather(
        *(service.http.post("/v1/orders", json=body, headers=key) for _ in range(10))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert len(await all_pages(service, "/v1/orders", reference="once-1")) == 1
    other = await service.http.post("/v1/orders", json={**body, "reference": "x"}, headers=key)
    problem(other, 409, "idempotency-mismatch")


async def test_a_refused_write_leaves_its_idempotency_key_free(service: Service) -> None:
    """What was corrected may be sent with the same key."""
    key = {"Idempotency-Key": "order-corrected"}
    refused = await service.http.post("/v1/orders", json={**ORDER, "driver_id": "drv_x"}, headers=key)
    assert wrong_fields(refused) == ["driver_id"]
    assert (await service.http.post("/v1/orders", json=ORDER, headers=key)).status_code == 201
    too_long = await service.http.post("/v1/orders", json=ORDER, headers={"Idempotency-Key": "k" * 256})
    assert wrong_fields(too_long) == ["Idempotency-Key"]


async def test_a_list_is_filtered_by_everything_at_once(service: Service) -> None:
    """Status, driver, reference, time and box each leave out what does not fit."""
    driver = await service.new_driver()
    wanted = await service.new_order(driver["id"], reference="list-1")
    far: dict[str, Any] = {"dropoff": {"lat": -33.9, "lon": 151.2}, "anywhere": True}
    other = await service.new_order(reference="list-1", **far)
    at = parse(wanted["created_at"])
    later = rfc3339(at + timedelta(hours=1))

    async def listed(**query: str) -> list[str]:
        return [order["id"] for order in await all_pages(service, "/v1/orders", reference="list-1", **query)]

    both = [other["id"], wanted["id"]]
    assert await listed() == both
    assert await listed(status="assigned") == [wanted["id"]]
    assert await listed(status="created,assigned") == both
    assert await listed(driver_id=driver["id"]) == [wanted["id"]]
    assert await listed(bbox="24,60,25,61") == [wanted["id"]]
    assert await listed(bbox="150,-40,-170,0") == [other["id"]]
    assert await listed(**{"from": rfc3339(at), "to": later}) == both
    assert await listed(**{"from": later}) == []
    assert await listed(to=rfc3339(at)) == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=many", "limit"),
        ("cursor=zz", "cursor"),
        ("cursor=7b7d", "cursor"),
        ("cursor=" + b"[9999999999999999,1]".hex(), "cursor"),
        ("status=flying", "status"),
        ("bbox=1,2,3", "bbox"),
        ("bbox=nan,0,0,0", "bbox"),
        ("bbox=0,50,1,40", "bbox"),
        ("from=yesterday", "from"),
        ("limit=1&limit=2", "limit"),
        ("color=red", "color"),
        ("reference=%00", "reference"),
    ],
)
async def test_a_wrong_query_is_named(service: Service, query: str, field: str) -> None:
    """Out of range, garbled, unknown or given twice."""
    assert wrong_fields(await service.http.get(f"/v1/orders?{query}")) == [field]


async def test_pages_neither_skip_nor_repeat_while_orders_are_made(service: Service) -> None:
    """A walk through the pages sees every order that was there when it began, once."""
    there = [(await service.new_order(reference="walk"))["id"] for _ in range(7)]
    first = (await service.http.get("/v1/orders", params={"reference": "walk", "limit": 3})).json()
    await asyncio.gather(*(service.new_order(reference="walk") for _ in range(4)))
    rest = await all_pages(service, "/v1/orders", reference="walk", limit=3, cursor=first["next"])
    assert [order["id"] for order in [*first["items"], *rest]] == there[::-1]


async def test_a_patch_changes_what_it_names_and_nothing_else(service: Service) -> None:
    """Null takes away, an object is merged, and an empty patch is no new version."""
    order = await service.new_order(reference="P", customer={"name": "Bo", "phone": "1"}, window=WINDOW)
    path = f"/v1/orders/{order['id']}"
    change = {"dropoff": {"address": "Back door"}, "customer": {"phone": None}, "window": None}
    changed = (await service.http.patch(path, json=change)).json()
    expected = {
        **order,
        "dropoff": {**order["dropoff"], "address": "Back door"},
        "customer": {"name": "Bo", "phone": None, "email": None, "language": None},
        "window": None,
        "version": 2,
    }
    assert changed == expected
    assert (await service.http.patch(path, json={})).json() == expected
    assert wrong_fields(await service.http.patch(path, json={"pickup": {"lat": None}})) == ["pickup.lat"]
    assert (await service.http.patch(path, json={"customer": None})).json()["customer"] is None
    ready = {"pickup": {"ready_at": WINDOW["from"]}}
    assert (await service.http.patch(path, json=ready)).json()["pickup"] == {
        **(order["pickup"] | {"ready_at": "2026-11-22T16:00:00.000Z"})
    }
    unready = {"pickup": {"ready_at": None, "lat": 35.0, "lon": 139.7}, "anywhere": True}
    moved = (await service.http.patch(path, json=unready)).json()["pickup"]
    assert (moved["ready_at"], moved["time_zone"]) == (None, "Asia/Tokyo")


async def test_the_whole_way_over_http(service: Service, service_database: str) -> None:
    """Assigned, picked up, delivered: statuses, times and versions; then nothing more is possible."""
    driver = await service.new_driver()
    order = await service.new_order()
    path = f"/v1/orders/{order['id']}"
    assigned = await service.post(f"{path}/assign", {"driver_id": driver["id"]})
    assert (assigned["status"], assigned["driver_id"]) == ("assigned", driver["id"])
    await backdate(service_database, assigned, timedelta(minutes=1))
    at = rfc3339(datetime.now(UTC) - timedelta(seconds=5))
    picked_up = await service.post(f"{path}/status", {"status": "picked_up", "at": at})
    assert picked_up["timestamps"]["picked_up"] == at
    delivered = await service.post(f"{path}/status", {"status": "delivered", "reason": "at the door"})
    assert list(delivered["timestamps"]) == ["created", "assigned", "picked_up", "delivered"]
    assert delivered["version"] > picked_up["version"] > assigned["version"] > order["version"]
    problem(await service.http.patch(path, json={"reference": "late"}), 409, "conflict")
    late = await service.http.post(f"{path}/assign", json={"driver_id": driver["id"]})
    assert problem(late, 409, "forbidden-transition")["allowed"] == []
    again = await service.http.post(f"{path}/status", json={"status": "delivered"})
    assert problem(again, 409, "forbidden-transition")["allowed"] == []


async def test_a_forbidden_transition_names_the_allowed_ones(service: Service) -> None:
    """A program can read them, and so can a person."""
    order = await service.new_order()
    answer = await service.http.post(f"/v1/orders/{order['id']}/status", json={"status": "delivered"})
    said = problem(answer, 409, "forbidden-transition")
    assert said["allowed"] == ["assigned", "cancelled"]
    assert "cancelled" in said["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"status": "flying"}, "status"),
        ({}, "status"),
        ({"status": "cancelled", "at": "2999-01-01T00:00:00Z"}, "at"),
        ({"status": "cancelled", "at": "1970-01-01T00:00:00Z"}, "at"),
        ({"status": "cancelled", "at": "0001-01-01T00:00:00+14:00"}, "at"),
        ({"status": "cancelled", "at": "9999-12-31T23:59:59.999999-12:00"}, "at"),
        ({"status": "cancelled", "why": "x"}, "why"),
        ({"status": "cancelled", "reason": "x" * 501}, "reason"),
    ],
)
async def test_a_wrong_status_report_is_named(service: Service, body: dict[str, str], field: str) -> None:
    """The order stays as it was."""
    order = await service.new_order()
    assert wrong_fields(await service.http.post(f"/v1/orders/{order['id']}/status", json=body)) == [field]
    assert (await service.get(f"/v1/orders/{order['id']}"))["status"] == "created"


async def test_reassigning_keeps_the_tracking_link(service: Service) -> None:
    """The order moves from one driver's stops to the other's, and the customer notices nothing of it."""
    first, second = await service.new_driver(), await service.new_driver()
    order = await service.new_order(first["id"])
    moved = await service.post(f"/v1/orders/{order['id']}/assign", {"driver_id": second["id"]})
    assert (moved["driver_id"], moved["tracking_url"]) == (second["id"], order["tracking_url"])
    assert (await service.get(f"/v1/drivers/{first['id']}"))["orders"] == []
    assert (await service.get(f"/v1/drivers/{second['id']}"))["orders"] == [order["id"]]
    nobody = await service.http.post(f"/v1/orders/{order['id']}/assign", json={"driver_id": "drv_nobody"})
    assert wrong_fields(nobody) == ["driver_id"]


async def test_unassigning_goes_back_to_created(service: Service) -> None:
    """By the status `created`; the driver has no part in it any more."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    back = await service.post(f"/v1/orders/{order['id']}/status", {"status": "created"})
    assert (back["status"], back["driver_id"]) == ("created", None)
    assert list(back["timestamps"]) == ["created"]


async def test_an_eta_is_honest_where_nothing_is_known(service: Service) -> None:
    """Basis `none`, no times, and still every field."""
    order = await service.new_order()
    eta = await service.get(f"/v1/orders/{order['id']}/eta")
    assert (eta["basis"], eta["arrives_at"], eta["earliest"], eta["latest"]) == ("none", None, None, None)
    assert {"distance_m", "stops_before", "computed_at", "stale"} < set(eta)
