"""The driver's page in a real browser, against a real node."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import asyncpg
import msgspec
import pytest
from PIL import Image
from playwright.async_api import Browser, FilePayload, Geolocation, Locator, Page, expect
from websockets.asyncio.client import ClientConnection

from tests.api.driver.test_phone_apps import basic
from tests.browser import LAN_HOST, needs_chromium, opened
from tests.service import Service, hear, token_of
from tests.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="session"), needs_chromium]
PHONE: Final[dict[str, Any]] = {
    "apart": True,
    "viewport": {"width": 390, "height": 780},
    "has_touch": True,
    "is_mobile": True,
    "geolocation": {"latitude": 60.1713, "longitude": 24.9440, "accuracy": 5},
    "permissions": ["geolocation"],
}
HOUR: Final = timedelta(hours=1)
APP_INTERVAL: Final = timedelta(seconds=30)
EVERYTHING: Final = {"dropoff": {"photo": True, "signature": True, "barcode": "A1", "pin": True}}
# Playwright keeps all pages visible, so this tells the page's scripts what a phone does with the screen off.
SHOW: Final = """isVisible => {
  const set = (name, value) => Object.defineProperty(document, name, {value, configurable: true});
  set('hidden', !isVisible);
  set('visibilityState', isVisible ? 'visible' : 'hidden');
  document.dispatchEvent(new Event('visibilitychange'));
}"""
# What the page stores, as its own scripts store it: positions of a dead zone, which no test can wait for.
STORE_FIXES: Final = """times => new Promise((resolve, reject) => {
  const opening = indexedDB.open('drive');
  opening.onsuccess = () => {
    const writing = opening.result.transaction('fixes', 'readwrite');
    for (const time of times) writing.objectStore('fixes').put({recorded_at: time, lat: 60.17, lon: 24.94});
    writing.oncomplete = resolve;
    writing.onabort = reject;
  };
})"""


@asynccontextmanager
async def driving(browser: Browser, service: Service, driver: Any, **more: Any) -> AsyncIterator[Page]:
    """The page of this driver, live, and stored by its service worker."""
    async with opened(browser, f"{service.url}/drive#token={driver['token']}", **PHONE | more) as page:
        await expect(page.locator(".pill")).to_have_attribute("data-state", "live")
        await page.evaluate("navigator.serviceWorker.ready.then(() => null)")
        yield page


def button(place: Page | Locator, name: str) -> Locator:
    return place.get_by_role("button", name=name, exact=True)


async def kinds(service: Service, order: Any) -> list[str]:
    """What the timeline of an order has."""
    timeline = (await service.get(f"/v1/orders/{order['id']}/history"))["timeline"]
    return [entry["kind"] for entry in timeline]


async def pin_of(service: Service, order: Any) -> str:
    return str((await service.get(f"/v1/track/{token_of(order)}"))["pin"])


def photo() -> FilePayload:
    content = BytesIO()
    Image.new("RGB", (2400, 1200), "teal").save(content, "JPEG")
    return {"name": "door.jpg", "mimeType": "image/jpeg", "buffer": content.getvalue()}


async def test_a_driver_proves_and_delivers_an_order(service: Service, browser: Browser) -> None:
    """The code of the link signs in and leaves the address; a wrong PIN is said and costs nothing."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"], contact="+358 40 123", requirements=EVERYTHING)
    pairing = await service.post(f"/v1/drivers/{driver['id']}/pairing", {})
    async with opened(browser, f"{service.url}/drive#pair={pairing['code']}", **PHONE) as page:
        card, sheet = page.locator(".order"), page.locator("dialog")
        await expect(card.get_by_role("heading")).to_have_text("Rautatientori")
        assert page.url == f"{service.url}/drive"
        await expect(card.get_by_role("link", name="Call")).to_have_attribute("href", "tel:+35840123")
        await button(card, "Picked up").click()
        await expect(card.get_by_role("heading")).to_have_text("Kasarmikatu 36")
        await button(card, "Delivered").click()
        await expect(button(sheet, "Delivered")).to_be_disabled()
        await sheet.locator("#proof-photo").set_input_files(photo())
        await expect(sheet).to_contain_text("Photo taken")
        await sheet.locator("#proof-name").fill("Eva Nagy")
        await button(sheet, "Keep signature").click()
        await sheet.locator("#proof-barcode").fill("A1")
        await sheet.locator("#proof-barcode").press("Enter")
        pin = await pin_of(service, order)
        await sheet.locator("#proof-pin").fill("0000" if pin != "0000" else "1111")
        await sheet.locator("#proof-pin").press("Enter")
        await expect(sheet).to_contain_text("The PIN was wrong")
        await sheet.locator("#proof-pin").fill(pin)
        await sheet.locator("#proof-pin").press("Enter")
        await expect(sheet).to_contain_text("PIN entered")
        await button(sheet, "Delivered").click()
        await expect(card).to_have_count(0)
        await sign_out_and_in(service, page, driver)
    proofs = (await service.get(f"/v1/orders/{order['id']}/proofs"))["items"]
    assert Counter(proof["kind"] for proof in proofs) == Counter(EVERYTHING["dropoff"].keys())
    assert (await service.get(f"/v1/orders/{order['id']}"))["status"] == "delivered"


async def sign_out_and_in(service: Service, page: Page, driver: Any) -> None:
    """The next driver on this phone sees nothing of the former one."""
    await service.new_order(driver["id"])
    await expect(page.locator(".order")).to_have_count(1)
    await button(page, "Sign out").click()
    await button(page.locator("dialog"), "Sign out").click()
    await page.locator("#code").fill((await service.new_driver("Bo Ek"))["token"])
    await page.locator("#code").press("Enter")
    await expect(page.locator("#header h1")).to_have_text("Bo Ek")
    await expect(page.locator("#none")).to_have_text("No orders. New ones appear here.")
    await expect(page.locator(".order")).to_have_count(0)


async def test_the_screen_works_over_plain_http(service: Service, browser: Browser) -> None:
    """Where browsers withhold the position, the service worker and `randomUUID`.

    After a pickup the driver sees the next stop, although the order moves down the list.
    """
    driver = await service.new_driver()
    order, *_ = [await service.new_order(driver["id"], reference=f"A-{n}") for n in range(6)]
    pairing = await service.post(f"/v1/drivers/{driver['id']}/pairing", {})
    url = service.url.replace("127.0.0.1", LAN_HOST)
    async with opened(browser, f"{url}/drive#pair={pairing['code']}", **PHONE) as page:
        assert not await page.evaluate("isSecureContext")
        await page.locator("[data-focus=page]").click()
        await expect(page.locator("#position")).to_contain_text(
            "Phones give their position to pages with https only."
        )
        first = page.locator(".order").first
        await button(first, "Picked up").click()
        await until(lambda: picked_up(service, order))
        await expect(first).not_to_have_attribute("data-order", order["id"])
        await expect(first.get_by_role("heading")).to_be_focused()
        await expect(first.get_by_role("heading")).to_be_in_viewport()


async def picked_up(service: Service, order: Any) -> bool:
    return bool((await service.get(f"/v1/orders/{order['id']}"))["status"] == "picked_up")


async def test_what_is_done_without_a_network_is_sent_once(service: Service, browser: Browser) -> None:
    """Offline and through a reload: a note, a pickup and a delivery behind a wrong PIN, which stays open.

    Back online, the page has what the customer wrote meanwhile.
    """
    driver = await service.new_driver()
    order = await service.new_order(driver["id"], requirements={"dropoff": {"pin": True}})
    pin = await pin_of(service, order)
    async with driving(browser, service, driver) as page:
        card, sheet = page.locator(".order"), page.locator("dialog")
        await page.context.set_offline(True)
        await expect(page.locator(".pill")).to_have_attribute("data-state", "offline")
        await button(card, "Message").click()
        await sheet.locator("#chat-text").fill("on my way")
        await button(sheet, "Send").click()
        await expect(sheet.locator("li")).to_contain_text("waiting to be sent")
        await button(sheet, "Close").click()
        await button(card, "Picked up").click()
        await expect(page.locator(".queue")).to_have_text(
            "2 actions not sent"
        )  # it says so once it is stored
        await page.reload()
        await expect(page.locator(".queue")).to_have_text("2 actions not sent")
        await service.post(f"/v1/track/{token_of(order)}/messages", {"text": "At the back door"})
        await button(card, "Delivered").click()
        await sheet.locator("#proof-pin").fill("0000" if pin != "0000" else "1111")
        await sheet.locator("#proof-pin").press("Enter")
        await button(sheet, "Delivered").click()
        await expect(card).to_contain_text("Done")
        await page.context.set_offline(False)
        await expect(card.locator(".refused")).to_contain_text("So the order is not marked as delivered.")
        await expect(page.locator(".queue")).to_have_count(0)
        assert Counter(await kinds(service, order))["delivered"] == 0
        await service.post(f"/v1/track/{token_of(order)}/messages", {"text": "Thank you"})
        await button(card, "Message 3 messages").click()
        await expect(sheet.locator("li bdi")).to_have_text(["on my way", "At the back door", "Thank you"])
        await button(sheet, "Close").click()
        await button(card, "Delivered").click()
        await sheet.locator("#proof-pin").fill(pin)
        await sheet.locator("#proof-pin").press("Enter")
        await button(sheet, "Delivered").click()
        await expect(card).to_have_count(0)
    counted = Counter(await kinds(service, order))
    assert [counted[kind] for kind in ("message", "picked_up", "proof", "delivered")] == [3, 1, 1, 1]


async def test_positions_of_a_dead_zone_are_stored_once(service: Service, browser: Browser) -> None:
    """Positions wait in the browser through a reload. The service then has each of them once.

    It has none of a time off duty, which the page does not keep either. The driver reads what is stored, and
    downloads it.
    """
    driver = await service.new_driver()
    order = await service.new_order(driver["id"], reference="A-7")
    await service.post(f"/v1/drivers/{driver['id']}/duty", {"on": False})
    evening = f"{datetime.now(UTC).isoformat()[:26]}Z"
    await service.post(f"/v1/drivers/{driver['id']}/duty", {"on": True})
    begun = datetime.now(UTC) - timedelta(minutes=30)
    times = [f"{(begun + n * timedelta(seconds=5)).isoformat()[:19]}.000Z" for n in range(250)]
    async with driving(browser, service, driver) as page:
        await button(page, "By this page Only while it is open and the screen is on.").click()
        await expect(page.locator("#position")).to_contain_text("This page sends your position · last")
        await page.context.set_offline(True)
        await page.evaluate(STORE_FIXES, [*times, evening])
        await page.reload()
        await expect(page.locator("[data-fixes]")).to_contain_text("positions not sent")
        await page.context.set_offline(False)
        await expect(page.locator("[data-fixes]")).to_have_text("")
        async with service.watch(order) as customer:
            await hear(customer, "snapshot")
        await read_what_is_stored(page, times[0])
    stored = await track(service, driver)
    assert len(stored) == len(set(stored))
    assert set(times) <= set(stored)
    assert [at for at in stored if at[:23] == evening[:23]] == []


async def read_what_is_stored(page: Page, first: str) -> None:
    """For how long, who opened the link, and the driver's own copy."""
    await button(page, "What is stored about me").click()
    sheet = page.locator("dialog")
    await expect(sheet).to_contain_text("deleted after 30 days")
    await expect(sheet.locator(".times li").filter(has_text="A-7")).to_have_count(1)
    async with page.expect_download() as downloading:
        await button(sheet, "CSV").click()
    saved = await downloading.value
    assert re.fullmatch(r"positions-\d{4}-\d\d-\d\d\.csv", saved.suggested_filename)
    assert first in Path(await saved.path()).read_text()


async def track(service: Service, driver: Any) -> list[str]:
    """The times of the driver's stored positions."""
    headers = {"Authorization": f"Bearer {driver['token']}"}
    answer = await service.http.get("/v1/drivers/me/track.ndjson?include=rejected", headers=headers)
    return [msgspec.json.decode(line)["recorded_at"] for line in answer.text.splitlines()]


async def test_an_hour_with_the_screen_off_has_no_gap(
    service: Service, service_database: str, browser: Browser
) -> None:
    """OwnTracks sends while the page is hidden: the track is whole, and the customer sees one source alone.

    In between the driver lets the page send, too, from elsewhere: the marker stays with the app.
    """
    driver = await service.new_driver()
    order = await service.new_order(driver["id"], visibility={"position": "always"})
    begun = datetime.now(UTC).replace(microsecond=0) - HOUR
    await assigned_at(service_database, order, begun)
    elsewhere: Geolocation = {"latitude": 60.1750, "longitude": 24.9700, "accuracy": 5}
    way = [(begun + n * APP_INTERVAL, 60.1600 + n * 1e-4) for n in range(HOUR // APP_INTERVAL + 1)]
    half = len(way) // 2
    async with (
        driving(browser, service, driver, geolocation=elsewhere) as page,
        service.watch(order) as customer,
    ):
        seen = asyncio.create_task(latitudes(customer, until=way[-1][1]))
        await page.locator("[data-focus=app]").click()
        await page.evaluate(SHOW, False)
        await send_by_owntracks(service, driver, way[:half])
        await page.evaluate(SHOW, True)
        await expect(page.locator("#position")).to_contain_text("OwnTracks is silent for 30 min")
        await page.locator("[data-focus=other]").click()
        await until(lambda: has_fix_after(service, driver, begun + HOUR), 20)
        await page.evaluate(SHOW, False)
        await send_by_owntracks(service, driver, way[half:])
        await page.evaluate(SHOW, True)
        await page.locator("#position summary").click()
        await button(page, "Use an app instead").click()
        await expect(page.locator("#position")).to_have_text(
            re.compile(r"OwnTracks sends your position · last \d+ sec ago")
        )
        assert await seen == sorted(await seen)
        assert set(await seen) <= {round(lat, 4) for _, lat in way}
    track = (await service.get(f"/v1/orders/{order['id']}/track.json?limit=500"))["items"]
    times = [datetime.fromisoformat(fix["recorded_at"]) for fix in track]
    assert times[0] == begun
    assert times[-1] >= begun + HOUR
    assert max(later - earlier for earlier, later in pairwise(times)) <= APP_INTERVAL


async def assigned_at(database: str, order: Any, at: datetime) -> None:
    """Move the assignment into the past, since no test can wait for an hour."""
    connection = await asyncpg.connect(database)
    try:
        await connection.execute("UPDATE assignments SET begun_at = $2 WHERE order_id = $1", order["id"], at)
        await connection.execute("UPDATE orders SET assigned_at = $2 WHERE id = $1", order["id"], at)
    finally:
        await connection.close()


async def send_by_owntracks(service: Service, driver: Any, way: list[tuple[datetime, float]]) -> None:
    headers = basic(driver["id"], driver["token"])
    for at, lat in way:
        body = {"_type": "location", "tst": int(at.timestamp()), "lat": lat, "lon": 24.95, "acc": 5}
        assert (await service.http.post("/ingest/owntracks", json=body, headers=headers)).is_success


async def latitudes(customer: ClientConnection, until: float) -> list[float]:
    """What the customer's marker shows, until it has got there."""
    shown: list[float] = []
    while not shown or shown[-1] != round(until, 4):
        position = (await hear(customer, "snapshot", "update", within=60)).get("position")
        shown += [round(position["lat"], 4)] if position else []
    return shown


async def has_fix_after(service: Service, driver: Any, at: datetime) -> bool:
    headers = {"Authorization": f"Bearer {driver['token']}"}
    newest = (await service.http.get("/v1/drivers/me", headers=headers)).json()["last_fix_at"]
    return newest is not None and datetime.fromisoformat(newest) > at
