"""`/v1/events` and its stream: what a merchant's program reads of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec

from tests.api.merchant import problem, wrong_fields
from tests.service import Service, hear, say
from tests.waiting import WITHIN
from tracker.database import Database
from tracker.database.credentials.api_keys import ApiKey, insert_api_key, revoke_api_key
from tracker.tokens import hash_token, new_api_key, new_id


async def latest(service: Service) -> str:
    return str((await service.get("/v1/events?after=latest"))["next"])


async def types_of(service: Service, order: Any, after: str) -> list[str]:
    """The types of an order's events after the cursor; others use this service, too."""
    events = (await service.get(f"/v1/events?limit=500&after={after}"))["items"]
    return [event["type"] for event in events if event["data"].get("order", {}).get("id") == order["id"]]


@asynccontextmanager
async def stream(service: Service, **headers: str) -> AsyncIterator[AsyncIterator[tuple[str, Any]]]:
    """The events of an open stream, each with its cursor."""
    timeout = httpx.Timeout(30.0, read=WITHIN)
    async with service.http.stream("GET", "/v1/events/stream", headers=headers, timeout=timeout) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield events_in(answer)


async def events_in(answer: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        if line:
            fields[name] = value
        elif "data" in fields:
            event = msgspec.json.decode(fields["data"])
            assert fields["event"] == event["type"]
            yield fields["id"], event
            fields = {}


async def test_the_list_has_each_change_at_once(service: Service) -> None:
    """After the answer to a change, its event is listed. `next` continues, also from an empty list."""
    begin = await latest(service)
    driver = await service.new_driver()
    order = await service.new_order(
        driver["id"], customer={"name": "Maija"}, requirements={"dropoff": {"pin": True}}
    )
    assert await types_of(service, order, begin) == ["order.created", "order.assigned"]
    path = f"/v1/orders/{order['id']}"
    await service.post(f"{path}/status", {"status": "picked_up"})
    failed = await service.post(
        f"{path}/status", {"status": "failed", "outcome": "not_home", "reason": "Dark"}
    )
    page = await service.get(f"/v1/events?limit=1&after={begin}")
    seen, cursor = page["items"], page["next"]
    while page["items"]:
        page = await service.get(f"/v1/events?limit=1&after={cursor}")
        seen, cursor = seen + page["items"], page["next"]
    assert cursor == await latest(service)
    own = [event for event in seen if event["data"].get("order", {}).get("id") == order["id"]]
    kinds = ["order.created", "order.assigned", "order.picked_up", "order.failed"]
    assert [event["type"] for event in own] == kinds
    assert all(event["id"].startswith("evt_") for event in own)
    assert len({event["id"] for event in seen}) == len(seen)
    assert own[-1]["data"] == {"order": failed, "outcome": "not_home", "reason": "Dark"}
    assert own[-1]["timestamp"] == failed["timestamps"]["failed"]
    assert own[2]["data"]["order"]["status"] == "picked_up"
    assert own[0]["data"]["order"]["customer"]["name"] == "Maija"
    assert "pin" not in {key for event in own for key in event["data"]["order"]}


async def test_the_stream_goes_on_where_it_broke_off(service: Service) -> None:
    """Events of before the connection, and each new one; `Last-Event-ID` continues after it."""
    begin = await latest(service)
    order = await service.new_order()
    async with stream(service, **{"Last-Event-ID": begin}) as events:
        async with asyncio.timeout(WITHIN):
            cursor, event = await anext(events)
            while event["data"].get("order", {}).get("id") != order["id"]:
                cursor, event = await anext(events)
            assert event["type"] == "order.created"
            await service.post(f"/v1/orders/{order['id']}/status", {"status": "cancelled"})
            while event["type"] != "order.cancelled":
                _, event = await anext(events)
    async with stream(service, **{"Last-Event-ID": cursor}) as events, asyncio.timeout(WITHIN):
        _, again = await anext(events)
        while again["data"].get("order", {}).get("id") != order["id"]:
            _, again = await anext(events)
    assert again == event


async def test_wrong_cursors_and_keys(service: Service) -> None:
    """422 for what no list gave, 410 for what is not kept, 401 without a key."""
    for path in ("/v1/events", "/v1/events/stream"):
        for cursor in ("x", "e", "e-1", "e" + 19 * "9"):
            assert wrong_fields(await service.http.get(path, params={"after": cursor})) == ["after"]
        problem(await service.http.get(path, params={"after": "e999999999999"}), 410, "cursor-gone")
        problem(await service.http.get(path, headers={"Authorization": ""}), 401, "unauthenticated")
    assert wrong_fields(await service.http.get("/v1/events?limit=501")) == ["limit"]
    assert (await service.http.head("/v1/events/stream")).status_code == 200


async def test_a_stream_ends_with_its_key(hasty_service: Service, hasty_database: str) -> None:
    """A revoked key reads nothing more, though its stream was open."""
    key, now = ApiKey(new_id("key"), "read"), datetime.now(UTC)
    text = new_api_key()
    async with Database.open(hasty_database) as database:
        await insert_api_key(database, key, "events", hash_token(text), now)
        begin = await latest(hasty_service)
        headers = {"Authorization": f"Bearer {text}", "Last-Event-ID": begin}
        async with stream(hasty_service, **headers) as events:
            assert await revoke_api_key(database, key.id, now)
            async with asyncio.timeout(WITHIN):
                async for _ in events:
                    pass


async def test_erased_people_are_in_no_event(service: Service) -> None:
    """Neither the customer, nor the words of the driver, nor the driver's id; coordinates and times stay."""
    begin, canary = await latest(service), "sirittäjä"
    driver = await service.new_driver()
    order = await service.new_order(
        driver["id"],
        customer={"name": canary, "email": f"{canary}@example.com"},
        instructions=canary,
        dropoff={"lat": 60.1666, "lon": 24.9486, "address": canary},
    )
    path = f"/v1/orders/{order['id']}"
    await service.post(f"{path}/status", {"status": "picked_up"})
    await service.post(f"{path}/status", {"status": "failed", "reason": canary})
    before = (await service.http.get(f"/v1/events?limit=500&after={begin}")).text
    assert canary in before
    assert driver["id"] in before
    assert (await service.http.delete(f"{path}/customer")).status_code == 204
    assert (await service.http.delete(f"/v1/drivers/{driver['id']}")).status_code == 204
    after = await service.http.get(f"/v1/events?limit=500&after={begin}")
    assert canary not in after.text
    assert driver["id"] not in after.text
    kinds = await types_of(service, order, begin)
    assert kinds == ["order.created", "order.assigned", "order.picked_up", "order.failed"]


async def test_a_change_of_the_device_is_an_event(service: Service) -> None:
    """With what changed; a level of the battery that only falls further says nothing."""
    begin = await latest(service)
    driver = await service.new_driver()
    async with service.drive(driver["token"]) as courier:
        for report in (
            {"battery": 0.5, "permission": "always"},
            {"battery": 0.3},
            {"battery": 0.14},
            {"battery": 0.1},
        ):
            await say(courier, type="device", id=1, **report)
            assert await hear(courier, "ack")
        await say(courier, type="device", id=2, permission="denied")
        assert await hear(courier, "ack")
    events = (await service.get(f"/v1/events?limit=500&after={begin}"))["items"]
    own = [event["data"] for event in events if event["data"].get("driver_id") == driver["id"]]
    assert [one["changed"] for one in own] == [["permission"], ["battery"], ["permission"]]
    assert own[-1]["device"] == {"battery": 0.1, "permission": "denied"}
