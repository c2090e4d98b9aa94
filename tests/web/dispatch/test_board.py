"""The dispatcher's board in a real browser, against a real node."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser import needs_chromium, opened, picture
from tests.service import ADMIN_KEY, Service, hear, say
from tests.web.test_page_people import AXE

pytestmark = [pytest.mark.asyncio(loop_scope="session"), needs_chromium]
DESK: Final[dict[str, Any]] = {"apart": True, "viewport": {"width": 1280, "height": 720}, "with_map": False}


@asynccontextmanager
async def at_the_board(
    browser: Browser, service: Service, key: str = ADMIN_KEY, query: str = "", **more: Any
) -> AsyncIterator[Page]:
    """The board, logged in with this key and live."""
    async with opened(browser, f"{service.url}/dispatch{query}", **DESK | more) as page:
        await log_in(page, key)
        await expect(page.locator("#pill")).to_have_attribute("data-kind", "live")
        yield page


async def log_in(page: Page, key: str) -> None:
    await page.locator("#key").fill(key)
    await page.locator("#key").press("Enter")


def row(page: Page, order: Any) -> Locator:
    return page.locator(f"#list li[data-order={order['id']}] .row")


async def nothing_to_object_to(page: Page) -> None:
    """axe-core finds nothing in what the page shows."""
    await page.evaluate(f"{AXE.read_text()}; null")
    found = await page.evaluate("axe.run()")
    assert [(each["id"], each["nodes"][0]["target"]) for each in found["violations"]] == []


async def test_only_a_key_opens_the_board(service: Service, browser: Browser) -> None:
    """A wrong key is said and costs nothing; the session outlives a reload, and ends with the log-out."""
    async with opened(browser, f"{service.url}/dispatch", **DESK) as page:
        await log_in(page, "no-key-of-ours")
        await expect(page.locator("#login-problem")).to_contain_text("unknown or was revoked")
        await expect(page.locator("#key")).to_be_focused()
        await nothing_to_object_to(page)
        await log_in(page, ADMIN_KEY)
        await expect(page.locator("#pill")).to_have_text("Live")
        await page.reload()
        await expect(page.locator("#pill")).to_have_text("Live")
        await page.get_by_role("button", name="Log out").click()
        await expect(page.locator("#login-reason")).to_have_text("You are logged out.")
        await expect(page.locator("#work")).to_be_hidden()
        await page.reload()
        await expect(page.locator("#key")).to_be_focused()


async def test_orders_appear_change_and_come_first_at_risk(service: Service, browser: Browser) -> None:
    """What happens elsewhere is there within seconds: a new order, its driver, and that it will be late."""
    now = datetime.now(UTC)
    driver = await service.new_driver("Päivi Mäkelä")
    async with at_the_board(browser, service) as page, service.drive(driver["token"]) as phone:
        calm = await service.new_order(reference="calm")
        order = await service.new_order(reference="board-7")
        await expect(row(page, order)).to_contain_text("Unassigned")
        await service.post(f"/v1/orders/{order['id']}/assign", {"driver_id": driver["id"]})
        await expect(row(page, order)).to_contain_text("Päivi Mäkelä")
        past = {
            "from": (now - timedelta(hours=2)).isoformat(),
            "to": (now - timedelta(minutes=40)).isoformat(),
        }
        answer = await service.http.patch(f"/v1/orders/{order['id']}", json={"window": past})
        assert answer.is_success, answer.text
        await hear(phone, "welcome")
        fix = {"recorded_at": datetime.now(UTC).isoformat(), "lat": 60.1700, "lon": 24.9450}
        await say(phone, type="fixes", id=1, fixes=[fix])
        await expect(row(page, order).locator("[data-risk=late]")).to_contain_text("late")
        await expect(page.locator(".group").first).to_have_attribute("data-group", "risk")
        await page.locator("#search").fill("makela board")
        await expect(row(page, calm)).to_have_count(0)
        await row(page, order).focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("#panel-title")).to_have_text("Order board-7")
        await expect(page.locator("#panel")).to_contain_text("Kasarmikatu 36")
        await nothing_to_object_to(page)
        await picture(page, "board")
        await page.keyboard.press("Escape")
        await expect(page.locator("#panel")).to_be_hidden()
        await expect(row(page, order)).to_be_focused()
