"""What the customer's page says of a time window, and by whose clock, in a real browser."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from playwright.async_api import Browser, expect

from tests.api.merchant import rfc3339, send_fixes
from tests.browser import needs_chromium, on_the_way, opened
from tests.service import Service

HELSINKI = ZoneInfo("Europe/Helsinki")
ABROAD: Any = {"timezone_id": "America/New_York", "locale": "en-GB", "with_map": False}

pytestmark = [pytest.mark.asyncio(loop_scope="session"), needs_chromium]


def two_to_four(days: int) -> dict[str, str]:
    """From 14:00 to 16:00 in Helsinki, so many days ahead."""
    begin = datetime.now(HELSINKI).replace(hour=14, minute=0, second=0, microsecond=0) + timedelta(days=days)
    return {"from": rfc3339(begin), "to": rfc3339(begin + timedelta(hours=2))}


async def planned(service: Service, days: int) -> Any:
    """An order with such a window, whose courier is 700 m away and on the air."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"], window=two_to_four(days))
    fix = {"recorded_at": rfc3339(datetime.now(UTC)), "lat": 60.1713, "lon": 24.9440}
    await send_fixes(service, driver["token"], fix)
    return order


async def test_a_window_of_tomorrow_is_shown_with_its_day(service: Service, browser: Browser) -> None:
    """As the server wrote it, and as the script writes it: in the destination's time, not the visitor's."""
    order = await planned(service, 1)
    async with httpx.AsyncClient() as anybody:
        assert (
            '<h1 id="headline">Tomorrow, 14:00–16:00</h1>' in (await anybody.get(order["tracking_url"])).text
        )
    async with opened(browser, order["tracking_url"], **ABROAD) as page:
        await expect(page.locator("#pill-words")).not_to_have_text("Connecting…")
        await expect(page.locator("#headline")).to_have_text("Tomorrow, 14:00–16:00")
        await expect(page.locator("#estimate")).to_have_text("Planned delivery")
        await expect(page.locator("#marker")).to_be_hidden()
    async with opened(browser, order["tracking_url"], **ABROAD | {"locale": "en-US"}) as page:
        await expect(page.locator("#headline")).to_have_text("Tomorrow, 2:00 – 4:00 PM")


async def test_a_window_further_off_is_shown_with_weekday_and_date(
    service: Service, browser: Browser
) -> None:
    """In the visitor's own format."""
    order = await planned(service, 6)
    day = datetime.fromisoformat(order["window"]["from"]).astimezone(HELSINKI)
    async with opened(browser, order["tracking_url"], **ABROAD) as page:
        await expect(page.locator("#headline")).to_have_text(f"{day:%A} {day.day} {day:%B}, 14:00–16:00")
    async with opened(browser, order["tracking_url"], **ABROAD | {"locale": "en-US"}) as page:
        await expect(page.locator("#headline")).to_have_text(f"{day:%A}, {day:%B} {day.day}, 2:00 – 4:00 PM")


async def test_an_arrival_is_shown_by_the_destination_s_clock(service: Service, browser: Browser) -> None:
    """Not by that of the browser, which is seven hours off."""
    async with on_the_way(service) as (order, _):
        async with opened(browser, order["tracking_url"], **ABROAD) as page:
            await expect(page.locator("#estimate")).to_contain_text("Estimated")
            shown = await page.locator("#estimate").inner_text()
        eta = (await service.get(f"/v1/orders/{order['id']}"))["eta"]
        at = datetime.fromisoformat(eta["arrives_at"]).astimezone(HELSINKI)
        minutes = [f"{at + timedelta(minutes=ahead):%H:%M}" for ahead in range(-10, 11)]
        assert any(minute in shown for minute in minutes), shown
