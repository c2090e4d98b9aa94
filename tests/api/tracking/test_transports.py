"""The live view by socket, MessagePack, server-sent events and polls: the same messages, cursors and ends."""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.api.merchant import problem, rfc3339, wrong_fields
from tests.service import Service, hear, running_service, say, token_of, until_metric
from tests.test_end_to_end import fix, on_the_way
from tests.watchers import WAYS, Watcher, by_events, by_polls, by_socket

every_way = pytest.mark.parametrize("way", WAYS)


async def drive_to(service: Service, driver: Any, share: float) -> None:
    headers = {"Authorization": f"Bearer {driver['token']}"}
    await service.post("/v1/drivers/fixes", [fix(0.0, *place(share))], **headers)


def place(share: float) -> tuple[float, float]:
    """Near enough to each other that nobody doubts that a car got there."""
    return on_the_way(0.3 * share)


async def on_the_road(service: Service, **more: object) -> tuple[Any, Any, str]:
    driver = await service.new_driver()
    order = await service.new_order(driver["id"], **more)
    return driver, order, token_of(order)


def at(watcher: Watcher, share: float) -> bool:
    position = watcher.state.get("position")
    return position is not None and position["lat"] == pytest.approx(place(share)[0])


@every_way
async def test_a_snapshot_then_what_changes_then_the_end(service: Service, way: str) -> None:
    """The first message is a snapshot; each status comes; the last is `end` with its reason."""
    driver, order, token = await on_the_road(service)
    watcher = Watcher()
    watching = asyncio.create_task(watcher.watch(WAYS[way](service, token)))
    async with asyncio.timeout(15.0):
        await watcher.reaches(lambda: bool(watcher.told))
        await drive_to(service, driver, 0.2)
        await service.post(f"/v1/orders/{order['id']}/status", {"status": "picked_up"})
        await drive_to(service, driver, 0.3)
        await watcher.reaches(lambda: at(watcher, 0.3))
        await service.post(f"/v1/orders/{order['id']}/status", {"status": "delivered"})
        await watching
    assert watcher.told[0][1]["type"] == "snapshot"
    statuses = [message["order"]["status"] for message in watcher.of("update") if "order" in message]
    assert statuses == ["picked_up", "delivered"]
    assert (watcher.state["visibility"], watcher.state["position"], watcher.ended) == (
        "ended",
        None,
        "delivered",
    )
    assert watcher.told[-1][1]["type"] == "end"


@every_way
async def test_whoever_comes_back_is_told_what_was_missed_in_one_update(service: Service, way: str) -> None:
    """The trail's missed piece is in it, words come before it, and the state is that of one who stayed."""
    driver, order, token = await on_the_road(service)
    watcher = Watcher()
    await drive_to(service, driver, 0.1)
    await watcher.until(WAYS[way](service, token), lambda: bool(watcher.of("snapshot")))
    begin = len(watcher.told)
    for step in range(2, 6):
        await drive_to(service, driver, step / 10)
    async with service.drive(driver["token"]) as courier:
        await hear(courier, "welcome")
        await say(courier, type="message", id=1, order_id=order["id"], text="Soon there")
        await hear(courier, "ack")
    await watcher.until(WAYS[way](service, token, watcher.cursor), lambda: at(watcher, 0.5))
    types = [message["type"] for _, message in watcher.told[begin:]]
    assert types == ["message", "update"]
    assert len(watcher.state["trail"]["coordinates"]) == 5
    fresh = await service.get(f"/v1/track/{token}")
    assert watcher.state == {name: fresh[name] for name in watcher.state}


@every_way
@pytest.mark.parametrize("kind", ["foreign", "future", "garbage", "none of ours", "not ASCII"])
async def test_a_cursor_that_says_nothing_gets_a_snapshot(service: Service, way: str, kind: str) -> None:
    """Never an error, and the same whatever was wrong with it."""
    _, _, token = await on_the_road(service)
    _, _, other = await on_the_road(service)
    own = (await service.get(f"/v1/track/{token}"))["cursor"]
    cursor = {
        "foreign": (await service.get(f"/v1/track/{other}"))["cursor"],
        "future": own.partition("-")[0] + "-999999",
        "garbage": "%00-;--9e99",
        "none of ours": "0123456789abcdef01-0",
        "not ASCII": "%C3%BC-%D9%A1",
    }[kind]
    if way == "sse" and kind == "not ASCII":
        cursor = "~"  # no header holds another
    watcher = Watcher()
    await watcher.until(WAYS[way](service, token, cursor), lambda: bool(watcher.told))
    assert watcher.told[0][1]["type"] == "snapshot"


async def test_a_cursor_of_one_way_goes_on_with_any_other(service: Service) -> None:
    """Falling back and probing the way back costs nothing."""
    driver, _, token = await on_the_road(service)
    watcher = Watcher()
    await watcher.until(by_socket(service, token), lambda: bool(watcher.told))
    for step, way in enumerate([by_events, by_polls, by_socket], start=1):
        await drive_to(service, driver, step / 10)
        await watcher.until(way(service, token, watcher.cursor), partial(at, watcher, step / 10))
    assert len(watcher.of("snapshot")) == 1


@pytest.mark.parametrize("way", ["ws", "msgpack", "sse"])
async def test_who_missed_nothing_is_heard_at_once(service: Service, way: str) -> None:
    """With a cursor that is up to date a stream begins with a heartbeat."""
    _, _, token = await on_the_road(service)
    cursor = (await service.get(f"/v1/track/{token}"))["cursor"]
    watcher = Watcher()
    await watcher.until(WAYS[way](service, token, cursor), lambda: bool(watcher.told), within=1.0)
    assert [(message["type"], message["cursor"]) for _, message in watcher.told] == [("heartbeat", cursor)]


@every_way
async def test_an_order_that_is_over_says_snapshot_and_end(service: Service, way: str) -> None:
    """Also to one who comes with a cursor."""
    _, order, token = await on_the_road(service)
    cursor = (await service.get(f"/v1/track/{token}"))["cursor"]
    await service.post(f"/v1/orders/{order['id']}/status", {"status": "cancelled"})
    for known in ("", cursor):
        watcher = Watcher()
        async with asyncio.timeout(5.0):
            await watcher.watch(WAYS[way](service, token, known))
        assert [message["type"] for _, message in watcher.told] == ["snapshot", "end"]
        assert watcher.ended == "cancelled"


@every_way
async def test_a_revoked_link_ends_every_way_at_once(service: Service, way: str) -> None:
    """`end` says why; afterwards there is nothing to be found."""
    _, order, token = await on_the_road(service)
    (link,) = (await service.get(f"/v1/orders/{order['id']}/links"))["items"]
    watcher = Watcher()
    watching = asyncio.create_task(watcher.watch(WAYS[way](service, token)))
    async with asyncio.timeout(5.0):
        await watcher.reaches(lambda: bool(watcher.told))
        assert (await service.http.delete(f"/v1/orders/{order['id']}/links/{link['id']}")).status_code == 204
        if way == "poll":
            with pytest.raises(AssertionError, match="404"):  # the next poll; unless one was waiting
                await watching
                raise AssertionError(404 if watcher.ended == "revoked" else "no end")
        else:
            await watching
            assert watcher.ended == "revoked"
    for path in ("", "/poll", "/events"):
        problem(await service.http.get(f"/v1/track/{token}{path}"), 404, "not-found")


@pytest.mark.parametrize("way", ["ws", "sse", "poll"])
async def test_a_link_that_expires_ends_while_somebody_watches(service: Service, way: str) -> None:
    """By its own timer: `end` says expired, and a socket is closed with 4011."""
    _, order, _ = await on_the_road(service)
    until = rfc3339(datetime.now(UTC) + timedelta(seconds=1.5))
    link = await service.post(f"/v1/orders/{order['id']}/links", {"expires_at": until})
    token = link["url"].rsplit("/", 1)[1]
    watcher = Watcher()
    async with asyncio.timeout(5.0):
        if way == "ws":
            async with service.watch({"tracking_url": link["url"]}) as socket:
                assert (await hear(socket, "end"))["reason"] == "expired"
                with pytest.raises(ConnectionClosed):
                    await socket.recv()
                assert socket.close_code == 4011
        else:
            await watcher.watch(WAYS[way](service, token))
            assert watcher.ended == "expired"
    problem(await service.http.get(f"/v1/track/{token}"), 404, "not-found")


@pytest.mark.parametrize("path", ["", "/poll", "/events", "/stream", "/messages"])
async def test_unknown_and_truncated_tokens_are_all_the_same(service: Service, path: str) -> None:
    """404, and not a byte that tells one from the other."""
    _, _, token = await on_the_road(service)
    answers = set()
    for wrong in ("A" * 44, token[:-1], token[:-1] + ("A" if token[-1] != "A" else "B"), "x", token + "A"):
        if path == "/stream":
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"{service.ws_url}/v1/track/{wrong}{path}")
            answers.add((refused.value.response.status_code, bytes(refused.value.response.body or b"")))
        else:
            method = "POST" if path == "/messages" else "GET"
            answer = await service.http.request(method, f"/v1/track/{wrong}{path}")
            answers.add((answer.status_code, answer.content))
    ((status, content),) = answers
    assert status == 404
    assert b"There is no such tracking link." in content


async def test_a_poll_waits_as_long_as_it_is_told(service: Service) -> None:
    """204 when nothing came; what comes meanwhile ends the wait."""
    driver, _, token = await on_the_road(service)
    path = f"/v1/track/{token}/poll"
    first = await service.get(path)
    clock = asyncio.get_running_loop().time
    for wait_s in (0, 0.3):
        begun = clock()
        answer = await service.http.get(path, params={"cursor": first["cursor"], "wait_s": wait_s})
        assert (answer.status_code, answer.text) == (204, "")
        assert wait_s <= clock() - begun < wait_s + 1.0
    waiting = asyncio.create_task(service.get(f"{path}?cursor={first['cursor']}&wait_s=20"))
    await drive_to(service, driver, 0.4)
    async with asyncio.timeout(3.0):
        (update,) = (await waiting)["messages"]
    assert update["position"]["lat"] == pytest.approx(place(0.4)[0])


async def test_between_two_polls_nothing_is_forgotten(service: Service) -> None:
    """A driver who was not heard yet stays in memory while somebody may come back: nothing new, 204."""
    _, _, token = await on_the_road(service)
    path = f"/v1/track/{token}/poll"
    cursor = (await service.get(path))["cursor"]
    clock = asyncio.get_running_loop().time
    until = clock() + 2.5  # some ticks of the service's timer, nearly all of them between polls
    while clock() < until:
        answer = await service.http.get(path, params={"cursor": cursor, "wait_s": 0})
        assert (answer.status_code, answer.text) == (204, "")


@pytest.mark.parametrize("wait_s", ["-1", "61", "soon", "1e9", "nan"])
async def test_a_poll_names_a_wait_that_is_out_of_range(service: Service, wait_s: str) -> None:
    """422 with the field."""
    _, _, token = await on_the_road(service)
    answer = await service.http.get(f"/v1/track/{token}/poll", params={"wait_s": wait_s})
    assert wrong_fields(answer) == ["wait_s"]


async def test_events_are_what_an_event_source_expects(service: Service) -> None:
    """Types, ids and a pause are named; no proxy may hold it back; after the end 204 stops it."""
    _, order, token = await on_the_road(service)
    async with (
        httpx.AsyncClient(base_url=service.url, timeout=10.0) as http,
        http.stream("GET", f"/v1/track/{token}/events") as answer,
    ):
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["x-accel-buffering"] == "no"
        assert "no-store" in answer.headers["cache-control"]
        assert "no-transform" in answer.headers["cache-control"]
        lines = answer.aiter_lines()
        assert await anext(lines) == "retry: 2000"
        assert await anext(lines) == ""
        assert await anext(lines) == "event: snapshot"
        assert (await anext(lines)).startswith("id: ")
        await service.post(f"/v1/orders/{order['id']}/status", {"status": "cancelled"})
        rest = [line async for line in lines]
    last_id = [line for line in rest if line.startswith("id: ")][-1].removeprefix("id: ")
    assert rest[-4] == "event: end"
    again = await service.http.get(f"/v1/track/{token}/events", headers={"Last-Event-ID": last_id})
    assert again.status_code == 204
    head = await service.http.head(f"/v1/track/{token}/events")
    assert (head.status_code, head.content) == (200, b"")


async def test_a_restart_sends_everybody_back_spread_over_time(data_dir: Any, database_url: str) -> None:
    """Sockets get 1012, event streams a pause of up to 15 s, polls a 503 with one."""
    async with running_service(data_dir, database_url) as node:
        _, order, token = await on_the_road(node)
        cursor = (await node.get(f"/v1/track/{token}"))["cursor"]
        poll = asyncio.create_task(node.http.get(f"/v1/track/{token}/poll?cursor={cursor}"))
        async with (
            node.watch(order) as socket,
            httpx.AsyncClient(base_url=node.url, timeout=10.0) as http,
            http.stream("GET", f"/v1/track/{token}/events") as events,
        ):
            await hear(socket, "snapshot")
            lines = events.aiter_lines()
            while not (await anext(lines)).startswith("data:"):
                pass
            stopping = asyncio.create_task(node.stop())
            with pytest.raises(ConnectionClosed):
                await hear(socket, "end")
            assert socket.close_code == 1012
            (pause,) = [line async for line in lines if line.startswith("retry: ")]
            assert 0 <= int(pause.removeprefix("retry: ")) <= 15_000
            answer = await poll
            assert answer.status_code == 503
            assert 1 <= int(answer.headers["retry-after"]) <= 15
        assert await stopping == 0


async def test_closing_a_stream_ends_its_watch(service: Service) -> None:
    """Whoever goes away is not counted any more, whichever way they came."""
    _, _, token = await on_the_road(service)
    for way in WAYS.values():
        async with aclosing(way(service, token)) as messages:
            await anext(messages)
        await until_metric(service, "tracker_subscribers", 0)
