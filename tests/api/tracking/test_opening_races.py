"""A link or an order that changes while a customer opens the link: the change counts, by every transport.

A gate before the database holds the look-up's answer, which is right when the server gives it, until the
change is committed and its request answered.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import pytest
import pytest_asyncio
from websockets.exceptions import InvalidStatus

from tests.api.driver.test_proofs import carried, picture, prove
from tests.api.merchant import send_fixes
from tests.conftest import temporary_database
from tests.database.middleboxes import AnswerGate, before_database
from tests.service import Service, running_service, token_of
from tests.test_end_to_end import fix
from tests.watchers import by_socket

pytestmark = pytest.mark.asyncio(loop_scope="session")

HERE: Final = {"lat": 60.1712, "lon": 24.9441}
ALWAYS: Final = {"position": "always", "route": "always"}
POSITION_FIELDS: Final = ("position", "route", "trail")

type Answer = dict[str, Any] | int  # the first message, or an HTTP status


async def by_stream(service: Service, token: str, *, binary: bool = False) -> Answer:
    try:
        async with aclosing(by_socket(service, token, binary=binary)) as messages:
            return await anext(messages)
    except InvalidStatus as refused:
        return int(refused.response.status_code)


async def by_packed_stream(service: Service, token: str) -> Answer:
    return await by_stream(service, token, binary=True)


async def by_events(service: Service, token: str) -> Answer:
    async with (
        httpx.AsyncClient(base_url=service.url, timeout=30.0) as http,
        http.stream("GET", f"/v1/track/{token}/events") as answer,
    ):
        if answer.status_code != 200:
            return answer.status_code
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                return dict(msgspec.json.decode(line.removeprefix("data: ")))
    raise AssertionError("the stream ended without a message")


async def by_poll(service: Service, token: str) -> Answer:
    answer = await by_snapshot(service, f"{token}/poll?wait_s=0")
    return answer if isinstance(answer, int) else dict(answer["messages"][0])


async def by_snapshot(service: Service, token: str) -> Answer:
    async with httpx.AsyncClient(base_url=service.url, timeout=30.0) as http:
        answer = await http.get(f"/v1/track/{token}")
    return dict(answer.json()) if answer.status_code == 200 else answer.status_code


async def by_page(service: Service, token: str) -> Answer:
    """The page's own snapshot."""
    async with httpx.AsyncClient(base_url=service.url, timeout=30.0) as http:
        answer = await http.get(f"/t/{token}")
    if answer.status_code != 200:
        return answer.status_code
    snapshot = answer.text.partition('id="snapshot">')[2].partition("</script>")[0]
    return dict(msgspec.json.decode(snapshot))


TRANSPORTS: Final[dict[str, Callable[[Service, str], Awaitable[Answer]]]] = {
    "ws": by_stream,
    "msgpack": by_packed_stream,
    "sse": by_events,
    "poll": by_poll,
    "snapshot": by_snapshot,
    "page": by_page,
}


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def gated(data_dir: Path, postgres: str, template: str) -> AsyncIterator[tuple[Service, AnswerGate]]:
    """A node whose database is behind a gate."""
    gate = AnswerGate()
    async with (
        temporary_database(postgres, template) as url,
        before_database(url, gate) as through,
        running_service(data_dir, through) as service,
    ):
        yield service, gate


async def seen(service: Service) -> tuple[Any, str]:
    """An order whose driver its customer may see, and the path of its changes."""
    driver = await service.new_driver("Aino Korhonen")
    order = await service.new_order(driver["id"], visibility=ALWAYS)
    await send_fixes(service, driver["token"], fix(0.0, **HERE))
    return order, f"/v1/orders/{order['id']}"


async def opened_during(
    gate: AnswerGate, held: tuple[str, str], opening: Awaitable[Answer], change: Callable[[], Awaitable[Any]]
) -> Answer:
    """What a customer gets whose look-up was answered before a change, and who hears of it afterwards."""
    gate.hold(*held)
    try:
        customer = asyncio.ensure_future(opening)
        await asyncio.wait_for(gate.held.wait(), 20)
        await change()
        assert not customer.done()
    finally:
        gate.release()
    return await asyncio.wait_for(customer, 20)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_change_while_a_link_opens_counts(gated: tuple[Service, AnswerGate], transport: str) -> None:
    """A revoked link is 404. Of an order that ended or changed hands, nobody sees the former driver."""
    service, gate = gated
    by = TRANSPORTS[transport]
    order, path = await seen(service)
    [link] = (await service.get(f"{path}/links"))["items"]
    shown = await opened_during(
        gate,
        ("select_link", link["id"]),
        by(service, token_of(order)),
        lambda: service.http.delete(f"{path}/links/{link['id']}"),
    )
    assert shown == 404
    order, path = await seen(service)
    shown = await opened_during(
        gate,
        ("select_order", order["id"]),
        by(service, token_of(order)),
        lambda: service.post(f"{path}/status", {"status": "cancelled"}),
    )
    assert isinstance(shown, dict)
    assert (shown["order"]["status"], shown["visibility"]) == ("cancelled", "ended")
    assert [shown[name] for name in POSITION_FIELDS] == [None, None, None]
    order, path = await seen(service)
    other = await service.new_driver("Eero Virtanen")
    shown = await opened_during(
        gate,
        ("select_order", order["id"]),
        by(service, token_of(order)),
        lambda: service.post(f"{path}/assign", {"driver_id": other["id"]}),
    )
    assert isinstance(shown, dict)
    assert shown["driver"]["name"] == "Eero"
    assert [shown[name] for name in POSITION_FIELDS] == [None, None, None]


async def test_a_revoked_link_shows_no_proof(gated: tuple[Service, AnswerGate]) -> None:
    """The database has given the image when the revocation is answered; the customer gets 404."""
    service, gate = gated
    driver, order = await carried(service)
    proof = (await prove(service, driver, order, picture(), kind="photo", stop="dropoff")).json()
    path = f"/v1/orders/{order['id']}"
    await service.post(f"{path}/status", {"status": "delivered"})
    [link] = (await service.get(f"{path}/links"))["items"]
    image = f"/v1/track/{token_of(order)}/proofs/{proof['id']}"
    assert (await service.http.get(image)).status_code == 200

    async def opening() -> Answer:
        return (await service.http.get(image)).status_code

    shown = await opened_during(
        gate,
        ("select_proof_image", proof["id"]),
        opening(),
        lambda: service.http.delete(f"{path}/links/{link['id']}"),
    )
    assert shown == 404


async def test_nobody_is_held_without_a_change(gated: tuple[Service, AnswerGate]) -> None:
    """The same look-ups without a change show the driver: so it is the change that hides them."""
    service, gate = gated
    order, _ = await seen(service)

    async def nothing() -> None:
        pass

    held = ("select_order", order["id"])
    shown = await opened_during(gate, held, by_snapshot(service, token_of(order)), nothing)
    assert isinstance(shown, dict)
    assert shown["driver"]["name"] == "Aino"
    assert shown["position"]["lat"] == pytest.approx(HERE["lat"], abs=1e-3)
