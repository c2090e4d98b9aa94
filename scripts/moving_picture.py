"""Record an order's page while the courier drives, and write docs/pictures/delivery.gif.

Usage: start `make demo`, then run `.venv/bin/python scripts/moving_picture.py LINK` with a link that it
prints. The recording ends after the delivery. It needs Chromium, ffmpeg and Playwright.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, Page, async_playwright

GIF: Final = Path("docs/pictures/delivery.gif")
FLAGS: Final = ("--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader")
PAGES: Final = {  # width, height and scale; both pictures become 560 pixels high
    "desktop": (820, 560, 1.0),
    "phone": (360, 746, 0.75),
}
FRAME_EVERY: Final = 4.0  # seconds between two screenshots
FRAMES_AT_MOST: Final = 200
FRAMES_PER_SECOND: Final = 4
HOLD: Final = 3  # seconds that the last frame stays
GAP: Final = 6  # pixels between the two pictures


async def open_page(browser: Browser, link: str, width: int, height: int, scale: float) -> Page:
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=scale,
        locale="en-GB",
        timezone_id="Europe/Helsinki",
        color_scheme="light",
    )
    page = await context.new_page()
    await page.goto(link)
    await page.locator(".maplibregl-canvas").first.wait_for()
    return page


async def record(link: str, folder: Path) -> None:
    """Write a screenshot of each page every 4 s until the order is delivered."""
    async with async_playwright() as playwright:
        chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
        browser = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        pages = {name: await open_page(browser, link, *size) for name, size in PAGES.items()}
        for number in range(FRAMES_AT_MOST):
            await asyncio.sleep(FRAME_EVERY)
            delivered = await pages["desktop"].get_by_text("Delivered at").count() > 0
            files = {name: folder / f"{name}-{number:03}.png" for name in PAGES}
            await asyncio.gather(*(pages[name].screenshot(path=file) for name, file in files.items()))
            if delivered:
                break
        await browser.close()


def assemble(folder: Path) -> None:
    """Put the screenshots side by side and join all pairs to one GIF."""
    inputs = [
        ["-framerate", str(FRAMES_PER_SECOND), "-i", str(folder / f"{name}-%03d.png")] for name in PAGES
    ]
    pairs = f"[0]pad=iw+{GAP}:color=0x94a3b8[left];[left][1]hstack,tpad=stop_mode=clone:stop_duration={HOLD}"
    colours = "split[a][b];[a]palettegen=max_colors=128[palette];[b][palette]paletteuse=dither=none"
    filters = f"{pairs},{colours}:diff_mode=rectangle"
    command = ["ffmpeg", "-v", "error", "-y", *inputs[0], *inputs[1], "-filter_complex", filters, str(GIF)]
    subprocess.run(command, check=True)
    print(f"{GIF}: {GIF.stat().st_size / 1e6:.1f} MB")


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(record(sys.argv[1], Path(folder)))
        assemble(Path(folder))


if __name__ == "__main__":
    main()
