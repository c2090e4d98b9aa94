"""Every state of the driver's page: accessible, within a narrow screen, small to load."""

import gzip
import re
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any, Final

import httpx
import pytest
from PIL import Image
from playwright.async_api import Browser, Page, expect

from tests.browser import needs_chromium, opened
from tests.service import Service
from tests.web.accessibility import needs_axe, violations
from tests.web.drive.test_drive import PHONE

pytestmark = [pytest.mark.asyncio(loop_scope="session"), needs_chromium]
BUDGET: Final = 150_000  # bytes, compressed
# Targets of at least 48 px, nothing beside the screen.
MEASURE: Final = """() => {
  const small = [...document.querySelectorAll('button, a, summary, textarea, form input:not([type=radio])')]
    .filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 47.5).map(e => e.outerHTML);
  return [small, document.documentElement.scrollWidth > innerWidth ? ['too wide'] : []].flat();
}"""


class Look:
    """Looks at each state of a page in every colour scheme."""

    def __init__(self, page: Page, schemes: tuple[Any, ...]) -> None:
        self._page, self._schemes = page, schemes

    async def __call__(self, state: str) -> None:
        page = self._page
        assert await page.evaluate(MEASURE) == [], state
        assert await violations(page, self._schemes, is_enhanced=True) == [], state


@needs_axe
@pytest.mark.parametrize(
    ("locale", "width", "schemes"), [("en-GB", 320, ("light", "dark")), ("ar-EG", 390, ("light",))]
)
async def test_every_state_is_accessible(
    service: Service, browser: Browser, locale: str, width: int, schemes: tuple[Any, ...]
) -> None:
    """axe-core finds nothing, also at contrast 7:1; targets have 48 px; nothing is too wide."""
    driver = await service.new_driver()
    needs = {"dropoff": {"photo": True, "signature": True, "barcode": "A1", "pin": True}}
    window = {
        "from": datetime.now(UTC).isoformat(),
        "to": (datetime.now(UTC) + timedelta(hours=2)).isoformat(),
    }
    order = await service.new_order(
        driver["id"], reference="A-1042", requirements=needs, window=window, instructions="Ring twice",
        customer={"name": "Eva Nagy", "phone": "+358 40 123"},
    )  # fmt: skip
    phone = PHONE | {"viewport": {"width": width, "height": 700}, "locale": locale, "bypass_csp": True}
    async with opened(browser, f"{service.url}/drive", **phone) as page:
        look, card, sheet = (
            Look(page, schemes),
            page.locator(f"[data-order={order['id']}]"),
            page.locator("dialog"),
        )
        await expect(page.locator("h1")).to_be_visible()
        await look("sign-in")
        await page.locator("#code").fill(driver["token"])
        await page.locator("#code").press("Enter")
        await expect(page.locator(".pill")).to_have_attribute("data-state", "live")
        await look("orders")
        await walk_sheets(page, look)
        await look_at_what_is_stored(page, look)
        await service.new_order(driver["id"], reference="A-1043")
        await expect(page.locator(".order")).to_have_count(2)
        await page.locator("[data-focus=app]").click()
        await expect(page.locator("[data-age]")).not_to_be_empty()
        await look("app")
        await page.locator("[data-focus=other]").click()
        await page.locator("[data-focus=position]").click()
        await look("page")
        await page.context.set_offline(True)
        if not await card.locator("[data-focus=fail]").is_visible():
            await card.locator("summary").click()
        await card.locator("[data-focus=fail]").click()
        await sheet.locator("label").first.click()
        await sheet.locator("button[type=submit]").click()
        await expect(page.locator(".queue")).to_be_visible()
        await look("offline")
        await service.post(f"/v1/orders/{order['id']}/status", {"status": "cancelled"})
        await page.context.set_offline(False)
        await expect(page.locator(".refused")).to_be_visible()
        await look("refused")
        await page.locator("[data-focus=duty]").click()
        await expect(page.locator("[data-focus=break]")).to_have_count(0)
        await look("off duty")
        async with opened(browser, f"{service.url}/drive#token={driver['token']}", **phone):
            await expect(page.locator(".pill")).to_have_attribute("data-state", "replaced")
            await look("replaced")


async def walk_sheets(page: Page, look: Look) -> None:
    """Open and close each sheet of the first order."""
    card, sheet = page.locator(".order").first, page.locator("dialog")
    await card.locator("[data-focus=done]").click()
    await expect(card.locator("h2")).to_have_text("Kasarmikatu 36")
    for name in ("navigate", "chat", "fail", "done"):
        await card.locator(f"[data-focus={name}]").click()
        await expect(sheet).to_be_visible()
        await look(name)
        await page.keyboard.press("Escape")
        await expect(sheet).to_have_count(0)
        await expect(card.locator(f"[data-focus={name}]")).to_be_focused()


async def look_at_what_is_stored(page: Page, look: Look) -> None:
    """By keyboard; with an answer, and without a connection."""
    sheet, opener = page.locator("dialog"), page.locator("[data-focus=mine]")
    await opener.press("Enter")
    await expect(sheet.locator("dd").first).to_have_text("Aino Korhonen")
    await sheet.locator("[data-focus=privacy]").press("Enter")
    await look("mine")
    await page.keyboard.press("Escape")
    await expect(opener).to_be_focused()
    await page.context.set_offline(True)
    await opener.press("Enter")
    await expect(sheet.locator("[data-focus=retry]")).to_be_visible()
    await look("mine without a connection")
    await page.context.set_offline(False)
    await sheet.locator("[data-focus=retry]").press("Enter")
    await expect(sheet.locator("dd").first).to_have_text("Aino Korhonen")
    await page.keyboard.press("Escape")
    await expect(page.locator(".pill")).to_have_attribute("data-state", "live")


def icons(page: str, manifest: Any) -> list[tuple[str, int]]:
    """The URL and size of each PNG by which a phone shows the installed page."""
    (apple,) = re.findall(r'rel="apple-touch-icon" href="([^"]*)"', page)
    found = [(icon["src"], icon["sizes"]) for icon in manifest["icons"] if icon["type"] == "image/png"]
    return [(apple, 180), *((url, int(sizes.partition("x")[0])) for url, sizes in found)]


async def test_a_phone_installs_the_page_in_its_language(service: Service) -> None:
    """The name under the icon, and the direction of the text; English where no language is known."""
    for accepted, language, direction, name in (
        ("de-AT,en;q=0.5", "de", "ltr", "Lieferungen"),
        ("ar-EG", "ar", "rtl", "التوصيلات"),
        ("ja", "en", "ltr", "Deliveries"),
    ):
        answer = await service.http.get("/drive/app.webmanifest", headers={"Accept-Language": accepted})
        manifest = answer.json()
        assert (manifest["lang"], manifest["dir"], manifest["short_name"]) == (language, direction, name)
        assert answer.headers["Vary"] == "Accept-Language"


async def test_the_page_is_small_and_stores_all_of_itself(service: Service) -> None:
    """All files together are below the budget; the worker lists each of them, and its scope has the page."""
    async with httpx.AsyncClient(base_url=service.url) as http:
        page = await http.get("/drive")
        worker = await http.get("/drive/worker.js")
        assert worker.headers["Service-Worker-Allowed"] == "/drive"
        listed = re.findall(r'"(/(?:static|drive)[^"]*)"', worker.text.partition("\n")[0])
        linked = re.findall(r'(?:href|src)="(/[^"]*)"', page.text)
        assert set(linked) <= set(listed)
        size = len(gzip.compress(page.content)) + len(gzip.compress(worker.content))
        for url in {*listed} - {"/drive"}:
            answer = await http.get(url, headers={"Accept-Encoding": "gzip"})
            assert answer.status_code == 200, url
            size += len(gzip.compress(answer.content, mtime=0))
        assert size < BUDGET
        for url, pixels in icons(page.text, (await http.get("/drive/app.webmanifest")).json()):
            answer = await http.get(url)
            assert answer.headers["Content-Type"] == "image/png"
            assert Image.open(BytesIO(answer.content)).size == (pixels, pixels)
            assert len(answer.content) < 5_000
        assert "geolocation=(self)" in page.headers["Permissions-Policy"]
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
