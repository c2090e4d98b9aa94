"""Wire: what a peer's bytes mean, after RFC 6455: messages for the inbox, or a reason to say goodbye.

Bytes are parsed a bite at a time, so that whoever sends a flood of tiny frames decides nothing about how long
the others wait: the reader says how many frames may come, and what is left of the bytes comes later.
"""

import logging
from typing import Final

from websockets.frames import CTRL_OPCODES, Frame, Opcode
from websockets.protocol import OPEN, Protocol, Side

from tracker.rates import Bucket
from tracker.websocket.inbox import Inbox

BITE: Final = 256  # bytes; 42 of the smallest frames
LARGEST_BITE: Final = 2_048  # bytes, in the middle of a long frame: 50 kB cost 70 µs instead of 300
IDLE_FRAMES_AT_ONCE: Final = 1_000  # that bring no message: pings, and fragments that end none
IDLE_FRAMES_PER_S: Final = 100.0

_quiet: Final = logging.Logger("websocket", logging.ERROR)


class _Framing(Protocol):
    """A server's side of RFC 6455."""

    def __init__(self, message_bytes: int) -> None:
        super().__init__(Side.SERVER, max_size=message_bytes, logger=_quiet)

    def recv_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self.current_size = None  # who leaves in the middle of a message leaves all the same
        super().recv_frame(frame)


class Wire:
    """One peer's frames; no socket and no clock."""

    __slots__ = ("_framing", "_idle_frames", "_is_deaf", "inbox")

    def __init__(self, message_bytes: int, now: float) -> None:
        self.inbox = Inbox()
        self._framing = _Framing(message_bytes)
        self._idle_frames = Bucket(IDLE_FRAMES_AT_ONCE, now)
        self._is_deaf = False  # goodbye was said: nothing that comes is taken any more

    # --- what comes

    def feed(self, data: memoryview, now: float, most: int) -> tuple[int, int]:
        """Takes bytes in until `most` frames have come, or some more with the last bite.

        How many bytes that were, and how many frames.
        """
        at, frames, bite = 0, 0, BITE
        while at < len(data) and frames < most:
            self._framing.receive_data(data[at : at + bite])  # type: ignore[arg-type]  # only copied
            at += bite
            if came := self._hear(now):
                frames, bite = frames + came, BITE
            else:
                bite = min(2 * bite, LARGEST_BITE)
        return min(at, len(data)), frames

    def feed_eof(self) -> None:
        if not self._framing.reader.eof:
            self._framing.receive_eof()

    def _hear(self, now: float) -> int:
        frames = self._framing.events_received()
        for frame in frames:
            assert isinstance(frame, Frame)  # handshakes are none of its business
            if not self._is_deaf:
                self._take(frame, now)
        return len(frames)

    def _take(self, frame: Frame, now: float) -> None:
        try:
            is_whole = frame.opcode not in CTRL_OPCODES and self.inbox.add(frame)
        except UnicodeDecodeError:
            self._fail(1007, "not UTF-8")
            return
        if not is_whole and not self._idle_frames.take(IDLE_FRAMES_AT_ONCE, IDLE_FRAMES_PER_S, now):
            self._fail(4103, "rate_limited")

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
