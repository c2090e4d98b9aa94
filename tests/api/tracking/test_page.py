"""What browsers are sent: the customer's page as HTML, the files, the tiles; headers and caching."""

import gzip
import json
import re
from html import unescape
from io import BytesIO
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.service import Service, token_of
from tracker.api.tracking.page import location_of

FAILED = {"status": "failed", "outcome": "not_home", "reason": "locked himself out"}
FIRST_VISIT = 450_000  # bytes, compressed

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def page_of(service: Service, order: Any) -> httpx.Response:
    async with httpx.AsyncClient() as anybody:
        return await anybody.get(f"{service.url}/t/{order['tracking_url'].rsplit('/', 1)[1]}")


def addresses(page: str) -> list[str]:
    return re.findall(r'(?:src|href)="(/[^"]+)"', page)


async def test_the_page_tells_all_without_a_script(service: Service) -> None:
    """Status and destination stand in the HTML itself, under a policy that lets nothing in from elsewhere."""
    order = await service.new_order(reference="A-<17>")
    page = await page_of(service, order)
    assert page.status_code == 200
    assert "Order received" in page.text
    assert "Kasarmikatu 36" in page.text
    assert "Order A-&lt;17&gt;" in page.text
    assert page.headers["cache-control"] == "no-store"
    assert "default-src 'none'; script-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert " style=" not in page.text and not re.search(r"<script(?![^>]*(src=|application/json))", page.text)


async def test_the_snapshot_in_the_page_cannot_end_its_element(service: Service) -> None:
    """Whatever an address says, it stays text."""
    hostile = "</script><script>alert(1)</script>"
    order = await service.new_order(dropoff={"lat": 60.1666, "lon": 24.9486, "address": hostile})
    page = await page_of(service, order)
    assert hostile not in page.text
    block = re.search(r'<script type="application/json" id="snapshot">(.*?)</script>', page.text, re.DOTALL)
    assert block is not None
    assert json.loads(block[1])["order"]["dropoff"]["address"] == hostile


async def test_an_order_that_is_over_says_how_it_ended(service: Service) -> None:
    """When and by whom it was delivered, or why not; in the language of its customer."""
    driver = await service.new_driver("Aino Korhonen", "bicycle")
    orders = [await service.new_order(driver["id"], customer={"language": "de-AT"}) for _ in range(2)]
    for order, end in zip(orders, ({"status": "delivered"}, FAILED), strict=True):
        for status in ({"status": "picked_up"}, end):
            await service.post(f"/v1/orders/{order['id']}/status", status)
    delivered, failed = [unescape((await page_of(service, order)).text) for order in orders]
    assert '<html lang="de" dir="ltr">' in delivered
    assert "Zugestellt um" in delivered and "Zugestellt an" in delivered and ">Aino<" in delivered
    assert "Zustellung um" in failed and "Es war niemand da." in failed and ">Aino<" not in failed
    assert "Nobody" not in failed and "locked himself" not in failed


async def test_a_link_preview_names_neither_time_nor_person_nor_place(service: Service) -> None:
    """Programs that show links show the page's purpose, and a picture that is the same for every order."""
    page = await page_of(service, await service.new_order())
    told = dict(re.findall(r'<meta property="og:([\w:]+)" content="([^"]*)">', page.text))
    assert (told["title"], told["type"]) == ("Track your order", "website")
    assert set(told) == {"title", "type", "image", "image:width", "image:height"}
    async with httpx.AsyncClient() as anybody:
        picture = await anybody.get(told["image"])
    assert picture.headers["content-type"] == "image/png"
    assert Image.open(BytesIO(picture.content)).size == (1200, 630)


async def test_the_words_of_a_page_are_those_that_were_asked_for(service: Service) -> None:
    """`?lang=` before the order's language, then the browser's; the 404 page too."""
    order = await service.new_order(customer={"language": "fi"})
    async with httpx.AsyncClient(headers={"Accept-Language": "ja, en;q=0.5"}) as anybody:
        pages = [
            (await anybody.get(url)).text
            for url in (
                f"{order['tracking_url']}?lang=ar",
                order["tracking_url"],
                f"{service.url}/t/nonsense",
            )
        ]
    assert '<html lang="ar" dir="rtl">' in pages[0] and "طلبك قيد التحضير" in pages[0]
    assert '<html lang="fi" dir="ltr">' in pages[1] and "Tilaustasi valmistellaan" in pages[1]
    assert '<html lang="ja" dir="ltr">' in pages[2] and "この追跡リンクは使えません" in pages[2]


BEHIND = (
    *(".", ",", ")", ">", '"', "/", ";", "!", "?", "%3F", ":", "'", "%27", "]", "}", "|", "\\", "=", "~"),
    *("%2E", "%2e%29", "%3E.", "%22", "%2F", "/%2F", "//", ").", "...", "/x/y.html", "%00", "%0D%0A", "%ff"),
    *("&utm_source=mail", "&utm_source=mail&utm_medium=a", "%26a=b", "%25", "。", "、", "）", "」", "”", "…"),
    *("%20", "%09", "%0A", "%C2%A0", "%E3%80%80", "%E2%80%8B", "\u200b\u2060\ufeff", "\u202e", "%20more"),
    *("é", "١", "🚲"),
)  # fmt: skip


@pytest.mark.parametrize("page", ["t", "embed"])
async def test_what_stands_behind_a_link_leads_to_the_link(service: Service, page: str) -> None:
    """308 to the link itself, HEAD too, with the query as it was asked for; then the page is there."""
    token = token_of(await service.new_order())
    async with httpx.AsyncClient(base_url=service.url) as anybody:
        for behind in BEHIND:
            for method in ("GET", "HEAD"):
                answer = await anybody.request(method, f"/{page}/{token}{behind}")
                if behind == "?":
                    assert answer.status_code == 200
                    continue
                assert (answer.status_code, answer.headers["location"]) == (308, f"/{page}/{token}"), behind
                assert answer.headers["cache-control"] == "no-store"
        asked = await anybody.get(f"/{page}/{token}.?lang=de&utm_source=a%20b%0d%0aX:y")
        assert asked.headers["location"] == f"/{page}/{token}?lang=de&utm_source=a%20b%0d%0aX:y"
        there = await anybody.get(f"/{page}/{token}).", follow_redirects=True)
        assert (there.status_code, there.url.path) == (200, f"/{page}/{token}")


async def test_a_redirect_keeps_the_query_and_adds_no_header() -> None:
    """Line breaks, spaces and letters outside ASCII are encoded."""
    assert location_of("/shop/t/tkn", b"lang=de") == "/shop/t/tkn?lang=de"
    assert location_of("/t/tkn", "a=\r\nX: y é".encode()) == "/t/tkn?a=%0D%0AX:%20y%20%C3%A9"


async def test_a_redirect_tells_nothing_of_links_that_do_not_open(service: Service) -> None:
    """Unknown, longer, and revoked ones are the 404 page, as without something behind them."""
    order = await service.new_order()
    token = token_of(order)
    async with httpx.AsyncClient(base_url=service.url) as anybody:
        for wrong in ("A" * 44 + ".", token + "x.", token + "_", token + "-)", token[:-1] + ".", "x/y"):
            answer = await anybody.get(f"/t/{wrong}")
            assert (answer.status_code, "This tracking link does not work" in answer.text) == (404, True), (
                wrong
            )
        [link] = (await service.get(f"/v1/orders/{order['id']}/links"))["items"]
        assert (await service.http.delete(f"/v1/orders/{order['id']}/links/{link['id']}")).status_code == 204
        assert (await anybody.get(f"/t/{token}.")).status_code == 404


@pytest.mark.parametrize("token", ["nonsense", "x" * 500, "..%2f..%2fetc", "%00"])
async def test_an_unknown_link_gets_a_page_for_people(service: Service, token: str) -> None:
    """404 with words, under the same policy."""
    async with httpx.AsyncClient() as anybody:
        answer = await anybody.get(f"{service.url}/t/{token}")
    assert answer.status_code == 404
    if token in {"nonsense", "x" * 500}:
        assert "This tracking link does not work" in answer.text
        assert "content-security-policy" in answer.headers


async def test_a_first_visit_is_small(service: Service) -> None:
    """Page, modules, map library, style, fonts and the tiles of one view, as they travel."""
    order = await service.new_order()
    page = await page_of(service, order)
    files = set(addresses(page.text))
    files |= {re.sub(r"maplibre-gl\.mjs", "maplibre-gl-worker.mjs", name) for name in files}
    style = await service.get("/map/style.json")
    files |= {faces[0]["url"] for faces in style["font-faces"].values()}
    files |= {f"/tiles/15/{18653 + x}/{9484 + y}.mvt" for x in range(2) for y in range(2)}
    sizes = {name: await size(service, name) for name in files | {"/map/style.json"}}
    total = len(gzip.compress(page.content)) + sum(sizes.values())
    assert total < FIRST_VISIT, sizes


async def size(service: Service, address: str) -> int:
    """Bytes of a body on the wire."""
    async with service.http.stream("GET", address, headers={"Accept-Encoding": "gzip, br"}) as answer:
        assert answer.status_code in {200, 204}, address
        return sum([len(piece) async for piece in answer.aiter_raw()])


async def test_files_are_kept_for_ever_under_their_version(service: Service) -> None:
    """With the version in its address a file never changes; without, the browser asks, and 304 is enough."""
    page = await page_of(service, await service.new_order())
    script = next(name for name in addresses(page.text) if name.endswith("/src/track.js"))
    answer = await service.http.get(script)
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-type"].startswith("text/javascript")
    plain = "/static/src/track.js"
    asked = await service.http.get(plain, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in asked.headers
    assert asked.headers["cache-control"] == "public, no-cache"
    again = await service.http.get(plain, headers={"If-None-Match": asked.headers["etag"]})
    assert again.status_code == 304 and not again.content


@pytest.mark.parametrize(
    "name",
    [
        "nothing.js",
        "../package.json",
        "templates/track.html",
        "package-lock.json",
        "types/order.d.ts",
        "vendor/maplibre-gl/maplibre-gl.d.mts",
    ],
)
async def test_only_what_is_meant_for_browsers_is_served(service: Service, name: str) -> None:
    """No other file of the folder, nor any above it."""
    assert (await service.http.get(f"/static/{name}")).status_code == 404


async def test_tiles_come_gzipped_or_not_at_all(service: Service) -> None:
    """200 with the file's own compression, 204 where there is nothing, 404 for what is no tile."""
    tile = await service.http.get("/tiles/15/18654/9484.mvt")
    assert tile.headers["content-encoding"] == "gzip"
    assert tile.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    assert "max-age" in tile.headers["cache-control"]
    assert (await service.http.get("/tiles/15/1/1.mvt")).status_code == 204
    assert (await service.http.get("/tiles/99999999999999999999/1/1.mvt")).status_code == 204
    assert (await service.http.get("/tiles/15/a/1.mvt")).status_code == 404


async def test_both_styles_ask_nobody_else(service: Service) -> None:
    """Tiles and fonts are ours, and the data's authors are named."""
    for theme in ("light", "dark"):
        style = await service.get(f"/map/style.json?theme={theme}")
        assert "OpenStreetMap contributors" in style["sources"]["map"]["attribution"]
        fonts = [face["url"] for faces in style["font-faces"].values() for face in faces]
        tiles = style["sources"]["map"]["tiles"]
        assert fonts
        assert tiles
        assert all(address.startswith("/") for address in [*fonts, *tiles])


async def test_the_start_page_leads_to_the_documentation(service: Service) -> None:
    """Whoever comes to the bare address learns what this is."""
    answer = await service.http.get("/")
    assert answer.status_code == 200
    assert "/docs" in addresses(answer.text)
