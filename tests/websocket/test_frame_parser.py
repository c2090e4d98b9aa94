"""How much of a flood is taken at a time and how soon more, and how many pulses fall on one moment."""

from collections import Counter
from contextlib import AsyncExitStack, suppress
from time import monotonic
from typing import Final
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from tests.echo import echo_server
from tracker.messages import FRAME_BYTES
from tracker.rate_limits import spread
from tracker.websocket import read_limiter
from tracker.websocket.connection import Connection
from tracker.websocket.frame_parser import IDLE_FRAMES_AT_ONCE, FrameCount, FrameParser
from tracker.websocket.read_limiter import (
    AT_ONCE,
    FLOOD,
    FORGIVEN_PER_S,
    IDLE_COUNTS,
    OTHER_POINTS,
    POINT_BYTES,
    PORTION,
    REST,
    SLOW_REST,
    ReadLimiter,
)


def masked(opcode: Opcode, data: bytes = b"") -> bytes:
    return Frame(opcode, data).serialize(mask=True)


@pytest.mark.parametrize(
    ("frame", "points"),
    [
        (masked(Opcode.PING), OTHER_POINTS),
        (masked(Opcode.TEXT), 1),
        (masked(Opcode.TEXT, b"x" * 40), 1),
        (masked(Opcode.BINARY, b"x" * (3 * POINT_BYTES)), 4),
    ],
    ids=["ping", "empty", "short", "long"],
)
def test_a_flood_is_taken_a_few_frames_at_a_time(frame: bytes, points: int) -> None:
    """However much came with one read: what is over the number stays where it is, and nothing gets lost."""
    wire = FrameParser(FRAME_BYTES)
    assert wire.feed(frame * 200, 0.0, 3 * points)[::2] == (3, 3 * points)
    taken = 3
    while wire.has_unparsed:
        taken += wire.feed(b"", 0.0, 3 * points).frames
    assert taken == 200
    assert wire.is_open


def test_frames_that_come_byte_by_byte_are_all_taken() -> None:
    """Wherever the reads happened to end."""
    wire = FrameParser(FRAME_BYTES)
    sent = masked(Opcode.TEXT, b"x" * 300) + masked(Opcode.PING) + masked(Opcode.BINARY, b"yy")
    taken = [wire.feed(sent[at : at + 1], 0.0, 1) for at in range(len(sent))]
    assert [sum(each) for each in zip(*taken, strict=True)] == [3, 1, 3 * OTHER_POINTS]
    assert [wire.messages.take() for _ in range(2)] == ["x" * 300, b"yy"]


def test_a_long_message_is_taken_whole() -> None:
    """It is one frame, however many bytes: who sends in bulk has no rest."""
    wire = FrameParser(FRAME_BYTES)
    assert wire.feed(masked(Opcode.BINARY, b"x" * FRAME_BYTES), 0.0, 1)[:2] == (1, 0)
    assert len(wire.messages.take()) == FRAME_BYTES


def test_behind_a_long_message_a_flood_is_still_bounded() -> None:
    """To the frame."""
    wire = FrameParser(FRAME_BYTES)
    sent = masked(Opcode.BINARY, b"x" * 10_000) + masked(Opcode.PING) * 2_000
    pings = -(-(PORTION - 1 - 10_000 // POINT_BYTES) // OTHER_POINTS)
    assert wire.feed(sent, 0.0, PORTION)[:2] == (1 + pings, pings)
    assert wire.has_unparsed


def test_what_was_not_taken_before_the_end_never_is() -> None:
    """A flood that has ended is not worked off."""
    wire = FrameParser(FRAME_BYTES)
    wire.feed(masked(Opcode.TEXT, b"x") * 100, 0.0, PORTION)
    wire.feed_eof()
    assert not wire.is_open
    assert len([wire.messages.take() for _ in range(PORTION)]) == PORTION
    assert not wire.messages


TEXTS: Final = ["", "ä" * 200, "x" * 1_000, "x" * 1_001]
FRAMES: Final = st.one_of(
    st.builds(masked, st.sampled_from([Opcode.TEXT, Opcode.BINARY, Opcode.PING]), st.binary(max_size=125)),
    st.builds(masked, st.just(Opcode.TEXT), st.sampled_from(TEXTS).map(str.encode)),
    st.builds(
        lambda opcode, fin: Frame(opcode, b"x", fin).serialize(mask=True),
        st.sampled_from([Opcode.TEXT, Opcode.BINARY, Opcode.CONT]),
        st.booleans(),
    ),
    st.sampled_from([b"\xc1\x81abcdx", b"\x81\x01x", masked(Opcode.CLOSE)]),  # a reserved bit; not masked
)


@given(frames=st.lists(FRAMES, max_size=12), cuts=st.lists(st.integers(1, 300)), points=st.integers(1, 40))
def test_whole_messages_and_the_library_agree(frames: list[bytes], cuts: list[int], points: int) -> None:
    """The same messages, pongs and close codes as from the library alone, wherever reads and portions end."""
    sent = b"".join(frames)
    alone, wire = FrameParser(1_000), FrameParser(1_000)
    with patch("tracker.websocket.frame_parser._whole_message", return_value=None):
        expected = outcome(alone, [sent], 1_000)
    pieces, at = [], 0
    for cut in cuts:
        pieces.append(sent[at : at + cut])
        at += cut
    assert outcome(wire, [*pieces, sent[at:]], points) == expected


def outcome(wire: FrameParser, pieces: list[bytes], points: int) -> object:
    """Feed everything; return messages, own frames and close codes."""
    own = b""
    for piece in pieces:
        wire.feed(piece, 0.0, points)
        while wire.has_unparsed:
            wire.feed(b"", 0.0, points)
        own += wire.to_send()[0]
    messages = []
    while wire.messages:
        messages.append(wire.messages.take())
    return messages, own, wire.is_open, wire.close_code, wire.peer_close_code


def take_all(pace_: ReadLimiter, now: float, seconds: float) -> tuple[int, float]:
    """Frames that a peer who always has more gets taken in this time, and when it is over."""
    frames, until = 0, now + seconds
    while now < until and not pace_.is_flood:
        portion = pace_.points_allowed(now)
        pace_.count(portion, 0, portion)
        frames += portion
        now += pace_.rest
        pace_.begin_portion(now)
    return frames, now


def test_whoever_goes_on_and_on_is_taken_slowly() -> None:
    """First as fast as portions go, then one by one."""
    flooded = ReadLimiter(0.0)
    frames, now = take_all(flooded, 0.0, AT_ONCE / PORTION * REST)
    assert frames == AT_ONCE
    _, now = take_all(flooded, now, 2.0)
    frames, now = take_all(flooded, now, 10.0)
    assert frames == pytest.approx(10.0 / SLOW_REST, rel=0.05)


def test_whoever_sends_much_that_brings_nothing_is_taken_slowly_sooner() -> None:
    """Nobody has many pings to send."""
    flooded = ReadLimiter(0.0)
    frames = 0
    while flooded.points_allowed(0.0) == PORTION:
        flooded.count(1, 1, OTHER_POINTS)
        flooded.begin_portion(0.0)
        frames += 1
    assert frames == AT_ONCE / IDLE_COUNTS


def test_a_flood_that_never_rests_is_ended() -> None:
    """And one that rests in between is not, and is taken fast again."""
    flooded = ReadLimiter(0.0)
    frames, _ = take_all(flooded, 0.0, 1_000.0)
    assert flooded.is_flood
    assert FLOOD < frames < FLOOD + 4 * AT_ONCE
    rests = ReadLimiter(0.0)
    now = 0.0
    for _ in range(10):
        _, now = take_all(rests, now, FLOOD * SLOW_REST / 2)
        now += AT_ONCE / FORGIVEN_PER_S
    assert not rests.is_flood
    assert rests.points_allowed(now) == PORTION


async def test_a_flood_hears_4103(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it consists of."""
    monkeypatch.setattr(read_limiter, "AT_ONCE", 20)
    monkeypatch.setattr(read_limiter, "FLOOD", 20)
    async with echo_server() as echo, connect(echo.url, compression=None) as peer:
        peer.transport.write(masked(Opcode.TEXT, b"x") * 400)
        with suppress(ConnectionClosed):
            async for _ in peer:
                pass
        assert peer.close_code == 4103


def test_frames_that_bring_nothing_are_counted_over_all_turns() -> None:
    """Taken in small portions they end with 4103 all the same."""
    wire, ping = FrameParser(FRAME_BYTES), masked(Opcode.PING)
    for _ in range(IDLE_FRAMES_AT_ONCE):
        wire.feed(ping, 0.0, PORTION)
    assert wire.is_open
    wire.feed(ping, 0.0, PORTION)
    assert wire.close_code == 4103


async def test_between_two_portions_the_others_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one connection is flooded, each pass of the loop takes no more than a portion of it."""
    portions: list[int] = []
    feed = FrameParser.feed

    def counted(self: FrameParser, data: bytes | memoryview, now: float, most: int) -> FrameCount:
        taken = feed(self, data, now, most)
        portions.append(taken.frames)
        return taken

    monkeypatch.setattr(FrameParser, "feed", counted)
    async with echo_server() as echo, connect(echo.url, compression=None) as peer:
        began = monotonic()
        peer.transport.write(masked(Opcode.TEXT, b"x") * 400)
        for _ in range(400):
            await peer.recv()
        assert max(portions) <= PORTION
        assert sum(portions) == 400
        assert monotonic() - began >= (400 // PORTION - 1) * REST


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
        ours = [one for one in echo.sockets if isinstance(one, Connection)]
        pulses = [one._ping_timer.when() for one in ours if one._ping_timer is not None]
        assert len(pulses) == 20
        assert max(pulses) - min(pulses) > 1.0


def test_what_is_no_text_ends_with_its_own_code_however_many_frames_came_before() -> None:
    """The first reason counts."""
    wire, ping = FrameParser(FRAME_BYTES), masked(Opcode.PING)
    wire.feed(ping * IDLE_FRAMES_AT_ONCE, 0.0, IDLE_FRAMES_AT_ONCE * OTHER_POINTS)
    wire.feed(masked(Opcode.TEXT, b"\xff"), 0.0, 1)
    assert wire.close_code == 1007
