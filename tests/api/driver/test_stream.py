"""The drivers' socket: who gets in, what is refused by name, and how it ends."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.api.merchant import parse
from tests.api.merchants.test_milestones import route_of
from tests.service import Service, hear, say
from tests.waiting import until


def fix(seconds_ago: float = 0.0, **more: object) -> dict[str, Any]:
    at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    return {"recorded_at": at.isoformat(), "lat": 60.17, "lon": 24.94, **more}


async def closed_with(socket: Any, within: float = 10.0) -> int:
    async with asyncio.timeout(within):
        with pytest.raises(ConnectionClosed):
            while True:
                await socket.recv()
    return int(socket.close_code)


async def test_a_wrong_token_is_refused_where_a_program_sees_it(service: Service) -> None:
    """401 with a problem, before the socket is open."""
    with pytest.raises(InvalidStatus) as refused:
        async with service.drive("tdt_wrong"):
            pass
    assert refused.value.response.status_code == 401
    assert b'"status":401' in (refused.value.response.body or b"")


async def test_a_browser_says_hello_first(service: Service) -> None:
    """Where headers can't be set the token comes as the first message; a wrong one closes with 4001."""
    driver = await service.new_driver()
    url = f"{service.ws_url}/v1/drivers/stream"
    async with connect(url, origin=service.url, subprotocols=["tracker.v1"]) as courier:  # type: ignore[arg-type, list-item]
        await say(courier, type="hello", token=driver["token"])
        assert (await hear(courier, "welcome"))["driver"]["id"] == driver["id"]
    async with connect(url, origin=service.url) as courier:  # type: ignore[arg-type]
        await say(courier, type="hello", token="tdt_wrong")
        assert await closed_with(courier) == 4001
    async with connect(url) as courier:
        await say(courier, type="fixes", id=1, fixes=[fix()])
        assert await closed_with(courier) == 4008


async def test_who_says_nothing_is_sent_away(service: Service) -> None:
    """No hello within five seconds: 4008."""
    async with connect(f"{service.ws_url}/v1/drivers/stream") as courier:
        assert await closed_with(courier) == 4008


async def test_a_bad_fix_is_named_and_its_neighbours_are_stored(service: Service) -> None:
    """Every reason at its own index."""
    driver = await service.new_driver()
    wrong = {
        "latitude_out_of_range": fix(lat=91),
        "longitude_out_of_range": fix(lon=-181),
        "null_island": fix(lat=0, lon=0),
        "in_the_future": fix(-90),
        "too_old": fix(40 * 86_400),
        "malformed": {"lat": 1},
    }
    fixes = [fix(1), *wrong.values(), fix(2), fix(3, speed=-1, heading=-1, accuracy=-1, battery=-1)]
    async with service.drive(driver["token"]) as courier:
        await say(courier, type="fixes", id=7, fixes=fixes)
        ack = await hear(courier, "ack")
        assert (ack["id"], ack["stored"], ack["duplicates"]) == (7, 3, 0)
        assert ack["rejected"] == [{"index": n, "reason": why} for n, why in enumerate(wrong, 1)]
        await courier.send(json.dumps({"type": "fixes", "id": 8, "fixes": [fix(lat=float("nan"))]}))
        assert (await hear(courier, "ack"))["rejected"] == [{"index": 0, "reason": "not_a_number"}]


async def test_doubtful_fixes_are_stored_and_left_out_of_the_track(service: Service) -> None:
    """Counted as stored, shown with their reason when asked for."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    async with service.drive(driver["token"]) as courier:
        await say(courier, type="fixes", id=1, fixes=[fix(-1), fix(-2, accuracy=500), fix(-3, lat=60.1701)])
        assert (await hear(courier, "ack"))["stored"] == 3
    track = await service.get(f"/v1/orders/{order['id']}/track.json")
    assert len(track["items"]) == 2
    whole = await service.get(f"/v1/orders/{order['id']}/track.json?include=rejected")
    assert [one.get("reason") for one in whole["items"]] == [None, "inaccurate", None]


async def test_too_many_fixes_are_an_error_and_none_is_stored(service: Service) -> None:
    """501 of them: named, and the connection stays."""
    driver = await service.new_driver()
    async with service.drive(driver["token"]) as courier:
        many = [fix(n) for n in range(501)]
        await say(courier, type="fixes", id=3, fixes=many)
        error = await hear(courier, "error", "ack")
        assert (error["type"], error["id"], error["code"]) == ("error", 3, "too_many_fixes")
        await say(courier, type="fixes", id=4, fixes=many[:500])
        ack = await hear(courier, "ack")
        assert (ack["id"], ack["stored"], ack["duplicates"]) == (4, 500, 0)


async def test_ten_unparsable_messages_in_a_row_close_the_connection(service: Service) -> None:
    """Nine are errors and forgiven by one good message; the tenth in a row is 4000."""
    driver = await service.new_driver()
    async with service.drive(driver["token"]) as courier:
        for _ in range(9):
            await courier.send("{nonsense")
            error = await hear(courier, "error")
            assert (error["code"], error["id"]) == ("bad_message", None)
        await say(courier, type="ping", n=3)
        assert (await hear(courier, "pong"))["n"] == 3
        for _ in range(10):
            await courier.send("[]")
        assert await closed_with(courier) == 4000


async def test_binary_where_json_was_agreed_closes_with_1003(service: Service) -> None:
    """And text where MessagePack was."""
    driver = await service.new_driver()
    async with service.drive(driver["token"]) as courier:
        await courier.send(b"\x80")
        assert await closed_with(courier) == 1003
    async with service.drive(driver["token"], subprotocols=["tracker.v1.msgpack"]) as courier:
        await courier.send("{}")
        assert await closed_with(courier) == 1003


async def hear_packed(socket: ClientConnection) -> Any:
    said = await socket.recv()
    assert isinstance(said, bytes)
    return msgspec.msgpack.decode(said)


async def test_messagepack_says_the_same(service: Service) -> None:
    """The same messages in binary frames."""
    driver = await service.new_driver()
    async with service.drive(driver["token"], subprotocols=["tracker.v1.msgpack"]) as courier:
        assert courier.subprotocol == "tracker.v1.msgpack"
        assert (await hear_packed(courier))["type"] == "welcome"
        await courier.send(
            msgspec.msgpack.encode({"type": "fixes", "id": 1, "fixes": [fix(), fix(1, lat=99)]})
        )
        ack = await hear_packed(courier)
        assert (ack["stored"], ack["rejected"]) == (1, [{"index": 1, "reason": "latitude_out_of_range"}])


async def test_a_message_over_the_limit_is_cut(service: Service) -> None:
    """1009; the limit was told in the welcome."""
    driver = await service.new_driver()
    async with service.drive(driver["token"]) as courier:
        limit = (await hear(courier, "welcome"))["limits"]["frame_bytes"]
        await courier.send("x" * (limit + 1))
        assert await closed_with(courier) == 1009


async def test_the_newest_connection_wins(service: Service) -> None:
    """The older one is closed with 4009 and the newer one works."""
    driver = await service.new_driver()
    async with service.drive(driver["token"]) as older:
        await hear(older, "welcome")
        async with service.drive(driver["token"]) as newer:
            assert await closed_with(older) == 4009
            await say(newer, type="fixes", id=1, fixes=[fix()])
            assert (await hear(newer, "ack"))["stored"] == 1
            assert (await service.get(f"/v1/drivers/{driver['id']}"))["online"] is True


async def test_a_new_token_ends_the_old_ones_connection(service: Service) -> None:
    """At once, and it does not come in again."""
    driver = await service.new_driver()
    async with service.drive(driver["token"]) as courier:
        await hear(courier, "welcome")
        fresh = await service.post(f"/v1/drivers/{driver['id']}/token", {})
        assert await closed_with(courier, within=1.0) == 4001
    with pytest.raises(InvalidStatus):
        async with service.drive(driver["token"]):
            pass
    async with service.drive(fresh["token"]) as courier:
        await hear(courier, "welcome")


async def test_another_drivers_order_is_an_unknown_one(service: Service) -> None:
    """The same error for a foreign and a missing order; forbidden transitions have their own."""
    mine, other = await service.new_driver(), await service.new_driver()
    foreign, own = await service.new_order(other["id"]), await service.new_order(mine["id"])
    async with service.drive(mine["token"]) as courier:
        answers = []
        for n, order_id in enumerate((foreign["id"], "ord_missing")):
            await say(courier, type="status", id=n, order_id=order_id, status="picked_up")
            answers.append(await hear(courier, "error", "ack"))
        assert [answer["code"] for answer in answers] == ["not_found", "not_found"]
        assert answers[0]["detail"] == answers[1]["detail"]
        await say(courier, type="status", id=9, order_id=own["id"], status="delivered")
        assert (await hear(courier, "error", "ack"))["code"] == "forbidden_transition"


async def test_a_status_sent_again_is_acknowledged_again(service: Service) -> None:
    """Whoever lost the acknowledgement resends, and nothing happens twice."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    async with service.drive(driver["token"]) as courier:
        for n in (1, 2):
            await say(courier, type="status", id=n, order_id=order["id"], status="picked_up")
            assert (await hear(courier, "ack", "error")) == {"type": "ack", "id": n}
    history = await service.get(f"/v1/orders/{order['id']}/history")
    assert sum(entry["kind"] == "picked_up" for entry in history["timeline"]) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff", 400),
        (b"{}", 422),
        (b'{"fixes":4}', 422),
        (b'{"id":true,"fixes":[]}', 422),
        (b"[]", 200),
        (b'{"fixes":[1]}', 200),
    ],
)
async def test_fixes_by_http_are_read_the_same_way(service: Service, body: bytes, status: int) -> None:
    """Unreadable is 400, no list is 422, a wrong fix is named in the answer."""
    driver = await service.new_driver()
    headers = {"Authorization": f"Bearer {driver['token']}"}
    answer = await service.http.post("/v1/drivers/fixes", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    if status == 200:
        assert len(answer.json()["rejected"]) == (body != b"[]")


async def test_fixes_by_http_have_the_same_rate(service: Service) -> None:
    """20,000 at once; more of them are 429 with Retry-After, cost nothing, and are welcome a little later."""
    driver = await service.new_driver()
    headers = {"Authorization": f"Bearer {driver['token']}"}

    async def post(count: int) -> httpx.Response:
        return await service.http.post("/v1/drivers/fixes", json=[1] * count, headers=headers)

    taken = 0
    while (answer := await post(500)).status_code == 200:
        taken += 1
    assert taken >= 40
    assert answer.status_code == 429
    assert answer.json()["type"] == "/problems/rate-limited"
    assert int(answer.headers["Retry-After"]) > 0
    async with asyncio.timeout(5):
        while (await post(500)).status_code != 200:
            pass


async def test_http_without_a_drivers_token_is_refused(service: Service) -> None:
    """An API key is no driver's token."""
    answer = await service.http.post("/v1/drivers/fixes", json={"fixes": []})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_phones_own_navigation_moves_the_forecast(service: Service) -> None:
    """What it says of the next stop counts beside our own answer; the shown arrival follows it."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    await service.post(f"/v1/orders/{order['id']}/status", {"status": "picked_up"})

    async def arrival() -> datetime:
        return parse((await service.get(f"/v1/orders/{order['id']}/eta"))["arrives_at"])

    async with service.drive(driver["token"]) as courier:
        await say(courier, type="navigation", arrives_at="soon")
        assert (await hear(courier, "error"))["code"] == "bad_message"
        for never in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"):
            await say(courier, type="navigation", arrives_at=never)
        await say(courier, type="fixes", id=1, fixes=[fix()])
        await hear(courier, "ack")
        await route_of(service, order)
        alone, now = await arrival(), datetime.now(UTC)
        later = now + 2.0 * (alone - now)
        await say(courier, type="navigation", arrives_at=later.isoformat())

        async def has_moved() -> bool:
            return alone + timedelta(seconds=5) < await arrival() < later

        await until(has_moved, 30)


async def test_navigation_off_duty_is_the_drivers_own(service: Service) -> None:
    """Where a driver goes then says nothing of the delivery, so the forecast stays."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    eta = f"/v1/orders/{order['id']}/eta"
    async with service.drive(driver["token"]) as courier:
        await say(courier, type="fixes", id=1, fixes=[fix()])
        await hear(courier, "ack")
        await route_of(service, order)
        await say(courier, type="duty", id=2, on=False)
        await hear(courier, "ack")
        before = parse((await service.get(eta))["arrives_at"])
        home = datetime.now(UTC) + timedelta(hours=3)
        await say(courier, type="navigation", arrives_at=home.isoformat())
        await say(courier, type="ping", n=1)
        await hear(courier, "pong")
    after = parse((await service.get(eta))["arrives_at"])
    assert abs(after - before) < timedelta(minutes=2)
