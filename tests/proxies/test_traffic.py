"""Customers, drivers and merchants behind nginx, HAProxy and Caddy, with the files of deploy/."""

import asyncio
import re
import shutil
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.proxies.programs import Proxy
from tests.service import ADMIN_KEY, Service, hear, say, token_of
from tests.test_end_to_end import fix, on_the_way
from tracker.node import GUESSES_AT_ONCE

KEY = {"Authorization": f"Bearer {ADMIN_KEY}"}


async def events(response: httpx.Response) -> AsyncIterator[str]:
    """The types of server-sent events, as they arrive."""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            yield line.removeprefix("event: ")


async def test_the_page_and_its_files_come_over_http2(proxy: Proxy, behind: Service) -> None:
    """Compressed by the service, with its headers; browsers are told to stay on https."""
    order = await behind.new_order()
    async with proxy.client() as client:
        page = await client.get(f"/t/{token_of(order)}")
        assert (page.status_code, page.http_version) == (200, "HTTP/2")
        assert "max-age" in page.headers["Strict-Transport-Security"]
        assert "script-src 'self'" in page.headers["Content-Security-Policy"]
        files = set(re.findall(r'(?:href|src)="(/[^"]+)"', page.text))
        assert len(files) > 5
        answers = await asyncio.gather(*(client.get(path) for path in files))
        assert {answer.status_code for answer in answers} == {200}
        script = next(answer for answer in answers if answer.url.path.endswith("track.js"))
        assert script.headers["Content-Encoding"] == "gzip"
        assert (await client.get("/map/style.json")).json()["version"] == 8


async def test_links_begin_with_the_address_that_was_asked(proxy: Proxy) -> None:
    """https, the proxy's host and port; without TRACKER_PUBLIC_URL."""
    async with proxy.client(headers=KEY) as client:
        place = {"lat": 60.1713, "lon": 24.9440}
        body = {"pickup": place, "dropoff": {"lat": 60.1666, "lon": 24.9486}}
        created = await client.post("/v1/orders", json=body)
        assert created.status_code == 201
        assert created.json()["tracking_url"].startswith(f"{proxy.url}/t/")
        assert (await client.get("/openapi.json")).json()["servers"] == [{"url": proxy.url}]


async def test_a_trip_over_websockets(proxy: Proxy, behind: Service) -> None:
    """The driver's fixes are acknowledged, and move the marker of the customer's view."""
    driver = await behind.new_driver()
    order = await behind.new_order(driver["id"])
    token = {"Authorization": f"Bearer {driver['token']}"}
    async with (
        proxy.socket("/v1/drivers/stream", additional_headers=token, subprotocols=["tracker.v1"]) as courier,
        proxy.socket(f"/v1/track/{token_of(order)}/stream") as customer,
    ):
        assert courier.subprotocol == "tracker.v1"
        await hear(courier, "welcome")
        assert (await hear(customer, "snapshot"))["order"]["status"] == "assigned"
        await say(courier, type="fixes", id=1, fixes=[fix(0.0, *on_the_way(0.1))])
        assert (await hear(courier, "ack"))["stored"] == 1
        while not (await hear(customer, "update")).get("position"):
            pass
        await behind.post(f"/v1/orders/{order['id']}/status", {"status": "cancelled"})
        assert (await hear(customer, "end"))["reason"] == "cancelled"
        await asyncio.wait_for(customer.wait_closed(), 5)
        assert customer.close_code == 1000


@pytest.mark.parametrize("http2", [False, True], ids=["HTTP/1.1", "HTTP/2"])
async def test_events_arrive_one_by_one(proxy: Proxy, behind: Service, http2: bool) -> None:
    """The first is there before the second is caused."""
    order = await behind.new_order()
    async with (
        proxy.client(http2=http2) as client,
        client.stream("GET", f"/v1/track/{token_of(order)}/events") as response,
        asyncio.timeout(10),
    ):
        heard = events(response)
        assert await anext(heard) == "snapshot"
        await behind.post(f"/v1/orders/{order['id']}/status", {"status": "cancelled"})
        assert await anext(heard) == "update"
        assert await anext(heard) == "end"


async def test_many_live_views_share_one_http2_connection(proxy: Proxy, behind: Service) -> None:
    """Forty streams and forty sockets of one visitor, and a request beside them."""
    order = await behind.new_order()
    async with proxy.client() as client, AsyncExitStack() as opened:
        for n in range(40):
            if n % 20 == 0:
                order = await behind.new_order()  # a link has fifty live views
            link = f"/v1/track/{token_of(order)}"
            response = await opened.enter_async_context(client.stream("GET", f"{link}/events"))
            assert await anext(events(response)) == "snapshot"
            customer = await opened.enter_async_context(proxy.socket(f"{link}/stream"))
            await hear(customer, "snapshot")
        assert (await client.get(link)).status_code == 200


async def test_a_poll_waits_for_news(proxy: Proxy, behind: Service) -> None:
    """It ends with the news, or with 204 when the time is over."""
    order = await behind.new_order()
    link = f"/v1/track/{token_of(order)}/poll"
    async with proxy.client() as client:
        cursor = (await client.get(link)).json()["cursor"]
        assert (await client.get(link, params={"cursor": cursor, "wait_s": 0.2})).status_code == 204
        waiting = asyncio.create_task(client.get(link, params={"cursor": cursor, "wait_s": 60}))
        await behind.post(f"/v1/orders/{order['id']}/status", {"status": "cancelled"})
        answer = await asyncio.wait_for(waiting, 10)
        assert answer.json()["messages"][-1]["type"] == "end"


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl; `apt-get install curl` brings it")
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize("size", [140_000, 5_000_000, 20_000_000])
async def test_a_body_that_is_too_large_gets_an_answer(
    proxy: Proxy, tmp_path: Path, version: str, size: int
) -> None:
    """413 that the client can read, and never a reset; from the service itself up to 16 MB."""
    (tmp_path / "body").write_bytes(b'{"a":"' + b"a" * size + b'"}')
    command = ["curl", "--silent", "--show-error", version, "--cacert", str(proxy.certificate.authority)]
    command += ["--max-time", "30", "--data-binary", f"@{tmp_path / 'body'}", "--header", "Expect:"]
    command += ["--header", f"Authorization: {KEY['Authorization']}", "--write-out", "%{stderr}%{http_code}"]
    process = await asyncio.create_subprocess_exec(
        *command, f"{proxy.url}/v1/orders", stdout=PIPE, stderr=PIPE
    )
    body, said = await process.communicate()
    assert (process.returncode, said) == (0, b"413")
    if size < 16_000_000 or proxy.name != "nginx":
        assert msgspec.json.decode(body)["type"] == "/problems/too-large"


async def test_each_visitor_has_an_own_address(proxy: Proxy, number: int) -> None:
    """Wrong guesses from one address are slowed down, whatever X-Forwarded-For it sends; others' are not."""
    wrong = f"/v1/track/{'A' * 44}"
    async with (
        proxy.client(source=f"127.0.1.{number}") as guesser,
        proxy.client(source=f"127.0.2.{number}") as other,
    ):
        statuses: list[int] = []
        for n in range(GUESSES_AT_ONCE + 20):
            forged = {"X-Forwarded-For": f"198.51.100.{n}"}
            statuses.append((await guesser.get(wrong, headers=forged)).status_code)
        assert 429 in statuses
        assert set(statuses[:GUESSES_AT_ONCE]) == {404}
        assert (await other.get(wrong)).status_code == 404


@pytest.fixture
def number(proxy: Proxy) -> int:
    """So that each proxy's visitors have other addresses: they share one service."""
    return 10 + ["nginx", "haproxy", "caddy"].index(proxy.name)


async def test_metrics_are_for_the_operator(proxy: Proxy, behind: Service) -> None:
    """404 for the public; the service's own address has them."""
    async with proxy.client(headers=KEY) as client:
        answer: Any = await client.get("/metrics")
    assert answer.status_code == 404
    assert "tracker_" not in answer.text
    assert "tracker_" in (await behind.http.get("/metrics")).text
