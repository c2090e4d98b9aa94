"""Sockets under peers that flood, stall, fall silent or speak nonsense, as they break a stock server."""

import asyncio
import gc
import os
import resource
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import monotonic

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError
from websockets.frames import Frame, Opcode

from tests.echo import EchoServer, echo_server
from tests.waiting import until
from tracker.messages import FRAME_BYTES
from tracker.websocket import connection as ours
from tracker.websocket import frame_parser, write_flow
from tracker.websocket.accept import Connection, Disconnected, QuartSocket

CUT_WITHIN = 1.5  # seconds
MEGABYTE = 1_000_000


@pytest.fixture(params=[True, False], ids=["ours", "quart"])
async def either(request: pytest.FixtureRequest) -> AsyncIterator[EchoServer]:
    """The echo behind a connection of ours, and behind Quart's own API."""
    async with echo_server(taking_over=request.param) as echo:
        yield echo


@pytest.fixture
async def echo() -> AsyncIterator[EchoServer]:
    """The echo behind connections of ours."""
    async with echo_server() as running:
        yield running


class Raw:
    """A peer that writes what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def pour(self, chunk: bytes, times: int, within: float) -> int:
        """Writes as much of it as is taken in this time; how many bytes that was."""
        poured = 0
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(within):
                for _ in range(times):
                    self.writer.write(chunk)
                    await self.writer.drain()
                    poured += len(chunk)
        return poured

    async def close_code(self, within: float = 30.0) -> int:
        """The close code that came before the end of the connection; fails where it does not end."""
        data = b""
        async with asyncio.timeout(within):
            with suppress(ConnectionError):
                while piece := await self.reader.read(65_536):
                    data = (data + piece)[-4096:]
        at = data.rfind(b"\x88", 0)
        code: int = struct.unpack_from("!H", data, at + 2)[0]
        return code


@asynccontextmanager
async def raw(echo: EchoServer, path: str = "/", *more: str) -> AsyncIterator[Raw]:
    """After the handshake."""
    reader, writer = await asyncio.open_connection("127.0.0.1", echo.port)
    lines = (
        f"GET {path} HTTP/1.1", "Host: x", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", *more,
    )  # fmt: skip
    writer.write("\r\n".join((*lines, "", "")).encode())
    answer = await reader.readuntil(b"\r\n\r\n")
    assert b" 101 " in answer
    assert b"sec-websocket-extensions" not in answer.lower()
    try:
        yield Raw(reader, writer)
    finally:
        writer.transport.abort()


def frame(opcode: Opcode, data: bytes, *, fin: bool = True, rsv1: bool = False) -> bytes:
    """Masked, and possibly wrong."""
    rest = Frame(Opcode.BINARY, data).serialize(mask=True)[1:]
    return bytes([fin << 7 | rsv1 << 6 | opcode]) + rest


def resident() -> int:
    """Bytes of this process, in which the server runs too."""
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123
        return int(statm.read().split()[1]) * resource.getpagesize()


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


async def until_ended(echo: EchoServer, within: float) -> None:

    def have_ended() -> bool:
        return all(isinstance(one, Connection) and one.has_ended for one in echo.sockets)

    assert echo.sockets
    await until(have_ended, within)


async def test_both_kinds_say_the_same(either: EchoServer) -> None:
    """Text, binary, empty, long and in fragments: what came goes back as it was."""
    async with connect(either.url) as peer:
        for message in ("hällo", b"\0\xff", b"", "", "x" * FRAME_BYTES, b"y" * FRAME_BYTES):
            await peer.send(message)
            assert await peer.recv() == message
        await peer.send(["ä", "", "ö"])
        assert await peer.recv() == "äö"
    assert isinstance(either.sockets[0], Connection | QuartSocket)


async def test_a_socket_is_its_own_peers_in_any_task(either: EchoServer) -> None:
    """What another's task sends on it reaches nobody else."""
    async with connect(either.url) as first, connect(either.url) as second:
        for peer in (first, second):
            await peer.send("in")
            assert await peer.recv() == "in"
        for said, taken in zip(("to the first", "to the second"), either.sockets, strict=True):
            await taken.send(said)
        assert (await first.recv(), await second.recv()) == ("to the first", "to the second")


async def test_compression_is_never_agreed_on(either: EchoServer) -> None:
    """Inflating comes before any limit, so a small frame would be a bomb."""
    async with connect(either.url, compression="deflate") as peer:
        assert peer.protocol.extensions == []


async def test_a_compressed_frame_is_a_protocol_error(echo: EchoServer) -> None:
    """RSV1 without an agreement: 1002, before anything is inflated."""
    async with raw(echo, "/", "Sec-WebSocket-Extensions: permessage-deflate") as peer:
        peer.writer.write(frame(Opcode.TEXT, b"\x4b\x4c\x04\x00", rsv1=True))
        assert await peer.close_code() == 1002


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(Opcode.TEXT, b"\xff\xfe"), 1007),
        (frame(Opcode.TEXT, b"\xc3", fin=False) + frame(Opcode.CONT, b"("), 1007),
        (frame(Opcode.CONT, b"of nothing"), 1002),
        (Frame(Opcode.TEXT, b"not masked").serialize(mask=False), 1002),
        (b"\x83\x80\0\0\0\0", 1002),
        (frame(Opcode.PING, b"x" * 126), 1002),
    ],
    ids=["text", "fragment", "continuation", "unmasked", "opcode", "ping"],
)
async def test_what_is_wrong_is_told_by_its_code(echo: EchoServer, sent: bytes, code: int) -> None:
    """A stock server drops the connection without a word."""
    async with raw(echo) as peer:
        peer.writer.write(sent)
        assert await peer.close_code(CUT_WITHIN) == code


@pytest.mark.parametrize("fragmented", [False, True])
async def test_a_message_over_the_limit_is_cut(echo: EchoServer, *, fragmented: bool) -> None:
    """1009 within a second, and what is poured in afterwards is neither kept nor waited for."""
    opcodes = iter([Opcode.TEXT] + [Opcode.CONT] * 30)
    piece = b"x" * 16_384
    begun = frame(Opcode.TEXT, b"x" * (FRAME_BYTES + 1))[:20]
    async with raw(echo) as peer:
        before, started = resident(), monotonic()
        if fragmented:
            peer.writer.writelines(frame(next(opcodes), piece, fin=False) for _ in range(17))
        else:
            peer.writer.write(begun)
        pouring = asyncio.create_task(peer.pour(b"z" * 65_536, 4_800, 10))
        assert await peer.close_code() == 1009
        await until_ended(echo, CUT_WITHIN)
        assert monotonic() - started < CUT_WITHIN + 0.5
        await pouring
        assert resident() - before < 10 * MEGABYTE


async def test_who_reads_slowly_makes_the_sender_wait(either: EchoServer) -> None:
    """A flood stays in the sender's buffers; nothing of it is lost."""
    async with raw(either, "/deaf") as peer:
        await peer.reader.read(7)
        either.may_read.clear()
        before, message = resident(), frame(Opcode.BINARY, b"x" * 50_000)
        poured = await peer.pour(message, 6_000, 1.0)
        assert poured < 20 * MEGABYTE
        assert resident() - before < 10 * MEGABYTE
        either.may_read.set()
        assert (await peer.reader.readexactly(7))[2:] == b"50000"


async def test_tiny_messages_wait_too(monkeypatch: pytest.MonkeyPatch, either: EchoServer) -> None:
    """Their number is bounded, not only their bytes."""
    monkeypatch.setattr(ours, "DRAIN_TIMEOUT", 0.5)  # until the echo has ended
    async with raw(either, "/deaf") as peer:
        await peer.reader.read(7)
        either.may_read.clear()
        before = resident()
        poured = await peer.pour(frame(Opcode.TEXT, b"") * 10_000, 1_000, 1.0)
        assert poured < 20 * MEGABYTE
        assert resident() - before < 10 * MEGABYTE


@pytest.mark.parametrize(
    "sent", [frame(Opcode.PING, b""), frame(Opcode.CONT, b"", fin=False)], ids=["pings", "fragments"]
)
async def test_frames_without_a_message_are_counted(
    echo: EchoServer, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pings and empty fragments cost work and bring nothing: a flood of them ends with 4103."""
    monkeypatch.setattr(frame_parser, "IDLE_FRAMES_AT_ONCE", 100)
    async with raw(echo) as peer:
        if sent[0] == Opcode.CONT:
            peer.writer.write(frame(Opcode.TEXT, b"", fin=False))
        peer.writer.write(sent * 5_000)
        assert await peer.close_code() == 4103


async def test_a_peer_that_stops_reading_is_cut(monkeypatch: pytest.MonkeyPatch, echo: EchoServer) -> None:
    """What is written waits for one message; then for a peer that takes nothing the time is limited."""
    monkeypatch.setattr(ours, "DRAIN_TIMEOUT", 0.5)  # until the echo has ended
    monkeypatch.setattr(write_flow, "STALLED_AFTER", 0.5)
    async with raw(echo) as peer:
        peer.reader._transport.pause_reading()  # type: ignore[attr-defined]
        before = resident()
        await peer.pour(frame(Opcode.BINARY, b"x" * 100_000), 600, 3.0)
        await until_ended(echo, 5.0)
        assert resident() - before < 10 * MEGABYTE


async def test_on_quarts_own_api_too_a_peer_that_stops_reading_is_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each message has its time to be taken; then the endpoint hears that the peer has gone."""
    monkeypatch.setattr(write_flow, "STALLED_AFTER", 0.5)
    async with echo_server(taking_over=False) as echo, raw(echo) as peer:
        peer.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await peer.pour(frame(Opcode.BINARY, b"x" * 100_000), 600, 3.0)
        with pytest.raises(Disconnected):
            await echo.sockets[0].receive()
        peer.reader._transport.resume_reading()  # type: ignore[attr-defined]
        async with asyncio.timeout(5):
            with suppress(ConnectionError):
                while await peer.reader.read(65_536):
                    pass


async def test_a_slow_reader_is_not_cut(echo: EchoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as it takes something."""
    monkeypatch.setattr(write_flow, "STALLED_AFTER", 1.0)
    size = 250_000
    async with raw(echo) as peer:
        peer.writer.write(frame(Opcode.BINARY, b"x" * size) * 8)
        got = 0
        while got < 8 * size:
            got += len(await peer.reader.read(40_000))
            await asyncio.sleep(0.05)  # simulates a slow reader
            assert not echo.sockets[0].has_ended  # type: ignore[attr-defined]


async def test_a_silent_peer_is_noticed(echo: EchoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pinged, and with no answer cut with 4104."""
    monkeypatch.setattr(ours, "PING_EVERY", 0.1)
    monkeypatch.setattr(ours, "SILENT_AFTER", 0.5)
    async with raw(echo) as peer:
        assert await peer.reader.readexactly(2) == b"\x89\0"
        assert await peer.close_code(CUT_WITHIN + 1) == 4104


async def test_a_peer_that_answers_pings_may_be_quiet(
    echo: EchoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Customers only listen: browsers answer for them."""
    monkeypatch.setattr(ours, "PING_EVERY", 0.1)
    monkeypatch.setattr(ours, "SILENT_AFTER", 0.4)
    async with connect(echo.url) as peer:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await peer.recv()
        await peer.send("still here")
        assert await peer.recv() == "still here"


async def test_what_came_before_the_goodbye_is_still_given(echo: EchoServer) -> None:
    """A phone that sends its fixes and leaves has sent them."""
    echo.may_read.clear()
    peer: ClientConnection
    async with connect(f"{echo.url}/deaf") as peer:
        await peer.recv()
        for _ in range(5):
            await peer.send("fix")
    (taken,) = echo.sockets
    for _ in range(5):
        assert await asyncio.wait_for(taken.receive(), 2) == "fix"
    with pytest.raises(Disconnected):
        await taken.receive()


async def test_an_endpoint_that_fails_says_so(echo: EchoServer) -> None:
    """1011, and the connection ends."""
    async with connect(f"{echo.url}/crash") as peer:
        with pytest.raises(ConnectionClosedError) as closed:
            await peer.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1011


async def test_nothing_is_left_of_connections_that_came_and_went(echo: EchoServer) -> None:
    """Tasks and file descriptors are back where they were."""
    async with connect(echo.url) as peer:
        await peer.send("warm")
        await peer.recv()
    tasks, descriptors = len(asyncio.all_tasks()), open_descriptors()
    for _ in range(50):
        async with raw(echo):
            pass
    await until(lambda: len(asyncio.all_tasks()) <= tasks and open_descriptors() <= descriptors)


async def test_everybody_is_told_of_a_restart_and_stalled_ones_are_cut() -> None:
    """1012 within a second, also while others take nothing."""
    async with echo_server() as echo:
        listeners = [await connect(echo.url) for _ in range(20)]
        async with raw(echo) as stalled:
            stalled.reader._transport.pause_reading()  # type: ignore[attr-defined]
            await stalled.pour(frame(Opcode.BINARY, b"x" * 100_000), 100, 0.5)
            begun = monotonic()
            echo.stop.set()
            for listener in listeners:
                with pytest.raises(ConnectionClosed) as closed:
                    await listener.recv()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1012
            assert monotonic() - begun < 1.0
            await until_ended(echo, CUT_WITHIN)


async def test_what_ended_waits_for_no_pass_of_the_collector(echo: EchoServer) -> None:
    """Else passes of a quarter of a second came when hundreds had left, and all others waited.

    The newest one may be held yet, until another comes.
    """
    kinds = {"Connection", "Client", "WSStream", "FrameProtocol", "TakeoverConnection", "Websocket"}

    def there() -> Counter[str]:
        return Counter(name for one in gc.get_objects() if (name := type(one).__name__) in kinds)

    gc.collect()
    before = there()
    gc.disable()
    try:
        for _ in range(5):
            async with raw(echo) as peer:
                peer.writer.write(frame(Opcode.TEXT, b"x"))
                await peer.reader.read(3)
        await until_ended(echo, 5.0)
        echo.sockets.clear()
        await until(lambda: max((there() - before).values(), default=0) <= 1)
    finally:
        gc.enable()
