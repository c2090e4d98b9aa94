"""What the customer's page says while other couriers of the node are in a jam."""

import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.api.merchant import send_fixes
from tests.browser import needs_chromium, opened
from tests.service import Service, running_service, token_of
from tests.waiting import until
from tracker.database import Database
from tracker.database.eta.model import StoredModel, upsert_model
from tracker.domain.eta.model import ORDINARY_KNOWN, ROUTER_RATIO, EtaModel
from tracker.domain.eta.ratio import Ratio
from tracker.domain.geo import LonLat, distance, interpolate
from tracker.messages import rfc3339

VEHICLE: Final = "scooter"
START: Final = LonLat(24.9440, 60.1713)  # the pickup of all orders
EVERY: Final = timedelta(seconds=5)

pytestmark = [pytest.mark.asyncio(loop_scope="session"), needs_chromium]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service(data_dir: Path, own_database: str) -> AsyncIterator[Service]:
    """A node that knows ordinary traffic, as after some two hundred trips; a fresh one hardly sees a jam."""
    model = EtaModel(whole=Ratio(ROUTER_RATIO * ORDINARY_KNOWN, ORDINARY_KNOWN))
    stored = StoredModel(VEHICLE, 1, 200, msgspec.json.encode(model))
    async with Database.open(own_database) as database:
        await upsert_model(database, stored, datetime.now(UTC))
    async with running_service(data_dir, own_database) as running:
        yield running


class Courier:
    """A courier on the way from START to the dropoff, on the router's route."""

    def __init__(self, service: Service, driver: Any, order: Any) -> None:
        self.service, self.order = service, order
        self._token = driver["token"]

    @classmethod
    async def start(cls, service: Service, at: datetime) -> "Courier":
        """Pick up an order at this time, and wait for the route."""
        driver = await service.new_driver("Aino Korhonen", VEHICLE)
        order = await service.new_order(driver["id"], visibility={"route": "always"})
        courier = cls(service, driver, order)
        await service.post(f"/v1/orders/{order['id']}/status", {"status": "picked_up"})
        await courier.report(at, START)
        await until(courier.has_route)
        return courier

    async def has_route(self) -> bool:
        return bool((await self.service.get(f"/v1/orders/{self.order['id']}/eta"))["basis"] == "route")

    async def report(self, at: datetime, *places: LonLat) -> None:
        """Send a fix at each of these places, EVERY apart from this time on."""
        fixes: list[dict[str, object]] = [
            {"recorded_at": rfc3339(at + n * EVERY), "lat": one.lat, "lon": one.lon, "accuracy": 5}
            for n, one in enumerate(places)
        ]
        await send_fixes(self.service, self._token, *fixes)

    async def drive(self, at: datetime, speed: float, count: int) -> None:
        """Drive on along the route at this speed in m/s, from *at* on, with so many fixes."""
        snapshot = await self.service.get(f"/v1/track/{token_of(self.order)}")
        line = [LonLat(*place) for place in snapshot["route"]["coordinates"]]
        await self.report(at, *along(line, speed * EVERY.total_seconds(), count))


def along(line: list[LonLat], step: float, count: int) -> Iterator[LonLat]:
    """Places on the line, a step in metres apart."""
    left, begin = step, line[0]
    for end in line[1:]:
        while (metres := distance(begin, end)) >= left and count:
            begin = interpolate(begin, end, left / metres)
            left, count = step, count - 1
            yield begin
        left, begin = left - distance(begin, end), end


async def shown_minutes(page: Page) -> int:
    """The width of the interval on the page, in minutes."""
    text = await page.locator("#estimate").text_content() or ""
    first, last = re.findall(r"\d+:\d+", text)
    begin, end = (datetime.strptime(one, "%H:%M").replace(tzinfo=UTC) for one in (first, last))
    return round((end - begin).total_seconds() / 60.0) % 720


async def shows(page: Page, minutes: range) -> bool:
    return await shown_minutes(page) in minutes


async def test_the_interval_widens_while_couriers_crawl_and_narrows_when_they_flow(
    service: Service, browser: Browser
) -> None:
    """On the page and in the API, at the next position of the customer's own courier, who is in no jam."""
    now = datetime.now(UTC)
    own = await Courier.start(service, now - timedelta(seconds=2))
    eta = f"/v1/orders/{own.order['id']}/eta"

    async def width() -> float:
        told = await service.get(eta)
        begin, end = (datetime.fromisoformat(told[name]) for name in ("earliest", "latest"))
        return (end - begin).total_seconds()

    async with opened(browser, own.order["tracking_url"], with_map=False) as page:
        await expect(page.locator("#estimate")).to_contain_text("Estimated")
        usual, usual_minutes = await width(), await shown_minutes(page)
        begun = now - timedelta(minutes=10)
        for _ in range(2):
            courier = await Courier.start(service, begun)
            await courier.drive(begun + EVERY, 0.4, 30)
        await own.report(now - timedelta(seconds=1), START)
        await until(lambda: shows(page, range(usual_minutes + 1, 720)))
        jam, jam_minutes = await width(), await shown_minutes(page)
        assert jam > 1.5 * usual
        for _ in range(4):
            courier = await Courier.start(service, begun + timedelta(minutes=5))
            await courier.drive(begun + timedelta(minutes=5) + EVERY, 7.0, 14)
        await own.report(now, START)
        await until(lambda: shows(page, range(jam_minutes)))
        assert await width() < 0.9 * jam
