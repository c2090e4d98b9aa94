"""A browser logs in with a key, acts with its cookie from the service's own pages only, and logs out."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie

import asyncpg
import httpx
import pytest

from tests.api.merchant import ORDER, problem
from tests.api.test_auth import key_with
from tests.service import ADMIN_KEY, Service
from tracker.database import Database
from tracker.database.credentials.api_keys import revoke_api_key
from tracker.tokens import hash_token

COOKIE = "tracker_session"


@pytest.fixture
async def browser(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a cookie jar and no key, whose pages are the service's."""
    headers = {"Origin": service.url}
    async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=30.0) as client:
        yield client


async def log_in(browser: httpx.AsyncClient, key: str) -> httpx.Response:
    answer = await browser.post("/v1/session", json={"key": key})
    assert answer.status_code == 204, answer.text
    return answer


async def test_the_cookie_acts_with_the_scopes_of_its_key(
    service: Service, service_database: str, browser: httpx.AsyncClient
) -> None:
    """`read` can look and not change; `orders` can. The page learns which from the service."""
    problem(await browser.get("/v1/session"), 401, "unauthenticated")
    await log_in(browser, await key_with(service_database, "read"))
    assert (await browser.get("/v1/orders")).status_code == 200
    problem(await browser.post("/v1/orders", json=ORDER), 403, "forbidden")
    shown = (await browser.get("/v1/session")).json()
    assert (shown["name"], shown["scopes"]) == ("read", ["read"])
    lasts = datetime.fromisoformat(shown["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=6.9) < lasts <= timedelta(days=7)
    await log_in(browser, f" {await key_with(service_database, 'orders')}\n")
    assert (await browser.post("/v1/orders", json=ORDER)).status_code == 201
    with_key = (await service.http.get("/v1/session")).json()
    assert with_key == {
        "name": "TRACKER_ADMIN_KEY",
        "scopes": ["read", "orders", "admin"],
        "expires_at": None,
    }


async def test_the_cookie_is_for_this_host_and_no_script(
    service: Service, service_database: str, browser: httpx.AsyncClient
) -> None:
    """Its flags, over TLS and over plain HTTP on loopback; elsewhere nobody logs in without TLS."""
    key = await key_with(service_database, "read")
    plain = SimpleCookie((await log_in(browser, key)).headers["Set-Cookie"])[COOKIE]
    assert (plain["httponly"], plain["samesite"], plain["path"]) == (True, "Strict", "/")
    assert not plain["secure"]
    assert not plain["domain"]
    for host in ("192.168.1.5:8080", "shop.example", "127.0.0.1.evil.example", "localhost.evil.example"):
        headers = {"Host": host, "Origin": f"http://{host}"}
        refused = await browser.post("/v1/session", json={"key": key}, headers=headers)
        assert "https" in problem(refused, 400, "bad-request")["detail"]
    planted = {"Host": "shop.example", "Cookie": f"{COOKIE}={plain.value}"}
    problem(
        await service.http.get("/v1/orders", headers={**planted, "Authorization": ""}), 401, "unauthenticated"
    )


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", "http://127.0.0.1:1", ""])
async def test_another_sites_page_changes_nothing(
    service: Service, service_database: str, browser: httpx.AsyncClient, origin: str | None
) -> None:
    """Nor does a request without an origin. Reading is safe: another site's page cannot read."""
    await log_in(browser, await key_with(service_database, "admin"))
    driver = await service.new_driver()
    foreign = {} if origin is None else {"Origin": origin}
    async with httpx.AsyncClient(base_url=service.url, cookies=browser.cookies, headers=foreign) as other:
        problem(await other.post("/v1/orders", json=ORDER), 403, "foreign-origin")
        problem(await other.delete(f"/v1/drivers/{driver['id']}"), 403, "foreign-origin")
        problem(await other.delete("/v1/session"), 403, "foreign-origin")
        assert (await other.get(f"/v1/drivers/{driver['id']}")).status_code == 200
        with_key = {"Authorization": f"Bearer {ADMIN_KEY}"}
        assert (await other.post("/v1/orders", json=ORDER, headers=with_key)).status_code == 201
    assert (await browser.get("/v1/session")).status_code == 200
    if origin:  # nor does it log anybody in, as another one
        answer = await browser.post("/v1/session", json={"key": ADMIN_KEY}, headers={"Origin": origin})
        problem(answer, 403, "foreign-origin")


async def test_a_session_ends_with_its_key_by_logging_out_and_by_time(
    service: Service, service_database: str, browser: httpx.AsyncClient
) -> None:
    """Each at once, and what the database holds opens nothing."""
    key = await key_with(service_database, "read")
    connection = await asyncpg.connect(service_database)
    try:
        await log_in(browser, key)
        stored = str(await connection.fetch("SELECT * FROM sessions"))
        assert browser.cookies[COOKIE] not in stored
        assert key not in stored
        copy = dict(browser.cookies)
        assert (await browser.delete("/v1/session")).status_code == 204
        assert COOKIE not in browser.cookies
        stolen = {"Cookie": f"{COOKIE}={copy[COOKIE]}"}
        problem(await browser.get("/v1/orders", headers=stolen), 401, "unauthenticated")
        for column, age in (("created_at", "7 days"), ("used_at", "12 hours")):
            await log_in(browser, key)
            token = hash_token(browser.cookies[COOKIE])
            by_age = f"UPDATE sessions SET {column} = now() - $2::text::interval WHERE token_hash = $1"
            await connection.execute(by_age, token, age)
            problem(await browser.get("/v1/orders"), 401, "unauthenticated")
        await log_in(browser, key)
        key_id = await connection.fetchval("SELECT id FROM api_keys WHERE key_hash = $1", hash_token(key))
        async with Database.open(service_database) as database:
            assert await revoke_api_key(database, key_id, datetime.now(UTC))
        problem(await browser.get("/v1/orders"), 401, "unauthenticated")
    finally:
        await connection.close()


async def test_a_session_of_the_admin_key_ends_with_the_setting(
    service: Service, service_database: str, browser: httpx.AsyncClient
) -> None:
    """It works like any other; a mark of another key, as after a change of the setting, opens nothing."""
    await log_in(browser, ADMIN_KEY)
    assert (await browser.get("/v1/session")).json()["scopes"] == ["read", "orders", "admin"]
    connection = await asyncpg.connect(service_database)
    await connection.execute("UPDATE sessions SET admin_mark = '\\x00' WHERE admin_mark IS NOT NULL")
    await connection.close()
    problem(await browser.get("/v1/session"), 401, "unauthenticated")


async def test_a_wrong_key_logs_nobody_in(browser: httpx.AsyncClient) -> None:
    """It says so, sets no cookie, and unknown fields are named."""
    answer = await browser.post("/v1/session", json={"key": "tak_wrong"})
    problem(answer, 401, "unauthenticated")
    assert "Set-Cookie" not in answer.headers
    problem(await browser.post("/v1/session", json={"key": "a", "user": "b"}), 422, "invalid-fields")
