"""The driver's page in a real browser, against a real node."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser import needs_chromium, opened
from tests.service import Service

pytestmark = [pytest.mark.asyncio(loop_scope="session"), needs_chromium]
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 780},
    "has_touch": True,
    "is_mobile": True,
    "geolocation": {"latitude": 60.1713, "longitude": 24.9440, "accuracy": 5},
    "permissions": ["geolocation"],
}


@asynccontextmanager
async def driving(browser: Browser, service: Service, token: str, **more: Any) -> AsyncIterator[Page]:
    """The page of this driver, live."""
    async with opened(browser, f"{service.url}/drive#token={token}", **PHONE | more) as page:
        await expect(page.locator(".pill")).to_have_text("Live")
        yield page


async def test_a_driver_delivers_an_order(service: Service, browser: Browser) -> None:
    """The link signs in and leaves no token in the address; both acts reach the order."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"], instructions="ring twice", contact="+358 40 123")
    async with driving(browser, service, driver["token"]) as page:
        assert "#" not in page.url
        card = page.locator(".order")
        await expect(card.get_by_role("heading")).to_have_text("Rautatientori")
        await expect(card.get_by_role("link", name="Call")).to_have_attribute("href", "tel:+35840123")
        await card.get_by_role("button", name="Picked up").click()
        await expect(card.get_by_role("heading")).to_have_text("Kasarmikatu 36")
        await expect(card.locator(".meta")).to_have_text("")
        await card.get_by_role("button", name="Delivered").click()
        await expect(card).to_have_count(0)
    assert (await service.get(f"/v1/orders/{order['id']}"))["status"] == "delivered"
