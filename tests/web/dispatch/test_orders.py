"""New orders on the board, in a real browser against a real node: one from a form, many from a list."""

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from playwright.async_api import Browser, FilePayload, Page, expect

from tests.browser import needs_chromium, picture
from tests.service import Service
from tests.waiting import until
from tests.web.dispatch.test_board import at_the_board, nothing_to_object_to

pytestmark = [pytest.mark.asyncio(loop_scope="session"), needs_chromium]
SHOP = "Kasarmikatu 1, 00130 Helsinki"


async def opened_tool(page: Page, name: str) -> None:
    await page.locator(f"[data-tool={name}]").click()


async def choose(page: Page, field: str, text: str) -> None:
    """Type an address and take the first suggestion, by keyboard."""
    box = page.locator(f"#{field}")
    await box.fill("")
    await box.press_sequentially(text)
    await expect(page.locator(f"#{field}-options [role=option]").first).to_be_visible()
    await box.press("ArrowDown")
    await expect(box).to_have_attribute("aria-activedescendant", f"{field}-option-0")
    await box.press("Enter")
    await expect(box).to_have_attribute("aria-expanded", "false")


def csv_file(name: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": "text/csv", "buffer": content}


async def read_list(page: Page, text: str, rows: int) -> None:
    """Paste a list, and wait until each of its addresses was searched."""
    await page.locator("#import-text").fill(text)
    await page.get_by_role("button", name="Read the list").click()
    await expect(page.locator(".rows tbody tr")).to_have_count(min(rows, 100))
    await expect(page.locator(".status")).not_to_contain_text("being searched", timeout=60_000)


async def test_an_order_is_made_by_keyboard_and_its_link_shared(service: Service, browser: Browser) -> None:
    """Suggestions, the pin, an error beside its field, the link; the next form knows the pickup."""
    async with at_the_board(browser, service, with_map=True) as page:
        await opened_tool(page, "order")
        await choose(page, "pickup", SHOP)
        await choose(page, "dropoff", "kasarmik. 36")
        pin = page.locator(".map-pin")
        await expect(pin).to_be_visible()
        await page.locator("#new-name").fill("Aino Korhonen")
        await page.locator("#new-instructions").fill("x" * 501)
        await page.get_by_role("button", name="Create order").click()
        await expect(page.locator("#new-instructions")).to_be_focused()
        await expect(page.locator("#new-instructions-problem")).to_contain_text("500")
        await nothing_to_object_to(page)
        await picture(page, "orders-form")
        await page.locator("#new-instructions").fill("Ring twice")
        await page.locator("#new-phone").fill("+358 40 1234567")
        await pin.focus()
        await pin.press("ArrowUp")
        await expect(page.locator("#dropoff-note")).to_have_text("At the pin on the map.")
        await page.get_by_role("button", name="Create order").click()
        await expect(page.locator(".share svg[role=img]")).to_be_visible()
        url = await page.locator("#share-url").input_value()
        assert "358401234567?text=" in str(await page.locator("[data-way=whatsapp]").get_attribute("href"))
        await nothing_to_object_to(page)
        await picture(page, "orders-created")
        await page.get_by_role("button", name="Another order").click()
        await expect(page.locator("#pickup")).to_have_value(SHOP)
        await expect(page.locator("#dropoff")).to_be_focused()
    newest = (await service.get("/v1/orders?limit=1"))["items"][0]
    assert newest["tracking_url"] == url
    assert newest["dropoff"]["precision"] == "exact"
    assert newest["customer"]["phone"] == "+358 40 1234567"


async def test_from_a_paper_list_to_links(service: Service, browser: Browser, tmp_path: Path) -> None:
    """300 orders of real addresses: paste, look, create, take the links. The time is printed, not judged."""
    addresses = (await service.get("/v1/map/addresses?limit=400&seed=5"))["items"]
    texts = list(dict.fromkeys(each["address"] for each in addresses))[:300]
    lines = [
        f"Customer {n};{text}, Helsinki;+358 40 555 {n:04};{9 + n % 9}-{11 + n % 9}"
        for n, text in enumerate(texts)
    ]
    async with at_the_board(browser, service) as page:
        begun = perf_counter()
        await opened_tool(page, "import")
        await read_list(page, "\n".join(["Name;Address;Phone;Time", *lines]), len(lines))
        located = perf_counter()
        await page.locator("#import-pickup").fill(SHOP)
        await page.locator(".acts .primary").click()
        await expect(page.locator(".acts [data-focus=csv]")).to_be_visible(timeout=60_000)
        await expect(page.locator(".acts [data-focus=stop]")).to_be_hidden(timeout=60_000)
        done = perf_counter()
        await picture(page, "orders-list-created")
        async with page.expect_download() as downloading:
            await page.locator(".acts [data-focus=csv]").click()
        path = tmp_path / "links.csv"
        await (await downloading.value).save_as(path)
        status = await page.locator(".status").text_content()
    print(
        f"{len(lines)} rows: located in {located - begun:.1f} s, created in {done - located:.1f} s; {status}"
    )
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"))))
    links = [row["Link"] for row in rows if row["Link"]]
    assert len(rows) == len(lines) and len(set(links)) == len(links) >= 0.95 * len(lines)


async def test_a_doubtful_address_is_chosen_from_candidates(service: Service, browser: Browser) -> None:
    """The service's candidates stand below the field; a choice goes with its coordinates."""
    async with at_the_board(browser, service) as page:
        await opened_tool(page, "order")
        await page.locator("#pickup").fill(SHOP)
        await page.locator("#dropoff").fill("Alepa")
        await page.get_by_role("button", name="Create order").click()
        await expect(page.locator("#dropoff-problem")).to_have_text("Several places fit. Choose one:")
        await nothing_to_object_to(page)
        await page.locator("#dropoff ~ .options, .field:has(#dropoff) .choices button").last.click()
        await page.get_by_role("button", name="Create order").click()
        await expect(page.locator("#share-url")).to_be_visible()
    newest = (await service.get("/v1/orders?limit=1"))["items"][0]
    assert (newest["dropoff"]["address"], newest["dropoff"]["precision"]) == ("Alepa", "exact")


async def test_late_answers_of_the_search_are_ignored(service: Service, browser: Browser) -> None:
    """The answer to the first letters comes after that to the whole word."""
    async with at_the_board(browser, service) as page:
        held: list[Any] = []

        async def answer(route: Any) -> None:
            if "q=kasa&" in route.request.url:
                held.append(route)
            else:
                await route.continue_()

        await page.route("**/v1/geocode?*", answer)
        await opened_tool(page, "order")
        box = page.locator("#dropoff")
        await box.press_sequentially("kasa")
        await until(lambda: bool(held))
        await box.press_sequentially("rmikatu 36")
        first = page.locator("#dropoff-options [role=option]").first
        await expect(first).to_contain_text("Kasarmikatu 36")
        old = {"items": [{"address": "Old Street", "lat": 1, "lon": 1, "precision": "street"}], "next": None}
        async with page.expect_response("**/v1/geocode?q=kasa&*"):
            await held[0].fulfill(json=old)
        await expect(first).to_contain_text("Kasarmikatu 36")
        await box.press("Escape")
        await expect(box).to_have_attribute("aria-expanded", "false")
        await expect(page.locator("dialog[open]")).to_be_visible()


async def test_wrong_rows_are_corrected_in_place(service: Service, browser: Browser) -> None:
    """Several places, none, no phone, twice: each is said and mended in its row. Nothing is sent twice."""
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    rows = [
        "Asiakas;Osoite;Puhelin;Klo;Pvm",
        f"Several;Alepa;040 1234567;14-16;{tomorrow}",
        "Lost;qqqqxxxxzzzz 5;040 1234567;;",
        f"Words;Kasarmikatu 36, Helsinki;call me;soon;{tomorrow}",
        "Fine;Kasarmikatu 36, Helsinki;;;",
        "fine;kasarmikatu 36, helsinki;;;",
    ]
    async with at_the_board(browser, service, with_map=True) as page:
        await opened_tool(page, "import")
        await read_list(page, "\n".join(rows), 5)
        await expect(page.locator(".status")).to_have_text("1 ready · 3 to correct · 1 left out")
        await expect(page.locator("[data-row='5']")).to_contain_text("Same as row 4")
        await page.locator("[data-row='1'] [data-focus=edit-1]").click()
        await expect(page.locator(".editor .choices button").first).to_be_focused()
        await nothing_to_object_to(page)
        await picture(page, "orders-list-editing")
        await page.keyboard.press("Enter")
        await expect(page.locator("[data-row='1'] .tag")).to_have_text("Ready")
        await expect(page.locator(".map-pin")).to_be_visible()
        await page.locator("[data-row='2'] [data-focus=edit-2]").click()
        await page.locator("#row-2-address").fill("Fabianinkatu 12, Helsinki")
        await page.locator("#row-2-address").press("Tab")
        await expect(page.locator("[data-row='2'] .tag")).to_have_text("Ready")
        await page.locator("[data-row='3'] [data-focus=edit-3]").click()
        await page.locator("#row-3-phone").fill("040 7654321")
        await page.locator("#row-3-window").fill("before 18:00")
        await page.locator("#row-3-window").press("Tab")
        await page.locator("[data-editor='3'] [data-focus=done]").click()
        await expect(page.locator("[data-focus=edit-3]")).to_be_focused()
        await page.locator("#import-pickup").fill(SHOP)
        await page.locator(".acts .primary").click()
        await expect(page.locator(".status")).to_have_text("1 left out · 4 created")
        await nothing_to_object_to(page)
        await page.keyboard.press("Escape")
        await opened_tool(page, "import")  # it is still there
        await expect(page.locator(".status")).to_have_text("1 left out · 4 created")
        await page.get_by_role("button", name="Another list").click()
        await read_list(page, "\n".join(rows), 5)  # the same list again: what became an order is one
        await expect(page.locator(".status")).to_have_text("2 to correct · 1 left out · 2 created")
    listed = (await service.get("/v1/orders?limit=4"))["items"]
    names = {order["customer"]["name"]: order for order in listed}
    assert names.keys() == {"Several", "Lost", "Words", "Fine"}
    assert names["Several"]["dropoff"]["precision"] == "exact"
    assert names["Fine"]["dropoff"]["precision"] == "house"
    assert names["Words"]["customer"]["phone"] == "040 7654321"


async def test_files_are_read_or_refused_by_name(service: Service, browser: Browser) -> None:
    """Windows-1252; a spreadsheet, a picture, an empty and a huge file; more rows than fit."""
    wrong = {
        "empty.csv": (b" \n", "no list in it"),
        "orders.xlsx": (b"PK\x03\x04" + bytes(500), "a spreadsheet"),
        "photo.csv": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4, "no text"),
        "huge.csv": (b"x" * 10_000_000, "too big"),
    }
    async with at_the_board(browser, service) as page:
        await opened_tool(page, "import")
        for name, (content, why) in wrong.items():
            await page.set_input_files("#import-file", csv_file(name, content))
            await expect(page.locator("#import-problem")).to_contain_text(why)
        text = "Käufer;Straße;Hausnr.;Ort\nMäkelä;Kasarmikatu;36;Helsinki\n"
        await page.set_input_files("#import-file", csv_file("a.csv", text.encode("cp1252")))
        await expect(page.locator("[data-row='1']")).to_contain_text("Kasarmikatu 36, Helsinki")
        await page.get_by_text("Columns, day, town, proof").click()
        await page.locator("#import-column-0").select_option("name")
        await expect(page.locator("[data-row='1']")).to_contain_text("Mäkelä")
        await nothing_to_object_to(page)
        await page.get_by_role("button", name="Another list").click()
        await page.get_by_role("button", name="Another list").last.click()
        many = "\n".join(f"{n};Kasarmikatu {n % 30}, Helsinki" for n in range(5_007))
        await page.set_input_files("#import-file", csv_file("many.csv", many.encode()))
        await expect(page.locator(".status")).to_contain_text("7 rows more than 5,000 are missing")
        await expect(page.locator(".rows tbody tr")).to_have_count(100)
