"""The box for a note to the courier, in a real browser: what is said, what is answered, what is refused."""

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser import needs_chromium, opened
from tests.service import Service, hear, say

pytestmark = [pytest.mark.asyncio(loop_scope="session"), needs_chromium]


async def write(page: Page, text: str) -> None:
    await page.locator("#note-text").fill(text)
    await page.locator("#note-send").click()


async def test_a_note_reaches_the_courier_and_the_answer_comes_back(
    service: Service, browser: Browser
) -> None:
    """Sent, and said so; whatever the courier answers is text, and read out by screen readers."""
    driver = await service.new_driver("Aino Korhonen", "bicycle")
    order = await service.new_order(driver["id"])
    async with (
        service.drive(driver["token"]) as socket,
        opened(browser, order["tracking_url"], with_map=False) as page,
    ):
        await expect(page.locator("#pill")).to_have_text("Live")
        await page.locator("#note-box summary").press("Enter")
        await expect(page.locator("#note-send")).to_be_disabled()
        await write(page, "at the back <door>")
        assert (await hear(socket, "message"))["text"] == "at the back <door>"
        await expect(page.locator("#note-answer")).to_have_text("Sent")
        await expect(page.locator("#note-text")).to_have_value("")
        hostile = "<img src=x onerror=alert(1)> & found it"
        await say(socket, type="message", id=1, order_id=order["id"], text=hostile)
        answer = page.locator('#said[aria-live="polite"] li[data-from="driver"]')
        await expect(answer).to_have_text(f"Courier: {hostile}")
        assert await page.locator("#said img").count() == 0
        for status in ("picked_up", "delivered"):
            await service.post(f"/v1/orders/{order['id']}/status", {"status": status})
        await expect(page.locator("#note-box")).to_be_hidden()
        await expect(answer).to_be_visible()


async def test_a_note_that_is_refused_is_kept_and_the_reason_told(service: Service, browser: Browser) -> None:
    """Too much at once, too long, no connection: in plain words, and nothing that was written is lost."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    async with opened(browser, order["tracking_url"], with_map=False) as page:
        await page.locator("#note-box summary").click()
        answer = page.locator("#note-answer")
        for n in range(12):
            await write(page, f"note {n}")
            await expect(answer).not_to_have_text("Sending…")
            if await answer.get_attribute("data-kind") == "refused":
                break
        await expect(answer).to_contain_text("Please wait")
        await expect(page.locator("#note-text")).to_have_value(f"note {n}")
        await page.locator("#note-text").fill("ä" * 2_049)
        await expect(page.locator("#note-room")).to_have_text("2 characters too many")
        await expect(page.locator("#note-send")).to_be_disabled()
        await page.context.set_offline(True)
        await write(page, "anybody there?")
        await expect(answer).to_contain_text("no connection")
        await page.context.set_offline(False)


async def test_there_is_nobody_to_write_to_before_the_assignment(service: Service, browser: Browser) -> None:
    """No courier, no box."""
    order = await service.new_order()
    async with opened(browser, order["tracking_url"], with_map=False) as page:
        await expect(page.locator("#announcer")).to_have_text("Your order is being prepared")
        await expect(page.locator("#note-box")).to_be_hidden()
