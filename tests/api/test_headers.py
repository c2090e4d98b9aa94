"""What every answer says besides its content, and what every path answers to any method."""

import pytest

from tests.api.merchant import ORDER, problem
from tests.service import Service, token_of


async def test_no_cache_keeps_what_a_key_or_token_was_answered(service: Service) -> None:
    """Success, a refusal or a track: `private, no-store`, and what is left of the allowance."""
    driver = await service.new_driver()
    order = await service.new_order(driver["id"])
    bearer = {"Authorization": f"Bearer {driver['token']}"}
    http, path = service.http, f"/v1/orders/{order['id']}"
    answers = [
        await http.get(path),
        await http.get("/v1/orders"),
        await http.get(f"{path}/track.gpx"),
        await http.get(f"{path}/track.json"),
        await http.get("/v1/orders/ord_none"),
        await http.get("/v1/orders?limit=0"),
        await http.post("/v1/orders", content=b"{"),
        await http.post("/v1/orders", json=ORDER | {"unknown": 1}),
        await http.patch(path, json={}, headers={"If-Match": '"0"'}),
        await http.post("/v1/drivers/fixes", json=[], headers=bearer),
        await http.post("/v1/drivers/fixes", content=b"{", headers=bearer),
    ]
    assert [answer.status_code for answer in answers] == [200] * 4 + [404, 422, 400, 422, 412, 200, 400]
    for answer in answers:
        assert answer.headers["Cache-Control"] == "private, no-store", answer.request.url
        assert {"ratelimit", "ratelimit-policy"} <= answer.headers.keys(), answer.request.url


async def test_the_icon_that_browsers_ask_for_exists(service: Service) -> None:
    """An image, which they may keep."""
    icon = await service.http.get("/favicon.ico", headers={"Authorization": ""})
    assert icon.status_code == 200
    assert icon.headers["Content-Type"] == "image/svg+xml"
    assert "<svg" in icon.text
    assert "max-age" in icon.headers["Cache-Control"]
    known = {"If-None-Match": icon.headers["ETag"]}
    assert (await service.http.get("/favicon.ico", headers=known)).status_code == 304


async def test_crawlers_are_kept_off_tracking_links(service: Service) -> None:
    """Those of both kinds."""
    robots = await service.http.get("/robots.txt", headers={"Authorization": ""})
    assert robots.status_code == 200
    assert robots.headers["Content-Type"].startswith("text/plain")
    assert robots.text.splitlines() == ["User-agent: *", "Disallow: /t/", "Disallow: /embed/"]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/livez",
        "/metrics",
        "/favicon.ico",
        "/robots.txt",
        "/openapi.json",
        "/v1/orders",
        "ORDER",
        "PAGE",
    ],
)
async def test_each_path_answers_every_method(service: Service, path: str) -> None:
    """HEAD like GET, OPTIONS with what there is, and 405 with the same for the rest."""
    order = await service.new_order()
    path = {"ORDER": f"/v1/orders/{order['id']}", "PAGE": f"/t/{token_of(order)}"}.get(path, path)
    head, got = await service.http.head(path), await service.http.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Type"] == got.headers["Content-Type"]
    options = await service.http.options(path, headers={"Authorization": ""})
    allowed = set(options.headers["Allow"].split(", "))
    assert options.status_code == 200
    assert allowed >= {"GET", "HEAD", "OPTIONS"}
    for method in {"PUT", "DELETE", "TRACE", "PROPFIND", "BREW"} - allowed:
        answer = await service.http.request(method, path)
        problem(answer, 405, "method-not-allowed")
        assert set(answer.headers["Allow"].split(", ")) == allowed
