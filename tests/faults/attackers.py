"""Attackers: `python -m tests.faults.attackers`, a process of their own, told on its input whom to attack.

Each line is one attack: `KIND PORT SECONDS TOKEN…`. Prints `{}` when it begins, and when it is over what
became of it: how much could be sent, and how the service ended it. Real attackers have machines of their own;
these get only what of this one nobody else wants.
"""

import asyncio
import base64
import os
import sys
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import cache
from time import monotonic
from typing import Final

import msgspec

OVERSIZE: Final = 300_000_000  # bytes
PIECE: Final = 65_536
MASK: Final = bytes(4)  # of zeros, so that masking changes nothing
TEXT, CONTINUED, BINARY, CLOSE, PING, PONG = 0x1, 0x0, 0x2, 0x8, 0x9, 0xA
FIN, RSV1 = 0x80, 0x40
READERS_A_LINK: Final = 50
PAUSE: Final = 0.2  # seconds until they are back

type Counts = Counter[str]
type Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def request(port: int, path: str, token: str = "", extensions: str = "") -> bytes:
    """The head that asks for a WebSocket."""
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
    return "\r\n".join([*lines, "", ""]).encode()


async def connect(
    port: int, path: str, token: str = "", extensions: str = "", address: str = "127.0.0.1"
) -> tuple[Ends, bytes]:
    """An accepted WebSocket, and the head of the answer. It comes from this address."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    writer.write(request(port, path, token, extensions))
    return (reader, writer), await reader.readuntil(b"\r\n\r\n")


def frame_head(first: int, size: int) -> bytes:
    """Of a client's frame, with its mask."""
    if size < 126:
        return bytes([first, 0x80 | size]) + MASK
    if size < 65_536:
        return bytes([first, 0x80 | 126]) + size.to_bytes(2) + MASK
    return bytes([first, 0x80 | 127]) + size.to_bytes(8) + MASK


async def how_it_ended(reader: asyncio.StreamReader, within: float) -> str:
    """The close code that was said, or how the connection went without one."""
    said = b""
    with suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(within):
            while data := await reader.read(PIECE):
                said = (said + data)[-200:]
    for code in (1002, 1007, 1009, 4000, 4102, 4103):
        if b"\x88" in said and code.to_bytes(2) in said:
            return str(code)
    return "cut"


async def drive(port: int, token: str, counts: Counts, extensions: str = "") -> Ends | None:
    """A driver's connection; None where it was refused, after a pause."""
    counts["handshakes"] += 1
    ends, head = await connect(port, "/v1/drivers/stream", token, extensions)
    counts["negotiated"] += b"permessage-deflate" in head
    status = head.split(b" ", 2)[1].decode()
    if status == "101":
        return ends
    counts[status] += 1
    ends[1].transport.abort()
    await asyncio.sleep(PAUSE)  # simulates an attacker who comes back
    return None


@asynccontextmanager
async def heard(ends: Ends, counts: Counts, within: float) -> AsyncIterator[None]:
    """Counts how it ended. That is read while the body writes: after a failed write the reader only says
    that, whatever had come before.
    """
    ended = asyncio.create_task(how_it_ended(ends[0], within))
    try:
        with suppress(ConnectionError):
            yield
        counts[await ended] += 1
    finally:
        ended.cancel()
        ends[1].transport.abort()
    await asyncio.sleep(PAUSE)  # simulates an attacker who comes back


async def oversize(port: int, seconds: float, tokens: list[str], counts: Counts) -> None:
    """300 MB, as one frame or in fragments, and on after the 1009, again and again."""
    latest, fragments, sent = monotonic() + seconds, False, 0
    while monotonic() < latest:
        if (ends := await drive(port, tokens[0], counts)) is None:
            continue
        async with heard(ends, counts, latest - monotonic() + 2):
            async for piece in _oversize(fragments):
                ends[1].write(piece)
                await ends[1].drain()
                sent += len(piece)
                if monotonic() > latest:
                    break
        fragments = not fragments
    counts["megabytes"] += sent // 1_000_000


async def _oversize(fragments: bool) -> AsyncIterator[bytes]:
    if not fragments:
        yield frame_head(FIN | TEXT, OVERSIZE)
    for number in range(OVERSIZE // PIECE):
        if fragments:
            yield frame_head(CONTINUED if number else TEXT, PIECE)
        yield b"x" * PIECE


async def flood(port: int, seconds: float, tokens: list[str], counts: Counts) -> None:
    """Small messages as fast as the service takes them, 10,000 a second at the most."""
    body = msgspec.json.encode({"type": "ping", "n": 1})
    await _flood(port, seconds, tokens[0], counts, frame_head(FIN | TEXT, len(body)) + body)


async def pings(port: int, seconds: float, tokens: list[str], counts: Counts) -> None:
    """Frames that bring no message, as fast as the service takes them."""
    await _flood(port, seconds, tokens[0], counts, frame_head(FIN | PING, 0))


async def _flood(port: int, seconds: float, token: str, counts: Counts, frame: bytes) -> None:
    latest = monotonic() + seconds
    while monotonic() < latest:
        if (ends := await drive(port, token, counts)) is None:
            continue
        answers = asyncio.create_task(how_it_ended(ends[0], latest - monotonic() + 2))
        with suppress(ConnectionError):
            while monotonic() < latest and not answers.done():
                ends[1].write(frame * 100)
                await ends[1].drain()
                counts["frames"] += 100
                await asyncio.sleep(0.01)  # simulates 10,000 frames a second
        if answers.done():
            counts[answers.result()] += 1
        answers.cancel()
        ends[1].transport.abort()
        await asyncio.sleep(PAUSE)  # simulates an attacker who comes back


@cache
def packed_zeros() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(bytes(200_000_000)) + packer.flush(zlib.Z_SYNC_FLUSH)


async def bomb(port: int, seconds: float, tokens: list[str], counts: Counts) -> None:
    """Compression is offered, and a frame of 200 kB that would be 200 MB is sent all the same."""
    bomb = packed_zeros()
    latest = monotonic() + seconds
    while monotonic() < latest:
        ends = await drive(port, tokens[0], counts, "permessage-deflate; client_max_window_bits")
        if ends is None:
            continue
        async with heard(ends, counts, 2.0):
            ends[1].write(frame_head(FIN | RSV1 | BINARY, len(bomb)) + bomb)
            await ends[1].drain()


async def stalled_readers(
    port: int, seconds: float, tokens: list[str], counts: Counts, addresses: int = 1
) -> None:
    """Customers who never read a byte after the handshake; they come from so many addresses."""
    ends: list[Ends] = []
    for number, token in enumerate(tokens):
        address = f"127.0.0.{1 + number % addresses}"
        for _ in range(READERS_A_LINK):
            try:
                (reader, writer), head = await connect(port, f"/v1/track/{token}/stream", address=address)
            except (OSError, asyncio.IncompleteReadError):
                counts["cut"] += 1
            else:
                writer.transport.pause_reading()  # type: ignore[attr-defined]
                counts[head.split(b" ", 2)[1].decode()] += 1
                ends.append((reader, writer))
    counts["readers"] = len(ends)
    print("{}", flush=True)  # all are there
    await asyncio.sleep(seconds)  # simulates customers who stay
    for _, writer in ends:
        writer.transport.abort()


KINDS: Final[dict[str, Callable[[int, float, list[str], Counts], Awaitable[None]]]] = {
    "oversize": oversize,
    "flood": flood,
    "pings": pings,
    "bomb": bomb,
    "stalled_readers": stalled_readers,
}


async def _main() -> None:
    packed_zeros()
    while line := await asyncio.to_thread(sys.stdin.readline):
        kind, port, seconds, *tokens = line.split()
        counts: Counts = Counter()
        if kind != "stalled_readers":
            print("{}", flush=True)  # it begins
        await KINDS[kind](int(port), float(seconds), tokens, counts)
        print(msgspec.json.encode(counts).decode(), flush=True)


if __name__ == "__main__":
    os.setpriority(os.PRIO_PROCESS, 0, 19)
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    asyncio.run(_main())
