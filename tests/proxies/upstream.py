"""An upstream that keeps the heads of the requests that a proxy passes on."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, ResponseReceived, StreamReset

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


class Upstream:
    def __init__(self) -> None:
        self.address = ""
        self.heads: list[str] = []

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            if not head.startswith("GET /readyz "):  # HAProxy's health check
                self.heads.append(head)
            writer.write(ANSWER)
            await writer.drain()
        writer.close()

    def last(self) -> list[tuple[str, str]]:
        """The headers of the newest request, names in lower case, in the order of their arrival."""
        lines = (line.partition(":") for line in self.heads[-1].splitlines()[1:] if line)
        return [(name.lower(), value.strip()) for name, _, value in lines]

    def values(self, name: str) -> list[str]:
        return [value for header, value in self.last() if header == name]


@asynccontextmanager
async def running_upstream() -> AsyncIterator[Upstream]:
    upstream = Upstream()
    server = await asyncio.start_server(upstream._serve, "127.0.0.1", 0)
    upstream.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield upstream
    finally:
        server.close()


async def raw_exchange(port: int, context: ssl.SSLContext, request: bytes, within: float = 10.0) -> bytes:
    """Send bytes over TLS, and return what comes until the answer's head, and body if any, is there."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        writer.write(request)
        await writer.drain()
        async with asyncio.timeout(within):
            head = await reader.readuntil(b"\r\n\r\n")
            with suppress(TimeoutError):
                async with asyncio.timeout(0.3):
                    return head + await reader.read(65_536)
            return head
    finally:
        writer.transport.abort()


async def extended_connect(port: int, context: ssl.SSLContext, protocol: str, within: float = 10.0) -> bytes:
    """Ask for a protocol over HTTP/2 (RFC 8441); the answer's status, or empty if the stream was reset."""
    context.set_alpn_protocols(["h2"])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    http2 = H2Connection(H2Configuration(client_side=True, header_encoding=None))
    http2.initiate_connection()
    asked = {":method": "CONNECT", ":protocol": protocol, ":scheme": "https", ":path": "/livez"}
    asked |= {":authority": f"127.0.0.1:{port}", "sec-websocket-version": "13"}
    http2.send_headers(1, list(asked.items()))
    try:
        async with asyncio.timeout(within):
            while True:
                writer.write(http2.data_to_send())
                for event in http2.receive_data(await reader.read(65_536)):
                    if isinstance(event, ResponseReceived):
                        return dict(event.headers)[b":status"]
                    if isinstance(event, StreamReset | ConnectionTerminated):
                        return b""
    finally:
        writer.transport.abort()
