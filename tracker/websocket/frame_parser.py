"""FrameParser: RFC 6455 frames from bytes, as messages in the receive queue or a reason to close.

Each call parses a bounded number of frames, so that a flood of tiny ones does not delay other connections.
The remaining bytes stay in the parser's buffer. The library `websockets` unmasks and checks each frame.
"""

import logging
from collections.abc import Generator
from typing import Final, NamedTuple

from websockets.frames import CTRL_OPCODES, Frame, Opcode
from websockets.protocol import OPEN, Protocol, Side
from websockets.streams import StreamReader

from tracker.rate_limits import RateLimit
from tracker.websocket.receive_queue import ReceiveQueue

IDLE_FRAMES_AT_ONCE: Final = 1_000  # frames that complete no message: control frames, and fragments
IDLE_FRAMES_PER_S: Final = 100.0

_quiet: Final = logging.Logger("websocket", logging.ERROR)


class FrameCount(NamedTuple):
    """How many frames were parsed, and how many of them completed no message."""

    frames: int
    idle: int = 0


class _LimitedReader(StreamReader):
    """Received bytes. The parser calls `at_eof` before each frame and pauses if none is allowed."""

    def __init__(self) -> None:
        super().__init__()
        self.allowed = 0  # frames

    def at_eof(self) -> Generator[None, None, bool]:
        while self.allowed <= 0:
            yield
        return (yield from super().at_eof())


class _Framing(Protocol):
    """The server side of RFC 6455."""

    def __init__(self, message_bytes: int) -> None:
        super().__init__(Side.SERVER, max_size=message_bytes, logger=_quiet)
        self.reader: _LimitedReader = _LimitedReader()
        self.parser = self.parse()  # replaces a parser that reads from another reader
        next(self.parser)

    def recv_frame(self, frame: Frame) -> None:
        self.reader.allowed -= 1
        if frame.opcode is Opcode.CLOSE:
            self.current_size = None  # a close frame is valid between two fragments
        super().recv_frame(frame)


class FrameParser:
    """Frames of one peer, without socket or clock."""

    __slots__ = ("_framing", "_idle_frames", "_is_closing", "messages")

    def __init__(self, message_bytes: int) -> None:
        self.messages = ReceiveQueue()
        self._framing = _Framing(message_bytes)
        self._idle_frames = RateLimit(IDLE_FRAMES_AT_ONCE, IDLE_FRAMES_PER_S)
        self._is_closing = False  # a close frame was sent: data is discarded

    # --- input

    def feed(self, data: bytes | memoryview, now: float, max_frames: int) -> FrameCount:
        """Add *data* to the buffer and parse at most *max_frames* frames. Errors close the connection."""
        self._framing.reader.allowed = max_frames
        self._framing.receive_data(data)  # type: ignore[arg-type]  # only copied
        return self._handle_frames(now)

    @property
    def has_unparsed(self) -> bool:
        """Whether the buffer may hold frames that were not parsed."""
        reader = self._framing.reader
        return reader.allowed <= 0 and bool(reader.buffer)

    def feed_eof(self) -> None:
        """Mark the end of the input and discard the frames that were not parsed."""
        reader = self._framing.reader
        if not reader.eof:
            if self.has_unparsed:
                reader.discard()
            reader.allowed = 1
            self._framing.receive_eof()

    def _handle_frames(self, now: float) -> FrameCount:
        frames = self._framing.events_received()
        idle = 0
        for frame in frames:
            assert isinstance(frame, Frame)  # the handshake is over
            if not self._is_closing and not self._completes_message(frame):
                idle += 1
                if not (self._is_closing or self._idle_frames.try_take("", 1.0, now)):
                    self._fail(4103, "rate_limited")
        return FrameCount(len(frames), idle)

    def _completes_message(self, frame: Frame) -> bool:
        """Queue the frame; return whether it completes a message."""
        try:
            return frame.opcode not in CTRL_OPCODES and self.messages.add(frame)
        except UnicodeDecodeError:
            self._fail(1007, "not UTF-8")
            return False

    # --- close

    def _fail(self, code: int, reason: str) -> None:
        self._is_closing = True
        self.messages.clear()
        self._framing.fail(code, reason)

    def send_close(self, code: int, reason: str) -> None:
        """Queue a close frame and discard the messages that were not received. Idempotent."""
        self._is_closing = True
        self.messages.clear()
        if self.is_open:
            self._framing.send_close(code, reason)

    @property
    def is_open(self) -> bool:
        """Whether neither side has sent a close frame."""
        return self._framing.state is OPEN

    @property
    def is_peer_closed(self) -> bool:
        """Whether the peer has sent a close frame or is gone."""
        return self._framing.close_rcvd is not None or self._framing.reader.eof

    @property
    def close_code(self) -> int | None:
        """The code with which this side closed; None if the peer closed first or the connection is open."""
        sent = self._framing.close_sent
        return None if sent is None or self._framing.close_rcvd_then_sent else sent.code

    @property
    def peer_close_code(self) -> int | None:
        """The code in the peer's close frame; None if there was none."""
        received = self._framing.close_rcvd
        return None if received is None else int(received.code)

    # --- output

    def to_send(self) -> tuple[bytes, bool]:
        """Return the protocol's own frames (pongs, close), and whether nothing follows them."""
        chunks = self._framing.data_to_send()
        return b"".join(chunks), bool(chunks) and not chunks[-1]
