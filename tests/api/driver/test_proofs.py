"""Proofs at the stops of an order: what a driver may send, when, and who reads it afterwards."""

from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import asyncpg
import httpx
import pytest
from PIL import Image

from tests.api.merchant import DROPOFF, ORDER, problem, rfc3339, send_fixes, wrong_fields
from tests.service import ADMIN_KEY, Service, hear, say, token_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

PIN: dict[str, Any] = {"dropoff": {"pin": True}}
PHOTO: dict[str, Any] = {"kind": "photo", "stop": "dropoff"}


def picture(size: tuple[int, int] = (64, 48), kind: str = "JPEG", **more: Any) -> bytes:
    target = BytesIO()
    Image.new("RGB", size, "orange").save(target, kind, **more)
    return target.getvalue()


async def carried(service: Service, **more: Any) -> tuple[Any, Any]:
    """A driver with an order that is picked up."""
    driver = await service.new_driver()
    order = await service.post("/v1/orders", ORDER | {"driver_id": driver["id"]} | more)
    return driver, await service.post(f"/v1/orders/{order['id']}/status", {"status": "picked_up"})


async def prove(
    service: Service, driver: Any, order: Any, file: bytes | None = None, key: str = "", **fields: Any
) -> httpx.Response:
    """What the service answers to a proof; without a file the form has one field at least."""
    headers = {"Authorization": f"Bearer {driver['token']}"} | ({"Idempotency-Key": key} if key else {})
    files: Any = {name: (None, str(value)) for name, value in fields.items()}
    if file is not None:
        files["file"] = ("photo.jpg", file, "image/jpeg")
    return await service.http.post(f"/v1/orders/{order['id']}/proofs", files=files, headers=headers)


async def enter(service: Service, driver: Any, order: Any, pin: str, **more: Any) -> httpx.Response:
    return await prove(service, driver, order, kind="pin", stop="dropoff", value=pin, **more)


async def snapshot(service: Service, order: Any) -> Any:
    async with httpx.AsyncClient() as anybody:
        return (await anybody.get(f"{service.url}/v1/track/{token_of(order)}")).json()


def other_than(pin: str, n: int = 1) -> str:
    return f"{(int(pin) + n) % 10_000:04}"


async def test_a_photo_is_kept_and_read_by_its_merchant_and_customer(service: Service) -> None:
    """The driver gets its id; the customer sees it once the order is over, and nobody else ever."""
    driver, order = await carried(service)
    answer = await prove(service, driver, order, picture(), **PHOTO)
    assert answer.status_code == 201, answer.text
    proof = answer.json()
    assert {"kind": "photo", "stop": "dropoff", "has_image": True, "value": None}.items() <= proof.items()
    path = f"/v1/orders/{order['id']}/proofs"
    assert answer.headers["location"] == f"{path}/{proof['id']}"
    assert await service.get(path) == {"items": [proof], "next": None}
    image = await service.http.get(f"{path}/{proof['id']}")
    assert image.headers["content-type"] == "image/jpeg"
    assert image.headers["x-content-type-options"] == "nosniff"
    assert image.headers["cache-control"] == "private, no-store"
    assert Image.open(BytesIO(image.content)).size == (64, 48)
    own = f"{service.url}/v1/track/{token_of(order)}/proofs/{proof['id']}"
    async with httpx.AsyncClient() as anybody:
        assert (await anybody.get(own)).status_code == 404
        assert "proofs" not in await snapshot(service, order)
        await service.post(f"/v1/orders/{order['id']}/status", {"status": "delivered"})
        told = (await snapshot(service, order))["proofs"]
        assert told == [{"id": proof["id"], "kind": "photo", "at": proof["at"]}]
        seen = await anybody.get(own)
        assert (seen.content, seen.headers["content-type"]) == (image.content, "image/jpeg")
        assert "no-store" in seen.headers["cache-control"]
        another = await service.new_order()
        foreign = f"{service.url}/v1/track/{token_of(another)}/proofs/{proof['id']}"
        assert (await anybody.get(foreign)).status_code == 404
        assert (await anybody.get(f"{service.url}{path}")).status_code == 401
    history = await service.get(f"/v1/orders/{order['id']}/history")
    [entry] = [entry for entry in history["timeline"] if entry["kind"] == "proof"]
    assert (entry["proof_id"], entry["proof"], entry["stop"]) == (proof["id"], "photo", "dropoff")


async def test_the_distance_is_that_of_the_last_position(service: Service) -> None:
    """Within two minutes; otherwise it is unknown."""
    driver, order = await carried(service)
    assert (await prove(service, driver, order, picture(), **PHOTO)).json()["distance_m"] is None
    place = {"lat": DROPOFF["lat"] + 100 / 111_195, "lon": DROPOFF["lon"]}
    now = datetime.now(UTC)
    await send_fixes(service, driver["token"], {"recorded_at": rfc3339(now), **place})
    proof = (await prove(service, driver, order, picture(), **PHOTO)).json()
    assert 99 < proof["distance_m"] < 101
    early = (await prove(service, driver, order, picture(), **PHOTO, at="2001-01-01T00:00:00Z")).json()
    assert early["at"] == order["timestamps"]["picked_up"]


async def test_a_repeated_proof_is_one_proof(service: Service) -> None:
    """With its key, even if the form's boundary is another; another body is 409; drivers share no keys."""
    driver, order = await carried(service)
    first = await prove(service, driver, order, picture(), "one", **PHOTO)
    again = await prove(service, driver, order, picture(), "one", **PHOTO)
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    other = await prove(service, driver, order, picture((10, 10)), "one", **PHOTO)
    problem(other, 409, "idempotency-mismatch")
    assert len((await service.get(f"/v1/orders/{order['id']}/proofs"))["items"]) == 1
    await service.post(f"/v1/orders/{order['id']}/status", {"status": "delivered"})
    late = await prove(service, driver, order, picture(), "one", **PHOTO)
    assert late.json() == first.json()
    driver, order = await carried(service)
    assert (await prove(service, driver, order, picture(), "one", **PHOTO)).status_code == 201


async def test_a_stop_takes_proofs_while_it_is_the_drivers(service: Service) -> None:
    """Another driver's order is 404; before and after its time a stop is 409."""
    driver = await service.new_driver()
    order = await service.post("/v1/orders", ORDER | {"driver_id": driver["id"]})
    stranger = await service.new_driver()
    pickup = {"kind": "signature", "stop": "pickup"}
    problem(await prove(service, stranger, order, picture(), **pickup), 404, "not-found")
    problem(await prove(service, driver, {"id": "ord_none"}, picture(), **pickup), 404, "not-found")
    problem(await prove(service, driver, {"id": "%00"}, picture(), **pickup), 404, "not-found")
    problem(await prove(service, driver, order, picture(), **PHOTO), 409, "conflict")
    assert (await prove(service, driver, order, picture(), **pickup)).status_code == 201
    await service.post(f"/v1/orders/{order['id']}/status", {"status": "picked_up"})
    problem(await prove(service, driver, order, picture(), **pickup), 409, "conflict")
    assert (await prove(service, driver, order, picture(), **PHOTO)).status_code == 201
    await service.post(f"/v1/orders/{order['id']}/status", {"status": "cancelled"})
    problem(await prove(service, driver, order, picture(), **PHOTO), 409, "conflict")
    for token in ("", "Bearer nobody", f"Bearer {ADMIN_KEY}"):
        path = f"/v1/orders/{order['id']}/proofs"
        form: Any = {"kind": (None, "pin")}
        answer = await service.http.post(path, files=form, headers={"Authorization": token})
        problem(answer, 401, "unauthenticated")


@pytest.mark.parametrize(
    ("fields", "with_file", "wrong"),
    [
        ({"stop": "dropoff"}, True, ["kind"]),
        ({"kind": "photo"}, True, ["stop"]),
        ({"kind": "selfie", "stop": "dropoff"}, True, ["kind"]),
        ({"kind": "photo", "stop": "roof"}, True, ["stop"]),
        (PHOTO, False, ["file"]),
        (PHOTO | {"value": "x"}, True, ["value"]),
        (PHOTO | {"at": "yesterday"}, True, ["at"]),
        (PHOTO | {"at": "2026-11-22T16:43:00"}, True, ["at"]),
        (PHOTO | {"more": "x"}, True, ["more"]),
        ({"kind": "barcode", "stop": "dropoff"}, False, ["value"]),
        ({"kind": "barcode", "stop": "dropoff", "value": ""}, False, ["value"]),
        ({"kind": "barcode", "stop": "dropoff", "value": "x" * 101}, False, ["value"]),
        ({"kind": "barcode", "stop": "dropoff", "value": "a\0"}, False, ["value"]),
        ({"kind": "barcode", "stop": "dropoff", "value": "x"}, True, ["file"]),
        ({"kind": "pin", "stop": "pickup", "value": "1234"}, False, ["stop"]),
        ({"kind": "pin", "stop": "dropoff", "value": "123"}, False, ["value"]),
        ({"kind": "pin", "stop": "dropoff", "value": "١٢٣٤"}, False, ["value"]),
    ],
)
async def test_a_wrong_field_is_named(
    service: Service, fields: dict[str, str], with_file: bool, wrong: list[str]
) -> None:
    """Nothing is stored."""
    driver, order = await carried(service, requirements=PIN)
    answer = await prove(service, driver, order, picture() if with_file else None, **fields)
    assert wrong_fields(answer) == wrong
    assert (await service.get(f"/v1/orders/{order['id']}/proofs"))["items"] == []


async def test_what_is_no_form_is_refused(service: Service) -> None:
    """JSON, no boundary, a broken form, and a file sent as text."""
    driver, order = await carried(service)
    path, bearer = f"/v1/orders/{order['id']}/proofs", f"Bearer {driver['token']}"
    forms: list[tuple[str | bytes, bytes]] = [
        ("application/json", b'{"kind": "photo"}'),
        ("multipart/form-data", b"--x--"),
        (b"multipart/form-data; boundary=\xc3\xa4", b"--x--"),
        ("multipart/form-data; boundary=x", b"not a form"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"--x\r\n" * 20),
    ]
    for content_type, body in forms:
        headers: Any = {"Authorization": bearer, "Content-Type": content_type}
        answer = await service.http.post(path, content=body, headers=headers)
        assert answer.status_code in {400, 422}, (content_type, answer.text)
    fields: Any = {"kind": (None, "photo"), "stop": (None, "dropoff"), "file": (None, "text")}
    answer = await service.http.post(path, files=fields, headers={"Authorization": bearer})
    assert wrong_fields(answer) == ["file"]


async def test_ten_megabytes_are_taken_and_no_more(service: Service) -> None:
    """A photo that is padded to the limit, and one byte more: 413."""
    driver, order = await carried(service)
    photo = picture()
    whole = photo + b"\0" * (10_485_760 - len(photo))
    assert (await prove(service, driver, order, whole, **PHOTO)).status_code == 201
    problem(await prove(service, driver, order, whole + b"\0", **PHOTO), 413, "too-large")
    problem(await prove(service, driver, order, whole + b"\0" * 100_000, **PHOTO), 413, "too-large")


async def test_what_is_no_image_is_refused(service: Service) -> None:
    """By name; tests/test_images.py has more of them."""
    driver, order = await carried(service)
    for data in (b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", picture()[:200], b"GIF89a"):
        assert wrong_fields(await prove(service, driver, order, data, **PHOTO)) == ["file"]


async def test_a_barcode_must_be_the_expected_one(service: Service) -> None:
    """If the stop needs one; otherwise any is kept."""
    driver, order = await carried(service, requirements={"dropoff": {"barcode": "JD 1"}})
    barcode: Any = {"kind": "barcode", "stop": "dropoff"}
    assert wrong_fields(await prove(service, driver, order, **barcode, value="JD 2")) == ["value"]
    assert (await prove(service, driver, order, **barcode, value="JD 1")).json()["value"] == "JD 1"
    driver, order = await carried(service)
    assert (await prove(service, driver, order, **barcode, value="any")).json()["value"] == "any"


async def test_a_driver_cannot_close_a_stop_without_its_proofs(service: Service) -> None:
    """`proof_missing` names them; with all of them it is accepted. The driver's app knows what is missing."""
    driver = await service.new_driver()
    required = {"pickup": {"barcode": "7"}, "dropoff": {"photo": True, "signature": True}}
    order = await service.new_order(driver["id"], requirements=required)

    async def report(status: str) -> Any:
        await say(courier, type="status", id=3, order_id=order["id"], status=status)
        return await hear(courier, "ack", "error")

    async with service.drive(driver["token"]) as courier:
        welcome = await hear(courier, "welcome")
        everything = {"pickup": {"barcode": True}, "dropoff": {"photo": True, "signature": True}}
        assert welcome["orders"][0]["missing_proofs"] == everything
        refused = await report("picked_up")
        assert (refused["code"], "barcode" in refused["detail"]) == ("proof_missing", True)
        await prove(service, driver, order, kind="barcode", stop="pickup", value="7")
        orders = await hear(courier, "orders")
        assert orders["orders"][0]["missing_proofs"] == {"dropoff": everything["dropoff"]}
        assert (await report("picked_up"))["type"] == "ack"
        await prove(service, driver, order, picture(), **PHOTO)
        refused = await report("delivered")
        assert (refused["code"], "signature" in refused["detail"]) == ("proof_missing", True)
        assert "photo" not in refused["detail"]
        await prove(service, driver, order, picture(), kind="signature", stop="dropoff")
        assert (await report("delivered"))["type"] == "ack"
    history = await service.get(f"/v1/orders/{order['id']}/history")
    assert not [entry for entry in history["timeline"] if "override" in entry]


async def test_a_merchant_may_close_it_without(service: Service) -> None:
    """The timeline says so."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"], requirements={"pickup": {"photo": True}} | PIN)
    for status in ("picked_up", "delivered"):
        await service.post(f"/v1/orders/{order['id']}/status", {"status": status})
    history = await service.get(f"/v1/orders/{order['id']}/history")
    overridden = [entry["kind"] for entry in history["timeline"] if entry.get("override")]
    assert overridden == ["picked_up", "delivered"]


async def test_a_new_driver_has_to_prove_it_again(service: Service) -> None:
    """The former one's proofs stay with the merchant."""
    driver, order = await carried(service, requirements={"dropoff": {"photo": True}})
    assert (await prove(service, driver, order, picture(), **PHOTO)).status_code == 201
    other = await service.new_driver()
    await service.post(f"/v1/orders/{order['id']}/assign", {"driver_id": other["id"]})
    async with service.drive(other["token"]) as courier:
        welcome = await hear(courier, "welcome")
        assert welcome["orders"][0]["missing_proofs"] == {"dropoff": {"photo": True}}
    assert len((await service.get(f"/v1/orders/{order['id']}/proofs"))["items"]) == 1


async def test_only_the_customer_reads_the_pin(service: Service) -> None:
    """While it is needed: in the snapshot and on the page, and in no answer to a merchant."""
    driver, order = await carried(service, requirements=PIN)
    pin = (await snapshot(service, order))["pin"]
    assert len(pin) == 4
    assert pin.isdigit()
    for path in ("", "/history", "/links", "/proofs"):
        answer = await service.get(f"/v1/orders/{order['id']}{path}")
        assert pin not in values_of(answer), path
    async with service.watch(order) as customer:
        assert (await hear(customer, "snapshot"))["pin"] == pin
        assert (await enter(service, driver, order, pin)).status_code == 201
        while (update := await hear(customer, "update")).get("pin", pin) is not None:
            pass
    assert "pin" not in await snapshot(service, order)
    assert update["pin"] is None
    for path in ("/v1/events?limit=500", "/v1/orders?limit=500", "/metrics"):
        assert (await service.http.get(path)).status_code == 200  # the judge of privacy searches them
    problem(await enter(service, driver, order, pin), 409, "conflict")
    without, plain = await carried(service)
    assert "pin" not in await snapshot(service, plain)
    problem(await enter(service, without, plain, "1234"), 409, "conflict")


def values_of(answer: Any) -> set[str]:
    """Every value of an answer as text."""
    match answer:
        case dict():
            return set().union(*(values_of(value) for value in answer.values()))
        case list():
            return set().union(*(values_of(value) for value in answer))
        case _:
            return {str(answer)}


async def test_a_wrong_pin_leaves_the_order_open(service: Service) -> None:
    """A PIN entered offline that is wrong: the driver gets an error, and the customer still sees the PIN."""
    driver, order = await carried(service, requirements=PIN)
    pin = (await snapshot(service, order))["pin"]
    kept_at = rfc3339(datetime.now(UTC) - timedelta(hours=1))
    assert wrong_fields(await enter(service, driver, order, other_than(pin), at=kept_at)) == ["value"]
    async with service.drive(driver["token"]) as courier:
        await say(courier, type="status", id=1, order_id=order["id"], status="delivered", at=kept_at)
        assert (await hear(courier, "ack", "error"))["code"] == "proof_missing"
    assert (await snapshot(service, order))["pin"] == pin
    assert (await service.get(f"/v1/orders/{order['id']}"))["status"] == "picked_up"
    assert (await enter(service, driver, order, pin, key="k")).status_code == 201
    assert (await enter(service, driver, order, pin, key="k")).headers["idempotent-replayed"] == "true"


async def test_guessing_ends_after_five_wrong_pins(service: Service, service_database: str) -> None:
    """429 for ten minutes, whatever comes then; the same wrong one again does not count."""
    driver, order = await carried(service, requirements=PIN)
    pin = (await snapshot(service, order))["pin"]
    for n in (1, 1, 1, 2, 3, 4, 5):
        assert wrong_fields(await enter(service, driver, order, other_than(pin, n))) == ["value"]
    for late in (other_than(pin, 6), pin):
        refused = await enter(service, driver, order, late)
        problem(refused, 429, "rate-limited")
        assert 590 < int(refused.headers["retry-after"]) <= 600
    assert (await snapshot(service, order))["pin"] == pin
    await execute(service_database, "UPDATE orders SET pins_refused_until = now() WHERE id = $1", order["id"])
    assert wrong_fields(await enter(service, driver, order, other_than(pin, 6))) == ["value"]
    assert (await enter(service, driver, order, pin)).status_code == 201


async def execute(url: str, statement: str, *values: object) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement, *values)
    finally:
        await connection.close()


async def test_the_pin_follows_the_requirement(service: Service) -> None:
    """It comes and goes with it, and goes with the order's end."""
    driver, order = await carried(service)
    path = f"/v1/orders/{order['id']}"
    assert "pin" not in await snapshot(service, order)
    await service.http.patch(path, json={"requirements": PIN})
    pin = (await snapshot(service, order))["pin"]
    await service.http.patch(path, json={"reference": "x"})
    assert (await snapshot(service, order))["pin"] == pin
    await service.http.patch(path, json={"requirements": None})
    assert "pin" not in await snapshot(service, order)
    problem(await enter(service, driver, order, pin), 409, "conflict")
    await service.http.patch(path, json={"requirements": PIN})
    await service.post(f"{path}/status", {"status": "failed"})
    assert "pin" not in await snapshot(service, order)


async def test_proofs_are_erased_with_the_customer(service: Service, service_database: str) -> None:
    """And with the driver; the timeline still says that there was one."""
    driver, order = await carried(service, requirements=PIN)
    await prove(service, driver, order, picture(), **PHOTO)
    await service.post(f"/v1/orders/{order['id']}/status", {"status": "failed"})
    assert (await service.http.delete(f"/v1/orders/{order['id']}/customer")).status_code == 204
    assert (await service.get(f"/v1/orders/{order['id']}/proofs"))["items"] == []
    assert "proofs" not in await snapshot(service, order)
    history = await service.get(f"/v1/orders/{order['id']}/history")
    assert "proof" in [entry["kind"] for entry in history["timeline"]]
    driver, order = await carried(service)
    await prove(service, driver, order, picture(), **PHOTO)
    await service.post(f"/v1/orders/{order['id']}/status", {"status": "delivered"})
    assert (await service.http.delete(f"/v1/drivers/{driver['id']}")).status_code == 204
    assert (await service.get(f"/v1/orders/{order['id']}/proofs"))["items"] == []


async def test_an_order_takes_fifty_proofs(service: Service) -> None:
    """Then 409, so that no driver fills the disk; a driver who hurries waits before that."""
    driver, order = await carried(service)
    statuses = [
        (await prove(service, driver, order, kind="barcode", stop="dropoff", value=str(n))).status_code
        for n in range(40)
    ]
    assert statuses[:30] == [201] * 30
    assert 429 in statuses
