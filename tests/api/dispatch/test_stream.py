"""`WS /v1/fleet/stream`: dispatchers see every driver and open order, and nobody else does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.api.test_auth import key_with
from tests.service import ADMIN_KEY, Service, hear, say, token_of
from tests.waiting import until
from tracker.database import Database
from tracker.database.credentials.api_keys import revoke_api_key, select_api_key
from tracker.tokens import hash_token

WITHIN = 15.0  # seconds


class Board:
    """A dispatcher's page: it holds what it was sent."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.drivers: dict[str, Any] = {}
        self.orders: dict[str, Any] = {}
        self.texts: list[str] = []

    async def follow(self) -> None:
        with pytest.raises(ConnectionClosed):
            while True:
                self._apply(str(await self.socket.recv()))

    def _apply(self, text: str) -> None:
        self.texts.append(text)
        message = msgspec.json.decode(text)
        if message["type"] not in {"snapshot", "update"}:
            return
        for one in message["drivers"]:
            self.drivers.setdefault(one["id"], {}).update(one)
        self.orders.update({one["id"]: one for one in message["orders"]})
        for kind in ("drivers", "orders"):
            for id_ in message.get(f"gone_{kind}", ()):
                getattr(self, kind).pop(id_, None)

    async def sees(self, what: Any) -> None:
        """Wait until *what*, a function of this board, is true."""

        async def is_seen() -> bool:
            return bool(what(self))

        await until(is_seen, WITHIN)


@asynccontextmanager
async def board_of(service: Service, key: str = ADMIN_KEY) -> AsyncIterator[Board]:
    headers = {"Authorization": f"Bearer {key}"}
    async with connect(
        f"{service.ws_url}/v1/fleet/stream", additional_headers=headers, max_size=None
    ) as socket:
        board = Board(socket)
        following = asyncio.create_task(board.follow())
        try:
            yield board
        finally:
            await socket.close()
            await following


async def send_fix(service: Service, token: str, lat: float, lon: float) -> None:
    at = datetime.now(UTC).isoformat()
    headers = {"Authorization": f"Bearer {token}"}
    fixes = [{"recorded_at": at, "lat": lat, "lon": lon, "battery": 0.8}]
    answer = await service.http.post("/v1/drivers/fixes", json=fixes, headers=headers)
    assert answer.json()["stored"] == 1, answer.text


async def test_a_dispatcher_sees_a_delivery_from_order_to_door(service: Service) -> None:
    """New orders and drivers, moves, stop sequences, statuses and ends; none of the customer's secrets."""
    secrets = {"name": "Zacharias Canary", "phone": "+358 40 7654321", "email": "canary@example.org"}
    async with board_of(service) as board:
        driver = await service.new_driver("Aino Boardwoman")
        order = await service.new_order(
            customer=secrets, requirements={"dropoff": {"pin": True}}, instructions="under the canary"
        )
        id_, driver_id = order["id"], driver["id"]
        await board.sees(lambda one: id_ in one.orders and driver_id in one.drivers)
        assert board.orders[id_]["dropoff"]["address"] == "Kasarmikatu 36"
        assert (board.drivers[driver_id]["position"], board.orders[id_]["driver_id"]) == (None, None)
        await service.post(f"/v1/orders/{id_}/assign", {"driver_id": driver_id})
        await send_fix(service, driver["token"], 60.1702, 24.9455)
        await board.sees(lambda one: one.orders[id_]["status"] == "assigned")
        await board.sees(lambda one: (one.drivers[driver_id]["position"] or {}).get("lat") == 60.1702)
        await board.sees(lambda one: one.drivers[driver_id]["orders"] == [id_] and one.orders[id_]["eta"])
        assert board.drivers[driver_id]["device"]["battery"] == 0.8
        await send_fix(service, driver["token"], 60.1704, 24.9455)
        await board.sees(lambda one: one.drivers[driver_id]["position"]["lat"] == 60.1704)
        await service.post(f"/v1/orders/{id_}/status", {"status": "picked_up"})
        await service.post(f"/v1/orders/{id_}/status", {"status": "delivered"})
        await board.sees(lambda one: id_ not in one.orders and one.drivers[driver_id]["orders"] == [])
        snapshot = (await service.http.get(f"/v1/track/{token_of(order)}")).json()
        told = "".join(board.texts)
        for secret in (*secrets.values(), "under the canary", token_of(order), driver["token"], "visibility"):
            assert secret not in told
        assert f'"pin":"{snapshot.get("pin", "")}"' not in told


async def test_off_duty_and_erased_drivers_are_nowhere(service: Service) -> None:
    """Off duty the position goes and does not come; erased drivers vanish."""
    driver = await service.new_driver()
    id_ = driver["id"]
    await send_fix(service, driver["token"], 60.1702, 24.9455)
    async with board_of(service) as board:
        await board.sees(lambda one: id_ in one.drivers and one.drivers[id_]["position"])
        await service.post(f"/v1/drivers/{id_}/duty", {"on": False})
        await board.sees(lambda one: one.drivers[id_]["position"] is None)
        assert board.drivers[id_]["duty"] == {"on": False, "on_break": False}
        board.texts.clear()
        headers = {"Authorization": f"Bearer {driver['token']}"}
        fix = {"recorded_at": datetime.now(UTC).isoformat(), "lat": 60.16999, "lon": 24.9455}
        answer = await service.http.post("/v1/drivers/fixes", json=[fix], headers=headers)
        assert answer.json()["discarded"] == 1
        async with board_of(service) as second:
            await second.sees(lambda one: id_ in one.drivers)
            assert second.drivers[id_]["position"] is None
        assert (await service.http.delete(f"/v1/drivers/{id_}")).status_code == 204
        await board.sees(lambda one: id_ not in one.drivers)
        assert "60.16999" not in "".join(board.texts)


async def test_a_viewport_limits_positions(service: Service) -> None:
    """Who moves elsewhere brings nothing; malformed messages are answered and change nothing."""
    inside, outside = await service.new_driver(), await service.new_driver()
    for driver, lat in ((inside, 60.1702), (outside, 60.1902)):
        await send_fix(service, driver["token"], lat, 24.9455)
    async with board_of(service) as board:
        await board.sees(
            lambda one: all((one.drivers.get(d["id"]) or {}).get("position") for d in (inside, outside))
        )
        await say(board.socket, type="viewport", bbox=[24.9, 60.16, 25.0, 60.18])
        await say(board.socket, type="viewport", bbox=[24.9, 60.18, 25.0, 60.16])
        await say(board.socket, type="viewport", bbox=[24.9, 60.16])
        await say(board.socket, type="ping", n=7)
        await board.sees(lambda one: '"pong"' in "".join(one.texts))
        assert "".join(board.texts).count('"type":"error"') == 2
        for driver, lat in ((outside, 60.1903), (inside, 60.1703)):
            await send_fix(service, driver["token"], lat, 24.9455)
        await board.sees(lambda one: one.drivers[inside["id"]]["position"]["lat"] == 60.1703)
        assert board.drivers[outside["id"]]["position"]["lat"] == 60.1902


async def test_only_keys_and_sessions_open_it(service: Service, service_database: str) -> None:
    """As a header, as the first message, or as a session with the service's own Origin."""
    url = f"{service.ws_url}/v1/fleet/stream"
    driver = await service.new_driver()
    for wrong in ("tak_wrong", driver["token"]):
        with pytest.raises(InvalidStatus) as refused:
            await connect(url, additional_headers={"Authorization": f"Bearer {wrong}"})
        assert refused.value.response.status_code == 401
    for first, code in (
        ({"type": "ping"}, 4008),
        ({"type": "hello"}, 4000),
        ({"type": "hello", "key": "x"}, 4001),
    ):
        async with connect(url) as socket:
            await say(socket, **first)
            await socket.wait_closed()
            assert socket.close_code == code, first
    key = await key_with(service_database, "read")
    async with connect(url) as socket:
        await say(socket, type="hello", key=key)
        assert (await hear(socket, "snapshot"))["first"]
    async with httpx.AsyncClient(base_url=service.url, headers={"Origin": service.url}) as browser:
        assert (await browser.post("/v1/session", json={"key": key})).status_code == 204
        cookie = {"Cookie": f"tracker_session={browser.cookies['tracker_session']}"}
    async with connect(url, additional_headers=cookie, origin=service.url) as socket:  # type: ignore[arg-type]
        assert (await hear(socket, "snapshot"))["first"]
    with pytest.raises(InvalidStatus) as refused:
        await connect(url, additional_headers=cookie)
    assert refused.value.response.status_code == 403
    async with connect(url, additional_headers=cookie, origin="https://evil.example") as socket:  # type: ignore[arg-type]
        await socket.wait_closed()
        assert socket.close_code == 4003


async def test_a_revoked_key_closes_its_streams(service: Service, service_database: str) -> None:
    """Within seconds, with the code that tells the page not to come back."""
    key = await key_with(service_database, "read")
    async with board_of(service, key) as board:
        await board.sees(lambda one: one.texts)
        async with Database.open(service_database) as database:
            found = await select_api_key(database, hash_token(key))
            assert found is not None
            await revoke_api_key(database, found.id, datetime.now(UTC))
        await asyncio.wait_for(board.socket.wait_closed(), WITHIN)
        assert board.socket.close_code == 4011


async def test_the_same_comes_as_server_sent_events(service: Service) -> None:
    """A snapshot, then what changes, limited to the viewport in the address."""
    driver = await service.new_driver()
    await send_fix(service, driver["token"], 60.1702, 24.9455)
    wrong = await service.http.get("/v1/fleet/events", params={"bbox": "1,2,3"})
    assert wrong.status_code == 422
    async with service.http.stream(
        "GET", "/v1/fleet/events", params={"bbox": "24.9,60.1,25.0,60.2"}
    ) as stream:
        lines = stream.aiter_lines()

        async def next_of(kind: str) -> Any:
            async with asyncio.timeout(WITHIN):
                while (await anext(lines)) != f"event: {kind}":
                    pass
                return msgspec.json.decode((await anext(lines)).removeprefix("data: "))

        snapshot = await next_of("snapshot")
        assert driver["id"] in {one["id"] for one in snapshot["drivers"]}
        await send_fix(service, driver["token"], 60.1703, 24.9455)
        moved: set[str] = set()
        while driver["id"] not in moved:
            moved |= {one["id"] for one in (await next_of("update"))["drivers"]}
