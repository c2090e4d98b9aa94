"""Codecs of drivers' messages: JSON in text frames and MessagePack in binary frames."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Protocol

import msgspec

from tracker.domain.tracks.fix import Fix, Rejection, parse_fix
from tracker.errors import Unparsable
from tracker.messages import FIXES_PER_MESSAGE, AwareTime, Fixes, FromDriver, Id, RawFixes
from tracker.messages.allowed_values import path_and_detail


class Codec(Protocol):
    """A subprotocol of the drivers' stream."""

    def encode(self, message: object) -> str | bytes: ...
    def decode(self, frame: str | bytes) -> FromDriver | RawFixes: ...


class JsonCodec:
    """`tracker.v1`: JSON in text frames."""

    frame_type: Final = str

    def encode(self, message: object) -> str:
        return msgspec.json.encode(message).decode()

    def decode(self, frame: str | bytes) -> FromDriver | RawFixes:
        """Decode a frame. Wrong fixes are returned raw, to be judged one by one. Raises Unparsable."""
        return _decode(_decode_json, _decode_raw_json, frame, "JSON")


class MsgpackCodec:
    """`tracker.v1.msgpack`: MessagePack in binary frames."""

    frame_type: Final = bytes

    def encode(self, message: object) -> bytes:
        return msgspec.msgpack.encode(message)

    def decode(self, frame: str | bytes) -> FromDriver | RawFixes:
        """Decode a frame. Wrong fixes are returned raw, to be judged one by one. Raises Unparsable."""
        if isinstance(frame, str):
            raise Unparsable("Send binary frames; the subprotocol tracker.v1.msgpack has no text frames.")
        return _decode(_msgpack_strict.decode, _decode_raw_msgpack, frame, "MessagePack")


type AnyCodec = JsonCodec | MsgpackCodec

CODECS: Final[dict[str, type[JsonCodec] | type[MsgpackCodec]]] = {
    "tracker.v1": JsonCodec,
    "tracker.v1.msgpack": MsgpackCodec,
}

MAX_VALUES: Final = 16_384  # in a message that is decoded a second time: 500 fixes of 32 fields
SMALL_FRAME_BYTES: Final = 16_384  # a message of this size decodes within 16 ms, whatever numbers it holds
MAX_EXPONENTS: Final = 1_000

type _Scalar = float | int | str | bool | None

_json_strict: Final = msgspec.json.Decoder(FromDriver)
_json_fixes: Final = msgspec.json.Decoder(Fixes)
_msgpack_strict: Final = msgspec.msgpack.Decoder(FromDriver)
_packed_time: Final = msgspec.msgpack.Decoder(AwareTime)
_EXPONENT_AS_E0: Final = bytes.maketrans(b"E+-123456789", b"e00000000000")


def _decode[Frame: (str | bytes, bytes)](
    decode_strict: Callable[[Frame], FromDriver],
    decode_raw: Callable[[Frame], RawFixes],
    frame: Frame,
    format_: str,
) -> FromDriver | RawFixes:
    """Decode a message; if a fix is wrong, decode the fixes one by one. Raises Unparsable."""
    try:
        return decode_strict(frame)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        detail = _error_text(error, format_)  # keep no error: its traceback holds the message
    try:
        return decode_raw(frame)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Unparsable(detail) from error


def _error_text(error: Exception, format_: str) -> str:
    """Return the error of a message: the field and its allowed values, or the wrong encoding."""
    if not isinstance(error, msgspec.ValidationError):
        return f"The message is not {format_}."
    path, detail = path_and_detail(error, FromDriver)
    return f"{path or 'message'}: {detail}"


# --- JSON


def read_fixes(body: str | bytes) -> Fixes:
    """Decode valid fixes in JSON. Raises msgspec.DecodeError, UnicodeError, RecursionError."""
    _check_exponents(body)
    return _json_fixes.decode(body)


def _decode_json(frame: str | bytes) -> FromDriver:
    _check_exponents(frame)
    message: FromDriver = _json_strict.decode(frame)
    return message


def _check_exponents(frame: str | bytes) -> None:
    """Reject frames with many exponents, for `read_json` to decode. Raises msgspec.DecodeError.

    msgspec takes 20 us for a number such as 8.5e-320, `read_json` 1 us; a frame has room for 29,000.
    """
    if len(frame) > SMALL_FRAME_BYTES:
        outline = (frame.encode() if isinstance(frame, str) else frame).translate(_EXPONENT_AS_E0)
        if outline.count(b"e0") > MAX_EXPONENTS:
            raise msgspec.DecodeError("Too many exponents.")


def _decode_raw_json(frame: str | bytes) -> RawFixes:
    raw: RawFixes = msgspec.convert(read_json(frame), RawFixes)
    return raw


def read_json(frame: str | bytes) -> object:
    """Decode JSON, NaN and Infinity included, which Python's encoder writes. Raises Unparsable.

    So such a number rejects one fix, with a reason, and not the whole message.
    """
    if len(frame) > MAX_VALUES and _count(frame, ",[{") > MAX_VALUES:
        raise Unparsable(f"A message may hold at most {MAX_VALUES} values; send fewer fixes or fields.")
    try:
        return json.loads(frame)
    except json.JSONDecodeError as error:
        raise Unparsable(f"Not JSON: error at line {error.lineno}, column {error.colno}.") from error
    except (ValueError, RecursionError) as error:
        raise Unparsable("Not JSON in UTF-8, or nested too deeply.") from error


def _count(frame: str | bytes, characters: str) -> int:
    return sum(map(frame.count, characters if isinstance(frame, str) else map(str.encode, characters)))  # type: ignore[arg-type]


# --- MessagePack: an empty list takes 1 byte, but 80 in memory, so unknown values are not built


class _PackedFixes(msgspec.Struct, tag="fixes", tag_field="type"):
    id: Id
    fixes: msgspec.Raw


class _PackedFix(msgspec.Struct):
    """A fix of scalars; absent fields are null, and any other value makes the fix malformed."""

    recorded_at: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    lat: _Scalar = None
    lon: _Scalar = None
    accuracy: _Scalar = None
    speed: _Scalar = None
    heading: _Scalar = None
    altitude: _Scalar = None
    battery: _Scalar = None


def _decode_raw_msgpack(frame: bytes) -> RawFixes:
    message = msgspec.msgpack.decode(frame, type=_PackedFixes)
    count = _array_length(bytes(message.fixes))
    if count > FIXES_PER_MESSAGE:
        return RawFixes(message.id, [None] * count)  # too many: the session rejects them unread
    each = msgspec.msgpack.decode(message.fixes, type=list[msgspec.Raw])
    return RawFixes(message.id, [_unpack_fix(fix) for fix in each])


def _array_length(packed: bytes) -> int:
    """Return the length of a well-formed array; 0 for another value."""
    match packed[0]:
        case 0xDC:
            return int.from_bytes(packed[1:3])
        case 0xDD:
            return int.from_bytes(packed[1:5])
        case _:
            return packed[0] & 0x0F if packed[0] & 0xF0 == 0x90 else 0


def _unpack_fix(packed: msgspec.Raw) -> object:
    try:
        fix = msgspec.msgpack.decode(packed, type=_PackedFix)
        at = None if fix.recorded_at is msgspec.UNSET else _packed_time.decode(fix.recorded_at)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return msgspec.structs.asdict(fix) | {"recorded_at": at}


def readings(message: Fixes | RawFixes) -> list[Fix | Rejection]:
    """Return each fix of a message, or the rejection of a wrong one."""
    if isinstance(message, Fixes):
        return list(message.fixes)
    return [parse_fix(raw, read_time) for raw in message.fixes]


def read_time(value: Any) -> datetime:
    """Parse RFC 3339 with an offset. Raises ValueError."""
    try:
        return msgspec.convert(value, AwareTime)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
