"""`/v1/brand`: who may change it, what it takes, and the files that browsers get of it."""

import re
from base64 import b64decode
from typing import Any

import httpx
import pytest

from tests.api.test_auth import key_with
from tests.branded import BAKERY, LOGO, branded
from tests.service import Service, token_of
from tracker.domain.branding.colour import contrast

NOTHING: dict[str, Any] = {
    "name": None, "logo": None, "colour": None, "support_url": None, "support_phone": None,
    "languages": [], "customer_may": [],
}  # fmt: skip

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_brand_is_read_as_it_was_written(service: Service) -> None:
    """Whole; what is absent is null or empty, and what is read can be written again."""
    assert await service.get("/v1/brand") == NOTHING
    whole: Any = {**BAKERY, "languages": ["fi", "sv", "en"], "customer_may": ["rate", "instruct"]}
    async with branded(service, **whole) as written:
        read = await service.get("/v1/brand")
        assert read == written
        assert read | {"logo": LOGO} == whole and "circle" in str(b64decode(read["logo"].partition(",")[2]))
        again = await service.http.put("/v1/brand", json=read)
        assert (again.status_code, again.json()) == (200, read)
        part = await service.http.put("/v1/brand", json={"name": " Mill "})
        assert part.json() == NOTHING | {"name": "Mill"}
    assert await service.get("/v1/brand") == NOTHING


WRONG: list[tuple[dict[str, object], str, str]] = [
    ({"name": ""}, "name", "60 characters"),
    ({"name": "x" * 61}, "name", "60 characters"),
    ({"name": "a\nb"}, "name", "line breaks"),
    ({"name": 7}, "name", "text"),
    ({"logo": "https://shop.example/logo.png"}, "logo", "data: URL"),
    ({"logo": "data:image/png;base64,AAAA"}, "logo", "PNG"),
    ({"logo": f"data:image/svg+xml,{'a' * 100_001}"}, "logo", "100,000 bytes"),
    ({"colour": "red"}, "colour", "#1f6feb"),
    ({"colour": "#fff"}, "colour", "#1f6feb"),
    ({"colour": "#12345g"}, "colour", "#1f6feb"),
    ({"support_url": "javascript:alert(1)"}, "support_url", "https://"),
    ({"support_url": "https://a b"}, "support_url", "https://"),
    ({"support_url": "https://user:pw@shop.example/"}, "support_url", "https://"),
    ({"support_url": "https://[::1"}, "support_url", "https://"),
    ({"support_url": "https://shop.example:99999/"}, "support_url", "https://"),
    ({"support_phone": "call me"}, "support_phone", "phone number"),
    ({"support_phone": "+358;ext=1"}, "support_phone", "phone number"),
    ({"languages": ["xx"]}, "languages[0]", "fi"),
    ({"languages": "fi"}, "languages", "list"),
    ({"customer_may": ["fly"]}, "customer_may[0]", "instruct"),
    ({"slogan": "fresh"}, "slogan", "unknown field"),
]


@pytest.mark.parametrize(("brand", "field", "why"), WRONG)
async def test_a_wrong_value_is_named(service: Service, brand: Any, field: str, why: str) -> None:
    """The field, and what is allowed; the brand stays as it was."""
    answer = await service.http.put("/v1/brand", json=brand)
    assert answer.status_code == 422, answer.text
    [error] = answer.json()["errors"]
    assert error["field"] == field and why in error["detail"], error
    assert await service.get("/v1/brand") == NOTHING


async def test_only_an_admin_reads_and_changes_the_brand(service: Service, service_database: str) -> None:
    """A key that may change orders may not."""
    key = await key_with(service_database, "orders")
    async with httpx.AsyncClient(base_url=service.url, headers={"Authorization": f"Bearer {key}"}) as shop:
        assert (await shop.get("/v1/brand")).status_code == 403
        assert (await shop.put("/v1/brand", json={"name": "Mine"})).status_code == 403
    async with httpx.AsyncClient(base_url=service.url) as anybody:
        assert (await anybody.get("/v1/brand")).status_code == 401
        assert (await anybody.put("/v1/brand", json={})).status_code == 401


async def page_of(service: Service) -> str:
    order = await service.new_order()
    async with httpx.AsyncClient() as anybody:
        return (await anybody.get(f"{service.url}/t/{token_of(order)}")).text


async def test_a_page_leads_to_the_files_of_the_brand(service: Service) -> None:
    """Under its version for ever, without any right to run or to load something; gone with the brand."""
    async with branded(service, **BAKERY), httpx.AsyncClient(base_url=service.url) as anybody:
        found = set(re.findall(r'"(/static/brand/[^"]+)"', await page_of(service)))
        names = {url.rpartition("/")[2] for url in found}
        assert names == {"logo.svg", "light.css", "dark.css", "manifest.webmanifest"}
        for url in found:
            answer = await anybody.get(url)
            assert answer.status_code == 200, url
            assert "immutable" in answer.headers["cache-control"]
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy and "sandbox" in policy and "script" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["access-control-allow-origin"] == "*"  # the page in another site
        [logo] = [url for url in found if "logo" in url]
        drawing = await anybody.get(logo)
        assert (drawing.headers["content-type"], "circle" in drawing.text) == ("image/svg+xml", True)
        manifest = (await anybody.get(next(url for url in found if "manifest" in url))).json()
        assert (manifest["name"], manifest["icons"][0]["src"]) == ("Corner Bakery", logo)
        assert "start_url" not in manifest
    async with httpx.AsyncClient(base_url=service.url) as anybody:
        for url in found:
            assert (await anybody.get(url)).status_code == 404


async def test_both_themes_can_be_read_in_any_colour(service: Service) -> None:
    """The least contrast of the accent on its card is 4.5:1."""
    for colour in ("#ffff00", "#000000"):
        async with branded(service, colour=colour), httpx.AsyncClient(base_url=service.url) as anybody:
            for theme, surface in (("light", "#ffffff"), ("dark", "#1f232b")):
                [url] = re.findall(rf'"(/static/brand/[^"]+/{theme}\.css)"', await page_of(service))
                [accent] = re.findall(r"--accent-text: (#\w+);", (await anybody.get(url)).text)
                assert contrast(accent, surface) >= 4.5


async def test_without_a_brand_nothing_is_said_of_one(service: Service) -> None:
    """No colours, no logo, no name; the manifest alone, with a name that tells what it is."""
    page = await page_of(service)
    assert {url.rpartition("/")[2] for url in re.findall(r'"(/static/brand/[^"]+)"', page)} == {
        "manifest.webmanifest"
    }
    assert 'id="brand"' not in page
    assert LOGO not in page
