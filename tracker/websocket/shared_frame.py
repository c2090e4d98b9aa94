"""Frame: one message, encoded once for all its receivers."""

from typing import Final

from websockets.frames import Frame as _Framing
from websockets.frames import Opcode

PING: Final = _Framing(Opcode.PING, b"").serialize(mask=False)


class Frame:
    """A message to many clients: `str` in a text frame, `bytes` in a binary one. Not masked."""

    __slots__ = ("_encoded", "message")

    def __init__(self, message: str | bytes) -> None:
        self.message = message
        self._encoded: bytes | None = None

    def encoded(self) -> bytes:
        """Return the bytes of the frame, encoded at the first call."""
        if self._encoded is None:
            self._encoded = encode(self.message)
        return self._encoded


def encode(message: str | bytes) -> bytes:
    """Return the message as one unfragmented frame."""
    if isinstance(message, str):
        return _Framing(Opcode.TEXT, message.encode()).serialize(mask=False)
    return _Framing(Opcode.BINARY, message).serialize(mask=False)
