"""No log line, at any level, holds a secret, a name, a phone, an address, somebody's words or a place."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from tests.conftest import temporary_database
from tests.service import ADMIN_KEY, SECRET, Service, hear, running_service, say, token_of
from tracker.logs import outline

NAME, PHONE, ADDRESS, NOTE = (
    "Kanaria Laulurinne",
    "+358 40 7654321",
    "Kanarianpolku 9",
    "canary behind the door",
)
LAT, LON = 60.16871, 24.93452
CANARY_ORIGIN = Origin("https://canary.example")
REFERENCE, EMAIL = "REF-CANARY-77", "canary@example.org"
PLANTED = ["Kanaria", "7654321", "Kanarianpolku", "canary", "CANARY", "60.1687", "24.9345", ADMIN_KEY, SECRET]


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def talkative(data_dir: Path, postgres: str, template: str) -> AsyncIterator[tuple[Service, str]]:
    """A node of its own that logs all it can, and its database."""
    async with (
        temporary_database(postgres, template) as url,
        running_service(data_dir, url, TRACKER_LOG_LEVEL="debug", PYTHONASYNCIODEBUG="1") as running,
    ):
        yield running, url


def a_fix(**more: object) -> dict[str, Any]:
    return {"recorded_at": datetime.now(UTC).isoformat(), "lat": LAT, "lon": LON, **more}


def an_order(driver_id: str) -> dict[str, Any]:
    place = {"lat": LAT, "lon": LON, "address": ADDRESS}
    customer = {"name": NAME, "phone": PHONE, "email": EMAIL}
    return {
        "pickup": place,
        "dropoff": place,
        "customer": customer,
        "driver_id": driver_id,
        "reference": REFERENCE,
    }


async def everything_by_http(service: Service, driver: Any, order: Any) -> None:
    """Each call of the description with good, foreign and broken input; what comes of it does not matter."""
    description = await service.get("/openapi.json")
    bodies: list[Any] = [
        an_order(driver["id"]),
        {"name": NAME, "text": NOTE, "status": NOTE},
        b"{" + NOTE.encode(),
    ]
    ids = {"token": token_of(order), "driver_id": driver["id"], "order_id": order["id"], "id": order["id"]}
    for path, calls in description["paths"].items():
        if "/events" in path or "/poll" in path:
            continue
        for method in calls.keys() & {"get", "post", "put", "patch"}:
            for known in (ids, dict.fromkeys(ids, "canary-id")):
                for body in bodies if method != "get" else [None]:
                    await one_call(service, method, filled(path, known), body)


def filled(path: str, ids: dict[str, str]) -> str:
    for part in path.split("/"):
        if part.startswith("{"):
            path = path.replace(part, ids.get(part.strip("{}"), "canary"))
    return path


async def one_call(service: Service, method: str, path: str, body: Any) -> None:
    content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    with suppress(httpx.TransportError):
        await service.http.request(
            method,
            f"{path}?at={NOTE}&bbox={LON},{LAT},{NOTE}",
            content=content,
            headers={"X-Request-Id": "canary"},
        )


async def everything_by_socket(service: Service, driver: Any, order: Any) -> None:
    """A driver's and a customer's words: good ones, wrong ones, and ones that cannot be read."""
    async with service.drive(driver["token"]) as courier:
        await say(courier, type="fixes", id=1, fixes=[a_fix(), a_fix(lat=LAT * 2), {"lat": NOTE}])
        await hear(courier, "ack")
        await say(courier, type="message", id=2, order_id=order["id"], text=NOTE)
        await say(courier, type="status", id=3, order_id=NOTE, status="delivered", reason=NOTE)
        await courier.send("{" + NOTE)
        await hear(courier, "error")
    async with service.watch(order) as customer:
        await say(customer, type="message", text=NOTE)
        await say(customer, type="seen", cursor=NOTE)
        await customer.send(NOTE)
        await hear(customer, "snapshot")
    for url in (f"/v1/drivers/stream?{NOTE.replace(' ', '')}", "/v1/track/canary-token/stream"):
        with suppress(Exception):
            async with connect(service.ws_url + url, origin=CANARY_ORIGIN) as socket:
                await say(socket, type="hello", token=f"tdt_canary{driver['token']}")
                await socket.recv()


async def everything_by_phone(service: Service, token: str) -> None:
    """What phone apps send, with the token in each place where one of them has it, and wrong ones."""
    place = {"lat": LAT, "lon": LON, "tst": int(datetime.now(UTC).timestamp()), "SSID": NOTE}
    feature = {"geometry": {"coordinates": [LON, LAT]}, "properties": {"timestamp": NOTE, "wifi": NOTE}}
    bodies: list[Any] = [
        place,
        {"_type": "location", **place},
        {"locations": [feature]},
        NOTE.encode(),
        b"\xff",
    ]
    for each in (token, f"tdt_canary{token}"):
        paths = [f"/ingest/osmand/{each}", f"/ingest/osmand?id={each}", f"/ingest/overland?token={each}"]
        paths += [f"/ingest/owntracks?token={each}", f"/api/v1/overland/batches?api_key={each}"]
        for path in (*paths, f"/ingest/traccar?api_key={ADMIN_KEY}", f"/ingest/traccar?api_key={each}"):
            query = f"{'&' if '?' in path else '?'}lat={LAT}&lon={LON}&desc={NOTE}"
            for method, body in (("GET", bodies[0]), *(("POST", body) for body in bodies)):
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                for headers in ({"Authorization": ""}, {"Authorization": f"Basic {each}:"}):
                    with suppress(httpx.TransportError):
                        await service.http.request(method, path + query, content=content, headers=headers)


async def broken(url: str) -> None:
    """From now on the database refuses what it is given, and says in its refusal what that was."""
    database = await asyncpg.connect(url)
    try:
        for table, condition in (
            ("drivers", "name <> $1"),
            ("timeline", "detail ->> 'text' IS DISTINCT FROM $1"),
            ("fixes", "lat <> $1"),
            ("orders", "customer IS NULL"),
        ):
            value = {"drivers": f"'{NAME}'", "timeline": f"'{NOTE}'", "fixes": str(LAT)}.get(table, "")
            rule = condition.replace("$1", value)
            await database.execute(f"ALTER TABLE {table} ADD CONSTRAINT broken CHECK ({rule}) NOT VALID")
    finally:
        await database.close()


async def test_nothing_of_anybody_is_ever_logged(talkative: tuple[Service, str]) -> None:
    """All endpoints, with good and bad input, first as it should be and then with a database that refuses.

    The crashes are real: the refusals' texts hold the whole rows.
    """
    service, url = talkative
    driver = await service.new_driver(NAME)
    order = await service.post("/v1/orders", an_order(driver["id"]))
    await everything_by_socket(service, driver, order)
    await everything_by_phone(service, driver["token"])
    await everything_by_http(service, driver, order)
    other = await service.new_driver(NAME)  # the first has a new token by now
    await broken(url)
    crash = await service.http.post("/v1/drivers", json={"name": NAME, "vehicle": "car"})
    assert crash.status_code == 500
    assert NAME not in crash.text
    async with service.drive(other["token"]) as courier:
        await say(courier, type="fixes", id=1, fixes=[a_fix()])
        async with asyncio.timeout(10):
            with pytest.raises(ConnectionClosed):
                while True:
                    await courier.recv()
    assert courier.close_code == 1011
    await everything_by_phone(service, other["token"])
    await everything_by_http(service, driver, order)
    logged = service.log.read_text(errors="replace")
    assert "CheckViolationError" in logged  # it did crash, and says where
    assert "insert_driver" in logged
    planted = [*PLANTED, driver["token"], other["token"], token_of(order)]
    assert [word for word in planted if word in logged] == []
    assert "Traceback" not in logged


async def test_every_line_of_the_log_is_one_event(talkative: tuple[Service, str]) -> None:
    """From the first step of the start on, each line is JSON with its event, level and time."""
    service, _ = talkative
    await service.http.get("/v1/nothing")
    events = [msgspec.json.decode(line) for line in service.log.read_text().splitlines()]
    names = [event["event"] for event in events]
    assert names[0] == "service_starting"
    assert {"service_started", "socket_opened", "socket_closed", "request_refused"} <= set(names)
    assert all({"event", "level", "timestamp"} <= event.keys() for event in events)


def test_an_outline_tells_where_and_not_what() -> None:
    """Types and places of the error and its causes, grouped ones too."""
    try:
        try:
            float(NOTE)
        except ValueError as error:
            raise ExceptionGroup(NOTE, [KeyError(NOTE)]) from error
    except ExceptionGroup as group:
        told = outline(group)
    assert told.startswith("ExceptionGroup [test_log_canaries.py:")
    assert "KeyError" in told
    assert NOTE not in told
