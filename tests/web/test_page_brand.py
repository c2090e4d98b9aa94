"""The shop's brand on the customer's page, and what a customer can do with the page, in a real browser."""

from typing import Any, Final

import pytest
from playwright.async_api import Browser, Page, expect

from tests.branded import BAKERY, branded
from tests.browser import PICTURES, needs_chromium, opened, picture
from tests.service import Service
from tracker.domain.branding.colour import contrast, dark_colours, light_colours

pytestmark = [pytest.mark.asyncio(loop_scope="session"), needs_chromium]

PALE: Final = "#ffd166"  # too light for a white card
LOOKS: Final = [
    ("light", 800, 900, "en"),
    ("dark", 1200, 800, "de"),
    ("light", 320, 568, "ar"),
    ("dark", 390, 844, "ja"),
]
LEAST_TARGET: Final = 44  # pixels
SHARE: Final = """() => {
    window.shared = [];
    Object.defineProperty(navigator, 'share', { value: async (what) => void window.shared.push(what) });
}"""


def rgb(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgb({red}, {green}, {blue})"


async def colour_of(page: Page, selector: str) -> str:
    return str(await page.locator(selector).evaluate("element => getComputedStyle(element).color"))


@pytest.mark.parametrize("look", LOOKS)
async def test_a_page_shows_whose_order_it_is(service: Service, browser: Browser, look: Any) -> None:
    """Logo, name, help and a readable colour, on the server's card and after the script runs."""
    scheme, width, height, language = look
    window = {"from": "2030-11-22T17:00:00Z", "to": "2030-11-22T18:00:00Z"}
    driver = await service.new_driver("Aino Korhonen", "bicycle")
    order = await service.new_order(driver["id"], window=window, customer={"language": language})
    looks: Any = {
        "color_scheme": scheme,
        "viewport": {"width": width, "height": height},
        "with_map": PICTURES is not None,
    }
    async with (
        branded(service, **BAKERY | {"colour": PALE}),
        opened(browser, order["tracking_url"], **looks) as page,
    ):
        await expect(page.locator("#pill")).to_have_attribute("data-kind", "live")
        await expect(page.locator("#brand")).to_have_text("Corner Bakery")
        await expect(page).to_have_title(f"{await page.locator('h1').inner_text()} · Corner Bakery")
        assert await page.locator("#brand img").evaluate("image => image.naturalWidth") > 0
        colours = (light_colours if scheme == "light" else dark_colours)(PALE)
        assert await colour_of(page, "#eyebrow") == rgb(colours.accent)
        assert contrast(colours.accent, "#ffffff" if scheme == "light" else "#1f232b") >= 4.5
        await expect(page.locator('.ways a[href="https://bakery.example/help"]')).to_be_visible()
        await expect(page.locator('.ways a[href="tel:+35891234567"]')).to_contain_text("+358 9 1234567")
        await expect(page.locator("#calendar")).to_be_visible()
        await expect(page.locator("#pickup")).to_be_visible()
        for control in await page.locator(".ways :is(a, button)").all():
            box = await control.bounding_box()
            assert box is not None and min(box["width"], box["height"]) >= LEAST_TARGET
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        await picture(page, f"brand-{scheme}-{width}-{language}")
        await page.locator(".ways").scroll_into_view_if_needed()
        await picture(page, f"brand-{scheme}-{width}-{language}-below")


async def test_the_link_is_shared_by_the_device_or_copied(service: Service, browser: Browser) -> None:
    """Without what may follow it; the pickup and the calendar go once the order is on its way and over."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    url = f"{order['tracking_url']}?lang=en"
    async with opened(
        browser, url, with_map=False, apart=True, permissions=["clipboard-read", "clipboard-write"]
    ) as page:
        await expect(page.locator("#pickup")).to_be_visible()
        await page.locator("#share button").click()
        await expect(page.locator("#shared")).to_have_text("The link is copied.")
        assert await page.evaluate("navigator.clipboard.readText()") == order["tracking_url"]
        await page.evaluate(SHARE)
        await page.locator("#share button").click()
        await page.wait_for_function("() => window.shared.length === 1")
        shared = await page.evaluate("shared[0]")
        assert shared["url"] == order["tracking_url"] and shared["title"]
        await expect(page.locator("#shared")).to_be_hidden()
        for status in ("picked_up", "delivered"):
            await service.post(f"/v1/orders/{order['id']}/status", {"status": status})
        await expect(page.locator("#card")).to_have_attribute("data-phase", "done")
        await expect(page.locator("#pickup")).to_be_hidden()
        await expect(page.locator("#calendar")).to_be_hidden()


async def test_an_element_of_another_page_has_the_brand_too(service: Service, browser: Browser) -> None:
    """Its logo comes from the service, and its colours follow the element's theme."""
    order = await service.new_order()
    async with branded(service, **BAKERY), opened(browser, f"{service.url}/docs", apart=True) as page:
        script = f"{service.url}/static/src/order-tracker.js"
        await page.evaluate(
            """async ([script, src]) => {
                await import(script);
                document.body.innerHTML = '<order-tracker theme="light" no-map></order-tracker>';
                document.querySelector('order-tracker').setAttribute('src', src);
            }""",
            [script, order["tracking_url"]],
        )
        eyebrow = page.locator("order-tracker #eyebrow")
        await expect(eyebrow).to_have_css("color", rgb(light_colours("#b3261e").accent))
        await page.wait_for_function(
            "document.querySelector('order-tracker').shadowRoot.querySelector('#brand img').naturalWidth > 0"
        )
        await page.locator("order-tracker").evaluate("element => element.setAttribute('theme', 'dark')")
        await expect(eyebrow).to_have_css("color", rgb(dark_colours("#b3261e").accent))
