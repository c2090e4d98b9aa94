"""The start page, and what browsers and programs get for paths that do not exist."""

import re

import httpx
import pytest

from tests.branded import branded
from tests.service import Service

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}

pytestmark = pytest.mark.asyncio(loop_scope="session")


def hrefs(page: str) -> list[str]:
    return re.findall(r'<a href="([^"]+)"', page)


async def test_the_start_page_leads_to_everything_for_people(service: Service) -> None:
    """Each link leads somewhere; the shop's name stands in the heading; nothing comes from elsewhere."""
    async with branded(service, name="Corner Bakery"), httpx.AsyncClient(base_url=service.url) as anybody:
        page = await anybody.get("/", headers=BROWSER)
        assert page.status_code == 200
        assert "<h1>Corner Bakery: order tracking</h1>" in page.text
        assert {"/drive", "/docs", "/readyz"} <= set(hrefs(page.text))
        for href in hrefs(page.text):
            assert (await anybody.get(href, headers=BROWSER)).status_code == 200, href
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert (page.headers["x-frame-options"], page.headers["cache-control"]) == ("DENY", "no-store")


@pytest.mark.parametrize(
    "path", ["/nothing", "/v1/nothing", "/t", "/nothing/A_token-like-text-of-44-characters-01234567"]
)
async def test_an_unknown_path_is_a_page_for_people_and_a_problem_for_programs(
    service: Service, path: str
) -> None:
    """404 both; the page repeats nothing of the path, which may hold a token."""
    async with httpx.AsyncClient(base_url=service.url) as anybody:
        page = await anybody.get(path, headers=BROWSER)
        problems = [
            await anybody.get(path, headers=headers)
            for headers in (
                {},
                {"Accept": "*/*"},
                {"Accept": "application/json"},
                {"Accept": "application/json, text/html"},
            )
        ]
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "This page does not exist" in page.text and "token-like" not in page.text
    assert hrefs(page.text) == ["/"] and "default-src 'none'" in page.headers["content-security-policy"]
    for problem in problems:
        assert (problem.status_code, problem.headers["content-type"]) == (404, "application/problem+json")
        assert "accept" in problem.headers["vary"].lower()
