"""Sending one body: where it may go, how long it may take, and what the result says."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trustme

from tests.receiver import Receiver
from tracker.domain.events.webhook import Result
from tracker.webhooks.poster import Poster

BODY, HEADERS = b'{"type":"webhook.test"}', {"webhook-id": "evt_a"}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver.open() as receiver:
        yield receiver


@pytest.fixture
async def poster() -> AsyncIterator[Poster]:
    async with Poster(private=True).running() as poster:
        yield poster


async def test_a_body_arrives_as_it_is(receiver: Receiver, poster: Poster) -> None:
    """With its headers, and the host of the URL; one connection serves several."""
    url = f"http://localhost:{receiver.port}/events?shop=12"
    for _ in range(2):
        assert await poster.post(url, BODY, HEADERS) == Result(204)
    first = receiver.received[0]
    assert (first.path, first.body) == ("/events?shop=12", BODY)
    assert first.headers["host"] == f"localhost:{receiver.port}"
    assert first.headers["webhook-id"] == "evt_a"
    assert first.headers["content-type"] == "application/json"
    assert first.headers["user-agent"].startswith("order-tracker/")
    assert receiver.connections == 1


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "127.1", "2130706433"]
)
async def test_nothing_goes_to_a_private_address(receiver: Receiver, host: str) -> None:
    """Whatever the URL calls it: no connection is even opened."""
    async with Poster(private=False).running() as poster:
        result = await poster.post(f"http://{host}:{receiver.port}/", BODY, HEADERS)
    assert result.error in {"address_not_allowed", "name_unresolved"}
    assert receiver.connections == 0


async def test_a_name_that_changes_its_address_gains_nothing(receiver: Receiver) -> None:
    """DNS rebinding: a name is looked up once for each attempt, and that answer is checked and used."""
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(f"{host}:{port}")
        return ["127.0.0.1"]

    async with Poster(private=False, resolve=resolve).running() as poster:
        result = await poster.post(f"http://rebind.example:{receiver.port}/", BODY, HEADERS)
    assert result == Result(error="address_not_allowed")
    assert asked == [f"rebind.example:{receiver.port}"]
    assert receiver.connections == 0


async def test_the_connection_goes_to_the_address_that_was_checked(receiver: Receiver) -> None:
    """The name exists in no name server: only the poster's own look-up knows its address."""

    def resolve(host: str, port: int) -> list[str]:
        assert host == "shop.invalid"
        return ["169.254.169.254", "127.0.0.1"]

    async with Poster(private=True, resolve=resolve).running() as poster:
        assert await poster.post(f"http://shop.invalid:{receiver.port}/", BODY, HEADERS) == Result(204)
    assert receiver.received[0].headers["host"] == f"shop.invalid:{receiver.port}"


async def test_no_redirect_is_followed(receiver: Receiver, poster: Poster) -> None:
    """Only 2xx is a success."""
    statuses = iter((301, 302, 307, 308))
    receiver.answer = lambda _: (next(statuses), {"Location": "/elsewhere"})
    for status in (301, 302, 307, 308):
        assert await poster.post(receiver.url, BODY, HEADERS) == Result(status, "http_status")
    assert {one.path for one in receiver.received} == {"/events"}


async def test_the_status_and_the_wish_of_the_receiver_are_read(receiver: Receiver, poster: Poster) -> None:
    receiver.answer = lambda _: (503, {"Retry-After": "120"})
    assert await poster.post(receiver.url, BODY, HEADERS) == Result(503, "http_status", 120.0)
    receiver.answer = lambda _: (429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"})
    assert await poster.post(receiver.url, BODY, HEADERS) == Result(429, "http_status")
    receiver.answer = lambda _: (410, {})
    assert (await poster.post(receiver.url, BODY, HEADERS)).is_gone


async def test_no_cookie_is_kept(receiver: Receiver, poster: Poster) -> None:
    receiver.answer = lambda _: (204, {"Set-Cookie": "session=1; Path=/"})
    for _ in range(2):
        await poster.post(receiver.url, BODY, HEADERS)
    assert ["cookie" in one.headers for one in receiver.received] == [False, False]


async def test_a_receiver_that_hangs_ends_in_time(receiver: Receiver) -> None:
    receiver.held.clear()
    async with Poster(private=True, within_s=0.3).running() as poster:
        assert await poster.post(receiver.url, BODY, HEADERS) == Result(error="timed_out")


async def test_an_endless_answer_is_not_read() -> None:
    """The status counts; the rest of the body is left."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n")
        try:
            while True:
                writer.write(bytes(65_536))
                await writer.drain()
        except ConnectionError:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with Poster(private=True).running() as poster:
        port = server.sockets[0].getsockname()[1]
        assert await poster.post(f"http://127.0.0.1:{port}/", BODY, HEADERS) == Result(200)
    server.close()
    await server.wait_closed()


async def test_who_is_not_there_has_a_name_for_it(poster: Poster) -> None:
    """No listener, no such name, no HTTP."""
    assert await poster.post("http://127.0.0.1:1/", BODY, HEADERS) == Result(error="connection_failed")
    assert await poster.post("http://nobody.invalid/", BODY, HEADERS) == Result(error="name_unresolved")

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert await poster.post(f"http://127.0.0.1:{port}/", BODY, HEADERS) == Result(error="connection_lost")
    server.close()
    await server.wait_closed()


@asynccontextmanager
async def tls_server(authority: trustme.CA, name: str) -> AsyncIterator[int]:
    """Serve https as that host; yield the port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_tls_checks_the_host_of_the_url() -> None:
    """Though the connection goes to an address, the certificate must be that of the name."""
    authority = trustme.CA()
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with (
        tls_server(authority, "shop.example") as port,
        Poster(private=True, tls=trusting, resolve=lambda _host, _port: ["127.0.0.1"]).running() as poster,
    ):
        assert await poster.post(f"https://shop.example:{port}/", BODY, HEADERS) == Result(204)
        wrong = await poster.post(f"https://other.example:{port}/", BODY, HEADERS)
        assert wrong == Result(error="tls_failed")
