"""Attackers: `python -m tests.faults.attackers KIND PORT SECONDS TOKEN…`, a process of their own.

Prints, when it is over, what became of it: how much could be sent, and how the service ended it.
"""

import asyncio
import base64
import os
import sys
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic
from typing import Final

import msgspec

OVERSIZE: Final = 300_000_000  # bytes
PIECE: Final = 65_536
MASK: Final = bytes(4)  # of zeros, so that masking changes nothing
TEXT, CONTINUED, BINARY, CLOSE = 0x1, 0x0, 0x2, 0x8
FIN, RSV1 = 0x80, 0x40
READERS_A_LINK: Final = 50

type Counts = Counter[str]
type Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(port: int, path: str, token: str = "", extensions: str = "") -> tuple[Ends, bytes]:
    """An accepted WebSocket, and the head of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
    ]
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += [f"Sec-WebSocket-Extensions: {extensions}"] if extensions else []
    writer.write("\r\n".join([*lines, "", ""]).encode())
    return (reader, writer), await reader.readuntil(b"\r\n\r\n")


def frame_head(first: int, size: int) -> bytes:
    """Of a client's frame, with its mask."""
    if size < 126:
        return bytes([first, 0x80 | size]) + MASK
    if size < 65_536:
        return bytes([first, 0x80 | 126]) + size.to_bytes(2) + MASK
    return bytes([first, 0x80 | 127]) + size.to_bytes(8) + MASK


async def how_it_ended(reader: asyncio.StreamReader) -> str:
    """The close code that was said, or how the connection went without one."""
    said = b""
    with suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(2):
            while data := await reader.read(PIECE):
                said = (said + data)[-200:]
    for code in (1002, 1007, 1009, 4000, 4102, 4103):
        if b"\x88" in said and code.to_bytes(2) in said:
            return str(code)
    return "cut"


async def oversize(port: int, seconds: float, tokens: list[str], counts: Counts) -> None:
    """300 MB, as one frame or in fragments, and on after the 1009, again and again."""
    latest, fragments = monotonic() + seconds, False
    while monotonic() < latest:
        (reader, writer), _ = await connect(port, "/v1/drivers/stream", tokens[0])
        sent = 0
        with suppress(ConnectionError):
            if not fragments:
                writer.write(frame_head(FIN | TEXT, OVERSIZE))
            while sent < OVERSIZE and monotonic() < latest:
                if fragments:
                    writer.write(frame_head(CONTINUED if sent else TEXT, PIECE))
                writer.write(b"x" * PIECE)
                await writer.drain()
                sent += PIECE
        counts["megabytes"] += sent // 1_000_000
        counts[await how_it_ended(reader)] += 1
        writer.transport.abort()
        fragments = not fragments
        await asyncio.sleep(0.2)


async def flood(port: int, seconds: float, tokens: list[str], counts: Counts) -> None:
    """Small frames as fast as the service takes them."""
    latest = monotonic() + seconds
    body = msgspec.json.encode({"type": "ping", "n": 1})
    many = (frame_head(FIN | TEXT, len(body)) + body) * 100
    while monotonic() < latest:
        (reader, writer), _ = await connect(port, "/v1/drivers/stream", tokens[0])
        with suppress(ConnectionError):
            while monotonic() < latest:
                writer.write(many)
                await writer.drain()
                counts["frames"] += 100
                await asyncio.sleep(0.01)
        counts[await how_it_ended(reader)] += 1
        writer.transport.abort()
        await asyncio.sleep(0.2)


async def bomb(port: int, seconds: float, tokens: list[str], counts: Counts) -> None:
    """Compression is offered, and a frame of 200 kB that would be 200 MB is sent all the same."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packer.compress(bytes(200_000_000)) + packer.flush(zlib.Z_SYNC_FLUSH)
    latest = monotonic() + seconds
    while monotonic() < latest:
        (reader, writer), head = await connect(
            port, "/v1/drivers/stream", tokens[0], "permessage-deflate; client_max_window_bits"
        )
        counts["negotiated"] += b"permessage-deflate" in head
        with suppress(ConnectionError):
            writer.write(frame_head(FIN | RSV1 | BINARY, len(bomb)) + bomb)
            await writer.drain()
        counts[await how_it_ended(reader)] += 1
        writer.transport.abort()
        await asyncio.sleep(0.2)


async def stalled_readers(port: int, seconds: float, tokens: list[str], counts: Counts) -> None:
    """Customers who never read a byte after the handshake."""
    ends: list[Ends] = []
    for token in tokens:
        for _ in range(READERS_A_LINK):
            try:
                (reader, writer), head = await connect(port, f"/v1/track/{token}/stream")
            except (OSError, asyncio.IncompleteReadError):
                counts["cut"] += 1
            else:
                writer.transport.pause_reading()  # type: ignore[attr-defined]
                counts[head.split(b" ", 2)[1].decode()] += 1
                ends.append((reader, writer))
    counts["readers"] = len(ends)
    print("{}", flush=True)  # all are there
    await asyncio.sleep(seconds)
    for _, writer in ends:
        writer.transport.abort()


KINDS: Final[dict[str, Callable[[int, float, list[str], Counts], Awaitable[None]]]] = {
    "oversize": oversize,
    "flood": flood,
    "bomb": bomb,
    "stalled_readers": stalled_readers,
}


async def _main(kind: str, port: str, seconds: str, *tokens: str) -> None:
    counts: Counts = Counter()
    if kind != "stalled_readers":
        print("{}", flush=True)  # it begins
    await KINDS[kind](int(port), float(seconds), list(tokens), counts)
    print(msgspec.json.encode(counts).decode())


if __name__ == "__main__":
    os.nice(10)
    asyncio.run(_main(*sys.argv[1:]))
