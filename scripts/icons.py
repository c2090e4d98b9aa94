"""Draw the driver page's icons of `web/icons/*.svg` as PNG, which iPhones and older phones need.

Usage: `CHROMIUM=$(sh scripts/browser.sh found) .venv/bin/python scripts/icons.py` after a change of an SVG.
"""

import asyncio
import os
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.async_api import Page, async_playwright

ICONS: Final = Path("web/icons")
SIZES: Final = (  # SVG, pixels, PNG
    ("drive-maskable", 180, "drive-apple-180"),  # iOS rounds the corners and paints transparency black
    ("drive", 192, "drive-192"),
    ("drive", 512, "drive-512"),
    ("drive-maskable", 512, "drive-maskable-512"),
)
SVGS: Final = {path.stem: path.read_text() for path in ICONS.glob("*.svg")}
FLAGS: Final = ["--no-sandbox"]
COLOURS: Final = 32  # two, and what smooths their edges


async def draw(page: Page, svg: str, size: int) -> bytes:
    """Return the picture as a PNG with a palette."""
    await page.set_viewport_size({"width": size, "height": size})
    await page.set_content(f"<style>*{{margin:0}} svg{{display:block;width:100vw}}</style>{svg}")
    image = Image.open(BytesIO(await page.screenshot(omit_background=True)))
    content = BytesIO()
    image.quantize(COLOURS, Image.Quantize.FASTOCTREE).save(content, "PNG", optimize=True)
    return content.getvalue()


async def main() -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM"), args=FLAGS)
        page = await browser.new_page()
        for source, size, name in SIZES:
            (ICONS / f"{name}.png").write_bytes(await draw(page, SVGS[source], size))
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
