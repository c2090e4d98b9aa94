"""The customer's page through bad times: the service killed, the network frozen, ways that are shut."""

import re
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.browser import PATIENCE, needs_chromium, on_the_way, opened, style_of
from tests.gate import gate_before
from tests.service import Service, running_service

pytestmark = [pytest.mark.asyncio(loop_scope="session"), needs_chromium]


async def hasten(page: Page, seconds: int) -> None:
    """Lets the page's timers run ahead; its clock still tells the time."""
    await page.clock.fast_forward(seconds * 1000)
    await page.clock.set_system_time(datetime.now(UTC))


async def hasten_until_live(page: Page, title: str | None = None) -> None:
    """Until the page is connected again; its pauses are cut short."""
    pill = page.locator("#pill")
    deadline = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < deadline:
        kind, said = await pill.get_attribute("data-kind"), await pill.get_attribute("title")
        if kind in {"live", "stale"} and title in {None, said}:
            return
        await hasten(page, 3)
        await page.wait_for_timeout(200)
    raise AssertionError(f"still {kind}, {said!r}")


async def test_a_killed_service_is_back_without_a_reload(
    data_dir: Path, database_url: str, browser: Browser
) -> None:
    """kill -9, and the same address and database again: what happened meanwhile is there by itself."""
    async with (
        running_service(data_dir, database_url) as service,
        on_the_way(service) as (order, drive),
        opened(browser, "about:blank", with_map=False) as page,
    ):
        await page.clock.install()
        await page.goto(order["tracking_url"])
        await expect(page.locator("#pill")).to_have_text("Live")
        await drive(1)
        await page.evaluate("window.sameDocument = true")
        service.process.kill()
        await service.process.wait()
        await expect(page.locator("#pill")).to_have_attribute("data-kind", "waiting")
        async with running_service(data_dir, database_url, TRACKER_BIND=service.address) as again:
            await hasten_until_live(page)
            await again.post(f"/v1/orders/{order['id']}/status", {"status": "delivered"})
            await expect(page.locator("#headline")).to_contain_text("Delivered at")
            assert await page.evaluate("window.sameDocument")


async def test_a_script_that_does_not_arrive_is_fetched_again(service: Service, browser: Browser) -> None:
    """The page comes alive without a reload; until then the server's card is there."""
    async with (
        on_the_way(service) as (order, _),
        opened(browser, "about:blank", with_map=False, apart=True) as page,
    ):
        asked: list[str] = []

        async def answer(route: Route) -> None:
            asked.append(route.request.url)
            await (route.abort() if len(asked) <= 3 else route.continue_())

        await page.route("**/src/track.js*", answer)
        await page.goto(order["tracking_url"])
        await expect(page.locator("#headline")).to_contain_text("Arriving")
        await expect(page.locator("#pill")).to_have_text("Live")
        assert len(asked) >= 4


async def test_without_its_script_the_card_refreshes_itself(service: Service, browser: Browser) -> None:
    """As without JavaScript, but not while the service is away."""
    async with (
        on_the_way(service) as (order, _),
        opened(browser, "about:blank", with_map=False, apart=True) as page,
    ):
        await page.clock.install()
        await page.route("**/src/track.js*", lambda route: route.abort())
        await page.goto(order["tracking_url"])
        await service.post(f"/v1/orders/{order['id']}/status", {"status": "delivered"})
        await page.context.set_offline(True)
        await page.clock.fast_forward(31_000)
        await expect(page.locator("#headline")).to_contain_text("Arriving")
        await page.context.set_offline(False)
        await page.clock.fast_forward(31_000)
        await expect(page.locator("#headline")).to_contain_text("Delivered at")


async def test_a_minute_without_network_is_told_honestly(service: Service, browser: Browser) -> None:
    """Nothing closes, frames just stop: the page notices, says how old all is, and moves nothing."""
    async with gate_before(service.url) as gate, on_the_way(service) as (order, drive):
        url = order["tracking_url"].replace(service.url, gate.url)
        async with opened(browser, "about:blank", with_map=False) as page:
            await page.clock.install()
            await page.goto(url)
            await expect(page.locator("#pill")).to_have_text("Live")
            marker = page.locator("#map .marker")
            await drive(1)
            await expect(marker).to_have_attribute("data-freshness", "live")
            before = await style_of(marker)
            gate.moving.clear()
            await drive(2)
            await page.clock.fast_forward(60_000)
            await expect(page.locator("#pill")).to_contain_text("last seen 1 min ago")
            await expect(marker).to_have_attribute("data-freshness", "stale")
            await expect(page.locator("#outdated")).to_contain_text("No contact. What you see is 1 min old.")
            spoken = await page.locator("#announcer").text_content() or ""
            assert spoken.startswith("No contact.")
            await page.clock.fast_forward(90_000)
            await expect(page.locator("#outdated")).to_contain_text("2 min old")
            said = (await page.locator("#announcer").text_content() or "").split(". Arriving")[0]
            assert spoken.startswith(said)  # the age does not interrupt a screen reader again
            await expect(page.locator("#pill")).to_contain_text("last seen 2 min ago")
            await expect(marker).to_have_attribute("data-freshness", "lost")
            await expect(page.locator("#headline")).to_contain_text("Arriving about")
            assert await style_of(marker) == before
            await page.clock.set_system_time(datetime.now(UTC))
            gate.moving.set()
            await drive(3)
            await hasten_until_live(page)
            await expect(marker).not_to_have_attribute("style", before)
            await expect(page.locator("#outdated")).to_be_hidden()


async def test_a_websocket_that_hangs_costs_four_seconds(service: Service, browser: Browser) -> None:
    """A proxy that holds it open without an answer: events open beside it and stay; it is one opening."""
    async with gate_before(service.url) as gate, on_the_way(service) as (order, drive):
        gate.held = {"/stream"}
        url = order["tracking_url"].replace(service.url, gate.url)
        async with opened(browser, "about:blank", with_map=False, apart=True) as page:
            await page.clock.install()
            await page.goto(url)
            pill = page.locator("#pill")
            await expect(pill).to_have_text("Connecting…")
            await hasten(page, 4)
            await expect(pill).to_have_attribute("title", "Connected by server-sent events")
            await drive(1)
            await expect(pill).to_have_text("Live")
            [link] = (await service.get(f"/v1/orders/{order['id']}/links"))["items"]
            assert link["opened"] == 1


async def test_blocked_ways_are_gone_around_and_come_back_to(service: Service, browser: Browser) -> None:
    """No WebSocket: events. No events either: polling. Unblocked: up again, step by step."""
    async with gate_before(service.url) as gate, on_the_way(service) as (order, drive):
        gate.close("/stream")
        url = order["tracking_url"].replace(service.url, gate.url)
        async with opened(browser, "about:blank", with_map=False) as page:
            await page.clock.install()
            await page.goto(url)
            marker = page.locator("#map .marker")
            await hasten_until_live(page, "Connected by server-sent events")
            before = await style_of(marker)
            await drive(1)
            await expect(marker).not_to_have_attribute("style", before)
            gate.close("/stream", "/events")
            await hasten_until_live(page, "Connected by polling")
            before = await style_of(marker)
            await drive(2)
            await expect(marker).not_to_have_attribute("style", before)
            gate.close()
            await hasten(page, 16)
            await hasten_until_live(page, "Connected by server-sent events")
            await hasten(page, 16)
            await hasten_until_live(page, "")
            before = await style_of(marker)
            await drive(3)
            await expect(marker).not_to_have_attribute("style", before)
            assert gate.passed[-1].endswith("/stream")
            [link] = (await service.get(f"/v1/orders/{order['id']}/links"))["items"]
            assert link["opened"] == 1


async def test_without_a_style_or_webgl_there_is_a_sketch_until_they_are_back(
    service: Service, browser: Browser
) -> None:
    """A style that fails and a lost context show the sketch with its marks at once; the map comes back."""
    async with on_the_way(service) as (order, drive), opened(browser, "about:blank", apart=True) as page:
        await page.clock.install()
        await page.route("**/map/style.json*", lambda route: route.abort())
        await page.goto(order["tracking_url"])
        tracker, sketched = page.locator("#tracker"), page.locator("#map > .marker.sketched")
        await expect(tracker).to_have_attribute("data-map", "sketch")
        await expect(sketched).to_be_visible()
        await expect(page.locator("#map .sketch .ahead")).to_have_attribute("d", re.compile("^M"))
        await page.unroute("**/map/style.json*")
        await hasten(page, 4)
        await expect(tracker).to_have_attribute("data-map", "map", timeout=PATIENCE)
        await expect(page.locator("#map .canvas .marker")).to_be_visible()
        await expect(page.locator("#map > .sketch")).to_be_hidden()
        await page.evaluate(
            "window.lost = document.querySelector('#map canvas').getContext('webgl2')"
            ".getExtension('WEBGL_lose_context'); lost.loseContext()"
        )
        await expect(tracker).to_have_attribute("data-map", "sketch")
        await expect(sketched).to_be_visible()
        before = await style_of(sketched)
        await drive(1)
        await expect(sketched).not_to_have_attribute("style", before)
        await page.evaluate("lost.restoreContext()")
        await expect(tracker).to_have_attribute("data-map", "map", timeout=PATIENCE)
        await expect(page.locator("#map .canvas .marker")).to_be_visible()
