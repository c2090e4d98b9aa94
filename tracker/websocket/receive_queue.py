"""ReceiveQueue: a bounded queue of messages, assembled from frames."""

import codecs
from collections import deque
from typing import Final

from websockets.frames import Frame, Opcode

MESSAGES: Final = 32  # queued at most; then reading pauses
BYTES: Final = 524_288  # queued at most; a message of full length always fits


class ReceiveQueue:
    """Messages that the endpoint has not received, and the fragments of an incomplete one."""

    __slots__ = ("_decoder", "_fragments", "_messages", "_size")

    def __init__(self) -> None:
        self._messages: deque[str | bytes] = deque()
        self._size = 0
        self._fragments = bytearray()
        self._decoder: codecs.IncrementalDecoder | None = None  # for text in fragments

    def __bool__(self) -> bool:
        return bool(self._messages)

    @property
    def is_full(self) -> bool:
        return len(self._messages) >= MESSAGES or self._size >= BYTES

    @property
    def has_room(self) -> bool:
        """Whether half is free, so that resuming the transport is worth its calls."""
        return len(self._messages) <= MESSAGES // 2 and self._size <= BYTES // 2

    def take(self) -> str | bytes:
        message = self._messages.popleft()
        self._size -= len(message)
        return message

    def clear(self) -> None:
        self._messages.clear()
        self._fragments.clear()
        self._size = 0

    def add(self, frame: Frame) -> bool:
        """Add a data frame; return whether it completed a message. Raises UnicodeDecodeError."""
        if frame.opcode is not Opcode.CONT and frame.fin:
            self.put(str(frame.data, "utf-8") if frame.opcode is Opcode.TEXT else bytes(frame.data))
            return True
        if frame.opcode is Opcode.TEXT:
            self._decoder = codecs.getincrementaldecoder("utf-8")()
        elif frame.opcode is Opcode.BINARY:
            self._decoder = None
        return self._add_fragment(frame)

    def _add_fragment(self, frame: Frame) -> bool:
        """Add a fragment. Invalid UTF-8 is detected at once, not only at the end of the message."""
        self._fragments += frame.data
        if self._decoder is not None:
            self._decoder.decode(frame.data, final=frame.fin)
        if frame.fin:
            whole, self._fragments = self._fragments, bytearray()
            self.put(bytes(whole) if self._decoder is None else whole.decode())
        return frame.fin

    def put(self, message: str | bytes) -> None:
        """Add a whole message."""
        self._messages.append(message)
        self._size += len(message)
