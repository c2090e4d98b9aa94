"""How much of a flood is taken at a time, and how many connections' pulses fall on one moment."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import pytest
from websockets.asyncio.client import connect
from websockets.frames import Frame, Opcode

from tests.echo import echo_server
from tracker.messages import FRAME_BYTES
from tracker.rates import spread
from tracker.websocket.connection import FRAMES_AT_ONCE, REST, Connection
from tracker.websocket.wire import BITE, IDLE_FRAMES_AT_ONCE, LARGEST_BITE, Wire

SMALLEST = 6  # bytes of an empty frame with its mask
AT_MOST = FRAMES_AT_ONCE + BITE // SMALLEST


def masked(opcode: Opcode, data: bytes = b"") -> bytes:
    return Frame(opcode, data).serialize(mask=True)


@pytest.mark.parametrize("frame", [masked(Opcode.PING), masked(Opcode.TEXT), masked(Opcode.TEXT, b"x" * 40)])
def test_a_flood_is_taken_a_few_frames_at_a_time(frame: bytes) -> None:
    """However much came with one read: what is over the number stays where it is, and nothing gets lost."""
    flood, wire = memoryview(frame * 200), Wire(FRAME_BYTES, 0.0)
    turns = taken = 0
    while taken < len(flood):
        more, frames = wire.feed(flood[taken:], 0.0, FRAMES_AT_ONCE)
        assert 0 < frames <= AT_MOST
        taken, turns = taken + more, turns + 1
    assert turns >= 200 // AT_MOST
    assert wire.is_open


def test_a_long_message_is_taken_whole() -> None:
    """It is one frame, however many bytes: who sends in bulk has no rest."""
    wire = Wire(FRAME_BYTES, 0.0)
    message = masked(Opcode.BINARY, b"x" * FRAME_BYTES)
    assert wire.feed(memoryview(message), 0.0, FRAMES_AT_ONCE) == (len(message), 1)
    assert len(wire.inbox.take()) == FRAME_BYTES


def test_behind_a_long_message_a_flood_is_still_bounded() -> None:
    """Long frames are taken in larger bites; the last one may end in a flood, and is no larger than that."""
    flood = masked(Opcode.BINARY, b"x" * 10_000) + masked(Opcode.PING) * 2_000
    taken, frames = Wire(FRAME_BYTES, 0.0).feed(memoryview(flood), 0.0, FRAMES_AT_ONCE)
    assert taken < 10_000 + 2 * LARGEST_BITE
    assert frames <= 1 + LARGEST_BITE // SMALLEST


async def test_who_sent_more_than_a_portion_rests_the_longer() -> None:
    """So that the frames of a second stay the same, however they are packed."""
    async with echo_server() as echo, connect(echo.url, compression=None) as peer:
        loop, began = asyncio.get_running_loop(), asyncio.get_running_loop().time()
        for _ in range(3):
            peer.transport.write(masked(Opcode.TEXT, b"x" * 9_000) + masked(Opcode.TEXT) * 300)
        for _ in range(3 * 301):
            await peer.recv()
        assert loop.time() - began >= (3 * 301 // FRAMES_AT_ONCE - AT_MOST) * REST


def test_frames_that_bring_nothing_are_counted_over_all_turns() -> None:
    """Taken in small portions they end with 4103 all the same."""
    wire, ping = Wire(FRAME_BYTES, 0.0), memoryview(masked(Opcode.PING))
    for _ in range(IDLE_FRAMES_AT_ONCE):
        wire.feed(ping, 0.0, FRAMES_AT_ONCE)
    assert wire.is_open
    wire.feed(ping, 0.0, FRAMES_AT_ONCE)
    assert wire.goodbye == 4103


async def test_between_two_portions_the_others_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one connection is flooded, each pass of the loop takes no more than a portion of it."""
    portions: list[int] = []
    feed = Wire.feed

    def counted(self: Wire, data: memoryview, now: float, most: int) -> tuple[int, int]:
        taken, frames = feed(self, data, now, most)
        portions.append(frames)
        return taken, frames

    monkeypatch.setattr(Wire, "feed", counted)
    async with echo_server() as echo, connect(echo.url, compression=None) as peer:
        loop, began = asyncio.get_running_loop(), asyncio.get_running_loop().time()
        peer.transport.write(masked(Opcode.TEXT, b"x") * 400)
        for _ in range(400):
            await peer.recv()
        assert max(portions) <= AT_MOST
        assert loop.time() - began >= (400 // AT_MOST - 1) * REST


def test_what_began_at_one_moment_does_not_come_again_at_one_moment() -> None:
    """Heartbeats of 500 who came together fall on moments of their own, none late."""
    every = [spread(15.0) for _ in range(500)]
    assert max(every) <= 15.0
    assert max(Counter(int(seconds * 10) for seconds in every).values()) < 50  # in a tenth of a second


async def test_connections_of_one_moment_are_not_asked_at_one_moment() -> None:
    """Whether they are there."""
    async with echo_server() as echo, AsyncExitStack() as stack:
        for _ in range(20):
            await stack.enter_async_context(connect(echo.url, compression=None))
        pulses = [one._pulse.when() for one in echo.sockets if isinstance(one, Connection)]
        assert len(pulses) == 20
        assert max(pulses) - min(pulses) > 1.0
