"""Relay: a TCP proxy before a service, in a thread of its own, that keeps every byte of both directions.

Merchants, drivers and customers all go through it: what was true and what was told stand in one recording, by
one clock.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from threading import Thread
from typing import Final

BACKLOG: Final = 1_000
BUFFER: Final = 16_384  # bytes on their way to one side; then the other side has to wait, as without a relay


_numbers = count()  # of lines, over all relays


class Line:
    """One client's connection: what was said on it, and not taken yet, as (seconds, by the client, bytes)."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.said: deque[tuple[float, bool, bytes]] = deque()
        self.is_closed = False

    def take(self) -> Iterator[tuple[float, bool, bytes]]:
        """Everything up to now, once."""
        while self.said:
            yield self.said.popleft()


class _End(asyncio.Protocol):
    """One side of a line: what comes in here goes out at the other."""

    def __init__(self, line: Line, *, is_client: bool, begin: Callable[["_End"], None] | None = None) -> None:
        """`begin` finds the other side; until then nothing is read."""
        self.line, self._is_client, self._begin = line, is_client, begin
        self.transport: asyncio.Transport | None = None
        self.other: _End | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(high=BUFFER)
        self.transport = transport
        if self._begin is not None:
            transport.pause_reading()
            self._begin(self)

    def data_received(self, data: bytes) -> None:
        self.line.said.append((time.time(), self._is_client, data))
        self._onward().write(data)

    def eof_received(self) -> bool:
        onward = self._onward()
        if not onward.is_closing():
            onward.write_eof()
        return True

    def pause_writing(self) -> None:
        self._onward().pause_reading()

    def resume_writing(self) -> None:
        self._onward().resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.line.is_closed = True
        if self.other is not None and self.other.transport is not None:
            if exc is None:
                self.other.transport.close()
            else:
                self.other.transport.abort()

    def _onward(self) -> asyncio.Transport:
        assert self.other is not None
        assert self.other.transport is not None
        return self.other.transport


class Relay:
    """`address` is where clients go; `lines` are all their connections."""

    def __init__(self, upstream: tuple[str, int]) -> None:
        self.address = ("", 0)
        self.is_running = False
        self.lines: list[Line] = []
        self._upstream = upstream
        self._loop = asyncio.new_event_loop()
        self._clients: list[_End] = []
        self._joining: set[asyncio.Task[None]] = set()

    @contextmanager
    def running(self) -> Iterator[None]:
        """In a thread: a test that holds up its own event loop holds up nobody's messages."""
        thread = Thread(target=self._loop.run_forever, daemon=True)
        thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        self.is_running = True
        try:
            yield
        finally:
            self.is_running = False
            asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()

    async def _listen(self) -> None:
        server = await self._loop.create_server(self._accept, "127.0.0.1", 0, backlog=BACKLOG)
        self.address = server.sockets[0].getsockname()[:2]
        self._server = server

    async def _cut(self) -> None:
        self._server.close()
        for client in self._clients:
            if client.transport is not None:
                client.transport.abort()
        await asyncio.gather(*self._joining)
        await asyncio.sleep(0)  # yields, so that the other sides end as well

    def _accept(self) -> asyncio.Protocol:
        self.lines.append(line := Line(next(_numbers)))
        client = _End(line, is_client=True, begin=self._begin)
        self._clients.append(client)
        return client

    def _begin(self, client: _End) -> None:
        task = self._loop.create_task(self._join(client))
        self._joining.add(task)
        task.add_done_callback(self._joining.discard)

    async def _join(self, client: _End) -> None:
        assert client.transport is not None
        service = _End(client.line, is_client=False)
        service.other, client.other = client, service
        try:
            await self._loop.create_connection(lambda: service, *self._upstream)
        except OSError:
            client.transport.abort()
            return
        if client.transport.is_closing() and service.transport is not None:
            service.transport.abort()
        else:
            client.transport.resume_reading()
