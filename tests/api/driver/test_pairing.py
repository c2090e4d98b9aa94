"""Pairing: a code gives one phone a token of the driver, once, and nobody else anything."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import httpx
import pytest_asyncio

from tests.api.merchant import fixes_from, problem, wrong_fields
from tests.service import Service, hear, running_service
from tests.waiting import until
from tracker.api.merchant.pairing_codes import PAIRING_TIME
from tracker.database import Database
from tracker.database.credentials.api_keys import ApiKey, insert_api_key
from tracker.database.credentials.driver_tokens import MOST_TOKENS
from tracker.rate_limits import PAIRINGS_AT_ONCE
from tracker.tokens import hash_token, new_api_key, new_id

PUBLIC = "https://track.example.com/shop"
ADDRESSES = iter(f"2001:db8:{n:x}::1" for n in range(1, 60_000))


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def service(data_dir: Path, own_database: str) -> AsyncIterator[Service]:
    """Below a path, behind a proxy that it trusts: so each test may come from addresses of its own."""
    async with running_service(
        data_dir, own_database, TRACKER_TRUSTED_PROXIES="127.0.0.0/8,::1", TRACKER_PUBLIC_URL=PUBLIC
    ) as running:
        yield running


async def pair(service: Service, code: str, address: str = "", **headers: str) -> httpx.Response:
    """A phone with no other credential, from an address of its own unless one is given."""
    headers |= {"Authorization": "", "X-Forwarded-For": address or next(ADDRESSES)}
    return await service.http.post("/v1/drivers/pair", json={"code": code}, headers=headers)


async def fetch(service: Service, link: str, method: str = "GET", **headers: str) -> httpx.Response:
    """An app that fetches its settings; the link names the public URL, in front of the service."""
    path = link.removeprefix(PUBLIC)
    assert path.startswith("/v1/")
    headers |= {"Authorization": "", "X-Forwarded-For": next(ADDRESSES)}
    return await service.http.request(method, path, headers=headers)


async def new_code(service: Service, driver: Any) -> Any:
    return await service.post(f"/v1/drivers/{driver['id']}/pairing", {})


async def accepted(service: Service, token: str) -> bool:
    headers = {"Authorization": f"Bearer {token}"}
    body = fixes_from(datetime.now(UTC), [(60.17, 24.94)])
    return (await service.http.post("/v1/drivers/fixes", json=body, headers=headers)).is_success


async def test_a_code_gives_one_more_token(service: Service) -> None:
    """The phone gets its own token and settings; the driver's other one stays valid."""
    driver = await service.new_driver("Aino Korhonen", "bicycle")
    made = await service.http.post(f"/v1/drivers/{driver['id']}/pairing")
    assert made.status_code == 201
    assert made.headers["location"] == f"/shop/v1/drivers/{driver['id']}"
    code = made.json()["code"]
    assert made.json()["url"] == f"https://track.example.com/shop/drive#pair={code}"
    lasts = datetime.fromisoformat(made.json()["expires_at"]) - datetime.now(UTC)
    assert PAIRING_TIME - timedelta(minutes=1) < lasts <= PAIRING_TIME
    paired = await pair(service, code)
    assert paired.status_code == 200
    assert paired.headers["cache-control"] == "private, no-store"
    said = paired.json()
    assert said["driver"] == {"id": driver["id"], "name": "Aino Korhonen", "vehicle": "bicycle"}
    assert said["setup"]["owntracks"]["password"] == said["token"] != driver["token"]
    assert said["setup"]["owntracks"]["url"] == "https://track.example.com/shop/ingest/owntracks"
    assert await accepted(service, said["token"])
    assert await accepted(service, driver["token"])


async def test_no_link_holds_a_token(service: Service) -> None:
    """What is shown as a QR code or sent is worth nothing after the code's one use."""
    driver = await service.new_driver()
    made = await service.http.post(f"/v1/drivers/{driver['id']}/pairing")
    assert driver["token"] not in made.text
    assert "tdt_" not in made.text


async def test_a_code_is_typed_in_any_way(service: Service) -> None:
    """Small letters, spaces, O for 0, I and L for 1, and the digits of other scripts."""
    driver = await service.new_driver()
    code = (await new_code(service, driver))["code"]
    typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l").replace("7", "٧")
    assert (await pair(service, f" {typed}\n")).status_code == 200


async def test_a_code_that_is_no_use_is_an_unknown_one(service: Service, own_database: str) -> None:
    """Used, expired, replaced, never made, of an erased driver, voided by a new token: one answer."""
    used, replaced, erased, voided, expired = [await service.new_driver() for _ in range(5)]
    codes = [(await new_code(service, one))["code"] for one in (used, replaced, erased, voided, expired)]
    assert (await pair(service, codes[0])).status_code == 200
    await new_code(service, replaced)
    await service.http.delete(f"/v1/drivers/{erased['id']}")
    await service.post(f"/v1/drivers/{voided['id']}/token", {})
    database = await asyncpg.connect(own_database)
    number = await database.fetchval("SELECT number FROM drivers WHERE id = $1", expired["id"])
    await database.execute("UPDATE pairing_codes SET expires_at = now() WHERE driver = $1", number)
    await database.close()
    answers = [await pair(service, code) for code in (*codes, "00000-00000", "", "🚲" * 50)]
    for answer in answers:
        problem(answer, 404, "not-found")
    assert len({answer.content for answer in answers}) == 1


async def test_a_bad_body_is_named(service: Service) -> None:
    """No code, a number, an unknown field, one that is far too long, and one that is no JSON."""
    for body, fields in (
        ({}, ["code"]),
        ({"code": 7}, ["code"]),
        ({"code": "7K3QM-X9RTB", "driver": "drv_1"}, ["driver"]),
        ({"code": "7" * 101}, ["code"]),
    ):
        headers = {"X-Forwarded-For": next(ADDRESSES)}
        assert wrong_fields(await service.http.post("/v1/drivers/pair", json=body, headers=headers)) == fields
    problem(await service.http.post("/v1/drivers/pair", content=b"{"), 400, "unparsable")
    problem(await service.http.post("/v1/drivers/pair", json={"code": "7" * 20_000}), 413, "too-large")


async def test_of_two_phones_one_wins(service: Service) -> None:
    """However many use one code at the same time, one gets a token."""
    driver = await service.new_driver()
    code = (await new_code(service, driver))["code"]
    answers = await asyncio.gather(*(pair(service, code) for _ in range(12)))
    assert sorted(answer.status_code for answer in answers) == [200] + [404] * 11


async def test_a_lost_answer_comes_again(service: Service, own_database: str) -> None:
    """To the same phone, which repeats its Idempotency-Key, until the code expires; to no other."""
    driver = await service.new_driver()
    code = (await new_code(service, driver))["code"]
    key = {"Idempotency-Key": "my-phone"}
    first = await pair(service, code, **key)
    again = await pair(service, code, **key)
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert again.content == first.content
    problem(await pair(service, code, **{"Idempotency-Key": "another"}), 404, "not-found")
    problem(await pair(service, code.lower(), **key), 409, "idempotency-mismatch")
    database = await asyncpg.connect(own_database)
    await database.execute("UPDATE pairing_codes SET expires_at = now()")
    await database.close()
    problem(await pair(service, code, **key), 404, "not-found")


async def test_a_pairing_is_made_once_for_one_idempotency_key(service: Service) -> None:
    """The same code again; without a key, a new one that replaces it."""
    driver = await service.new_driver()
    path, key = f"/v1/drivers/{driver['id']}/pairing", {"Idempotency-Key": f"pairing-{driver['id']}"}
    first = await service.http.post(path, headers=key)
    again = await service.http.post(path, headers=key)
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    assert (await new_code(service, driver))["code"] != first.json()["code"]
    problem(await pair(service, first.json()["code"]), 404, "not-found")


async def test_only_a_key_that_may_write_makes_a_code(service: Service, own_database: str) -> None:
    """Not the scope `read`, no driver's token, no key; an unknown driver is 404."""
    driver = await service.new_driver()
    path = f"/v1/drivers/{driver['id']}/pairing"
    reader = new_api_key()
    async with Database.open(own_database) as database:
        key = ApiKey(new_id("key"), "read")
        await insert_api_key(database, key, "reader", hash_token(reader), datetime.now(UTC))
    problem(await service.http.post(path, headers={"Authorization": f"Bearer {reader}"}), 403, "forbidden")
    for header in (f"Bearer {driver['token']}", ""):
        answer = await service.http.post(path, headers={"Authorization": header})
        problem(answer, 401, "unauthenticated")
    problem(await service.http.post("/v1/drivers/drv_none/pairing"), 404, "not-found")


async def test_guesses_are_limited_by_address(service: Service) -> None:
    """Right or wrong: after so many attempts even the right code waits, from this address only."""
    driver = await service.new_driver()
    code, address = (await new_code(service, driver))["code"], next(ADDRESSES)
    for _ in range(PAIRINGS_AT_ONCE):
        problem(await pair(service, "00000-00000", address), 404, "not-found")
    limited = await pair(service, code, address)
    problem(limited, 429, "rate-limited")
    assert 1 <= int(limited.headers["retry-after"]) <= 5
    assert (await pair(service, code)).status_code == 200


async def test_owntracks_fetches_its_settings(service: Service) -> None:
    """The link names a file that exists once; the app's settings hold the new token."""
    driver = await service.new_driver()
    link = urlsplit((await new_code(service, driver))["links"]["owntracks"])
    assert (link.scheme, link.netloc, link.path) == ("owntracks", "", "/config")
    [url] = parse_qs(link.query)["url"]
    answer = await fetch(service, url, **{"User-Agent": "okhttp/5.3.2"})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "private, no-store"
    file = answer.json()
    assert (file["_type"], file["mode"], file["auth"]) == ("configuration", 3, True)
    assert file["url"] == "https://track.example.com/shop/ingest/owntracks"
    assert file["username"] == driver["id"]
    assert await accepted(service, file["password"])
    problem(await fetch(service, url), 404, "not-found")


async def test_gpslogger_fetches_its_profile(service: Service) -> None:
    """A profile of its custom URL, with the new token, once."""
    driver = await service.new_driver()
    link = (await new_code(service, driver))["links"]["gpslogger"]
    url = link.removeprefix("gpslogger://properties/")
    answer = await fetch(service, url)
    assert answer.status_code == 200
    settings = dict(line.split("=", 1) for line in answer.text.splitlines())
    assert settings["log_customurl_url"].startswith("https://track.example.com/shop/ingest/osmand?lat=%LAT&")
    assert await accepted(service, settings["log_customurl_headers"].removeprefix("Authorization: Bearer "))
    problem(await fetch(service, url), 404, "not-found")


async def test_a_preview_uses_no_code_up(service: Service) -> None:
    """HEAD, a prefetch and a messenger's preview get 404; the app still gets its settings."""
    driver = await service.new_driver()
    url = parse_qs(urlsplit((await new_code(service, driver))["links"]["owntracks"]).query)["url"][0]
    assert (await fetch(service, url, "HEAD")).status_code == 404
    for headers in ({"User-Agent": "WhatsApp/2.23"}, {"Sec-Purpose": "prefetch"}):
        problem(await fetch(service, url, **headers), 404, "not-found")
    assert (await fetch(service, url)).status_code == 200


async def test_the_sixth_token_replaces_the_one_not_used_longest(service: Service, own_database: str) -> None:
    """Its connection is closed with 4001; all others stay."""
    driver = await service.new_driver()
    tokens = [driver["token"]]
    for _ in range(MOST_TOKENS - 1):
        tokens.append((await pair(service, (await new_code(service, driver))["code"])).json()["token"])
    database = await asyncpg.connect(own_database)
    number = await database.fetchval("SELECT number FROM drivers WHERE id = $1", driver["id"])
    earlier = "UPDATE driver_tokens SET used_at = used_at - interval '2 h' WHERE driver = $1"
    await database.execute(earlier, number)
    for token in (tokens[0], *tokens[2:]):
        assert await accepted(service, token)
    sixth = (await pair(service, (await new_code(service, driver))["code"])).json()["token"]
    left = await database.fetchval("SELECT count(*) FROM driver_tokens WHERE driver = $1", number)
    await database.close()
    assert left == MOST_TOKENS
    assert [await accepted(service, token) for token in (*tokens, sixth)] == [
        *(True, False, True, True, True, True)
    ]


async def test_a_replaced_tokens_connection_is_closed(service: Service) -> None:
    """Its device's connection closes with 4001."""
    driver = await service.new_driver()
    async with service.drive(driver["token"]) as oldest:
        await hear(oldest, "welcome")
        for _ in range(MOST_TOKENS):
            assert (await pair(service, (await new_code(service, driver))["code"])).status_code == 200
        await asyncio.wait_for(oldest.wait_closed(), 5)
    assert oldest.close_code == 4001


async def test_a_new_token_refuses_all_others(service: Service) -> None:
    """Those of every device, at once."""
    driver = await service.new_driver()
    second = (await pair(service, (await new_code(service, driver))["code"])).json()["token"]
    assert await accepted(service, driver["token"])  # just before, so that the node remembers the tokens
    assert await accepted(service, second)
    async with service.drive(second) as device:
        await hear(device, "welcome")
        fresh = (await service.post(f"/v1/drivers/{driver['id']}/token", {}))["token"]
        await asyncio.wait_for(device.wait_closed(), 5)
        assert device.close_code == 4001
    assert [await accepted(service, token) for token in (driver["token"], second, fresh)] == [
        *(False, False, True)
    ]


async def test_a_token_that_is_revoked_while_its_connection_opens(
    service: Service, own_database: str
) -> None:
    """It is still valid when it is looked up, and no longer when the driver's orders have been read: 4001."""
    driver = await service.new_driver()
    async with AsyncExitStack() as stack:
        database = await asyncpg.connect(own_database)
        stack.push_async_callback(database.close)
        async with database.transaction():
            await database.execute("LOCK TABLE stops IN ACCESS EXCLUSIVE MODE")
            device = await stack.enter_async_context(service.drive(driver["token"]))
            await until(lambda: waits_for_stops(own_database))
            await service.post(f"/v1/drivers/{driver['id']}/token", {})
        await asyncio.wait_for(device.wait_closed(), 10)
    assert device.close_code == 4001


async def waits_for_stops(database_url: str) -> bool:
    """Whether a session waits for the lock of the table."""
    connection = await asyncpg.connect(database_url)
    try:
        waiting = "SELECT 1 FROM pg_locks WHERE relation = 'stops'::regclass AND NOT granted"
        return bool(await connection.fetchval(waiting))
    finally:
        await connection.close()
