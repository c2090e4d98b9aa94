"""A position source and a screen of one driver, on sockets."""

from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.api.driver.test_stream import closed_with, fix
from tests.api.merchant import send_fixes
from tests.service import Service, hear, say, token_of


def drive(service: Service, role: str | None = None, **more: Any) -> connect:
    query = "" if role is None else f"?role={role}"
    return connect(f"{service.ws_url}/v1/drivers/stream{query}", compression=None, **more)


async def welcomed(socket: Any, token: str, **hello: str) -> Any:
    await say(socket, type="hello", token=token, **hello)
    return await hear(socket, "welcome")


async def test_a_source_and_a_screen_stay_side_by_side(service: Service) -> None:
    """The newest of a role closes the older one of the same role; both hear of orders, notes and duty."""
    driver = await service.new_driver()
    token = driver["token"]
    async with drive(service) as app, drive(service) as page:
        await welcomed(app, token)
        await welcomed(page, token, role="screen")
        order = await service.new_order(driver["id"])
        for socket in (app, page):
            assert [one["id"] for one in (await hear(socket, "orders"))["orders"]] == [order["id"]]
        await service.post(f"/v1/track/{token_of(order)}/messages", {"text": "Ring twice"})
        await service.post(f"/v1/drivers/{driver['id']}/duty", {"on": True, "on_break": True})
        for socket in (app, page):
            assert (await hear(socket, "message"))["text"] == "Ring twice"
            assert (await hear(socket, "duty"))["on_break"] is True
        async with drive(service) as newer:
            await welcomed(newer, token, role="screen")
            assert await closed_with(page) == 4009
            await say(app, type="ping", n=1)
            assert (await hear(app, "pong"))["n"] == 1
            async with drive(service, "source") as newest:
                await welcomed(newest, token)
                assert await closed_with(app) == 4009
                await say(newer, type="ping", n=2)
                assert (await hear(newer, "pong"))["n"] == 2


async def test_the_marker_follows_the_source(service: Service) -> None:
    """A screen's fix is stored, in the track, and does not move the marker; also if the source uses HTTP."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"], visibility={"position": "always"})
    await send_fixes(service, driver["token"], fix(2, lat=60.1701))
    async with drive(service, "screen", additional_headers=bearer(driver)) as page:
        await say(page, type="fixes", id=1, fixes=[fix(1, lat=60.1702)])
        ack = await hear(page, "ack")
        assert (ack["stored"], ack["duplicates"], ack["rejected"]) == (1, 0, [])
        assert await position(service, order) == 60.1701
        assert (await service.get(f"/v1/drivers/{driver['id']}"))["last_fix"]["lat"] == 60.1701
        await send_fixes(service, driver["token"], fix(lat=60.1703))
        assert await position(service, order) == 60.1703
    state = await service.get(f"/v1/drivers/{driver['id']}")
    assert state["last_fix"]["lat"] == 60.1703


async def position(service: Service, order: Any) -> float:
    return float((await service.get(f"/v1/track/{token_of(order)}"))["position"]["lat"])


def bearer(driver: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {driver['token']}"}


async def test_a_hello_sets_the_role_beside_a_header(service: Service) -> None:
    """Without a token; the source that connected before is not touched by what follows."""
    driver = await service.new_driver()
    async with drive(service, additional_headers=bearer(driver)) as page:
        await say(page, type="hello", role="screen")
        await say(page, type="ping", n=0)
        await hear(page, "pong")
        async with service.drive(driver["token"]) as app:
            await hear(app, "welcome")
            for socket in (app, page):
                await say(socket, type="ping", n=1)
                await hear(socket, "pong")


async def test_an_unknown_role_is_refused(service: Service) -> None:
    """422 in the URL, 4000 in a hello; a hello without a token, where there is no header, too."""
    driver = await service.new_driver()
    with pytest.raises(InvalidStatus) as refused:
        async with drive(service, "boss", additional_headers=bearer(driver)):
            pass
    assert refused.value.response.status_code == 422
    for hello in ({"token": driver["token"], "role": "boss"}, {"role": "screen"}):
        async with drive(service) as socket:
            await say(socket, type="hello", **hello)
            assert await closed_with(socket) == 4000


async def test_a_note_with_a_key_is_delivered_once(service: Service) -> None:
    """A driver who lost the ack sends the note again; another text with the key is an error."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    note = {"type": "message", "order_id": order["id"], "text": "at the door", "key": "a-1"}
    async with drive(service, "screen", additional_headers=bearer(driver)) as page:
        for number in (1, 2):
            await say(page, **note, id=number)
            assert (await hear(page, "ack", "error"))["type"] == "ack"
        await say(page, **(note | {"text": "elsewhere"}), id=3)
        assert (await hear(page, "ack", "error"))["code"] == "idempotency_mismatch"
        await say(page, **(note | {"key": ""}), id=4)
        assert (await hear(page, "ack", "error"))["code"] == "invalid_fields"
    timeline = (await service.get(f"/v1/orders/{order['id']}/history"))["timeline"]
    assert [entry["text"] for entry in timeline if entry["kind"] == "message"] == ["at the door"]
