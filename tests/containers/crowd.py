"""Crowd: thousands of customers who arrive at once over raw sockets, read what comes, and stay."""

import asyncio
import base64
import os
from collections import Counter
from contextlib import suppress
from typing import Final

ARRIVING: Final = 100  # handshakes at a time
HANDSHAKE_WITHIN: Final = 30.0  # seconds
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = b"\x8a\x80\0\0\0\0"  # without data, masked with zeros


class Crowd:
    """Customers of one service; they come from so many addresses, as a trusted proxy would say."""

    def __init__(self, port: int, tokens: list[str], addresses: int = 8) -> None:
        self.counts: Counter[str] = Counter()  # by HTTP status; `cut` without one; `ended` later
        self._port = port
        self._tokens = tokens
        self._addresses = addresses
        self._at_once = asyncio.Semaphore(ARRIVING)
        self._staying: list[asyncio.Task[None]] = []
        self._writers: list[asyncio.StreamWriter] = []

    async def arrive(self, count: int) -> None:
        """Open so many live views, spread evenly over the links."""
        await asyncio.gather(*(self._open(number) for number in range(count)))

    def stall(self) -> None:
        """From now on read nothing."""
        for writer in self._writers:
            writer.transport.pause_reading()  # type: ignore[attr-defined]

    async def leave(self) -> None:
        """Disconnect all."""
        for task in self._staying:
            task.cancel()
        await asyncio.gather(*self._staying, return_exceptions=True)

    async def _open(self, number: int) -> None:
        async with self._at_once:
            writer = None
            try:
                async with asyncio.timeout(HANDSHAKE_WITHIN):
                    reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                    writer.write(self._request(number))
                    head = await reader.readuntil(b"\r\n\r\n")
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                self.counts["cut"] += 1
                if writer is not None:
                    writer.transport.abort()
                return
        status = head.split(b" ", 2)[1].decode()
        self.counts[status] += 1
        if status == "101":
            self._writers.append(writer)
            self._staying.append(asyncio.create_task(self._stay(reader, writer)))
        else:
            writer.close()

    def _request(self, number: int) -> bytes:
        token = self._tokens[number % len(self._tokens)]
        key = base64.b64encode(os.urandom(16)).decode()
        lines = (
            f"GET /v1/track/{token}/stream HTTP/1.1",
            f"Host: 127.0.0.1:{self._port}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}",
            f"X-Forwarded-For: 203.0.113.{1 + number % self._addresses}",
        )
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    async def _stay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                while (opcode := await self._frame(reader)) != CLOSE:
                    if opcode == PING:
                        writer.write(PONG)
            self.counts["ended"] += 1
        finally:
            writer.transport.abort()

    async def _frame(self, reader: asyncio.StreamReader) -> int:
        """Read a frame, which a server never masks, and return its opcode."""
        first, length = await reader.readexactly(2)
        if length > 125:
            length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8))
        await reader.readexactly(length)
        return first & 0x0F
