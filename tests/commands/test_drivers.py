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
from click.testing import CliRunner

from tests.fork_server import ROOT
from tests.service import Service
from tracker.commands.driver_commands import drivers
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


async def test_a_shop_puts_a_phone_on_the_road_from_the_terminal(
    service: Service, service_database: str
) -> None:
    """The new driver's token and code work at the running service, and the list shows the first position."""
    public = {"TRACKER_PUBLIC_URL": "https://track.example.com"}
    words = "drivers", "add", "Aada Päätteeltä", "--vehicle", "bicycle", "--reference", "D-77"
    status, text, errors = await tracker(service_database, *words, **public)
    assert (status, errors) == (0, "")
    shown = dict(re.findall(r"^(driver|token|link|code) +(\S+)$", text, re.MULTILINE))
    assert shown["link"] == f"https://track.example.com/drive#pair={shown['code']}"
    driver = await service.get(f"/v1/drivers/{shown['driver']}")
    assert [driver[name] for name in ("name", "vehicle", "reference")] == [
        "Aada Päätteeltä",
        "bicycle",
        "D-77",
    ]
    paired = (await service.http.post("/v1/drivers/pair", json={"code": shown["code"]})).json()
    assert paired["driver"]["id"] == driver["id"]
    assert re.search(f"^{driver['id']}.* no position .*Aada", await listed(service_database), re.MULTILINE)
    for token in (shown["token"], paired["token"]):
        position = {"lat": "60.17", "lon": "24.94", "id": token}
        answer = await service.http.get("/ingest/osmand", params=position, headers={"Authorization": ""})
        assert answer.status_code == 200
    assert re.search(f"^{driver['id']}.* s ago .*Aada", await listed(service_database), re.MULTILINE)


async def listed(database_url: str) -> str:
    return (await tracker(database_url, "drivers", "list"))[1]


async def test_the_settings_of_apps_are_in_json(service: Service, service_database: str) -> None:
    """As the API shows them, with the address of the phones' broker."""
    settings = {"TRACKER_PUBLIC_URL": "https://track.example.com"}
    words = "drivers", "add", "Aada", "--vehicle", "car", "--json"
    added = msgspec.json.decode((await tracker(service_database, *words, **settings))[1])
    assert added["setup"]["overland"]["token"] == added["token"]
    assert added["setup"]["osmand"]["url"].startswith("https://track.example.com/ingest/osmand/tdt_")
    assert added["pairing"]["links"]["owntracks"].startswith("owntracks:///config?url=")


@pytest.mark.parametrize("name", ["", "  ", "A\nB", "A" * 201, "A\udcff"])
def test_what_is_no_name_is_refused(name: str) -> None:
    """Before the database is touched."""
    result = CliRunner().invoke(drivers, ["add", name, "--vehicle", "car"])
    assert result.exit_code == 2
    assert "1 to 200 printable characters" in result.output


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
