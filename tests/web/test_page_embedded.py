"""Orders on other sites' pages, in a real browser: the examples of docs/embedding.md, as they stand there."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser import needs_chromium, on_the_way, opened
from tests.service import Service, token_of

DOC: Final = (Path(__file__).parent.parent.parent / "docs" / "embedding.md").read_text(encoding="utf-8")
LINK: Final = "https://track.example/t/<token>"
NO_SOCKET_SCRIPTS: Final = (
    "default-src 'none'; script-src {service}; style-src {service}; frame-src {service}"
)

pytestmark = [pytest.mark.asyncio(loop_scope="session"), needs_chromium]


def example(mark: str) -> str:
    """The example of the page that holds this."""
    found = [block for block in re.findall(r"```html\n(.*?)```", DOC, re.DOTALL) if mark in block]
    assert len(found) == 1, mark
    return str(found[0])


def filled(text: str, service: Service, order: Any) -> str:
    """With the service's own address, and a real token."""
    text = text.replace("https://track.example", service.url).replace("wss://track.example", service.ws_url)
    return text.replace("<token>", token_of(order))


@asynccontextmanager
async def shop(body: str, policy: str = "") -> AsyncIterator[str]:
    """A site of somebody else's with one page, under a Content-Security-Policy."""
    page = f"<!doctype html><html lang=en><title>Shop</title><body>{body}</body></html>".encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(page)}\r\n"
    head += f"Content-Security-Policy: {policy}\r\n" if policy else ""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"{head}Connection: close\r\n\r\n".encode() + page)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()


async def settle(page: Page) -> None:
    await expect(page.locator("#pill")).to_have_text("Live")
    await page.wait_for_selector("#map[data-idle]")


async def test_the_element_works_under_the_policy_that_is_documented(
    service: Service, browser: Browser
) -> None:
    """Card, map, notes and events on a page of another origin, allowed only what is documented."""
    policy = re.search(r"```csp\n(.*)\n```", DOC)
    assert policy is not None
    async with on_the_way(service) as (order, drive):
        body = filled(example("src/order-tracker.js"), service, order)
        async with (
            shop(body, filled(policy[1], service, order)) as url,
            opened(browser, url) as page,
        ):
            await settle(page)
            await expect(page.locator("#tracker")).to_have_attribute("data-map", "map")
            await expect(page.locator("#courier-name")).to_have_text("Aino")
            await page.evaluate(
                "document.addEventListener('order-state', e => document.title = e.detail.order.status)"
            )
            marker = page.locator("#map .marker")
            before = await marker.get_attribute("style") or ""
            await drive(1)
            await expect(marker).not_to_have_attribute("style", before)
            await expect(page).to_have_title("picked_up")
            await page.locator("#note-box summary").press("Enter")
            await page.locator("#note-text").fill("hello")
            await page.locator("#note-send").click()
            await expect(page.locator("#note-answer")).to_have_text("Sent")


async def test_without_the_worker_there_is_a_sketch(service: Service, browser: Browser) -> None:
    """A policy that forbids blobs costs the streets and nothing else."""
    policy = re.search(r"```csp\n(.*)\n```", DOC)
    assert policy is not None
    async with on_the_way(service) as (order, drive):
        body = filled(example("src/order-tracker.js"), service, order)
        strict = filled(policy[1].replace("worker-src blob:", "worker-src"), service, order)
        async with shop(body, strict) as url:
            context = await browser.new_context(reduced_motion="reduce")
            page = await context.new_page()
            await page.goto(url)
            await settle(page)
            await expect(page.locator("#tracker")).to_have_attribute("data-map", "sketch")
            marker = page.locator("#map .marker")
            await expect(marker).to_be_visible()
            before = await marker.get_attribute("style") or ""
            await drive(1)
            await expect(marker).not_to_have_attribute("style", before)
            assert await page.locator(".sketch .ahead").get_attribute("d")
            await context.close()


async def test_the_element_is_what_its_attributes_say(service: Service, browser: Browser) -> None:
    """Theme and map may change at any time; taken out of the page it lets go of everything."""
    async with on_the_way(service) as (order, _):
        body = filled(example("src/order-tracker.js"), service, order)
        async with shop(body) as url, opened(browser, url) as page:
            await settle(page)
            tracker = page.locator("order-tracker")
            light = await page.locator("#card").evaluate("e => getComputedStyle(e).backgroundColor")
            await tracker.evaluate("e => e.setAttribute('theme', 'dark')")
            dark = await page.locator("#card").evaluate("e => getComputedStyle(e).backgroundColor")
            assert light != dark
            await tracker.evaluate("e => e.setAttribute('no-map', '')")
            await expect(page.locator("#tracker")).to_have_attribute("data-map", "off")
            await expect(page.locator("#headline")).to_contain_text("Arriving")
            ended = await tracker.evaluate(
                "e => { const stream = e.stream; e.remove(); return stream.connection + e.stream }"
            )
            assert ended == "overnull"


async def test_a_link_that_does_not_work_says_so(service: Service, browser: Browser) -> None:
    """The element shows the words of the page, and tells the site."""
    order = await service.new_order()
    told = "<script>addEventListener('order-missing', () => { document.title = 'missing' })</script>"
    body = told + filled(example("src/order-tracker.js"), service, order).replace(token_of(order), "nonsense")
    async with shop(body) as url, opened(browser, url) as page:
        await expect(page).to_have_title("missing")
        await expect(page.locator("order-tracker h1")).to_have_text("This tracking link does not work")


@pytest.mark.parametrize("mark", ["<iframe", "frame"])
async def test_a_frame_needs_nothing_but_the_frame(service: Service, browser: Browser, mark: str) -> None:
    """The page itself inside another site, as plain HTML or by the element."""
    async with on_the_way(service) as (order, _):
        body = filled(example(mark if mark == "<iframe" else "src/order-tracker.js"), service, order)
        body = body.replace("<order-tracker ", "<order-tracker frame ")
        policy = NO_SOCKET_SCRIPTS.format(service=service.url)
        async with shop(body, policy) as url, opened(browser, url) as page:
            frame = page.frame_locator("iframe")
            await expect(frame.locator("#pill")).to_have_text("Live")
            await expect(frame.locator("#tracker")).to_have_attribute("data-map", "map")


async def test_the_page_itself_is_not_framed(service: Service) -> None:
    """Only /embed/ is for frames; the link that people open stays by itself."""
    order = await service.new_order()
    async with httpx.AsyncClient() as anybody:
        page = await anybody.get(f"{service.url}/t/{token_of(order)}")
        framed = await anybody.get(f"{service.url}/embed/{token_of(order)}")
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors *" in framed.headers["content-security-policy"]
    assert "x-frame-options" not in framed.headers


async def test_the_stream_and_the_bare_socket_work_as_documented(service: Service, browser: Browser) -> None:
    """Both examples of a page that draws for itself, on another origin."""
    async with on_the_way(service) as (order, drive):
        body = filled(example('id="status"') + example('id="bare"'), service, order)
        async with shop(body) as url, opened(browser, url) as page:
            await drive(1)
            await expect(page.locator("#bare")).to_have_text(re.compile(r"picked_up 60\.\d+"))
            await expect(page.locator("#status")).to_have_text(re.compile(r"picked_up, 20\d\d-"))
            for socket in ("#bare", "#status"):
                before = await page.locator(socket).text_content() or ""
                assert "undefined" not in before
            await service.post(f"/v1/orders/{order['id']}/status", {"status": "delivered"})
            for told in ("#bare", "#status"):
                await expect(page.locator(told)).to_have_text(re.compile("delivered"))


async def test_answers_to_a_link_may_be_read_from_anywhere_and_others_not(service: Service) -> None:
    """CORS without credentials on what a link opens, refusals and preflights included; not on the API."""
    order = await service.new_order()
    origin = {"Origin": "https://shop.example"}
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    link = f"{service.url}/v1/track/{token_of(order)}"
    async with httpx.AsyncClient(headers=origin) as anybody:
        for url in (
            link,
            f"{link}/poll?wait_s=0",
            f"{service.url}/v1/track/nonsense",
            f"{service.url}/tiles/15/1/1.mvt",
        ):
            answer = await anybody.get(url)
            assert answer.headers["access-control-allow-origin"] == "*", url
            assert "access-control-allow-credentials" not in answer.headers
            assert "retry-after" in answer.headers["access-control-expose-headers"].lower()
        async with anybody.stream("GET", f"{link}/events") as events:
            assert events.headers["access-control-allow-origin"] == "*"
        preflight = await anybody.options(f"{link}/messages", headers=asks)
        assert preflight.is_success
        assert "POST" in preflight.headers["access-control-allow-methods"]
        assert "content-type" in preflight.headers["access-control-allow-headers"].lower()
        for path in ("/v1/orders", "/v1/drivers", "/openapi.json", f"/t/{token_of(order)}"):
            assert "access-control-allow-origin" not in (await anybody.get(f"{service.url}{path}")).headers
