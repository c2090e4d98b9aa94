"""Proxy: bad networks between clients and the service, on one loopback address that outlives the service."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Final, Self

import msgspec

CHUNK: Final = 16_384  # bytes


class Weather(msgspec.Struct, frozen=True):
    """How the network is now; the default is a good one."""

    delay_s: float = 0.0
    jitter_s: float = 0.0
    piece: int = CHUNK  # bytes that travel together; 1: byte by byte
    bytes_per_s: float | None = None
    cut_after: int | None = None  # bytes of one connection and direction, then it is reset
    stalled: bool = False  # nothing moves, nobody is told


FINE: Final = Weather()


class _Link:
    """One client's connection and its other half."""

    def __init__(
        self, proxy: "Proxy", upstream: int, client: asyncio.StreamWriter, server: asyncio.StreamWriter
    ) -> None:
        self._proxy = proxy
        self.upstream = upstream
        self._writers = (client, server)
        self.swallowing = False  # half open: taken and thrown away

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until one side ends, the other is told so."""
        passed = 0
        while data := await reader.read(CHUNK):
            for piece in self._pieces(data):
                await self._proxy.pass_time(len(piece))
                limit = self._proxy.weather.cut_after
                if limit is not None and passed + len(piece) > limit:
                    writer.write(piece[: max(0, limit - passed)])
                    self.reset()
                    return
                passed += len(piece)
                if not self.swallowing:
                    writer.write(piece)
                    await writer.drain()
        if not self.swallowing:
            writer.close()

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        begin = 0
        while begin < len(data):
            size = max(1, self._proxy.weather.piece)
            yield data[begin : begin + size]
            begin += size

    def reset(self) -> None:
        """RST to both: whatever was under way is gone."""
        for writer in self._writers:
            writer.transport.abort()


class Proxy:
    """Forwards to wherever the service is now; `weather` may be changed at any time and counts at once."""

    def __init__(self, random: Random) -> None:
        self.weather = FINE
        self.upstream: int | None = None  # the service's port; None: connections are refused
        self.port = 0
        self._random = random
        self._links: set[_Link] = set()
        self._moving = asyncio.Event()
        self._moving.set()
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def open(cls, random: Random) -> AsyncIterator[Self]:
        proxy = cls(random)
        async with proxy.listening():
            yield proxy

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """It has a port during the block."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            self.cut()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def connections(self) -> int:
        return len(self._links)

    def change(self, weather: Weather) -> None:
        self.weather = weather
        (self._moving.clear if weather.stalled else self._moving.set)()

    def choose(self) -> int | None:
        """Where the next connection goes."""
        return self.upstream

    def cut(self, upstream: int | None = None) -> None:
        """Resets every connection, or those that go there."""
        for link in list(self._links):
            if upstream in {None, link.upstream}:
                link.reset()

    def half_open(self) -> None:
        """From now on the present connections lead nowhere, and neither side is told; new ones work."""
        for link in self._links:
            link.swallowing = True

    async def pass_time(self, size: int) -> None:
        """As long as so many bytes take in this weather."""
        while self.weather.stalled:
            await self._moving.wait()
        weather = self.weather
        pause = weather.delay_s + self._random.random() * weather.jitter_s
        if weather.bytes_per_s is not None:
            pause += size / weather.bytes_per_s
        if pause > 0:
            await asyncio.sleep(pause)  # simulates a slow network

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(OSError):
                await self._forward(reader, writer)
        except asyncio.CancelledError:
            pass  # only `open` cancels, and nobody waits for more than the end
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = self.choose()
        if upstream is None:
            return
        there, onward = await asyncio.open_connection("127.0.0.1", upstream)
        link = _Link(self, upstream, writer, onward)
        self._links.add(link)
        try:
            pumps = (link.pump(reader, onward), link.pump(there, writer))
            await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            self._links.discard(link)
            link.reset()
