"""Names on the map in any script: letters joined, in the right order, with nothing fetched for them."""

import base64
from collections.abc import AsyncIterator, Callable
from typing import Final

import numpy as np
import pytest
import pytest_asyncio
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from playwright.async_api import Browser, FloatRect, Page, ViewportSize

from tests import many_scripts
from tests.browser import needs_chromium
from tests.conftest import temporary_database
from tests.service import Service, running_service

pytestmark = [pytest.mark.asyncio(loop_scope="session"), needs_chromium]

TEXT_SIZE: Final = 13.5  # pixels, at the closest zoom
BAND: Final = 14  # pixels above and below the middle of a street, in which its name stands
NOT_JOINED: Final = "\u200c"  # between letters: each is drawn alone
LEFT_TO_RIGHT: Final = "\u202d"  # before a text: its letters are drawn in the order in which they are read

# A picture and texts that the browser's own engine draws -> the darkness of their pixels, row by row.
PIXELS: Final = """
async ({picture, texts, size}) => {
  const pixels = (width, height, draw) => {
    const context = new OffscreenCanvas(width, height).getContext('2d');
    context.fillStyle = '#fff';
    context.fillRect(0, 0, width, height);
    context.fillStyle = '#000';
    context.font = `500 ${size}px Inter, sans-serif`;
    draw(context);
    const { data } = context.getImageData(0, 0, width, height);
    return { width, dark: Array.from({ length: width * height }, (_, i) => 255 - data[4 * i + 1]) };
  };
  const drawn = (text) => {
    const probe = new OffscreenCanvas(1, 1).getContext('2d');
    probe.font = `500 ${size}px Inter, sans-serif`;
    const width = Math.ceil(probe.measureText(text).width);
    return pixels(width, Math.ceil(size * 1.2), (context) => context.fillText(text, 0, size));
  };
  const image = await createImageBitmap(await (await fetch(picture)).blob());
  const whole = pixels(image.width, image.height, (context) => context.drawImage(image, 0, 0));
  return [whole, ...texts.map(drawn)];
}
"""


def likeness(picture: NDArray[np.float64], text: NDArray[np.float64]) -> float:
    """How well the text fits where it fits best: the normalised correlation, from -1 to 1."""
    wanted = text - text.mean()
    everywhere = np.ones_like(text)
    spreads = sums(picture**2, everywhere) - sums(picture, everywhere) ** 2 / text.size
    products = sums(picture, wanted) / np.sqrt(np.maximum(spreads * (wanted**2).sum(), 1e-9))
    return float(np.max(products))


def sums(picture: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weighted sum of each part of the picture that has the size of the weights."""
    return np.asarray(np.einsum("yxij,ij->yx", sliding_window_view(picture, weights.shape), weights))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def town(
    tmp_path_factory: pytest.TempPathFactory, postgres: str, template: str
) -> AsyncIterator[Service]:
    """A service whose map has names in many scripts."""
    folder = tmp_path_factory.mktemp("town")
    extract = many_scripts.write(folder / "town.osm.pbf")
    async with (
        temporary_database(postgres, template) as database,
        running_service(folder / "data", database, TRACKER_MAP=str(extract)) as running,
    ):
        yield running


async def band(page: Page, service: Service, name: str) -> str:
    """A picture of the street with this name, as a data URL; errors fail the test."""
    row = many_scripts.STREETS.index(name)
    place = {"lat": many_scripts.SOUTH + many_scripts.ROW * row, "lon": many_scripts.middle()}
    order = await service.new_order(pickup=place, dropoff=place)
    await page.goto(order["tracking_url"])
    await page.wait_for_selector("#map[data-idle]")
    pin = await page.locator("#map .pin").bounding_box()
    assert pin is not None
    middle = pin["y"] + pin["height"]
    size: FloatRect = {"x": 420, "y": middle - BAND, "width": 860, "height": 2 * BAND}
    return "data:image/png;base64," + base64.b64encode(await page.screenshot(clip=size)).decode()


def apart(name: str) -> str:
    """Each letter drawn alone."""
    return NOT_JOINED.join(name)


def from_the_left(name: str) -> str:
    """The letters in the order in which they are read, from left to right."""
    return LEFT_TO_RIGHT + name


def reversed_(name: str) -> str:
    return name[::-1]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("شارع الملك فيصل", (apart, from_the_left)),
        ("שדרות ההסתדרות 26", (from_the_left,)),
        pytest.param("महात्मा गांधी मार्ग", (apart,), marks=pytest.mark.long),
        pytest.param("خیابان ولیعصر", (apart, from_the_left), marks=pytest.mark.long),
        pytest.param("רחוב בן יהודה", (from_the_left,), marks=pytest.mark.long),
        pytest.param("ถนนสุขุมวิท", (reversed_,), marks=pytest.mark.long),
        pytest.param("南京东路", (reversed_,), marks=pytest.mark.long),
        pytest.param("Тверская улица", (reversed_,), marks=pytest.mark.long),
    ],
)
async def test_a_name_is_drawn_as_the_browser_would(
    town: Service, whole_browser: Browser, name: str, wrong: tuple[Callable[[str], str], ...]
) -> None:
    """What stands along the street is the name as it is written, in no other order or form of letters."""
    size: ViewportSize = {"width": 1280, "height": 800}
    context = await whole_browser.new_context(viewport=size, reduced_motion="reduce")
    page, blank = await context.new_page(), await context.new_page()
    said: list[str] = []
    page.on("console", lambda line: said.append(line.text))
    page.on("response", lambda answer: said.append(answer.url) if answer.status >= 400 else None)
    texts = [name, *(change(name) for change in wrong)]
    told = {"picture": await band(page, town, name), "texts": texts, "size": TEXT_SIZE}
    shown, *drawn = [
        np.array(each["dark"], float).reshape(-1, each["width"])
        for each in await blank.evaluate(PIXELS, told)
    ]
    right, *others = [likeness(shown, each) for each in drawn]
    await context.close()
    assert right > 0.6
    assert all(right > other + 0.1 for other in others)
    assert not [line for line in said if "GL Driver" not in line]
