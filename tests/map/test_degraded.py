"""A map that cannot be made never stops the service: it says what is missing, and does the rest."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.broken_extracts import unreadable
from tests.browser import needs_chromium, on_the_way, opened
from tests.conftest import temporary_database
from tests.service import Service, running_service, token_of
from tracker.errors import RouterUnavailable
from tracker.map.preparation import Preparation, settled

ALL = ["router", "basemap", "addresses", "geocoder"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mapless(
    tmp_path_factory: pytest.TempPathFactory, postgres: str, template: str
) -> AsyncIterator[Service]:
    """A service whose map is a file that nobody can read."""
    folder = tmp_path_factory.mktemp("mapless")
    extract = unreadable(folder / "town.osm.pbf")
    async with (
        temporary_database(postgres, template) as database,
        running_service(folder / "data", database, TRACKER_MAP=str(extract)) as running,
    ):
        yield running


in_session = pytest.mark.asyncio(loop_scope="session")


@in_session
async def test_it_is_ready_and_names_what_is_missing(mapless: Service) -> None:
    """200, and one line of the log for each part that could not be made, with the reason."""
    answer = await mapless.http.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "degraded": ALL})
    lines = [line for line in mapless.log.read_text().splitlines() if line.startswith("{")]
    failed = [e for e in map(msgspec.json.decode, lines) if e["event"] == "preparation_failed"]
    assert sorted(event["part"] for event in failed) == sorted(ALL)
    assert all("town.osm.pbf" in event["why"] for event in failed)
    assert "Traceback" not in mapless.log.read_text()


@in_session
async def test_orders_are_forecast_by_straight_lines(mapless: Service) -> None:
    """What needs no map works."""
    driver = await mapless.new_driver()
    order = await mapless.new_order(driver["id"])
    fix = {"recorded_at": datetime.now(UTC).isoformat(), "lat": 60.1713, "lon": 24.9440}
    sent = await mapless.http.post(
        "/v1/drivers/fixes",
        json={"fixes": [fix]},
        headers={"Authorization": f"Bearer {driver['token']}"},
    )
    assert sent.status_code == 200
    assert (await mapless.get(f"/v1/orders/{order['id']}/eta"))["basis"] == "straight_line"


@in_session
async def test_what_needs_the_map_says_why_it_is_missing(mapless: Service) -> None:
    """503 with a reason for tiles, style and bounds; of addresses there are none."""
    for path in ("/map/style.json", "/tiles/14/1/1.mvt", "/v1/map", "/v1/geocode?q=x"):
        answer = await mapless.http.get(path)
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/map-unavailable")
        assert "town.osm.pbf" in answer.json()["detail"]
    assert await mapless.get("/v1/map/addresses") == {"items": []}
    places = [{"lat": 60.1713, "lon": 24.9440}, {"lat": 60.1666, "lon": 24.9486}]
    assert (await mapless.http.post("/v1/routes", json={"places": places})).status_code == 503


@in_session
async def test_the_page_says_that_it_has_only_a_sketch(mapless: Service) -> None:
    """So that the browser does not fetch the map library in vain."""
    page = (await mapless.http.get(f"/t/{token_of(await mapless.new_order())}")).text
    assert 'data-map="sketch"' in page
    assert "maplibre-gl.mjs" not in page


@in_session
@needs_chromium
async def test_the_customer_sees_the_sketch(mapless: Service, browser: Browser) -> None:
    """The courier and the way, without streets, and without an error on the page."""
    async with on_the_way(mapless) as (order, _), opened(browser, order["tracking_url"]) as page:
        await expect(page.locator("#tracker")).to_have_attribute("data-map", "sketch")
        await expect(page.locator("#map .marker")).to_be_visible()
        await expect(page.locator(".sketch-note")).to_be_visible()


@in_session
@needs_chromium
async def test_a_page_whose_map_is_gone_draws_the_sketch(service: Service, browser: Browser) -> None:
    """The page was made when there was a map; its style is refused now."""
    async with on_the_way(service) as (order, drive):
        context = await browser.new_context(reduced_motion="reduce")
        page = await context.new_page()
        await page.route("**/map/style.json*", lambda route: route.fulfill(status=503))
        await page.goto(order["tracking_url"])
        await expect(page.locator("#tracker")).to_have_attribute("data-map", "sketch")
        marker = page.locator("#map .marker")
        await expect(marker).to_be_visible()
        before = await marker.get_attribute("style") or ""
        await drive(1)
        await expect(marker).not_to_have_attribute("style", before)
        await context.close()


# --- what is made in the background


@asynccontextmanager
async def slowly(go_on: asyncio.Event, closed: list[str], error: Exception | None) -> AsyncIterator[str]:
    try:
        await go_on.wait()
        if error is not None:
            raise error
        yield "made"
    finally:
        closed.append("closed")


@pytest.fixture
def go_on() -> asyncio.Event:
    return asyncio.Event()


async def test_what_is_made_later_is_there_later(go_on: asyncio.Event) -> None:
    """Pending, then ready, then closed with the block."""
    closed: list[str] = []
    async with Preparation.of("part", slowly(go_on, closed, None)) as part:
        assert not await settled([part], within=0.01)
        assert (part.pending, part.ready, part.value, part.failure) == (True, False, None, None)
        go_on.set()
        assert await settled([part], within=10.0)
        assert (part.pending, part.ready, part.value, closed) == (False, True, "made", [])
    assert (part.ready, part.value, closed) == (False, None, ["closed"])


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (RouterUnavailable("No streets."), "No streets."),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
        (ValueError("a secret"), "ValueError"),
    ],
)
async def test_what_fails_says_why_and_stops_nothing(go_on: asyncio.Event, error: Any, why: str) -> None:
    """Texts of unknown errors stay out, as in the log."""
    go_on.set()
    async with Preparation.of("part", slowly(go_on, [], error)) as part:
        assert await settled([part], within=10.0)
        assert (part.ready, part.pending) == (False, False)
        assert part.failure is not None
        assert part.failure.startswith(why)
        assert "secret" not in part.why


async def test_leaving_breaks_the_making_off(go_on: asyncio.Event) -> None:
    """Nothing goes on behind the block."""
    closed: list[str] = []
    async with Preparation.of("part", slowly(go_on, closed, None)) as part:
        assert not await settled([part], within=0.01)
    assert (closed, part.pending) == (["closed"], False)
