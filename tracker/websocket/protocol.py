"""Wire: what a peer's bytes mean, after RFC 6455: messages for the inbox, or a reason to say goodbye.

Of what has come only so many frames are parsed at a time, so that whoever sends a flood of tiny ones decides
nothing about how long the others wait: the bytes of the others lie here until it is their turn.
"""

import logging
from collections.abc import Generator
from typing import Final, NamedTuple

from websockets.frames import CTRL_OPCODES, Frame, Opcode
from websockets.protocol import OPEN, Protocol, Side
from websockets.streams import StreamReader

from tracker.rate_limits import RateLimit
from tracker.websocket.receive_queue import ReceiveQueue

IDLE_FRAMES_AT_ONCE: Final = 1_000  # that bring no message: pings, and fragments that end none
IDLE_FRAMES_PER_S: Final = 100.0

_quiet: Final = logging.Logger("websocket", logging.ERROR)


class FrameCount(NamedTuple):
    """How many frames, and how many of them brought no message."""

    frames: int
    idle: int = 0


class _Portions(StreamReader):
    """What has come; the parser asks here before each frame, and waits where no more may come for now."""

    def __init__(self) -> None:
        super().__init__()
        self.allowed = 0  # frames

    def at_eof(self) -> Generator[None, None, bool]:
        while self.allowed <= 0:
            yield
        return (yield from super().at_eof())


class _Framing(Protocol):
    """A server's side of RFC 6455."""

    def __init__(self, message_bytes: int) -> None:
        super().__init__(Side.SERVER, max_size=message_bytes, logger=_quiet)
        self.reader: _Portions = _Portions()
        self.parser = self.parse()  # the one that was there reads from another reader
        next(self.parser)

    def recv_frame(self, frame: Frame) -> None:
        self.reader.allowed -= 1
        if frame.opcode is Opcode.CLOSE:
            self.current_size = None  # who leaves in the middle of a message leaves all the same
        super().recv_frame(frame)


class FrameParser:
    """One peer's frames; no socket and no clock."""

    __slots__ = ("_framing", "_idle_frames", "_is_deaf", "inbox")

    def __init__(self, message_bytes: int) -> None:
        self.inbox = ReceiveQueue()
        self._framing = _Framing(message_bytes)
        self._idle_frames = RateLimit(IDLE_FRAMES_AT_ONCE, IDLE_FRAMES_PER_S)
        self._is_deaf = False  # goodbye was said: nothing that comes is taken any more

    # --- what comes

    def feed(self, data: bytes | memoryview, now: float, most: int) -> FrameCount:
        """Takes bytes in, and of all that have come `most` frames at the most."""
        self._framing.reader.allowed = most
        self._framing.receive_data(data)  # type: ignore[arg-type]  # only copied
        return self._hear(now)

    @property
    def is_behind(self) -> bool:
        """Frames may be there that have not been taken yet."""
        reader = self._framing.reader
        return reader.allowed <= 0 and bool(reader.buffer)

    def feed_eof(self) -> None:
        """What has not been taken by now never is."""
        reader = self._framing.reader
        if not reader.eof:
            if self.is_behind:
                reader.discard()
            reader.allowed = 1
            self._framing.receive_eof()

    def _hear(self, now: float) -> FrameCount:
        frames = self._framing.events_received()
        idle = 0
        for frame in frames:
            assert isinstance(frame, Frame)  # handshakes are none of its business
            if not self._is_deaf and not self._brings_message(frame):
                idle += 1
                if not (self._is_deaf or self._idle_frames.try_take("", 1.0, now)):
                    self._fail(4103, "rate_limited")
        return FrameCount(len(frames), idle)

    def _brings_message(self, frame: Frame) -> bool:
        """Alone, or as the last of its fragments."""
        try:
            return frame.opcode not in CTRL_OPCODES and self.inbox.add(frame)
        except UnicodeDecodeError:
            self._fail(1007, "not UTF-8")
            return False

    # --- how it ends

    def _fail(self, code: int, reason: str) -> None:
        self._is_deaf = True
        self.inbox.clear()
        self._framing.fail(code, reason)

    def say_goodbye(self, code: int, reason: str) -> None:
        """What came and was not taken is not wanted any more."""
        self._is_deaf = True
        self.inbox.clear()
        if self.is_open:
            self._framing.send_close(code, reason)

    @property
    def is_open(self) -> bool:
        """Neither side has said goodbye."""
        return self._framing.state is OPEN

    @property
    def is_answered(self) -> bool:
        """The peer has said goodbye, or has gone."""
        return self._framing.close_rcvd is not None or self._framing.reader.eof

    @property
    def goodbye(self) -> int | None:
        """The close code with which this side has ended it; None where the peer did."""
        said = self._framing.close_sent
        return None if said is None or self._framing.close_rcvd_then_sent else said.code

    # --- what goes

    def to_send(self) -> tuple[bytes, bool]:
        """What the protocol itself has to answer, and whether that is the last of all."""
        pieces = self._framing.data_to_send()
        return b"".join(pieces), bool(pieces) and not pieces[-1]
