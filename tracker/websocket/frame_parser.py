"""FrameParser: RFC 6455 frames from bytes, as messages in the receive queue or a reason to close.

Each call parses a bounded number of frames, so that a flood of tiny ones does not delay other connections.
The remaining bytes stay in the parser's buffer. Nearly all frames are whole messages: those are parsed here,
and the library `websockets` parses and checks all others.
"""

import logging
from collections.abc import Generator
from typing import Final, NamedTuple, cast

from websockets.frames import CTRL_OPCODES, Frame, Opcode
from websockets.protocol import OPEN, Protocol, Side
from websockets.streams import StreamReader

try:
    from websockets.speedups import apply_mask
except ImportError:  # a platform without its C extension
    from websockets.utils import apply_mask

from tracker.rate_limits import RateLimit
from tracker.websocket.read_limiter import OTHER_POINTS, POINT_BYTES
from tracker.websocket.receive_queue import ReceiveQueue

IDLE_FRAMES_AT_ONCE: Final = 1_000  # frames that complete no message: control frames, and fragments
IDLE_FRAMES_PER_S: Final = 100.0

WHOLE_TEXT: Final = 0x80 | Opcode.TEXT  # the first byte of a frame that is a whole message
WHOLE_BINARY: Final = 0x80 | Opcode.BINARY
MASKED: Final = 0x80  # in the second byte, beside the length
TWO_BYTES: Final = 126  # in place of a length that follows

_quiet: Final = logging.Logger("websocket", logging.ERROR)


class FrameCount(NamedTuple):
    """How many frames were parsed, how many of them completed no message, and how many points all cost."""

    frames: int
    idle: int
    points: int


class _LimitedReader(StreamReader):
    """Received bytes. The parser calls `at_eof` before each frame and pauses if none is allowed."""

    def __init__(self) -> None:
        super().__init__()
        self.allowed = 0  # frames
        self.is_between_frames = True

    def at_eof(self) -> Generator[None, None, bool]:
        self.is_between_frames = True
        while self.allowed <= 0:
            yield
        ended = yield from super().at_eof()
        self.is_between_frames = False
        return ended


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

    __slots__ = ("_framing", "_idle_frames", "_is_closing", "_message_bytes", "messages")

    def __init__(self, message_bytes: int) -> None:
        self.messages = ReceiveQueue()
        self._framing = _Framing(message_bytes)
        self._message_bytes = message_bytes
        self._idle_frames = RateLimit(IDLE_FRAMES_AT_ONCE, IDLE_FRAMES_PER_S)
        self._is_closing = False  # a close frame was sent: data is discarded

    # --- input

    def feed(self, data: bytes | memoryview, now: float, points: int) -> FrameCount:
        """Add *data* to the buffer and parse frames for *points*. Errors close the connection."""
        reader = self._framing.reader
        reader.feed_data(data)  # type: ignore[arg-type]  # only copied
        whole, left = self._take_messages(points)
        others = idle = 0
        while left > 0:
            reader.allowed = 1
            self._framing.receive_data(b"")
            frames = self._framing.events_received()
            if not frames:
                return FrameCount(whole + others, idle, points - left)
            others += len(frames)
            left -= len(frames) * OTHER_POINTS
            idle += self._handle_frames(cast("list[Frame]", frames), now)
            more, left = self._take_messages(left)
            whole += more
        reader.allowed = 0
        return FrameCount(whole + others, idle, points - left)

    def _take_messages(self, points: int) -> tuple[int, int]:
        """Queue the whole messages at the start of the buffer; return how many, and the points that are left.

        A frame that is anything else, or incomplete, or not valid, stays for the library.
        """
        framing, put = self._framing, self.messages.put
        is_fragmented = framing.current_size is not None
        if is_fragmented or self._is_closing or not (framing.reader.is_between_frames and self.is_open):
            return 0, points
        buffer, count, at = framing.reader.buffer, 0, 0
        try:
            while points > 0 and (found := _whole_message(buffer, at, self._message_bytes)) is not None:
                start, end = found
                payload = apply_mask(buffer[start:end], buffer[start - 4 : start])
                put(payload if buffer[at] == WHOLE_BINARY else str(payload, "utf-8"))
                points -= 1 + (end - start) // POINT_BYTES
                at, count = end, count + 1
        except UnicodeDecodeError:
            self._fail(1007, "not UTF-8")
        del buffer[:at]
        return count, points

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

    def _handle_frames(self, frames: list[Frame], now: float) -> int:
        """Queue the library's frames; return how many completed no message."""
        idle = 0
        for frame in frames:
            if not self._is_closing and not self._completes_message(frame):
                idle += 1
                if not (self._is_closing or self._idle_frames.try_take("", 1.0, now)):
                    self._fail(4103, "rate_limited")
        return idle

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


def _whole_message(buffer: bytearray, at: int, message_bytes: int) -> tuple[int, int] | None:
    """Return where the payload of the masked frame at *at* begins and ends, if the frame is a whole message.

    None if it is something else, incomplete, or longer than *message_bytes* or 64 KiB.
    """
    size = len(buffer)
    if size < at + 6 or buffer[at] not in (WHOLE_TEXT, WHOLE_BINARY) or buffer[at + 1] < MASKED:
        return None
    length, start = buffer[at + 1] - MASKED, at + 6
    if length >= TWO_BYTES:
        if length > TWO_BYTES:
            return None
        length, start = (buffer[at + 2] << 8) | buffer[at + 3], at + 8
    if length > message_bytes or size < start + length:
        return None
    return start, start + length
