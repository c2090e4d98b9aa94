"""What customers do on their page where the brand allows it, in a real browser."""

from typing import Any, Final

import pytest
from playwright.async_api import Browser, Page, expect

from tests.branded import BAKERY, branded
from tests.browser import needs_chromium, on_the_way, opened, picture
from tests.service import Service
from tests.web.accessibility import violations
from tests.web.test_page_people import LEAST_TARGET

pytestmark = [pytest.mark.asyncio(loop_scope="session"), needs_chromium]

MAY: Final = {**BAKERY, "customer_may": ["instruct", "move_pin", "rate"]}
LOOKS: Final = [
    ("light", 800, 900, "en"),
    ("dark", 320, 568, "de"),
    ("light", 320, 640, "ar"),
    ("dark", 800, 900, "ja"),
]


async def delivered(service: Service) -> Any:
    driver = await service.new_driver("Aino Korhonen", "bicycle")
    order = await service.new_order(driver["id"])
    for status in ("picked_up", "delivered"):
        await service.post(f"/v1/orders/{order['id']}/status", {"status": status})
    return order


async def targets(page: Page) -> None:
    """Every control that shows is large enough for a finger, and nothing is wider than the page."""
    for control in await page.locator("#card :is(button, summary, a, textarea, fieldset label)").all():
        if await control.is_visible():
            box = await control.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= LEAST_TARGET, await control.inner_html()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("look", LOOKS)
async def test_a_customer_instructs_and_rates(service: Service, browser: Browser, look: Any) -> None:
    """The box keeps what was sent, and the stars come once the order is over, and only once."""
    scheme, width, height, language = look
    looks: Any = {"color_scheme": scheme, "viewport": {"width": width, "height": height}, "with_map": False}
    looks["apart"] = True  # its clock is changed
    async with branded(service, **MAY), on_the_way(service) as (moving, _):
        over = await delivered(service)
        async with opened(
            browser, f"{moving['tracking_url']}?lang={language}", bypass_csp=True, **looks
        ) as page:
            await expect(page.locator("#pill")).to_have_attribute("data-kind", "live")
            await expect(page.locator("#rate-form")).to_be_hidden()
            await page.locator("#instruct-box summary").press("Enter")
            await page.locator("#instruct-text").fill("Ring twice")
            await page.locator("#instruct-form .send").click()
            await expect(page.locator("#instruct-form-answer")).to_have_attribute("data-kind", "sent")
            await targets(page)
            await picture(page, f"instruct-{scheme}-{width}-{language}")
            assert await violations(page) == []
            await page.reload()
            await expect(page.locator("#instruct-text")).to_have_value("Ring twice")
            await page.clock.install()
            await page.goto(f"{over['tracking_url']}?lang={language}")
            await expect(page.locator("#instruct-box")).to_be_hidden()
            await page.locator("fieldset label").nth(3).click()
            await page.locator("#rate-text").fill("Fast")
            await targets(page)
            await page.locator("#rate-send").scroll_into_view_if_needed()
            await picture(page, f"rate-{scheme}-{width}-{language}")
            assert await violations(page) == []
            await page.locator("#rate-send").click()
            await expect(page.locator("#rated")).to_be_focused()
            await page.clock.fast_forward(5_000)  # the card is drawn again each second
            await expect(page.locator("#rated")).to_be_focused()
            await expect(page.locator("#rate-form")).to_be_hidden()
            await page.reload()
            await expect(page.locator("#rated")).to_be_visible()
    rating = (await service.get(f"/v1/orders/{over['id']}"))["rating"]
    assert (rating["stars"], rating["text"]) == (4, "Fast")


async def test_a_customer_moves_the_pin_to_the_door(service: Service, browser: Browser) -> None:
    """By keys, by dragging, or to where the device is; what is not saved moves back."""
    here: Any = {
        "apart": True,
        "permissions": ["geolocation"],
        "geolocation": {"latitude": 60.1690, "longitude": 24.9486},  # 267 m away
        "viewport": {"width": 800, "height": 700},
    }
    async with branded(service, **MAY), on_the_way(service) as (order, _):
        async with opened(browser, order["tracking_url"], **here) as page:
            await page.wait_for_selector("#map[data-idle]")
            await page.locator("#place-box summary").click()
            pin = page.locator("#pin")
            await expect(pin).to_have_attribute("role", "button")
            await pin.focus()
            for key in ("ArrowUp", "ArrowUp", "ArrowRight"):
                await page.keyboard.press(key)
            await picture(page, "place-light-800")
            await page.locator("#place-form .send").click()
            await expect(page.locator("#place-form-answer")).to_have_attribute("data-kind", "sent")
            moved = (await service.get(f"/v1/orders/{order['id']}"))["dropoff"]
            assert 60.1666 < moved["lat"] < 60.1676 and 24.9486 < moved["lon"] < 24.9490
            box = await pin.bounding_box()
            assert box is not None
            await page.mouse.move(box["x"] + 18, box["y"] + 24)
            await page.mouse.down()
            await page.mouse.move(box["x"] + 18, box["y"] + 84, steps=4)
            await page.mouse.up()
            await page.locator("#place-form .send").click()
            await expect(page.locator("#place-form-answer")).to_have_attribute("data-kind", "sent")
            dragged = (await service.get(f"/v1/orders/{order['id']}"))["dropoff"]
            assert dragged["lat"] < moved["lat"] and abs(dragged["lon"] - moved["lon"]) < 0.00001
            await page.locator("#place-here").click()
            await page.locator("#place-form .send").click()
            await expect(page.locator("#place-form-answer")).to_contain_text("150 m")
            await page.context.set_geolocation({"latitude": 60.1670, "longitude": 24.9486})
            await page.locator("#place-here").click()
            await page.locator("#place-form .send").click()
            await expect(page.locator("#place-form-answer")).to_have_attribute("data-kind", "sent")
        await expect_place(service, order, 60.1670, 24.9486)


async def expect_place(service: Service, order: Any, lat: float, lon: float) -> None:
    dropoff = (await service.get(f"/v1/orders/{order['id']}"))["dropoff"]
    assert (dropoff["lat"], dropoff["lon"]) == (lat, lon)
