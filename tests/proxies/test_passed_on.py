"""What nginx, HAProxy and Caddy pass on to the service: headers, upgrades, paths."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.proxies.programs import PROGRAMS, Certificate, Proxy, has_ipv6, running_proxy
from tests.proxies.upstream import Upstream, extended_connect, raw_exchange, running_upstream

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def upstream() -> AsyncIterator[Upstream]:
    async with running_upstream() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session", scope="module", params=PROGRAMS)
async def proxy(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    upstream: Upstream,
    certificate: Certificate,
) -> AsyncIterator[Proxy]:
    folder = tmp_path_factory.mktemp(request.param)
    async with running_proxy(request.param, folder, upstream.address, certificate) as running:
        yield running


async def ask(proxy: Proxy, *lines: str, path: str = "/livez", then: bytes = b"") -> bytes:
    """Send one HTTP/1.1 request with these header lines; the answer."""
    host = f"127.0.0.1:{proxy.ports.https}"
    head = "\r\n".join((f"GET {path} HTTP/1.1", f"Host: {host}", *lines, "", "")).encode()
    return await raw_exchange(proxy.ports.https, proxy.certificate.trusting, head + then)


@pytest.mark.parametrize("version", ["1.1", "2"])
async def test_the_service_learns_who_asks_for_what(proxy: Proxy, upstream: Upstream, version: str) -> None:
    """The client's address, https and the host; nothing of what the client claims itself."""
    forged = [("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-For", "203.0.113.10")]
    forged += [("X-Forwarded-Proto", "http"), ("X-Forwarded-Host", "evil.example")]
    async with proxy.client(source="127.0.0.7", http2=version == "2") as client:
        answer = await client.get("/livez?a=%20b", headers=forged)
    assert (answer.status_code, answer.http_version) == (200, f"HTTP/{version}")
    host = f"127.0.0.1:{proxy.ports.https}"
    assert upstream.heads[-1].startswith("GET /livez?a=%20b HTTP/1.1\r\n")
    assert upstream.values("x-forwarded-for") == ["127.0.0.7"]
    assert upstream.values("x-forwarded-proto") == ["https"]
    assert upstream.values("x-forwarded-host") == [host]
    assert upstream.values("host") == [host]


@pytest.mark.skipif(not has_ipv6(), reason="needs IPv6 on the loopback interface")
async def test_a_visitor_may_come_over_ipv6(proxy: Proxy, upstream: Upstream) -> None:
    """The service learns that address."""
    async with proxy.client(http2=False) as client:
        url, host = f"https://[::1]:{proxy.ports.https}/livez", f"127.0.0.1:{proxy.ports.https}"
        assert (await client.get(url, headers={"Host": host})).status_code == 200
    assert upstream.values("x-forwarded-for") == ["::1"]


async def test_headers_of_the_connection_cannot_take_the_address_away(
    proxy: Proxy, upstream: Upstream
) -> None:
    """`Connection: X-Forwarded-For` asks a proxy to drop that header."""
    await ask(proxy, "Connection: close, X-Forwarded-For", "X-Forwarded-For: 203.0.113.9")
    assert upstream.values("x-forwarded-for") == ["127.0.0.1"]


@pytest.mark.parametrize(
    "lines",
    [
        ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
        ("Connection: Upgrade", "Upgrade: h2c, websocket"),
        ("Connection: Upgrade", "Upgrade: websocket, h2c"),
        ("Connection: keep-alive", "Upgrade: H2C"),
        ("Connection: Upgrade", "Upgrade: tls/1.0"),
    ],
)
async def test_no_other_protocol_is_passed_on(
    proxy: Proxy, upstream: Upstream, lines: tuple[str, ...]
) -> None:
    """Not h2c, alone or beside websocket. The client gets a plain answer, and no tunnel."""
    answer = await ask(proxy, *lines, then=PREFACE)
    assert b" 101 " not in answer
    assert upstream.values("upgrade") == []


async def test_two_upgrade_headers_pass_as_websocket_or_not_at_all(proxy: Proxy, upstream: Upstream) -> None:
    """Never as h2c."""
    await ask(proxy, "Connection: Upgrade", "Upgrade: websocket", "Upgrade: h2c")
    assert upstream.values("upgrade") in ([], ["websocket"])


@pytest.mark.parametrize("written", ["websocket", "WebSocket"])
async def test_a_websocket_is_passed_on(proxy: Proxy, upstream: Upstream, written: str) -> None:
    """With Connection: upgrade."""
    key = ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13")
    await ask(proxy, "Connection: Upgrade", f"Upgrade: {written}", *key)
    assert [value.lower() for value in upstream.values("upgrade")] == ["websocket"]
    assert [value.lower() for value in upstream.values("connection")] == ["upgrade"]


async def test_over_http2_too_only_a_websocket_is_passed_on(proxy: Proxy, upstream: Upstream) -> None:
    """HAProxy takes WebSockets over HTTP/2 (RFC 8441), nginx and Caddy don't. None passes h2c on."""
    for protocol, passes in (("h2c", False), ("websocket", proxy.name == "haproxy")):
        before = len(upstream.heads)
        await extended_connect(proxy.ports.https, proxy.certificate.trusting, protocol)
        upgrades = upstream.values("upgrade") if len(upstream.heads) > before else []
        assert upgrades == (["websocket"] if passes else []), protocol


@pytest.mark.parametrize(
    "path",
    [
        *("/metrics", "/metrics?a=b", "//metrics", "/./metrics", "/x/../metrics", "/%6detrics", "/metric%73"),
        *("/tracking/metrics", "/tracking//metrics", "/tracking/%6Detrics"),
    ],
)
async def test_metrics_are_not_public(proxy: Proxy, upstream: Upstream, path: str) -> None:
    """However their path is written, below a prefix or not."""
    before = len(upstream.heads)
    answer = await ask(proxy, path=path)
    assert answer.split()[1] in {b"404", b"403", b"400"}, answer
    assert len(upstream.heads) == before


async def test_plain_http_is_sent_to_https(proxy: Proxy) -> None:
    """With its path; Caddy does so without a line in its file."""
    async with proxy.client() as client:
        answer = await client.get(f"http://127.0.0.1:{proxy.ports.http}/t/token?lang=de")
    assert answer.status_code == 308
    assert answer.headers["Location"].startswith("https://127.0.0.1")
    assert answer.headers["Location"].endswith("/t/token?lang=de")
