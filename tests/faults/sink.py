"""Sink: `python -m tests.faults.sink`, a bare server that takes what attackers send and does nothing with it.

What others wait while it is attacked, and not the service, is what the attack costs the machine: attackers,
kernel, and those who measure share its cores. It takes the bytes at the pace at which the service takes them,
says the same goodbyes, and prints its port.
"""

import asyncio
import base64
import hashlib
from contextlib import suppress
from time import monotonic
from typing import Final

from tests.faults.attackers import FIN, RSV1

ACCEPT: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PIECE: Final = 16_384
LONGEST: Final = 262_144  # bytes; then goodbye
REST: Final = 0.005  # seconds after each piece from then on
CUT_AFTER: Final = 1.0  # seconds
TOO_BIG, BROKEN = 1009, 1002


async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One attacker's connection."""
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(_accepted(head))
        await _take_frames(reader, writer)
    writer.transport.abort()


def _accepted(head: bytes) -> bytes:
    key = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
    answer = base64.b64encode(hashlib.sha1(key.split(b": ")[1] + ACCEPT).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + answer + b"\r\n\r\n"
    )


async def _take_frames(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    taken, told_at = 0, None
    while data := await reader.read(PIECE):
        if not taken and data[0] & RSV1:
            writer.write(_goodbye(BROKEN))
            return
        taken += len(data)
        if told_at is None and _is_long(data, taken):
            writer.write(_goodbye(TOO_BIG))
            told_at = monotonic()
        if told_at is not None:
            await asyncio.sleep(REST)  # simulates a slow reader
            if monotonic() - told_at > CUT_AFTER:
                return


def _is_long(data: bytes, taken: int) -> bool:
    """A flood of small frames may go on; its frames are short, and what is poured in is one letter."""
    return taken > LONGEST and data[-2:] == b"xx"


def _goodbye(code: int) -> bytes:
    return bytes([FIN | 0x8, 2]) + code.to_bytes(2)


async def _main() -> None:
    server = await asyncio.start_server(take, "127.0.0.1", 0, limit=PIECE, backlog=1_024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
