"""The customer's page in a real browser, against a real node: what a person sees."""

import re
from datetime import UTC, datetime
from typing import Any, Final, Literal

import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect

from tests.api.merchant import rfc3339, send_fixes
from tests.browser import SIZE, WAY, needs_chromium, on_the_way, opened, picture, place_of, style_of
from tests.service import Service
from tests.web.accessibility import needs_axe, violations

SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")

pytestmark = [pytest.mark.asyncio(loop_scope="session"), needs_chromium]


async def test_the_customer_sees_the_courier_move(service: Service, browser: Browser) -> None:
    """Each position moves the marker, without a reload, and the card tells who comes and when.

    Between positions it stands still for people who have reduced motion.
    """
    async with on_the_way(service) as (order, drive), opened(browser, order["tracking_url"]) as page:
        await expect(page.locator("#pill")).to_have_text("Live")  # for half a minute, which the map may take
        await expect(page.locator("#pill")).to_be_visible()
        await page.wait_for_selector("#map[data-idle]")
        await expect(page.locator("#courier-name")).to_have_text("Aino")
        await expect(page.locator("#headline")).to_contain_text("Arriving")
        marker, seen = page.locator("#map .marker"), set()
        assert await marker.evaluate("marker => marker.getAnimations({ subtree: true }).length") == 0
        for n in (1, 2, 3):
            before = await style_of(marker)
            seen.add(before)
            await drive(n)
            await expect(marker).not_to_have_attribute("style", before)
        assert len(seen | {await style_of(marker)}) == len(WAY)


async def test_the_courier_is_called_as_the_merchant_wishes(service: Service, browser: Browser) -> None:
    """Another name is there at once, with an initial that is one character; without any it is a courier."""
    family = "👨‍👩‍👧‍👦"
    narrow: Any = {"viewport": {"width": 340, "height": 740}, "with_map": False}
    async with on_the_way(service) as (order, _), opened(browser, order["tracking_url"], **narrow) as page:
        await expect(page.locator("#courier-initial")).to_have_text("A")
        await expect(page.locator("#pill")).to_have_text("Live")
        for change, name, letter in (
            ({"display_name": "W" * 30}, "W" * 20, "W"),
            ({"display_name": f"{family} Kim"}, f"{family} Kim", family),
            ({"display_name": None, "name": "Frau Dr. éva Nagy"}, "éva", "É"),
            ({"name": "eva@example.com"}, "Your courier", "?"),
        ):
            driver = f"/v1/drivers/{order['driver_id']}"
            assert (await service.http.patch(driver, json=change)).status_code == 200
            await expect(page.locator("#courier-name")).to_have_text(name)
            await expect(page.locator("#courier-initial")).to_have_text(letter)
            for element in ("#courier-name", "#address"):  # side by side
                box = await page.locator(element).bounding_box()
                assert box is not None
                assert box["x"] + box["width"] <= 340


async def test_the_delivery_is_told_at_once(service: Service, browser: Browser) -> None:
    """The page ends with the order: the courier goes from the map, the card says when."""
    async with on_the_way(service) as (order, _), opened(browser, order["tracking_url"]) as page:
        await expect(page.locator("#pill")).to_have_text("Live")
        await service.post(f"/v1/orders/{order['id']}/status", {"status": "delivered"})
        await expect(page.locator("#headline")).to_contain_text("Delivered at")
        await expect(page.locator("#pill")).to_have_text("Ended")
        await expect(page.locator("#map .marker")).to_be_hidden()


async def test_a_running_page_is_one_opening_whatever_stood_behind_the_link(
    service: Service, browser: Browser
) -> None:
    """The page behind `…).` is live and counts once; it comes back without counting again."""
    async with (
        on_the_way(service) as (order, drive),
        opened(browser, f"{order['tracking_url']}).", with_map=False) as page,
    ):
        await expect(page.locator("#pill")).to_have_text("Live")
        assert page.url == order["tracking_url"]
        await page.evaluate("dispatchEvent(new Event('online'))")  # connects anew
        await drive(1)
        await expect(page.locator("#pill")).to_have_text("Live")
        [link] = (await service.get(f"/v1/orders/{order['id']}/links"))["items"]
        assert link["opened"] == 1


async def test_before_the_assignment_there_is_only_the_destination(
    service: Service, browser: Browser
) -> None:
    """No courier, no place of one: neither on the map nor beside it."""
    order = await service.new_order()
    async with opened(browser, order["tracking_url"]) as page:
        await page.wait_for_selector("#map[data-idle]")
        await expect(page.locator("#headline")).to_have_text("Your order is being prepared")
        await expect(page.locator("#pill")).to_be_hidden()
        await expect(page.locator("#map .pin")).to_be_visible()
        await expect(page.locator("#marker")).to_be_hidden()
        await expect(page.locator("#courier")).to_be_hidden()


async def test_a_page_without_scripts_still_tells(service: Service, browser: Browser) -> None:
    """The card is the server's; no map, no stream, nothing broken."""
    async with (
        on_the_way(service) as (order, _),
        opened(browser, order["tracking_url"], java_script_enabled=False) as page,
    ):
        await expect(page.locator("#headline")).to_contain_text("Arriving")
        await expect(page.locator(".address")).to_have_text("Kasarmikatu 36")
        await expect(page.locator("#first-sketch .ahead, #first-sketch .direct").first).to_be_visible()
        card = await page.locator("#card").bounding_box()
        assert card is not None
        for selector in ("#first-sketch .place", "#first-sketch .door"):
            x, y = await place_of(page, selector)
            assert x > card["x"] + card["width"] and 0 < y < SIZE["height"], selector
        await picture(page, "without-a-script")


async def test_a_lost_network_is_told_and_healed(service: Service, browser: Browser) -> None:
    """Offline at once, live again by itself, with what happened meanwhile."""
    async with (
        on_the_way(service) as (order, _),
        opened(browser, order["tracking_url"], with_map=False) as page,
    ):
        await expect(page.locator("#pill")).to_have_text("Live")
        await page.context.set_offline(True)
        await expect(page.locator("#pill")).to_have_text("Offline")
        await service.post(f"/v1/orders/{order['id']}/status", {"status": "delivered"})
        await page.context.set_offline(False)
        await expect(page.locator("#headline")).to_contain_text("Delivered at")


async def test_the_map_is_the_users_until_they_give_it_back(service: Service, browser: Browser) -> None:
    """After a drag a button offers the way back; it works by keyboard."""
    async with on_the_way(service) as (order, _), opened(browser, order["tracking_url"]) as page:
        await page.wait_for_selector("#map[data-idle]")
        pin = page.locator("#map .pin")
        before = await style_of(pin)
        await page.mouse.move(700, 400)
        await page.mouse.down()
        await page.mouse.move(500, 200, steps=5)
        await page.mouse.up()
        await expect(page.locator("#recentre")).to_be_visible()
        await expect(pin).not_to_have_attribute("style", before)
        await page.locator("#recentre").press("Enter")
        await expect(page.locator("#recentre")).to_be_hidden()
        await expect(pin).to_have_attribute("style", before)


@pytest.mark.parametrize(
    ("width", "height", "schemes"), [(1280, 800, SCHEMES[:1]), (390, 844, SCHEMES[::-1]), (320, 568, SCHEMES)]
)
async def test_nothing_hides_anything(
    service: Service, browser: Browser, width: int, height: int, schemes: tuple[Literal["light", "dark"], ...]
) -> None:
    """Courier, destination and attribution are beside the card on every screen, also when one turns dark."""
    size: ViewportSize = {"width": width, "height": height}
    async with (
        on_the_way(service) as (order, _),
        opened(browser, order["tracking_url"], viewport=size, color_scheme=schemes[0]) as page,
    ):
        await page.wait_for_selector("#map[data-idle]")
        await check_nothing_is_hidden(page, width, height)
        for scheme in schemes[1:]:
            await page.locator("#map").evaluate("map => map.removeAttribute('data-idle')")
            await page.emulate_media(color_scheme=scheme)
            await page.wait_for_selector("#map[data-idle]")
            await check_nothing_is_hidden(page, width, height)


async def check_nothing_is_hidden(page: Page, width: int, height: int) -> None:
    card = await page.locator("#card").bounding_box()
    assert card is not None
    for selector in (".marker", ".pin", ".maplibregl-ctrl-attrib"):
        x, y = await place_of(page, selector)
        assert 0 <= x <= width and 0 <= y <= height, selector
        beside = (
            x < card["x"] or x > card["x"] + card["width"] or y < card["y"] or y > card["y"] + card["height"]
        )
        assert beside, selector
    await expect(page.locator(".maplibregl-ctrl-attrib")).to_have_text("© OpenStreetMap contributors")
    assert await page.evaluate("document.documentElement.scrollWidth") <= width


@needs_axe
async def test_the_page_is_accessible(service: Service, browser: Browser) -> None:
    """axe-core finds nothing to object to, light or dark; skipped where it is not installed."""
    async with (
        on_the_way(service) as (order, _),
        opened(browser, order["tracking_url"], bypass_csp=True) as page,
    ):
        await page.wait_for_selector("#map[data-idle]")
        await page.locator("#note-box summary").click()
        assert await violations(page, SCHEMES) == []


async def test_the_page_speaks_arabic_from_the_right(service: Service, browser: Browser) -> None:
    """The script writes in the language of the server's card, which is on the right."""
    async with (
        on_the_way(service) as (order, _),
        opened(browser, f"{order['tracking_url']}?lang=ar") as page,
    ):
        await expect(page.locator("#pill")).to_have_text("مباشر")
        await page.wait_for_selector("#map[data-idle]")
        await expect(page.locator("#headline")).to_contain_text("يصل")
        await expect(page).to_have_title(re.compile("تتبّع طلبك$"))
        card = await page.locator("#card").bounding_box()
        assert card is not None and card["x"] + card["width"] > SIZE["width"] - 40
        for selector in (".marker", ".pin"):
            assert (await place_of(page, selector))[0] < card["x"], selector
        await service.post(f"/v1/orders/{order['id']}/status", {"status": "delivered"})
        await expect(page.locator("#headline")).to_contain_text("تم التسليم الساعة")
        await expect(page.locator("#courier-name")).to_have_text("Aino")
        await expect(page.locator("#place")).to_have_text("سُلِّم إلى")


@pytest.mark.parametrize(
    ("door", "courier"),
    [((60.1666, 24.9486), (60.20, 24.50)), ((-16.80, 179.95), (-16.95, -179.85))],
    ids=["25 km away", "beyond the antimeridian"],
)
async def test_a_courier_far_away_and_the_door_fit_both(
    service: Service, browser: Browser, door: tuple[float, float], courier: tuple[float, float]
) -> None:
    """Joined by a dashed line where there is no route; an arrow points to who is outside of the picture."""
    place = {"lat": door[0], "lon": door[1], "address": "Far away"}
    driver = await service.new_driver("Aino Korhonen")
    order = await service.new_order(driver["id"], pickup=place, dropoff=place, anywhere=True)
    await service.post(f"/v1/orders/{order['id']}/status", {"status": "picked_up"})
    fix = {"recorded_at": rfc3339(datetime.now(UTC)), "lat": courier[0], "lon": courier[1]}
    await send_fixes(service, driver["token"], fix)
    async with opened(browser, order["tracking_url"]) as page:
        await page.wait_for_selector("#map[data-idle]")
        card = await page.locator("#card").bounding_box()
        assert card is not None
        for selector in (".marker", ".pin"):
            x, y = await place_of(page, selector)
            assert card["x"] + card["width"] < x < SIZE["width"] and 0 < y < SIZE["height"], selector
        await picture(page, f"far-{order['id']}")
        edge = page.locator("#edge")
        await expect(edge).to_be_hidden()
        await page.mouse.move(600, 300)
        await page.mouse.wheel(0, -900)
        await expect(edge).to_be_visible()
        await edge.press("Enter")
        await expect(edge).to_be_hidden()
