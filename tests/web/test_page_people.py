"""The customer's page for people with small screens, keyboards, screen readers or other languages."""

from typing import Any, Final

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser import needs_chromium, on_the_way, opened, picture
from tests.service import Service
from tests.web import accessibility
from tests.web.accessibility import needs_axe, violations
from tracker.domain.branding.brand import LANGUAGES

AXE: Final = accessibility.AXE  # for the board's tests
LEAST_TARGET: Final = 44  # pixels
FAILED: Final = {"status": "failed", "outcome": "not_home"}

pytestmark = [pytest.mark.asyncio(loop_scope="session"), needs_chromium]


async def box_of(page: Page, selector: str) -> Any:
    box = await page.locator(selector).bounding_box()
    assert box is not None, selector
    return box


@pytest.mark.parametrize(("width", "height"), [(320, 568), (568, 320)])
async def test_the_message_box_stays_in_view_and_keeps_the_focus(
    service: Service, browser: Browser, width: int, height: int
) -> None:
    """On the smallest phones, upright and lying, and with the keyboard up; through updates and sending."""
    size: Any = {"viewport": {"width": width, "height": height}, "with_map": False}
    async with on_the_way(service) as (order, drive), opened(browser, order["tracking_url"], **size) as page:
        await expect(page.locator("#pill")).to_have_attribute("data-kind", "live")
        await page.locator("#note-box summary").press("Enter")
        text = page.locator("#note-text")
        await expect(text).to_be_focused()
        for room in (height, 250):  # a keyboard takes the rest
            await page.set_viewport_size({"width": width, "height": room})
            for selector in ("#note-text", "#note-send"):
                await expect(page.locator(selector)).to_be_in_viewport(ratio=0.99)
            assert (await box_of(page, "#note-send"))["y"] + LEAST_TARGET <= room
        await text.press_sequentially("At the back")
        await drive(1)
        await expect(text).to_be_focused()
        await picture(page, f"message-{width}")
        await page.locator("#note-send").click()
        await expect(page.locator("#note-answer")).to_have_text("Sent")
        await expect(text).to_be_focused()
        assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_a_keyboard_reaches_the_card_first_and_moves_the_map(
    service: Service, browser: Browser
) -> None:
    """Every control is large enough for a finger; the map follows the user's keys until it is given back."""
    async with on_the_way(service) as (order, _), opened(browser, order["tracking_url"]) as page:
        await page.wait_for_selector("#map[data-idle]")
        focused = "document.activeElement.closest('#card') ? 'card' : document.activeElement.className"
        await page.keyboard.press("Tab")
        assert await page.evaluate(focused) == "card"
        for _ in range(await page.locator("#card :is(a, button, summary, input, textarea)").count()):
            if await page.evaluate(focused) == "card":
                await page.keyboard.press("Tab")
        assert "maplibregl-canvas" in await page.evaluate(focused)
        await page.keyboard.press("ArrowRight")
        await expect(page.locator("#recentre")).to_be_visible()
        await page.locator("#note-box summary").click()
        for control in await page.locator("button, summary").all():
            if await control.is_visible():
                box = await control.bounding_box()
                assert box is not None
                assert min(box["width"], box["height"]) >= LEAST_TARGET, await control.inner_html()
        states = await page.locator("#steps .status").all_text_contents()
        assert states == ["done", "now", "not yet", "not yet"]


@needs_axe
async def test_axe_finds_nothing_in_any_state_scheme_or_language(service: Service, browser: Browser) -> None:
    """Skipped where axe-core is not installed. The map is in the test of the page as a whole."""
    driver = await service.new_driver()
    orders = {
        "created": await service.new_order(),
        **{
            name: await service.new_order(driver["id"], requirements={"dropoff": {"pin": True}})
            for name in ("assigned", "delivered", "failed")
        },
    }
    for name, end in (("delivered", {"status": "delivered"}), ("failed", FAILED)):
        for status in ({"status": "picked_up"}, end):
            await service.post(f"/v1/orders/{orders[name]['id']}/status", status)
    async with on_the_way(service) as (moving, _), opened(browser, "about:blank", bypass_csp=True) as page:
        looks = {
            f"moving in {language}": f"{moving['tracking_url']}?lang={language}" for language in LANGUAGES
        }
        looks |= {name: f"{order['tracking_url']}?" for name, order in orders.items()}
        looks["missing"] = f"{service.url}/t/nonsense?"
        for what, url in looks.items():
            await page.goto(f"{url}&no-map")
            if what.startswith("moving"):
                await page.locator("#note-box summary").click()
            assert await violations(page, ("light", "dark")) == [], what
