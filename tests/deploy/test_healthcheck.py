"""The health check of the containers: follows the service's settings, and costs no interpreter."""

import asyncio
import shutil
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
import trustme

SCRIPT = Path(__file__).parent.parent.parent / "deploy/healthcheck.sh"
pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="no bash on this machine")


@asynccontextmanager
async def server(host: str, status: str | None, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Answers `/livez` with this status, anything else with 404; gives its port.

    With None it reads until the client closes and never answers; with "" it resets each connection at once.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if status == "":
            lingers = struct.pack("ii", 1, 0)  # for no time: closing sends a reset
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingers)
            writer.transport.abort()
            return
        with closing(writer):
            if status is None:
                await reader.read()
                return
            request = await reader.readuntil(b"\r\n\r\n")
            found = status if request.startswith(b"GET /livez HTTP/1.1\r\n") else "404 Not Found"
            writer.write(f"HTTP/1.1 {found}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()

    async with await asyncio.start_server(serve, host, 0, ssl=tls) as listening:
        yield listening.sockets[0].getsockname()[1]


async def check(**settings: str) -> int | None:
    """The status that the health check ends with."""
    process = await asyncio.create_subprocess_exec(
        str(SCRIPT), env={"PATH": "/usr/bin:/bin", **settings}, stderr=asyncio.subprocess.DEVNULL
    )
    async with asyncio.timeout(20):
        return await process.wait()


@pytest.mark.parametrize(
    ("host", "bind"),
    [
        ("127.0.0.1", "0.0.0.0"),
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "[::1]"),
        ("::", "[::]"),
        ("127.0.0.1", "localhost"),
    ],
)
async def test_it_finds_the_service_where_it_is_bound(host: str, bind: str) -> None:
    """Any address and port of TRACKER_BIND; 200 is healthy."""
    async with server(host, "200 OK") as port:
        assert await check(TRACKER_BIND=f"{bind}:{port}") == 0


async def test_other_answers_and_none_are_unhealthy() -> None:
    """An error, no service yet, one that never answers, and one that hangs up before it reads."""
    async with server("127.0.0.1", "503 Service Unavailable") as port:
        assert await check(TRACKER_BIND=f"0.0.0.0:{port}") == 1
    assert await check(TRACKER_BIND=f"0.0.0.0:{port}") == 1
    async with server("127.0.0.1", None) as port:
        assert await check(TRACKER_BIND=f"0.0.0.0:{port}") == 1
    async with server("127.0.0.1", "") as port:
        assert await check(TRACKER_BIND=f"0.0.0.0:{port}") == 1


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl; `apt-get install openssl`")
@pytest.mark.parametrize(("status", "result"), [("200 OK", 0), ("503 Service Unavailable", 1)])
@pytest.mark.parametrize(("host", "bind"), [("127.0.0.1", "0.0.0.0"), ("::1", "[::]")])
async def test_it_speaks_tls_when_the_service_does(status: str, result: int, host: str, bind: str) -> None:
    """With TRACKER_TLS_CERT; the certificate is of the public name, so it is not checked."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("track.example").configure_cert(context)
    async with server(host, status, context) as port:
        assert await check(TRACKER_BIND=f"{bind}:{port}", TRACKER_TLS_CERT="/tls/cert.pem") == result
