"""A server that speaks just enough of the protocol to refuse a connection, or to tell its version."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

READY = b"Z" + (5).to_bytes(4) + b"I"


def message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4) + body


def refusal(code: str, text: str) -> bytes:
    """An ErrorResponse with this SQLSTATE."""
    fields = {b"S": b"FATAL", b"V": b"FATAL", b"C": code.encode(), b"M": text.encode()}
    return message(b"E", b"".join(name + value + b"\0" for name, value in fields.items()) + b"\0")


def version(text: str) -> bytes:
    """What a server of this version says once a client is in."""
    status = message(b"S", b"server_version\0" + text.encode() + b"\0")
    return message(b"R", bytes(4)) + status + message(b"K", bytes(8)) + READY


@asynccontextmanager
async def odd_server(answer: bytes, port: int = 0) -> AsyncIterator[str]:
    """Answers every start of a connection like this; yields the URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(4))
        await reader.readexactly(size - 4)
        writer.write(answer)
        await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    async with server:
        yield f"postgresql://u:p@127.0.0.1:{server.sockets[0].getsockname()[1]}/d?sslmode=disable"
