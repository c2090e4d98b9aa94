"""What comes to the driver's page from outside, in a real browser: news, other screens, an update."""

import asyncio
from collections import Counter
from typing import Final

import msgspec
import pytest
from playwright.async_api import Browser, Page, WebSocketRoute, expect

from tests.browser import needs_chromium, opened
from tests.gate import gate_before
from tests.service import Service, token_of
from tests.waiting import until
from tests.web.drive.test_drive import PHONE, SHOW, button, driving, kinds, picked_up, pin_of

pytestmark = [pytest.mark.asyncio(loop_scope="session"), needs_chromium]
# Counts what a phone does besides what the page shows; everything still happens.
COUNT: Final = """
  window.felt = {vibrations: [], tones: 0, locks: []};
  const [vibrate, oscillator] = [navigator.vibrate, AudioContext.prototype.createOscillator];
  navigator.vibrate = pattern => { felt.vibrations.push(pattern); return vibrate.call(navigator, pattern); };
  AudioContext.prototype.createOscillator = function () { felt.tones += 1; return oscillator.call(this); };
  const request = navigator.wakeLock.request;
  navigator.wakeLock.request = async kind => {
    const lock = await request.call(navigator.wakeLock, kind);
    felt.locks.push(lock);
    return lock;
  };
"""

STORED_ORDERS: Final = """() => new Promise(resolve => {
  indexedDB.open('drive').onsuccess = ({target: {result}}) => {
    result.transaction('settings').objectStore('settings').get('orders').onsuccess = event => {
      resolve(event.target.result ?? null);
    };
  };
})"""


async def test_news_ring_and_the_screen_stays_on(service: Service, whole_browser: Browser) -> None:
    """Sound, vibration and announcement of an order and a note; a wake lock while the page is visible.

    While another app is in front, a notice of the phone.
    """
    driver = await service.new_driver()
    permissions = ["geolocation", "screen-wake-lock", "notifications"]
    async with opened(whole_browser, "about:blank", **PHONE | {"permissions": permissions}) as page:
        socket: asyncio.Future[WebSocketRoute] = asyncio.get_running_loop().create_future()
        await page.route_web_socket("**/v1/drivers/stream", lambda route: socket.set_result(through(route)))
        await page.add_init_script(COUNT)
        await page.goto(f"{service.url}/drive#token={driver['token']}")
        await page.locator("[data-focus=page]").click()
        await until(lambda: page.evaluate("felt.locks.length === 1 && !felt.locks[0].released"), 10)
        await page.evaluate("felt.locks[0].release()")  # as browsers do it when the page is hidden
        for is_visible in (False, True):
            await page.evaluate(SHOW, is_visible)
        await until(lambda: page.evaluate("felt.locks.length === 2 && !felt.locks[1].released"), 10)
        order = await service.new_order(driver["id"])
        await expect(page.locator("#announcer")).to_have_text("1 new order")
        assert await page.evaluate("[felt.vibrations, felt.tones]") == [[[200, 100, 200]], 2]
        await service.post(f"/v1/track/{token_of(order)}/messages", {"text": "Ring twice"})
        await expect(page.locator("#announcer")).to_have_text("The customer writes: Ring twice")
        await expect(page.locator(".order")).to_contain_text("Customer: Ring twice")
        assert await page.evaluate("felt.vibrations.length") == 2
        await page.evaluate(SHOW, False)
        await service.new_order(driver["id"])
        await until(lambda: has_notice(page, "1 new order"), 10)
        await service.post(f"/v1/track/{token_of(order)}/messages", {"text": "Thank you"})
        await until(lambda: has_notice(page, "1 message"), 10)
        await page.evaluate(SHOW, True)
        (await socket).send(
            msgspec.json.encode({"type": "slow", "retry_s": 60, "reason": "storage"}).decode()
        )
        await expect(page.locator("[data-fixes]")).to_contain_text("the service is busy")


async def has_notice(page: Page, text: str) -> bool:
    """Whether the phone shows this one notice."""
    shown = "navigator.serviceWorker.ready.then(registration => registration.getNotifications())"
    return bool(await page.evaluate(f"{shown}.then(all => all.map(each => each.body))") == [text])


def through(route: WebSocketRoute) -> WebSocketRoute:
    """Connect the page with the service; what is sent on the result reaches the page."""
    route.connect_to_server()
    return route


async def test_another_screen_and_a_revoked_token_cost_no_action(service: Service, browser: Browser) -> None:
    """4009: the older page says so, keeps what waits and can take over. 4001: it asks for a new code.

    A lost phone then has no customer's data any more, except what is not sent.
    """
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    async with driving(browser, service, driver) as page, driving(browser, service, driver) as newer:
        await expect(page.locator(".pill")).to_have_text("Open on another phone or tab")
        await button(page.locator(".order"), "Picked up").click()
        await expect(page.locator(".queue")).to_have_text("1 action not sent")
        await button(page, "Use this one").click()
        await until(lambda: picked_up(service, order))
        await expect(newer.locator(".pill")).to_have_attribute("data-state", "replaced")
        await button(newer.locator(".order"), "Message").click()
        await newer.locator("#chat-text").fill("on my way")
        await button(newer.locator("dialog"), "Send").click()
        await newer.keyboard.press("Escape")
        await expect(newer.locator(".queue")).to_have_text("1 action not sent")
        await service.post(f"/v1/drivers/{driver['id']}/token", {})
        await expect(page.locator("#sign-in")).to_contain_text("The shop has ended the access of this phone.")
        await expect(page.locator("#sign-in")).not_to_contain_text("not sent")
        await button(newer, "Use this one").click()
        await expect(newer.locator("#sign-in")).to_contain_text(
            "The shop has ended the access of this phone."
        )
        await expect(newer.locator("#sign-in")).to_contain_text(
            "1 action or position on this phone is not sent"
        )
        assert await newer.evaluate(STORED_ORDERS) is None
        pairing = await service.post(f"/v1/drivers/{driver['id']}/pairing", {})
        await newer.locator("#code").fill(pairing["code"])
        await newer.locator("#code").press("Enter")
        await expect(newer.locator(".pill")).to_have_attribute("data-state", "live")
        await expect(newer.locator(".queue")).to_have_count(0)
    assert Counter(await kinds(service, order))["message"] == 1


async def test_an_update_takes_over_while_actions_wait(service: Service, browser: Browser) -> None:
    """A new version replaces the service worker and its files; each action is sent once, in sequence."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"], requirements={"dropoff": {"pin": True}})
    async with (
        gate_before(service.url) as gate,
        opened(browser, f"{gate.url}/drive#token={driver['token']}", **PHONE) as page,
    ):
        gate.asked = {b"Accept-Encoding: gzip": b"Accept-Encoding: none"}
        card, queue = page.locator(".order"), page.locator(".queue")
        await expect(page.locator(".pill")).to_have_attribute("data-state", "live")
        await page.evaluate("navigator.serviceWorker.ready.then(() => null)")
        (former,) = await page.evaluate("caches.keys()")
        gate.close("/v1/drivers/stream")
        await expect(page.locator(".pill")).to_have_attribute("data-state", "reconnecting")
        await button(card, "Picked up").click()
        await button(card, "Delivered").click()
        await page.locator("#proof-pin").fill(await pin_of(service, order))
        await page.locator("#proof-pin").press("Enter")
        await button(page.locator("dialog"), "Delivered").click()
        await expect(queue).to_have_text("3 actions not sent")
        old, new = former.removeprefix("drive-").encode(), b"0" * 12
        gate.asked, gate.answered = gate.asked | {new: old}, {old: new}
        await page.evaluate("navigator.serviceWorker.ready.then(registration => registration.update())")
        await until(lambda: has_only_store(page, f"drive-{new.decode()}"), 20)
        await page.reload()
        assert (
            await page.locator("script").get_attribute("src") == f"/static/{new.decode()}/src/drive/drive.js"
        )
        await expect(queue).to_have_text("3 actions not sent")
        gate.close()
        await page.evaluate("dispatchEvent(new Event('online'))")
        await expect(page.locator(".order, .queue")).to_have_count(0)
    counted = Counter(await kinds(service, order))
    assert [counted[kind] for kind in ("picked_up", "proof", "delivered")] == [1, 1, 1]


async def has_only_store(page: Page, name: str) -> bool:
    """Whether the service worker has this store alone, so that the former version is gone."""
    return bool(await page.evaluate("caches.keys()") == [name])
