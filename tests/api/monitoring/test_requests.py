"""The log of requests: an id for each, and a line for each refusal, connect and disconnect."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.service import Service, hear, running_service, say, token_of
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

WITHIN = 15.0  # seconds; repeated refusals are written after a window of 10


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def logged(data_dir: Path, own_database: str) -> AsyncIterator[Service]:
    """A node whose log is read. This machine is its trusted proxy."""
    async with running_service(
        data_dir, own_database, unrecorded=True, TRACKER_TRUSTED_PROXIES="127.0.0.1"
    ) as running:
        yield running


def lines(service: Service, **fields: object) -> list[dict[str, Any]]:
    events = [msgspec.json.decode(line) for line in service.log.read_text().splitlines()]
    return [event for event in events if fields.items() <= event.items()]


def unmatched(service: Service) -> list[dict[str, Any]]:
    return lines(service, route="unmatched", status=404)


async def line(service: Service, **fields: object) -> dict[str, Any]:
    """The line with these fields, once it is written."""
    return (await until(lambda: lines(service, **fields), WITHIN))[-1]


async def test_the_start_is_two_lines_like_all_others(logged: Service) -> None:
    """Which version, where it listens, and on what."""
    begun = await line(logged, event="service_starting")
    assert begun.keys() >= {"version", "python", "level", "timestamp"}
    started = await line(logged, event="service_started")
    assert started["url"] == f"http://{logged.address}"
    assert (started["database"], started["version"]) == ("external", begun["version"])
    assert started["map"].endswith(".osm.pbf")


async def test_a_trusted_proxys_request_id_is_answered_and_logged(logged: Service) -> None:
    """One id in the proxy's log, in the answer and in ours."""
    answered = await logged.http.get("/v1/orders/ord_none", headers={"X-Request-Id": "proxy-0123.abc"})
    assert answered.headers["X-Request-Id"] == "proxy-0123.abc"
    refused = await line(logged, event="request_refused", request_id="proxy-0123.abc")
    assert (refused["route"], refused["status"]) == ("/v1/orders/<order_id>", 404)
    assert (refused["method"], refused["problem"]) == ("GET", "not-found")


@pytest.mark.parametrize("given", ["", "two words", "x" * 65, "ä", '"}{"'])
async def test_an_unusable_request_id_is_replaced(logged: Service, given: str) -> None:
    """Such an id could break a line of somebody's log."""
    answered = await logged.http.get("/livez", headers=[(b"X-Request-Id", given.encode())])
    made = answered.headers["X-Request-Id"]
    assert made != given and len(made) == 16


async def test_a_stranger_gives_no_request_id(service: Service) -> None:
    """Only trusted proxies do; anybody could forge or plant one."""
    answered = await service.http.get("/livez", headers={"X-Request-Id": "forged"})
    assert answered.headers["X-Request-Id"] != "forged"


async def test_a_socket_is_a_line_when_it_opens_and_one_when_it_ends(logged: Service) -> None:
    """Both have the id of the request; the last says whose it was, the code and who closed."""
    driver = await logged.new_driver()
    order = await logged.new_order(driver["id"])
    async with logged.drive(driver["token"]) as courier:
        await hear(courier, "welcome")
        for _ in range(10):
            await say(courier, type="nonsense")
        await courier.wait_closed()
    ended = await line(logged, event="socket_closed", driver=driver["id"])
    assert (ended["code"], ended["by"], ended["route"]) == (4000, "server", "/v1/drivers/stream")
    assert ended["after_s"] >= 0
    assert lines(logged, event="socket_opened", request_id=ended["request_id"])
    async with logged.watch(order) as customer:
        await hear(customer, "snapshot")
        await customer.close(1001)
    ended = await line(logged, event="socket_closed", order=order["id"])
    assert (ended["code"], ended["by"]) == (1001, "peer")
    assert ended["link"].startswith("lnk_")


async def test_a_socket_that_breaks_has_the_code_of_no_close_frame(logged: Service) -> None:
    """1006, as RFC 6455 says."""
    driver = await logged.new_driver()
    order = await logged.new_order(driver["id"])
    customer = await connect(f"{logged.ws_url}/v1/track/{token_of(order)}/stream", compression=None)
    customer.transport.abort()
    ended = await line(logged, event="socket_closed", order=order["id"])
    assert (ended["code"], ended["by"]) == (1006, "peer")


async def test_a_refused_handshake_is_a_line(logged: Service) -> None:
    """With its status for programs, with its close code for browsers."""
    url = f"{logged.ws_url}/v1/track/unknown-token/stream"
    with pytest.raises(InvalidStatus) as refused:
        await connect(url)
    request_id = refused.value.response.headers["X-Request-Id"]
    said = await line(logged, event="socket_refused", request_id=request_id)
    assert (said["status"], said["route"]) == (404, "/v1/track/<token>/stream")
    browser = await connect(url, origin=logged.url)  # type: ignore[arg-type]  # a str subtype
    await browser.wait_closed()
    said = await line(logged, event="socket_refused", code=4003)
    assert said["problem"] == "not_found"


async def test_an_event_stream_is_a_line_when_it_opens_and_one_when_it_ends(logged: Service) -> None:
    """Server-sent events have no close code."""
    order = await logged.new_order()
    path = f"/v1/track/{token_of(order)}/events"
    async with logged.http.stream("GET", path) as stream:
        await anext(stream.aiter_lines())
        opened = await line(logged, event="event_stream_opened", order=order["id"])
    assert opened["request_id"] == stream.headers["X-Request-Id"]
    await line(logged, event="event_stream_closed", order=order["id"])


async def test_repeated_refusals_are_one_line_with_a_count(logged: Service) -> None:
    """A client that repeats a refused request does not fill the disk."""
    for _ in range(30):
        await logged.http.get("/nothing/here")
    await until(lambda: sum(one.get("repeated", 1) for one in unmatched(logged)) >= 30, WITHIN)
    assert len(unmatched(logged)) <= 3
