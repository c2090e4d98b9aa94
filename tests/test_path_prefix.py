"""A service below a path of another site: the proxy may remove the path prefix or leave it in."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from quart import Quart
from websockets.asyncio.client import connect
from werkzeug.routing import Rule

from tests.service import Service, hear, running_service, token_of
from tracker.app import ENDPOINTS
from tracker.config import OWN_PATHS

PREFIX = "/shops/tracking"
PUBLIC = f"https://shop.example{PREFIX}"
asked_at = pytest.mark.parametrize("below", ["", PREFIX], ids=["removed", "left in"])


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def prefixed(data_dir: Path, own_database: str) -> AsyncIterator[Service]:
    async with running_service(data_dir, own_database, TRACKER_PUBLIC_URL=f"{PUBLIC}/") as running:
        yield running


def rules() -> list[Rule]:
    """All routes of the service."""
    app = Quart(__name__, static_folder=None)
    for module in ENDPOINTS:
        app.register_blueprint(module.blueprint)
    return list(app.url_map.iter_rules())


@asked_at
async def test_every_address_that_a_page_names_is_below_the_prefix(prefixed: Service, below: str) -> None:
    """Pages, their files, the map's style with its tiles and fonts: each is found there."""
    order = await prefixed.new_order()
    assert order["tracking_url"] == f"{PUBLIC}/t/{token_of(order)}"
    paths = {rule.rule for rule in rules() if not rule.arguments and not rule.rule.startswith("/v1/")}
    paths |= {"", f"/t/{token_of(order)}", f"/embed/{token_of(order)}", "/t/unknown"}
    answers = [await prefixed.http.get(f"{below}{path}") for path in paths]
    pages = [answer for answer in answers if answer.headers["Content-Type"].startswith("text/html")]
    assert len(pages) >= 6
    named = {path for page in pages for path in re.findall(r'="(/[^"]*)"', page.text)}
    style = (await prefixed.http.get(f"{below}/map/style.json")).json()
    fonts = [face["url"] for faces in style["font-faces"].values() for face in faces]
    (tiles,) = style["sources"]["map"]["tiles"]
    named |= {*fonts, tiles.format(z=13, x=4663, y=2370)}
    assert len(named) > 30
    for path in named:
        assert path.startswith(f"{PREFIX}/")
        answer = await prefixed.http.get(path.removeprefix(PREFIX) if not below else path)
        assert answer.is_success, path


@asked_at
async def test_descriptions_name_the_public_url(prefixed: Service, below: str) -> None:
    """So that clients generated from them find the service."""
    openapi = (await prefixed.http.get(f"{below}/openapi.json")).json()
    assert openapi["servers"] == [{"url": PUBLIC}]
    asyncapi = (await prefixed.http.get(f"{below}/asyncapi.json")).json()
    assert asyncapi["servers"] == {"service": {"host": "shop.example", "protocol": "wss", "pathname": PREFIX}}


@asked_at
async def test_the_live_view_is_there(prefixed: Service, below: str) -> None:
    """WebSocket, server-sent events, polling, and the driver's WebSocket."""
    driver = await prefixed.new_driver()
    order = await prefixed.new_order(driver["id"])
    link = f"{below}/v1/track/{token_of(order)}"
    async with connect(f"{prefixed.ws_url}{link}/stream", compression=None) as customer:
        assert (await hear(customer, "snapshot"))["order"]["status"] == "assigned"
    async with prefixed.http.stream("GET", f"{link}/events") as events:
        assert (await anext(events.aiter_lines())).startswith("retry:")
    assert (await prefixed.http.get(f"{link}/poll")).json()["messages"][0]["type"] == "snapshot"
    headers = {"Authorization": f"Bearer {driver['token']}"}
    async with connect(
        f"{prefixed.ws_url}{below}/v1/drivers/stream", additional_headers=headers, compression=None
    ) as courier:
        await hear(courier, "welcome")


@asked_at
@pytest.mark.parametrize("page", ["t", "embed"])
async def test_a_redirect_stays_below_the_prefix(prefixed: Service, below: str, page: str) -> None:
    """From a link with something behind it to the link."""
    token = token_of(await prefixed.new_order())
    for behind in (".", "/", "/x/y", "%2F."):
        answer = await prefixed.http.get(f"{below}/{page}/{token}{behind}?lang=de")
        assert (answer.status_code, answer.headers["Location"]) == (308, f"{PREFIX}/{page}/{token}?lang=de")


async def test_a_path_that_only_begins_like_the_prefix_is_another(prefixed: Service) -> None:
    """Nor is the prefix removed twice."""
    for path in (f"{PREFIX}s/livez", f"{PREFIX}{PREFIX}/livez", f"{PREFIX}livez", "/shops/livez"):
        assert (await prefixed.http.get(path)).status_code == 404, path
    assert (await prefixed.http.get(f"{PREFIX}/livez")).is_success


@asked_at
async def test_doubled_slashes_do_not_redirect(prefixed: Service, below: str) -> None:
    """A redirect would name http and the host behind the proxy."""
    assert (await prefixed.http.get(f"{below}/v1//orders")).status_code == 404


def test_no_path_of_the_service_can_be_the_prefix() -> None:
    """`/t/t/<token>` could be either. Config refuses what begins like a path of the service."""
    paths = {f"{rule.rule}/" for rule in rules() if rule.rule != "/"}
    assert {path for path in paths if not path.startswith(OWN_PATHS)} == set()


def test_no_file_of_a_page_names_a_path_of_the_service() -> None:
    """Scripts build URLs on the link's, styles name files beside them, templates use variables."""
    root = Path(__file__).parents[1] / "web"
    names = "|".join(re.escape(path.strip("/")) for path in OWN_PATHS)
    pattern = re.compile(rf"""["'`(]/(?:{names})(?![\w-]|/\$)""")
    files = [file for name in ("src", "style", "templates") for file in (root / name).rglob("*.*")]
    texts = {file.name: file.read_text("utf-8") for file in files}
    assert len(texts) > 20
    assert [name for name, text in texts.items() if pattern.search(text)] == []
