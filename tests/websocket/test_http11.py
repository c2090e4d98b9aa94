"""The listener speaks HTTP/1.1 only, and a connection that is refused still gets its answer."""

import asyncio
import base64
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import product
from pathlib import Path

import pytest
import trustme

from tests.echo import echo_server
from tests.waiting import until
from tracker.server import listening

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"  # an empty frame, with which every HTTP/2 client begins
HELLO = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
UPGRADED = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n"
H2C = UPGRADED + b"Upgrade: %s\r\nHTTP2-Settings: %s\r\n\r\n"
GOOD = base64.urlsafe_b64encode(b"\x00\x03\x00\x00\x00\x64\x00\x04\x40\x00\x00\x00").rstrip(b"=")

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n%s\r\n"
)

type Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Dialer:
    """Connects to one echo server, in plain text or under TLS."""

    def __init__(self, port: int, trusting: ssl.SSLContext | None) -> None:
        self.port, self.trusting = port, trusting

    async def connect(self, *alpn: str) -> Ends:
        if self.trusting is not None:
            self.trusting.set_alpn_protocols(list(alpn or ("http/1.1",)))
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=self.trusting)


BOTH = ["plain", "TLS"]


@pytest.fixture(params=BOTH)
async def dialer(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Dialer]:
    if request.param == "plain":
        async with echo_server() as echo:
            yield Dialer(echo.port, None)
        return
    authority, trusting = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(trusting)
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    for number, pem in enumerate(issued.cert_chain_pems):
        pem.write_to_path(tmp_path / "cert.pem", append=number > 0)
    async with echo_server(tls_cert=tmp_path / "cert.pem", tls_key=tmp_path / "key.pem") as echo:
        yield Dialer(echo.port, trusting)


async def told(ends: Ends, *said: bytes) -> bytes:
    """All that comes until the server ends the connection."""
    reader, writer = ends
    for piece in said:
        writer.write(piece)
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.transport.abort()


async def test_a_preface_of_http2_is_refused(dialer: Dialer) -> None:
    """505 in HTTP/1.1 and the end of the connection, at its beginning and after a request."""
    refused = await told(await dialer.connect(), PREFACE + SETTINGS)
    assert refused.startswith(b"HTTP/1.1 505 ")
    assert b"connection: close" in refused.lower()
    later = await told(await dialer.connect(), HELLO, PREFACE, SETTINGS * 1_000)
    assert later.startswith(b"HTTP/1.1 200 ")
    assert later.count(b"HTTP/1.1 505 ") == 1


async def test_an_upgrade_to_http2_is_ignored(dialer: Dialer) -> None:
    """Each request is answered in HTTP/1.1, without a 101."""
    reader, writer = await dialer.connect()
    upgrades = (b"h2c", b"H2C", b"h2c, websocket", b"h2")
    for asked in product(upgrades, (GOOD, b"", b"no base64!", b"AAA")):
        writer.write(H2C % asked)
        async with asyncio.timeout(10):
            head = await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(5) == b"hello"
        assert head.startswith(b"HTTP/1.1 200 ")
    assert (await told((reader, writer), PREFACE)).startswith(b"HTTP/1.1 505 ")


@pytest.mark.parametrize("dialer", ["TLS"], indirect=True)
async def test_alpn_never_agrees_on_http2(dialer: Dialer) -> None:
    """A client that prefers HTTP/2 gets HTTP/1.1; one that knows nothing else gets no protocol, and 505."""
    reader, writer = await dialer.connect("h2", "http/1.1")
    assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
    writer.write(HELLO)
    assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    writer.transport.abort()
    ends = await dialer.connect("h2")
    assert ends[1].get_extra_info("ssl_object").selected_alpn_protocol() is None
    assert (await told(ends, PREFACE + SETTINGS)).startswith(b"HTTP/1.1 505 ")


async def test_other_versions_are_refused(dialer: Dialer) -> None:
    """Whatever the method."""
    for version in (b"0.9", b"1.2", b"2.0", b"3.0"):
        answer = await told(await dialer.connect(), b"GET / HTTP/%s\r\nHost: x\r\n\r\n" % version)
        assert answer.startswith(b"HTTP/1.1 505 ")


async def test_http10_is_served(dialer: Dialer) -> None:
    """Old proxies speak it to what lies behind them."""
    answer = await told(await dialer.connect(), b"GET / HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"hello")


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 101 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a:\n" * 5_000 + b"\n",
        b"GET / HTTP/1.1\r\nHost: x\r\na: b\r\n" + b" c\r\n" * 101 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\na: " + b"b" * 16_384 + b"\r\n\r\n",
        b"GET /" + b"b" * 16_384 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\na: " + b"b" * 60_000,
    ],
    ids=["101 headers", "bare line feeds", "folded", "one long header", "long path", "without an end"],
)
async def test_a_head_has_a_size_and_a_number_of_lines(dialer: Dialer, head: bytes) -> None:
    """431, which also a client gets that goes on sending."""
    assert (await told(await dialer.connect(), head, b"x" * 100_000)).startswith(b"HTTP/1.1 431 ")
    assert (await told(await dialer.connect(), HELLO, head)).count(b"HTTP/1.1 431 ") == 1


async def test_an_ordinary_head_is_let_in(dialer: Dialer) -> None:
    """Also one near the limits, and also one that comes byte by byte."""
    headers = b"".join(b"X-Header-%d: %s\r\n" % (n, b"b" * 130) for n in range(97))
    head = b"GET / HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n"
    reader, writer = await dialer.connect()
    for pieces in ([head], [head * 2], [head[n : n + 500] for n in range(0, len(head), 500)]):
        writer.writelines(pieces)
    for _ in range(4):
        assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200 ")
    writer.transport.abort()


async def test_a_body_has_few_small_chunks(dialer: Dialer) -> None:
    """2,000 are taken, more get 400; large ones are not counted, and each body counts for itself."""
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    small, large, end = b"1\r\na\r\n", b"64\r\n%s\r\n" % (b"a" * 100), b"0\r\n\r\n"
    body = head + small * 2_000 + large * 100 + end
    answer = await told(await dialer.connect(), body, body, head + small * 2_001)
    assert answer.count(b"HTTP/1.1 200 ") == 2
    assert answer.count(b"HTTP/1.1 400 ") == 1


async def test_what_follows_a_chunked_body_has_a_size(dialer: Dialer) -> None:
    """Trailers are headers, too."""
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    ends = await dialer.connect()
    assert b"HTTP/1.1 200 " in await told(ends, head, b"1\r\na\r\n0\r\na: b\r\n\r\n", PREFACE)
    reader, writer = await dialer.connect()
    writer.write(head + b"1\r\na\r\n0\r\n" + b"a:\r\n" * 5_000)
    async with asyncio.timeout(10):
        assert b" 200 " not in await reader.read()
    writer.transport.abort()


async def test_broken_clients_leave_no_error_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A reader that stalls, a reset, garbage in the headers of handshakes: asyncio has nothing to report."""
    monkeypatch.setattr(listening, "DEAD_PEER", 500)  # milliseconds
    async with echo_server() as echo:
        await told(await asyncio.open_connection("127.0.0.1", echo.port), PREFACE)
        before = len(asyncio.all_tasks())
        stalled = await stalling(echo.port, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
        for said in (
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx",
            HANDSHAKE % b"Sec-WebSocket-Protocol: \xe9\r\n",
            HANDSHAKE % b"Sec-WebSocket-Extensions: \xe9\r\n",
            H2C % (b"h2c", b"no base64!"),
        ):
            _, writer = await asyncio.open_connection("127.0.0.1", echo.port)
            writer.write(said)
            await asyncio.sleep(0)  # yields, so that the bytes leave
            writer.transport.abort()
            with suppress(ConnectionError, TimeoutError):
                await asyncio.wait_for(told(await asyncio.open_connection("127.0.0.1", echo.port), said), 0.3)
        await until(lambda: len(asyncio.all_tasks()) <= before, 20)
        stalled.close()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    "said",
    [
        HANDSHAKE % b"" + b"\x81\x80\0\0\0\0",
        HANDSHAKE.replace(b"13", b"12") % b"",
        HANDSHAKE.replace(b"Sec-WebSocket-Key", b"No-Key") % b"",
    ],
    ids=["a frame before the answer", "another version", "no key"],
)
async def test_a_handshake_that_is_refused_ends_the_connection(said: bytes) -> None:
    """400, and nothing waits for ever, though the client stays."""
    async with echo_server() as echo:
        await told(await asyncio.open_connection("127.0.0.1", echo.port), PREFACE)
        before = len(asyncio.all_tasks())
        for _ in range(5):
            answer = await told(await asyncio.open_connection("127.0.0.1", echo.port), said)
            assert answer.startswith(b"HTTP/1.1 400 ")
        await until(lambda: len(asyncio.all_tasks()) <= before)


async def stalling(port: int, said: bytes) -> socket.socket:
    """A client that reads nothing of what it has asked for."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", port))
    await loop.sock_sendall(client, said)
    return client


async def test_a_small_answer_is_one_packet() -> None:
    """Head and body leave together, so that a client wakes once."""
    async with echo_server() as echo:
        loop = asyncio.get_running_loop()
        with socket.create_connection(("127.0.0.1", echo.port)) as peer:
            peer.setblocking(False)
            for _ in range(20):
                await loop.sock_sendall(peer, HELLO)
                async with asyncio.timeout(10):
                    first = await loop.sock_recv(peer, 65_536)
                assert first.startswith(b"HTTP/1.1 200 ")
                assert first.endswith(b"\r\n\r\nhello")
