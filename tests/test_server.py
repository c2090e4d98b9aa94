"""The server's own promises: bounded, cut where clients dawdle, and drained when it is told to stop."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from tests.echo import echo_server
from tests.service import Service, hear, running_service, say, token_of
from tests.waiting import until
from tracker.api import json_bodies
from tracker.rate_limits import RateLimit
from tracker.server import clients, serving
from tracker.system.memory import MemoryLimit
from tracker.websocket import http11

WATCHERS = 500


@pytest.fixture
async def own(data_dir: Path, database_url: str) -> AsyncIterator[Service]:
    """A node of this test's own, to be ended."""
    async with running_service(data_dir, database_url, unrecorded=True) as running:
        yield running


async def opened(service: Service, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A WebSocket that nobody reads from."""
    url = httpx.URL(service.url)
    reader, writer = await asyncio.open_connection(url.host, url.port, limit=1024)
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    writer.write(f"{head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'a' * 22}==\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


def a_fix(second: int) -> dict[str, Any]:
    at = datetime.now(UTC) - timedelta(seconds=3_000 - second)
    return {"recorded_at": at.isoformat(), "lat": 60.17, "lon": 24.94}


async def test_on_sigterm_all_are_told_and_what_came_is_acknowledged(own: Service) -> None:
    """500 customers, some stalled, and a driver in the middle of it: 1012, exit 0, answered."""
    driver = await own.new_driver()
    orders = [await own.new_order(driver["id"]) for _ in range(WATCHERS // 50)]
    async with AsyncExitStack() as stack:
        watchers = [await stack.enter_async_context(own.watch(orders[n // 50])) for n in range(WATCHERS - 5)]
        stalled = [await opened(own, f"/v1/track/{token_of(orders[-1])}/stream") for _ in range(5)]
        courier = await stack.enter_async_context(own.drive(driver["token"]))
        await hear(courier, "welcome")
        for n in range(20):
            await say(courier, type="fixes", id=n, fixes=[a_fix(n * 50 + m) for m in range(50)])
        await hear(courier, "ack")
        own.process.send_signal(signal.SIGTERM)
        begun = monotonic()
        codes = await asyncio.gather(*(closed_with(watcher) for watcher in watchers))
        assert set(codes) == {1012}
        assert monotonic() - begun < 3.0  # of which this program needs most for reading 500 sockets
        acknowledged = 50
        with suppress(ConnectionClosed):
            while True:
                acknowledged += (await hear(courier, "ack"))["stored"]
        assert courier.close_code == 1012
        async with asyncio.timeout(20 - (monotonic() - begun)):
            assert await own.process.wait() == 0
        assert acknowledged % 50 == 0
        for _, writer in stalled:
            writer.transport.abort()


async def closed_with(socket: Any) -> int | None:
    with suppress(ConnectionClosed):
        async for _ in socket:
            pass
    code: int | None = socket.close_code
    return code


async def test_with_all_descriptors_in_use_clients_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """503 and a goodbye; room again as soon as there is."""
    async with echo_server() as echo:
        with monkeypatch.context() as full:
            full.setattr(clients, "_most_descriptors", lambda: 1)
            full.setattr(clients, "RESERVED", 20_000)  # however many descriptors the other tests hold
            with pytest.raises(InvalidStatus) as refused:
                await connect(echo.url)
            assert refused.value.response.status_code == 503
        async with connect(echo.url) as peer:
            await peer.send("in")
            assert await peer.recv() == "in"


@pytest.mark.parametrize("short_of", ["descriptors", "memory"])
async def test_a_full_node_is_alive(monkeypatch: pytest.MonkeyPatch, short_of: str) -> None:
    """`/livez` is 200 though everything else is 503: a restart would disconnect all who are served."""
    if short_of == "descriptors":
        monkeypatch.setattr(clients, "_most_descriptors", lambda: 1)
        monkeypatch.setattr(clients, "RESERVED", 20_000)
    else:
        monkeypatch.setattr(MemoryLimit, "admits", lambda *_: False)
    async with echo_server() as echo:
        for path, status in (("/livez", b"200"), ("/readyz", b"503"), ("/livezz", b"503")):
            reader, writer = await asyncio.open_connection("127.0.0.1", echo.port)
            writer.write(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode())
            answer = await asyncio.wait_for(reader.read(), 5)
            assert answer.startswith(b"HTTP/1.1 " + status)
            assert answer.endswith(b'{"status":"live"}') == (status == b"200")
            writer.close()


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_headers_must_be_there_in_time(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    """Whoever dribbles them is cut, however busy it looks."""
    monkeypatch.setattr(serving, "HEADERS_WITHIN", 0.5)
    async with echo_server() as echo:
        reader, writer = await asyncio.open_connection("127.0.0.1", echo.port)
        writer.write(sent)
        begun = monotonic()
        with suppress(ConnectionError):
            while not reader.at_eof() and monotonic() - begun < 3.0:
                writer.write(b"x" if sent else b"")
                with suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(100), 0.1)
        assert monotonic() - begun < 1.5
        writer.transport.abort()


async def test_a_connection_waits_for_its_next_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than for headers; once a request has begun, its headers are waited for no longer than ever."""
    monkeypatch.setattr(serving, "HEADERS_WITHIN", 0.4)
    monkeypatch.setattr(http11, "KEEP_ALIVE", 1.2)
    asked = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    async with echo_server() as echo, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", echo.port)
        for _ in range(2):
            writer.write(asked)
            assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200 ")
            await asyncio.sleep(0.6)  # simulates an idle client, for longer than HEADERS_WITHIN
        writer.write(asked[:20])
        begun = monotonic()
        assert await reader.read() == b""
        assert monotonic() - begun < 1.0
        writer.transport.abort()
        reader, writer = await asyncio.open_connection("127.0.0.1", echo.port)
        writer.write(asked)
        await reader.readuntil(b"hello")
        begun = monotonic()
        assert await reader.read() == b""
        assert 1.0 < monotonic() - begun < 4.0
        writer.transport.abort()


async def test_a_body_must_be_there_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever dribbles it is told 408 and cut."""
    monkeypatch.setattr(json_bodies, "BODY_TIMEOUT", 0.5)
    loop = asyncio.get_running_loop()
    async with echo_server() as echo, asyncio.timeout(30):
        # A bare socket: asyncio's reader hides the answer after a failed write.
        with socket.create_connection(("127.0.0.1", echo.port)) as client:
            client.setblocking(False)
            await loop.sock_sendall(client, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
            answering, begun = asyncio.ensure_future(loop.sock_recv(client, 1000)), monotonic()
            while not answering.done():
                with suppress(ConnectionError):
                    await loop.sock_sendall(client, b"x")
                await asyncio.wait([answering], timeout=0.05)
        assert answering.result().startswith(b"HTTP/1.1 408 ")
        assert monotonic() - begun > 0.4


async def test_a_refusal_is_seen_before_the_connection_ends(service: Service) -> None:
    """Also by one who is still writing its body: 401, 404 and 405 do not come as a reset."""
    url = httpx.URL(service.url)
    for asked, status in (("POST /v1/drivers/fixes", 401), ("POST /v1/no", 404), ("PUT /livez", 405)):
        for _ in range(10):
            reader, writer = await asyncio.open_connection(url.host, url.port)
            writer.write(f"{asked} HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n".encode())
            for _ in range(20):
                writer.write(b"x" * 10_000)
                await writer.drain()
                await asyncio.sleep(0)  # yields, as a client that writes steadily
            async with asyncio.timeout(5):
                assert (await reader.readline()).startswith(f"HTTP/1.1 {status} ".encode())
            writer.transport.abort()


def test_an_allowance_is_given_at_once_and_then_over_time() -> None:
    """A burst costs nothing; what is over it is waited for; rest earns it back."""
    allowances = RateLimit(100, 10)
    assert allowances.take("a", 100, now=0.0) == 0.0
    assert allowances.take("a", 10, now=0.0) == pytest.approx(1.0)
    assert allowances.take("b", 1, now=0.0) == 0.0
    assert allowances.take("a", 50, now=6.0) == 0.0
    assert allowances.take("a", 10, now=1_000.0) == 0.0
    assert not allowances.try_take("a", 91, now=1_000.0)
    assert allowances.try_take("a", 90, now=1_000.0)
    assert allowances.try_take("a", 1, now=1_000.1)
    assert len(allowances) == 1


@pytest.mark.parametrize("now", [0.0, 12_345.678, 987_654.321])
def test_all_that_is_allowed_at_once_is_allowed_at_any_time(now: float) -> None:
    """Also after many small amounts, whose sum rounds up; one more is refused and costs nothing."""
    limit = RateLimit(1_000, 100.0)
    assert all(limit.try_take("a", 1.0, now) for _ in range(1_000))
    assert not any(limit.try_take("a", 1.0, now) for _ in range(3))
    assert limit.try_take("a", 1.0, now + 0.01)


async def test_a_flood_is_slowed_down_and_then_ended(hasty_service: Service) -> None:
    """A driver over its rate is read no faster than the rate; who goes on like that gets 4103."""
    driver = await hasty_service.new_driver()
    said = Frame(Opcode.TEXT, b'{"type":"pong","n":1}').serialize(mask=True) * 1_000
    # The client's pings would wait behind the flood.
    async with hasty_service.drive(driver["token"], ping_interval=None) as courier:
        await hear(courier, "welcome")
        pouring = asyncio.create_task(pour(courier, said))
        async with asyncio.timeout(60):
            assert await closed_with(courier) == 4103
        await pouring


async def pour(courier: Any, said: bytes) -> None:
    """Past the library, which would need all of the processor for it."""
    while not courier.transport.is_closing() and courier.close_code is None:
        if courier.transport.get_write_buffer_size() < len(said):
            courier.transport.write(said)
        await asyncio.sleep(0.005)  # simulates a flood of bounded speed


ECHO_ALONE = """
import asyncio, resource
from tests.echo import echo_server

async def main():
    async with echo_server() as echo:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
        print(echo.port, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_256_descriptors_are_survived() -> None:
    """300 who only connect: whoever comes then gets 503, and 200 as soon as those have left."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", ECHO_ALONE), cwd=Path(__file__).parent.parent, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        port = int(await process.stdout.readline())
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(300)]
        try:
            await until_answered(port, 503)
        finally:
            for _, writer in held:
                writer.transport.abort()
        await until_answered(port, 200)
    finally:
        process.kill()
        await process.wait()


async def until_answered(port: int, status: int) -> None:
    async def is_answered() -> bool:
        with suppress(httpx.TransportError):
            headers = {"Connection": "close"}
            return (await http.get(f"http://127.0.0.1:{port}/", headers=headers)).status_code == status
        return False

    async with httpx.AsyncClient(trust_env=False) as http:
        await until(is_answered)
