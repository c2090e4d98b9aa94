"""Codecs: the two encodings of a driver's messages, JSON in text frames and MessagePack in binary ones."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Protocol

import msgspec

from tracker.domain.track import Fix, Refusal, parse_fix
from tracker.errors import Unparsable
from tracker.messages import AwareTime, Fixes, FromDriver, RawFixes


class Codec(Protocol):
    """One subprotocol of the drivers' stream."""

    def encode(self, message: object) -> str | bytes: ...
    def decode(self, frame: str | bytes) -> FromDriver | RawFixes: ...


class JsonCodec:
    """`tracker.v1`: JSON in text frames."""

    frame_type: Final = str

    def encode(self, message: object) -> str:
        return msgspec.json.encode(message).decode()

    def decode(self, frame: str | bytes) -> FromDriver | RawFixes:
        """Raises Unparsable. Wrong fixes come back raw, for judging one by one."""
        return _strictly_or_leniently(_json_strict.decode, read_json, frame)


class MsgpackCodec:
    """`tracker.v1.msgpack`: MessagePack in binary frames."""

    frame_type: Final = bytes

    def encode(self, message: object) -> bytes:
        return msgspec.msgpack.encode(message)

    def decode(self, frame: str | bytes) -> FromDriver | RawFixes:
        """Raises Unparsable. Wrong fixes come back raw, for judging one by one."""
        if isinstance(frame, str):
            raise Unparsable("Text where MessagePack was agreed.")
        return _strictly_or_leniently(_msgpack_strict.decode, _read_msgpack, frame)


CODECS: Final[dict[str, type[JsonCodec] | type[MsgpackCodec]]] = {
    "tracker.v1": JsonCodec,
    "tracker.v1.msgpack": MsgpackCodec,
}

_json_strict: Final = msgspec.json.Decoder(FromDriver)
_msgpack_strict: Final = msgspec.msgpack.Decoder(FromDriver)


def _strictly_or_leniently[Frame: (str | bytes, bytes)](
    strict: Callable[[Frame], FromDriver], read: Callable[[Frame], object], frame: Frame
) -> FromDriver | RawFixes:
    """Only a message of fixes gets a second reading: a wrong one must not spoil its neighbours."""
    try:
        return strict(frame)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        why = error
    try:
        raw: RawFixes = msgspec.convert(read(frame), RawFixes)
    except (msgspec.ValidationError, UnicodeError, RecursionError) as error:
        raise Unparsable(str(why)) from error
    return raw


def read_json(frame: str | bytes) -> object:
    """JSON with the numbers that Python's own writer lets slip: NaN and Infinity. Raises Unparsable.

    They cost one fix by name and not its neighbours.
    """
    try:
        return json.loads(frame)
    except (ValueError, RecursionError) as error:
        raise Unparsable(f"This is not JSON: {error}") from error


def _read_msgpack(frame: bytes) -> object:
    try:
        return msgspec.msgpack.decode(frame)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise Unparsable(f"This is not MessagePack: {error}") from error


def readings(message: Fixes | RawFixes) -> list[Fix | Refusal]:
    """The message's fixes, each as a fix or as the name of what is wrong with it."""
    if isinstance(message, Fixes):
        return list(message.fixes)
    return [parse_fix(raw, read_time) for raw in message.fixes]


def read_time(value: Any) -> datetime:
    """RFC 3339 with an offset. Raises ValueError."""
    try:
        return msgspec.convert(value, AwareTime)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
