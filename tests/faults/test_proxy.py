"""Proxy: each kind of bad network is really one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from random import Random
from time import monotonic

import pytest

from tests.faults.proxy import FINE, Proxy, Weather
from tests.waiting import until

WORDS = b"the quick brown fox jumps over the lazy dog"


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """In front of a server that says everything back."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with Proxy.open(Random(1)) as proxy:
        proxy.upstream = server.sockets[0].getsockname()[1]
        yield proxy
    server.close()


class _Caller:
    """A client of the echo."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def echo(self, words: bytes = WORDS, within: float = 5.0) -> bytes:
        self.writer.write(words)
        async with asyncio.timeout(within):
            return await self.reader.readexactly(len(words))


type Call = Callable[[], Awaitable[_Caller]]


@pytest.fixture
async def call(proxy: Proxy) -> AsyncIterator[Call]:
    """Opens a connection through the proxy, which ends with the test."""
    callers: list[_Caller] = []

    async def opened() -> _Caller:
        callers.append(_Caller(*await asyncio.open_connection("127.0.0.1", proxy.port)))
        return callers[-1]

    yield opened
    for caller in callers:
        caller.writer.transport.abort()


@pytest.mark.parametrize("weather", [FINE, Weather(piece=1), Weather(delay_s=0.01, jitter_s=0.01)])
async def test_what_is_passed_on_is_unchanged(proxy: Proxy, call: Call, weather: Weather) -> None:
    """Whole, byte by byte, or late: in the same order."""
    proxy.change(weather)
    assert await (await call()).echo() == WORDS


async def test_a_delay_and_a_narrow_line_take_their_time(proxy: Proxy, call: Call) -> None:
    """There and back."""
    caller = await call()
    for weather, seconds in ((Weather(delay_s=0.1), 0.2), (Weather(bytes_per_s=len(WORDS) * 10), 0.2)):
        proxy.change(weather)
        began = monotonic()
        await caller.echo()
        assert seconds * 0.95 <= monotonic() - began < seconds + 1.0


async def test_a_stall_loses_nothing(proxy: Proxy, call: Call) -> None:
    """Nothing moves until it is over; then everything comes."""
    caller = await call()
    await caller.echo()
    proxy.change(Weather(stalled=True))
    with pytest.raises(TimeoutError):
        await caller.echo(within=0.2)
    proxy.change(FINE)
    async with asyncio.timeout(5):
        assert await caller.reader.readexactly(len(WORDS)) == WORDS


async def test_a_connection_is_cut_after_so_many_bytes(proxy: Proxy, call: Call) -> None:
    """What is over the limit never arrives, and both sides are reset."""
    proxy.change(Weather(cut_after=10))
    caller = await call()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await caller.echo()


async def test_a_half_open_connection_swallows_and_a_new_one_works(proxy: Proxy, call: Call) -> None:
    """Nobody is told; whoever connects anew is served."""
    old = await call()
    await old.echo()
    proxy.half_open()
    with pytest.raises(TimeoutError):
        await old.echo(within=0.2)
    assert await (await call()).echo() == WORDS


async def test_everybody_is_reset(proxy: Proxy, call: Call) -> None:
    """`cut` ends what is open and keeps nothing."""
    caller = await call()
    await caller.echo()
    proxy.cut()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await caller.echo()
    await until(lambda: not proxy.connections, 5)
