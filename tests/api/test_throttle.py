"""Guessing keys, tokens and links is slowed down, and nobody else behind the same address is."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.api.merchant import problem
from tests.conftest import temporary_database
from tests.service import Service, hear, running_service, say, token_of
from tracker.node import GUESSES_AT_ONCE

OF_EACH_ANSWER = {"date", "x-request-id"}

WRONG = {"Authorization": "Bearer tak_wrong"}


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def guarded(data_dir: Path, postgres: str, template: str) -> AsyncIterator[Service]:
    """A node of its own behind a proxy at 127.0.0.1: other tests' wrong tokens do not count here."""
    async with (
        temporary_database(postgres, template) as url,
        running_service(data_dir, url, TRACKER_TRUSTED_PROXIES="127.0.0.0/8") as running,
    ):
        yield running


def as_from(address: str, **more: str) -> dict[str, str]:
    return {"X-Forwarded-For": address, **more}


async def guess(service: Service, way: str, address: str) -> httpx.Response:
    if way == "link":
        return await service.http.get(f"/v1/track/{'A' * 44}", headers=as_from(address))
    if way == "page":
        return await service.http.get(f"/t/{'A' * 44}.", headers=as_from(address))
    if way == "driver":
        return await service.http.post("/v1/drivers/fixes", json=[], headers=WRONG | as_from(address))
    return await service.http.get("/v1/orders", headers=WRONG | as_from(address))


@pytest.mark.parametrize(
    ("way", "refusal", "address"),
    [
        ("key", 401, "192.0.2.1"),
        ("driver", 401, "192.0.2.2"),
        ("link", 404, "192.0.2.3"),
        ("page", 404, "192.0.2.9"),
    ],
)
async def test_too_many_wrong_guesses_are_told_to_wait(
    guarded: Service, way: str, refusal: int, address: str
) -> None:
    """First each is refused as ever; then it is 429 with a Retry-After. Other addresses are not concerned."""
    answers = [await guess(guarded, way, address) for _ in range(GUESSES_AT_ONCE + 20)]
    assert {answer.status_code for answer in answers[:GUESSES_AT_ONCE]} == {refusal}
    late = [answer for answer in answers if answer.status_code == 429]
    assert late
    assert int(problem(late[0], 429, "rate-limited") and late[0].headers["Retry-After"]) > 0
    assert (await guess(guarded, way, "198.51.100.77")).status_code == refusal


async def test_whoever_has_a_good_one_is_not_held_up(guarded: Service) -> None:
    """Behind an address that only guesses: keys, drivers and customers get in, by HTTP and by socket."""
    driver = await guarded.new_driver()
    order = await guarded.new_order(driver["id"])
    here = as_from("192.0.2.4")
    while (await guess(guarded, "key", "192.0.2.4")).status_code != 429:
        pass
    assert (await guarded.http.get("/v1/orders", headers=here)).status_code == 200
    assert (await guarded.http.get(f"/v1/track/{token_of(order)}", headers=here)).status_code == 200
    good = {"Authorization": f"Bearer {driver['token']}"} | here
    assert (await guarded.http.post("/v1/drivers/fixes", json=[], headers=good)).status_code == 200
    async with connect(f"{guarded.ws_url}/v1/drivers/stream", additional_headers=good) as courier:
        await hear(courier, "welcome")


async def test_a_browser_that_guesses_is_told_to_back_off(guarded: Service) -> None:
    """By the close code: 4001, and 4103 when it does not stop."""
    url = f"{guarded.ws_url}/v1/drivers/stream"

    async def closed_with() -> int:
        headers = as_from("192.0.2.5")
        async with connect(url, origin=guarded.url, additional_headers=headers) as courier:  # type: ignore[arg-type]
            await say(courier, type="hello", token="tdt_wrong")
            with pytest.raises(ConnectionClosed):
                await courier.recv()
            return int(courier.close_code or 0)

    assert await closed_with() == 4001
    while (await guess(guarded, "key", "192.0.2.5")).status_code != 429:
        pass
    assert await closed_with() == 4103


async def test_the_whole_of_a_customers_ipv6_network_is_one_address(guarded: Service) -> None:
    """Whoever has 64 bits of addresses has no more guesses than others."""
    answers = [await guess(guarded, "link", f"2001:db8::{n:x}") for n in range(1, GUESSES_AT_ONCE + 20)]
    assert answers[-1].status_code == 429


async def test_waiting_helps(guarded: Service) -> None:
    """One more guess a second."""
    while (await guess(guarded, "link", "192.0.2.6")).status_code != 429:
        pass
    async with asyncio.timeout(5):
        while (await guess(guarded, "link", "192.0.2.6")).status_code == 429:
            pass


async def test_links_begin_with_what_a_trusted_proxy_was_asked_for(guarded: Service) -> None:
    """Scheme and host of the outside; under TLS browsers are told to stay there."""
    order = await guarded.new_order()
    outside = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "track.example"}
    seen = await guarded.http.get(f"/v1/orders/{order['id']}", headers=outside)
    assert seen.json()["tracking_url"].startswith("https://track.example/t/")
    assert "max-age" in seen.headers["Strict-Transport-Security"]
    odd = await guarded.http.get(f"/v1/orders/{order['id']}", headers={"X-Forwarded-Host": "a b/c@d"})
    assert odd.json()["tracking_url"].startswith(f"{guarded.url}/t/")


async def test_the_line_that_the_proxy_added_counts(guarded: Service) -> None:
    """A client's own X-Forwarded-For above the proxy's line changes nothing."""

    async def ask(forged: int) -> int:
        lines = [("X-Forwarded-For", f"198.51.100.{forged}"), ("X-Forwarded-For", "192.0.2.7")]
        answer = await guarded.http.get(f"/v1/track/{'A' * 44}", headers=lines)
        return answer.status_code

    statuses = [await ask(n) for n in range(GUESSES_AT_ONCE + 20)]
    assert 429 in statuses[GUESSES_AT_ONCE:]


async def test_an_untrusted_proxy_is_named_in_the_log_once(service: Service) -> None:
    """With its address and the setting to change; what it claims is not logged."""
    for _ in range(2):
        await service.http.get("/livez", headers=as_from("198.51.100.78"))
        async with connect(
            f"{service.ws_url}/v1/drivers/stream", additional_headers=as_from("198.51.100.78")
        ):
            pass
    text = service.log.read_text("utf-8")
    (line,) = [line for line in text.splitlines() if "forwarded_headers_ignored" in line]
    assert "127.0.0.1" in line
    assert "TRACKER_TRUSTED_PROXIES" in line
    assert "198.51.100.78" not in text


async def test_nobody_elses_headers_are_believed(service: Service) -> None:
    """Without configured proxies those headers change nothing."""
    order = await service.new_order()
    outside = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
    seen = await service.http.get(f"/v1/orders/{order['id']}", headers=outside)
    assert seen.json()["tracking_url"].startswith(f"{service.url}/t/")
    assert "Strict-Transport-Security" not in seen.headers


@pytest.mark.parametrize(
    "path",
    ["/livez", "/v1/orders", "/v1/nothing", "/t/x", "/metrics", "/docs", "/v1/track/x", "/openapi.json"],
)
async def test_every_answer_has_the_security_headers(service: Service, path: str) -> None:
    """Whatever comes of the request; and none says what runs here."""
    answer = await service.http.get(path)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "server" not in answer.headers


async def test_foreign_missing_and_ended_look_the_same(service: Service) -> None:
    """A revoked link, one never made and nonsense: one status, one body, the same headers but the id."""
    order = await service.new_order()
    links: Any = await service.get(f"/v1/orders/{order['id']}/links")
    link = (links["items"] if isinstance(links, dict) else links)[0]
    assert (await service.http.delete(f"/v1/orders/{order['id']}/links/{link['id']}")).is_success
    answers = [
        await service.http.get(f"/v1/track/{token}", headers={"Authorization": ""})
        for token in (token_of(order), "A" * 44, "nonsense")
    ]
    told = {
        (
            one.status_code,
            one.content,
            *sorted((k, v) for k, v in one.headers.items() if k not in OF_EACH_ANSWER),
        )
        for one in answers
    }
    assert len(told) == 1
    assert answers[0].status_code == 404
