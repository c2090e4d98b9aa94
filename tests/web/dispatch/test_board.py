"""The dispatcher's board in a real browser, against a real node."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.api.test_auth import key_with
from tests.browser import needs_chromium, opened, picture
from tests.service import ADMIN_KEY, Service, hear, say
from tests.web.test_page_people import AXE
from tracker.database import Database
from tracker.database.credentials.api_keys import revoke_api_key, select_api_key
from tracker.tokens import hash_token

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


async def test_an_order_is_assigned_by_keyboard_and_by_drag_and_ends(
    service: Service, browser: Browser
) -> None:
    """Each act reaches the service, the row and the timeline."""
    first, second = await service.new_driver("Wilma Keyboard"), await service.new_driver("Xaver Drag")
    order = await service.new_order(reference="hand-1")
    await service.new_order(first["id"], reference="hand-2")
    async with at_the_board(browser, service) as page:
        panel, sheet, said = page.locator("#panel"), page.locator("dialog"), page.locator("#announcer")
        await row(page, order).press("Enter")
        await panel.locator("[data-act=assign]").press("Enter")
        await sheet.locator("#pick").fill("wilma")
        await sheet.locator("#pick").press("Enter")
        await expect(said).to_have_text("hand-1 is assigned to Wilma Keyboard.")
        await expect(row(page, order)).to_contain_text("Wilma Keyboard")
        await expect(panel.locator(".timeline")).to_contain_text("Assigned · Wilma Keyboard")
        await row(page, order).hover()
        await page.mouse.down()
        await page.locator("#map").hover()
        await page.locator(f"#drop [data-driver={second['id']}]").hover()
        await page.mouse.up()
        await expect(said).to_have_text("hand-1 is assigned to Xaver Drag.")
        await expect(panel.locator(".timeline")).to_contain_text("Assigned · Xaver Drag")
        await panel.locator("[data-act=cancel]").click()
        await sheet.locator("#reason").fill("sold out")
        await sheet.locator("button[type=submit]").click()
        await expect(said).to_have_text("hand-1 is cancelled.")
        await expect(row(page, order)).to_have_count(0)
        await expect(panel.locator(".timeline")).to_contain_text("Cancelled · sold out")
        await expect(panel.locator("[data-act=cancel]")).to_have_count(0)
        await nothing_to_object_to(page)
    assert (await service.get(f"/v1/orders/{order['id']}"))["driver_id"] == second["id"]


async def test_a_driver_has_duty_stops_and_a_code_for_a_phone(service: Service, browser: Browser) -> None:
    """The list of drivers leads to the stops, which move up and down; a QR code pairs a phone."""
    driver = await service.new_driver("Yrsa Stops")
    orders = [await service.new_order(driver["id"], reference=f"stop-{n}") for n in (1, 2)]
    stops = (await service.get(f"/v1/drivers/{driver['id']}/stops"))["stops"]
    async with at_the_board(browser, service) as page:
        await page.locator("[data-show=drivers]").click()
        await page.locator("#search-drivers").fill("yrsa")
        await page.locator(f"[data-driver={driver['id']}] .row").click()
        shown = page.locator(".stops li")
        await expect(shown).to_have_count(4)
        await expect(shown.first.locator("button:enabled")).to_have_count(2)  # itself, and later
        await shown.first.get_by_role("button", name="Later").click()
        await expect(shown.first).to_contain_text(
            "stop-1" if stops[1]["order_id"] == orders[0]["id"] else "stop-2"
        )
        await page.locator("[data-act=pair]").click()
        await expect(page.locator("dialog .qr")).to_be_visible()
        await expect(page.locator("dialog .code")).to_have_text(re.compile(r"^\w{5}-\w{5}$"))
        await nothing_to_object_to(page)
        await page.locator("dialog button").click()
        await page.locator("[data-act=duty-off]").click()
        await expect(page.locator("#panel [data-act=duty-on]")).to_be_visible()
    assert (await service.get(f"/v1/drivers/{driver['id']}/stops"))["stops"][0] == stops[1]


async def test_a_key_for_reading_shows_and_changes_nothing_until_it_is_revoked(
    service: Service, own_database: str, browser: Browser
) -> None:
    """Then the board is closed with the reason, without a reload."""
    order = await service.new_order()
    key = await key_with(own_database, "read")
    async with at_the_board(browser, service, key) as page, Database.open(own_database) as database:
        await expect(page.locator("#readonly")).to_have_text("Read only")
        await row(page, order).click()
        await expect(page.locator(".timeline")).to_contain_text("Created")
        await expect(page.locator("#panel .acts [data-act]")).to_have_count(2)  # copy, QR code
        await expect(row(page, order)).not_to_have_attribute("draggable", "true")
        found = await select_api_key(database, hash_token(key))
        assert found is not None
        await revoke_api_key(database, found.id, datetime.now(UTC))
        await expect(page.locator("#login-reason")).to_contain_text("Your key was revoked")
        await expect(page.locator("#work")).to_be_hidden()


async def test_without_sockets_and_after_a_dead_zone_the_board_is_live(
    service: Service, browser: Browser
) -> None:
    """Server-sent events take over; offline it keeps what it shows; then it has what came meanwhile."""
    before = await service.new_order()
    async with opened(browser, "about:blank", **DESK) as page:
        await page.route_web_socket("**/v1/fleet/stream", lambda route: route.close(code=1011))
        await page.goto(f"{service.url}/dispatch")
        await log_in(page, ADMIN_KEY)
        await expect(row(page, before)).to_be_visible()
        await expect(page.locator("#pill")).to_have_attribute("title", re.compile("server-sent events"))
        await page.context.set_offline(True)
        await expect(page.locator("#pill")).to_contain_text("No network")
        await expect(row(page, before)).to_be_visible()
        order = await service.new_order()
        await page.context.set_offline(False)
        await expect(row(page, order)).to_be_visible()
        await expect(page.locator("#pill")).to_have_text("Live")
