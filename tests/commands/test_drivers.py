"""`tracker drivers`: a QR code that a camera reads, and codes that the service takes."""

import asyncio
import os
import re
import sys
from itertools import product
from urllib.parse import quote

import msgspec
import numpy as np
import pytest
import zxingcpp

from tests.fork_server import ROOT
from tests.service import Service
from tracker.commands.qr import qr_text

LINK = "https://track.example.com/drive#pair=7K3QM-X9RTB"
FILE = "https://track.example.com/v1/drivers/pair/7K3QM-X9RTB/owntracks.otrc"
OWNTRACKS = f"owntracks:///config?url={quote(FILE, safe='')}"
WHITE, BLACK = 255, 0
HALVES = {"█": (1, 1), "▀": (1, 0), "▄": (0, 1), " ": (0, 0)}  # upper and lower half in the foreground
CELL = 4  # pixels of one module


def picture(text: str, foreground: int, background: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """What a terminal with these colours draws, with a margin of its own background."""
    rows: list[list[int]] = []
    for line in text.splitlines():
        front, back = (
            (WHITE, BLACK) if line.startswith("\x1b[38;5;231;48;5;16m") else (foreground, background)
        )
        cells = [HALVES[cell] for cell in re.sub(r"\x1b\[[\d;]*m", "", line)]
        rows += [[front if cell[half] else back for cell in cells] for half in (0, 1)]
    modules = np.array(rows, dtype=np.uint8).repeat(CELL, axis=0).repeat(CELL, axis=1)
    return np.pad(modules, 40, constant_values=background)


@pytest.mark.parametrize(
    ("theme", "link"),
    list(product([(BLACK, WHITE), (WHITE, BLACK)], [LINK, OWNTRACKS])),
)
def test_a_camera_reads_the_code_on_any_background(theme: tuple[int, int], link: str) -> None:
    """A light and a dark terminal show the same code, dark on light as the standard asks."""
    image = picture(qr_text(link), *theme)
    assert [found.text for found in zxingcpp.read_barcodes(image, try_invert=False)] == [link]


def test_a_code_without_colours_is_read_in_a_dark_terminal() -> None:
    """A pipe or a log drops the colours."""
    plain = re.sub(r"\x1b\[[\d;]*m", "", qr_text(LINK))
    assert [found.text for found in zxingcpp.read_barcodes(picture(plain, WHITE, BLACK))] == [LINK]


async def tracker(database_url: str, *words: str, **settings: str) -> tuple[int, str, str]:
    """The exit status and both outputs of a command."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tracker", *words),
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database_url, **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await process.communicate()
    return process.returncode or 0, out.decode(), errors.decode()


async def test_a_code_from_the_terminal_pairs_a_phone(service: Service, service_database: str) -> None:
    """The running service takes it; the links begin with the public URL."""
    driver = await service.new_driver("Terttu Terminaali")
    assert driver["id"] in (await tracker(service_database, "drivers", "list"))[1]
    public = {"TRACKER_PUBLIC_URL": "https://track.example.com/shop"}
    status, text, _ = await tracker(service_database, "drivers", "pair", driver["id"], "--json", **public)
    assert status == 0
    pairing = msgspec.json.decode(text)
    assert pairing["url"] == f"https://track.example.com/shop/drive#pair={pairing['code']}"
    paired = await service.http.post("/v1/drivers/pair", json={"code": pairing["code"]})
    assert paired.json()["driver"]["id"] == driver["id"]


async def test_the_terminal_says_what_is_wrong(service: Service, service_database: str) -> None:
    """An unknown driver, and an address that no phone reaches."""
    status, _, errors = await tracker(service_database, "drivers", "pair", "drv_none")
    assert status == 1
    assert "`tracker drivers list`" in errors
    driver = await service.new_driver()
    status, text, errors = await tracker(service_database, "drivers", "pair", driver["id"])
    assert status == 0
    assert "TRACKER_PUBLIC_URL" in errors
    [code] = re.findall(r"^code     (\S+)$", text, re.MULTILINE)
    assert f"link     http://127.0.0.1:8080/drive#pair={code}" in text
