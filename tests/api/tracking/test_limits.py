"""What one customer, one link and one address may do at once; and who opened a link."""

import asyncio
from contextlib import AsyncExitStack, suppress
from ipaddress import ip_network
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.api.merchant import all_pages, problem
from tests.service import Service, hear, say, token_of
from tests.waiting import until
from tests.watchers import WAYS, Watcher, by_events
from tracker.api.client_info import agent_family, client_address, limit_key, network
from tracker.errors import TooManyConnections
from tracker.live.delivery.hub import VIEWS_PER_ADDRESS, VIEWS_PER_LINK, Hub


@pytest.fixture
async def order(service: Service) -> Any:
    return await service.new_order((await service.new_driver())["id"])


async def close_code(socket: ClientConnection) -> int | None:
    async with asyncio.timeout(10.0):
        with pytest.raises(ConnectionClosed):
            while True:
                await socket.recv()
    return socket.close_code


async def test_a_link_has_fifty_live_views_at_a_time(service: Service, order: Any) -> None:
    """One more is refused before it is accepted, by every way; one that leaves makes room."""
    path = f"/v1/track/{token_of(order)}"
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(service.watch(order)) for _ in range(VIEWS_PER_LINK)]
        for socket in sockets:
            await hear(socket, "snapshot")
        for refused in (f"{path}/poll", f"{path}/events"):
            problem(await service.http.get(refused), 429, "too-many-connections")
        with pytest.raises(InvalidStatus) as error:
            await service.watch(order)
        assert error.value.response.status_code == 429
        async with connect(f"{service.ws_url}{path}/stream", origin="http://shop.example") as browser:  # type: ignore[arg-type]
            assert await close_code(browser) == 4029
        assert (await service.http.get(path)).status_code == 200
        await sockets[0].close()

        async def has_room() -> bool:
            return (await service.http.get(f"{path}/poll?wait_s=0")).status_code != 429

        await until(has_room)


def test_an_address_has_a_thousand_live_views_at_a_time() -> None:
    """Whatever links it opens; other addresses are free to come."""
    hub = Hub()
    views = [
        (f"ord_{n}", hub.subscribe(f"ord_{n}", f"lnk_{n}", "192.0.2.1")) for n in range(VIEWS_PER_ADDRESS)
    ]
    with pytest.raises(TooManyConnections, match="one address"):
        hub.subscribe("ord_x", "lnk_x", "192.0.2.1")
    hub.subscribe("ord_x", "lnk_x", "192.0.2.2")
    hub.unsubscribe(*views[0])
    hub.subscribe("ord_x", "lnk_x", "192.0.2.1")


async def test_notes_are_limited(service: Service, order: Any) -> None:
    """Five at once for all who have the link; then 429, or an error on the socket that stays open."""
    path = f"/v1/track/{token_of(order)}/messages"
    async with service.watch(order) as customer:
        for n in range(4):
            assert (await service.http.post(path, json={"text": f"Note {n}"})).status_code == 204
        await say(customer, type="message", text="The fifth")
        await say(customer, type="message", text="The sixth")
        error = await hear(customer, "error")
        assert (error["code"], error["id"]) == ("rate_limited", None)
        problem(await service.http.post(path, json={"text": "More"}), 429, "rate-limited")
        await say(customer, type="ping", n=7)
        assert (await hear(customer, "pong"))["n"] == 7

    async def notes_kept() -> int:
        timeline = (await service.get(f"/v1/orders/{order['id']}/history"))["timeline"]
        return sum(entry["kind"] == "message" for entry in timeline)

    async def all_are_kept() -> bool:
        return await notes_kept() >= 5  # the fifth is stored while the sixth is refused

    await until(all_are_kept)
    assert await notes_kept() == 5


async def test_a_wrong_note_is_told_and_nothing_is_stored(service: Service, order: Any) -> None:
    """Empty words are refused by name, and so are words to nobody."""
    async with service.watch(order) as customer:
        await say(customer, type="message", text=" ")
        assert (await hear(customer, "error"))["code"] == "invalid_fields"
    await service.post(f"/v1/orders/{order['id']}/status", {"status": "cancelled"})
    late = await service.http.post(f"/v1/track/{token_of(order)}/messages", json={"text": "Hello?"})
    problem(late, 409, "conflict")


@pytest.mark.parametrize("flood", ["ping", "seen", "message", "nonsense"])
async def test_a_flood_closes_its_own_socket_only(service: Service, order: Any, flood: str) -> None:
    """4103, and other customers of the same order notice nothing."""
    frames = {
        "ping": '{"type":"ping","n":1}',
        "seen": '{"type":"seen","cursor":"x"}',
        "message": '{"type":"message","text":"x"}',
        "nonsense": "{",
    }
    async with service.watch(order) as quiet, service.watch(order) as loud:
        await hear(quiet, "snapshot")

        for _ in range(300):
            with suppress(ConnectionClosed):
                await loud.send(frames[flood])
            await asyncio.sleep(0)  # yields, so that the client reads as well
        assert await close_code(loud) == 4103
        await say(quiet, type="ping", n=1)
        assert (await hear(quiet, "pong"))["n"] == 1


async def test_frames_of_the_wrong_kind_or_size_close_the_socket(service: Service, order: Any) -> None:
    """1003 for the other kind than was agreed, 1009 for more than 4,096 bytes."""
    url = f"{service.ws_url}/v1/track/{token_of(order)}/stream"
    async with connect(url) as text:
        await text.send(b"\x80")
        assert await close_code(text) == 1003
    async with connect(url, subprotocols=["tracker.v1.msgpack"]) as binary:  # type: ignore[list-item]
        assert binary.subprotocol == "tracker.v1.msgpack"
        await binary.send("{}")
        assert await close_code(binary) == 1003
    async with connect(url) as big:
        await big.send(" " * 4_097)
        assert await close_code(big) == 1009
    async with connect(url) as newer:
        await hear(newer, "snapshot")
        for frame in ('{"type":"dance"}', "[]", "null", '{"type":"ping"}'):
            await newer.send(frame)
        assert (await hear(newer, "pong"))["n"] is None


async def test_every_opening_is_noted_for_the_merchant(service: Service, order: Any) -> None:
    """Its way, a part of the address and a family of browsers; coming back with a cursor is none."""
    token = token_of(order)
    (link,) = (await service.get(f"/v1/orders/{order['id']}/links"))["items"]
    path = f"/v1/orders/{order['id']}/links/{link['id']}/opens"
    agent = {"User-Agent": "Mozilla/5.0 (Linux; Android 15; Pixel 9) Gecko/145.0 Firefox/145.0"}
    assert (await service.http.get(f"/v1/track/{token}/poll?wait_s=0", headers=agent)).status_code == 200
    cursor = ""
    for way in ("ws", "sse", "poll"):
        watcher = Watcher()
        await watcher.until(WAYS[way](service, token), watcher.was_told)
        cursor = watcher.cursor
    back = Watcher()
    await back.until(by_events(service, token, cursor), lambda: bool(back.told))
    opens = await all_pages(service, path, limit=2)
    assert [one["way"] for one in opens] == ["poll", "sse", "ws", "poll"]
    assert {one["address"] for one in opens} == {"127.0.0.0/24"}
    assert opens[-1]["agent"] == "Firefox on Android"
    (link,) = (await service.get(f"/v1/orders/{order['id']}/links"))["items"]
    assert link["opened"] == 4
    other = await service.new_order()
    problem(await service.http.get(path.replace(order["id"], other["id"])), 404, "not-found")


async def opened(service: Service, order: Any) -> int:
    (link,) = (await service.get(f"/v1/orders/{order['id']}/links"))["items"]
    return int(link["opened"])


async def test_only_a_page_that_runs_opens_a_link(service: Service, order: Any) -> None:
    """Neither HEAD, nor the page or the snapshot alone, nor a prefetch, nor a link preview is an opening."""
    token = token_of(order)
    paths = [f"/t/{token}", f"/embed/{token}", f"/v1/track/{token}", f"/v1/track/{token}/poll?wait_s=0"]
    for path in (*paths, f"/t/{token}.", f"/v1/track/{token}/events"):
        assert (await service.http.head(path)).status_code in {200, 204, 308}, path
    for path in paths[:3]:
        assert (await service.http.get(path)).is_success
    for name, said in (
        ("Sec-Purpose", "prefetch;prerender"),
        ("Purpose", "prefetch"),
        ("X-Moz", "prefetch"),
        (
            "User-Agent",
            "Mozilla/5.0 AppleWebKit (KHTML, like Gecko) Version/9.0 Safari facebookexternalhit/1.1",
        ),
        ("User-Agent", "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"),
        ("User-Agent", "WhatsApp/2.23.20.0 A"),
        ("User-Agent", "TelegramBot (like TwitterBot)"),
    ):
        assert (await service.http.get(paths[3], headers={name: said})).status_code == 200
    assert await opened(service, order) == 0
    cubot = {"User-Agent": "Mozilla/5.0 (Linux; Android 14; CUBOT X50) AppleWebKit/537.36 Chrome/142.0.0.0"}
    assert (await service.http.get(paths[3], headers=cubot)).status_code == 200
    assert await opened(service, order) == 1


async def test_one_load_of_a_page_opens_once_by_all_ways(service: Service, order: Any) -> None:
    """A page that finds no way through tries the next one, as the same visit; the next load is another."""
    track = f"/v1/track/{token_of(order)}"
    for visit in ("first-load", "other-load"):
        socket = f"{service.ws_url}{track}/stream?visit={visit}"
        async with connect(socket) as page:
            await hear(page, "snapshot")
        async with service.http.stream("GET", f"{track}/events?visit={visit}") as events:
            assert events.status_code == 200
        for _ in range(2):
            assert (await service.http.get(f"{track}/poll?wait_s=0&visit={visit}")).status_code == 200
    assert await opened(service, order) == 2
    for nothing in ("", "short", "not%20one", "x" * 65):
        assert (await service.http.get(f"{track}/poll?wait_s=0&visit={nothing}")).status_code == 200
    assert await opened(service, order) == 6
    (link,) = (await service.get(f"/v1/orders/{order['id']}/links"))["items"]
    answer = await service.http.get(f"/v1/orders/{order['id']}/links/{link['id']}/opens")
    assert "load" not in answer.text


def test_what_is_noted_tells_no_two_neighbours_apart() -> None:
    """24 bits of IPv4, 48 of IPv6; a family without its version."""
    assert network(client_address("203.0.113.77", "", ())) == "203.0.113.0/24"
    assert network(client_address("2001:db8:1:2::3", "", ())) == "2001:db8:1::/48"
    assert network(client_address("::ffff:203.0.113.77", "", ())) == "203.0.113.0/24"
    assert network(client_address("not an address", "", ())) is None
    assert limit_key(client_address("2001:db8:1:2::3", "", ())) == "2001:db8:1:2::/64"
    chrome = (
        "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
    )
    assert agent_family(chrome) == "Chrome on Windows"
    assert agent_family(chrome + " Edg/142.0") == "Edge on Windows"
    assert agent_family("something") == "Other"
    assert agent_family(None) is None


def test_only_proxies_of_ours_are_believed() -> None:
    """From the end of what was forwarded to the first that is none: the rest could be anybody's invention."""
    ours = (ip_network("10.0.0.0/8"),)
    assert str(client_address("10.0.0.5", "198.51.100.1, 203.0.113.9", ours)) == "203.0.113.9"
    assert str(client_address("10.0.0.5", "198.51.100.1, 203.0.113.9, 10.0.0.7", ours)) == "203.0.113.9"
    assert str(client_address("127.0.0.1", "203.0.113.9", ours)) == "127.0.0.1"
    assert str(client_address("10.0.0.5", "nonsense", ours)) == "10.0.0.5"
